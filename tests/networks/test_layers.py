import pytest
import torch
from torch.nn import functional as F

from ecgenough import networks
from ecgenough.networks.layers import ChannelNorm, pool_to


@pytest.mark.parametrize("steps", [1, 6, 7, 16, 32])
@pytest.mark.parametrize("time", [1, 2, 5, 7, 31, 64, 156])
def test_pooling_to_steps_is_adaptive_average_pooling(time: int, steps: int) -> None:
    features = torch.randn(2, 3, time)
    torch.testing.assert_close(pool_to(features, steps), F.adaptive_avg_pool1d(features, steps))


def test_channel_norm_brings_every_step_to_mean_0_and_variance_1() -> None:
    normed = ChannelNorm(50)(3 + 2 * torch.randn(2, 50, 9))
    torch.testing.assert_close(normed.mean(dim=1), torch.zeros(2, 9), atol=1e-5, rtol=0)
    torch.testing.assert_close(normed.var(dim=1, correction=0), torch.ones(2, 9), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["vgg11", "alexnet"])
def test_fully_connected_layers_keep_all_channels_and_the_order_of_time(name: str) -> None:
    network = networks.build(name, leads=1, classes=2).eval()
    features = network.features(torch.randn(1, 1, 2048))
    swapped = network.pool(features.roll(features.shape[-1] // 2, dims=-1))
    assert not torch.allclose(network.pool(features), swapped)
    silenced = features.clone()
    silenced[:, -1] += 1
    assert not torch.allclose(network.pool(features), network.pool(silenced))


def test_flattened_attention_features_fit_any_length() -> None:
    network = networks.build("attresnet", leads=2, classes=3, readout="flatten").eval()
    assert network.head.in_features == 32 * 512
    assert network(torch.randn(1, 2, 250)).shape == network(torch.randn(1, 2, 3000)).shape == (1, 3)
