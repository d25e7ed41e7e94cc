import pytest
import torch
from torch.nn import functional as F

from ecgenough import networks
from ecgenough.networks.layers import ChannelNorm, ThriftyDropout, pool_to


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


def test_thrifty_dropout_drops_as_many_as_it_says_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    signal = torch.ones(1000, 1001)  # an odd number, so that the last draw is not used up
    dropped = ThriftyDropout(0.2)(signal)
    share = (dropped == 0).double()
    # four standard errors of a share of 0.2 among a million, and among a quarter of them, one a lane of 16 bits
    assert float(share.mean()) == pytest.approx(0.2, abs=4 * (0.16 / signal.numel()) ** 0.5)
    lanes = share.flatten()[: signal.numel() // 4 * 4].view(-1, 4).mean(dim=0)
    torch.testing.assert_close(lanes, torch.full_like(lanes, 0.2), atol=4 * (0.64 / signal.numel()) ** 0.5, rtol=0)
    assert torch.unique(dropped).tolist() == pytest.approx([0, 1 / 0.8], rel=1e-4)
    neighbours = (share[:, 1:] * share[:, :-1]).mean()  # drawn independently: 0.2 squared
    assert float(neighbours) == pytest.approx(0.04, abs=4 * (0.04 / signal.numel()) ** 0.5)


def test_thrifty_dropout_is_nothing_in_evaluation_and_the_same_for_a_seed() -> None:
    signal = torch.randn(3, 5, 7)
    assert torch.equal(ThriftyDropout(0.5).eval()(signal), signal)
    assert torch.equal(ThriftyDropout(0.0)(signal), signal)
    both = []
    for _ in range(2):
        torch.manual_seed(3)
        both.append(ThriftyDropout(0.5)(signal))
    assert torch.equal(*both)


def test_the_gradient_of_thrifty_dropout_is_what_was_kept() -> None:
    signal = torch.randn(4, 9, requires_grad=True)
    dropped = ThriftyDropout(0.25)(signal)
    dropped.sum().backward()
    assert signal.grad is not None
    torch.testing.assert_close(signal.grad * signal, dropped)
