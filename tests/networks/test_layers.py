import io
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough import networks
from ecgenough.networks.layers import BatchNorm, ChannelNorm, Convolution, ThriftyDropout, conv_norm, gated, pool_to


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


def turned(*shape: int) -> Tensor:
    """Random `[batch, channels, time]` whose channels lie side by side in memory."""
    batch, channels, time = shape
    return torch.randn(batch, time, channels).transpose(1, 2)


def learned(layer: nn.Module, twin: nn.Module, signal: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Outputs of both layers, their gradients for the signal and for each weight, and what they keep."""
    twin.load_state_dict(layer.state_dict())
    both = []
    for one in (layer, twin):
        seen = signal.detach().clone(memory_format=torch.preserve_format).requires_grad_()
        given = one(seen)
        (given * torch.linspace(-1, 2, given.shape[-1])).sum().backward()
        gradients = [weight.grad for weight in one.parameters()]
        both.append([given, seen.grad, *gradients, *one.buffers()])
    return list(zip(*both, strict=True))


@pytest.mark.parametrize("signal", [torch.randn(3, 8, 21), turned(3, 8, 21), torch.randn(1, 8, 7)])
@pytest.mark.parametrize(
    "sizes", [(8, 6, 5, 1, 2), (8, 6, 5, 2, 2), (8, 8, 7, 1, 3, 1, 8), (8, 4, 1), (8, 4, 3, 1, 2, 2)]
)
def test_a_convolution_is_pytorch_s_own_in_another_layout(sizes: tuple[int, ...], signal: Tensor) -> None:
    for ours, theirs in learned(Convolution(*sizes), nn.Conv1d(*sizes), signal):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert Convolution(*sizes)(signal).stride(1) == 1


@pytest.mark.parametrize("signal", [torch.randn(3, 8, 21), turned(3, 8, 21), turned(2, 1, 9)])
def test_a_batch_norm_is_pytorch_s_own_in_either_layout(signal: Tensor) -> None:
    channels = signal.shape[1]
    for ours, theirs in learned(BatchNorm(channels), nn.BatchNorm1d(channels), signal):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_layers_keep_the_layout_that_a_convolution_begins() -> None:
    layers = nn.Sequential(
        conv_norm(12, 8, 5, 2), nn.ReLU(), nn.MaxPool1d(3, 2, 1), conv_norm(8, 6, 3), ThriftyDropout()
    )
    given = layers(torch.randn(2, 12, 40))
    assert given.shape == (2, 6, 10)
    assert given.transpose(1, 2).is_contiguous()


def test_a_convolution_is_exported_as_one_of_one_dimension() -> None:
    onnx = pytest.importorskip("onnx")
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = conv_norm(4, 3, 5).eval()
        torch.onnx.export(layers, (torch.randn(1, 4, 30),), written, dynamo=False)  # type: ignore[arg-type]
    graph = onnx.load_model_from_string(written.getvalue()).graph
    assert [len(weight.dims) for weight in graph.initializer if len(weight.dims) > 1] == [3]
    assert {node.op_type for node in graph.node} == {"Conv"}  # the norm is folded into it


@pytest.mark.parametrize("signal", [torch.randn(2, 6, 5), turned(2, 6, 5)])
def test_gating_is_pytorch_s_own_in_either_layout(signal: Tensor) -> None:
    ours, theirs = (signal.clone(memory_format=torch.preserve_format).requires_grad_() for _ in range(2))
    weights = torch.randn(2, 3, 5)
    (gated(ours) * weights).sum().backward()
    (F.glu(theirs, dim=1) * weights).sum().backward()
    torch.testing.assert_close(gated(ours), F.glu(theirs, dim=1))
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_thrifty_dropout_draws_for_each_element_whatever_the_layout() -> None:
    torch.manual_seed(0)
    dropped = ThriftyDropout(0.25)(turned(50, 40, 30).fill_(1))
    assert dropped.stride(1) == 1
    share = (dropped == 0).double()
    assert float(share.mean()) == pytest.approx(0.25, abs=4 * (0.1875 / dropped.numel()) ** 0.5)
    for axis in range(3):  # along none of the axes is one drawn as its neighbour was: 0.25 squared
        neighbours = share.narrow(axis, 1, share.shape[axis] - 1) * share.narrow(axis, 0, share.shape[axis] - 1)
        assert float(neighbours.mean()) == pytest.approx(0.0625, abs=4 * (0.0625 / dropped.numel()) ** 0.5)
