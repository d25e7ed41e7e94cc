import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ecgenough import networks
from ecgenough.networks.s4d import CircularConvolution, Spectrum, StateSpace, fast_circle


def space(bidirectional: bool = False, spectrum: Spectrum = "linear", state: int = 16) -> StateSpace:
    torch.manual_seed(0)
    return StateSpace(3, state, bidirectional, spectrum)


def stepped(layer: StateSpace, signal: NDArray[np.float64], direction: int) -> NDArray[np.float64]:
    """The same system in double precision, step by step: s <- e^(A dt) s + (e^(A dt) - 1) / A u, y = 2 Re C s."""
    values = {name: value.detach().double().numpy() for name, value in layer.named_parameters()}
    dynamics = -np.exp(values["log_decay"]) + 1j * values["frequency"]
    advance = np.exp(dynamics * np.exp(values["log_step"])[:, None])
    readout = values["readout"][0, direction] + 1j * values["readout"][1, direction]
    state, outputs = np.zeros_like(dynamics), np.empty_like(signal)
    for time in range(signal.shape[-1]):
        state = advance * state + (advance - 1) / dynamics * signal[:, time, None]
        outputs[:, time] = 2 * (readout * state).sum(axis=1).real
    return outputs


@pytest.mark.parametrize("spectrum", ["linear", "inverse"])
@pytest.mark.parametrize("time", [1, 2, 125, 300])
def test_the_convolution_is_the_state_space_stepped_through_time(time: int, spectrum: Spectrum) -> None:
    layer, signal = space(spectrum=spectrum), np.random.default_rng(0).standard_normal((3, time))
    expected = stepped(layer, signal, 0) + layer.direct.detach().double().numpy()[:, None] * signal
    with torch.no_grad():
        outputs = layer(torch.from_numpy(signal).float().unsqueeze(0))[0]
    np.testing.assert_allclose(outputs, expected, atol=2e-4)


def test_the_second_direction_sees_what_comes_after_each_step() -> None:
    layer, signal = space(bidirectional=True), np.random.default_rng(0).standard_normal((3, 60))
    behind = stepped(layer, signal, 0)
    reversed_in_time = stepped(layer, signal[:, ::-1], 1)[:, ::-1]
    after = np.concatenate([reversed_in_time[:, 1:], np.zeros((3, 1))], axis=1)
    expected = behind + after + layer.direct.detach().double().numpy()[:, None] * signal
    with torch.no_grad():
        outputs = layer(torch.from_numpy(signal).float().unsqueeze(0))[0]
    np.testing.assert_allclose(outputs, expected, atol=2e-4)


def test_frequencies_begin_as_in_the_source() -> None:
    order = np.arange(8)
    np.testing.assert_allclose(space().frequency.detach()[0], np.pi * order, rtol=1e-6)
    inverse = 16 / np.pi * (16 / (2 * order + 1) - 1)
    np.testing.assert_allclose(space(spectrum="inverse").frequency.detach()[2], inverse, rtol=1e-6)
    np.testing.assert_allclose(-space().log_decay.detach().exp(), -0.5)
    assert ((space().log_step.exp() >= 1e-3) & (space().log_step.exp() <= 1e-1)).all()


def test_the_kernel_keeps_its_precision_under_autocast() -> None:
    layer, signal = space(bidirectional=True), torch.randn(1, 3, 125)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        under_autocast = layer(signal)
    torch.testing.assert_close(under_autocast, layer(signal).detach(), rtol=0, atol=0)


def test_one_direction_never_looks_ahead() -> None:
    network = networks.build("s4d", leads=2, classes=1, width=8, bidirectional=False).eval()
    ecg = torch.randn(1, 2, 300)
    changed = ecg.clone()
    changed[..., 200:] += 1
    with torch.no_grad():
        before, after = network.features(ecg), network.features(changed)
    torch.testing.assert_close(before[..., :200], after[..., :200], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(before[..., 200:], after[..., 200:], atol=1e-2)


def test_ten_seconds_at_100_hz_become_125_steps() -> None:
    network = networks.build("s4d_hybrid", leads=12, classes=5).eval()
    assert network.features(torch.randn(1, 12, 1000)).shape == (1, 256, 125)


@pytest.mark.parametrize(("time", "size"), [(1, 2), (2, 4), (5, 10), (5, 12), (8, 16), (9, 24)])
def test_the_convolution_s_own_gradients_are_those_of_finite_differences(time: int, size: int) -> None:
    rng = torch.Generator().manual_seed(0)
    signal, kernel = (torch.randn(*shape, generator=rng).double() for shape in ((3, 2, time), (2, size)))
    assert torch.autograd.gradcheck(CircularConvolution.apply, (signal.requires_grad_(), kernel.requires_grad_()))


def test_the_convolution_goes_around_a_circle_of_twice_the_length() -> None:
    rng = np.random.default_rng(0)
    signal, kernel = rng.standard_normal((1, 1, 6)), rng.standard_normal((1, 12))
    around = np.array([sum(signal[0, 0, j] * kernel[0, (i - j) % 12] for j in range(6)) for i in range(6)])
    outputs = CircularConvolution.apply(torch.from_numpy(signal), torch.from_numpy(kernel))
    np.testing.assert_allclose(outputs[0, 0], around, atol=1e-12)


def test_a_circle_is_twice_as_long_and_of_a_size_that_transforms_are_fast_at() -> None:
    assert [fast_circle(time) for time in (1, 2, 3, 4, 125, 128, 129, 1000, 1250)] == [
        2,
        4,
        6,
        8,
        256,
        256,
        384,
        2048,
        3072,
    ]


def test_the_state_space_answers_and_learns_alike_in_either_layout_and_keeps_it() -> None:
    layer, signal = space(bidirectional=True), torch.randn(2, 3, 125)
    both = []
    for seen in (signal.clone(), signal.transpose(1, 2).contiguous().transpose(1, 2)):
        layer.zero_grad()
        given = layer(seen.requires_grad_())
        assert given.stride() == seen.stride()
        given.square().sum().backward()
        both.append(
            [given, seen.grad, *(weight.grad.clone() for weight in layer.parameters() if weight.grad is not None)]
        )
    for one, other in zip(*both, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_short_recording_is_seen_as_its_signal_over_again_where_asked_for() -> None:
    built = {}
    for short in ("padded", "repeated"):
        torch.manual_seed(0)
        built[short] = networks.build("s4d_hybrid", leads=3, classes=2, width=8, short=short).eval()
    ecg = torch.randn(4, 3, 500)
    ecg[:, 1] = 0  # a lead that is flat is no padding
    lengths = (500, 499, 200, 130)
    padded, again = ecg.clone(), ecg.clone()
    for row, length in enumerate(lengths):
        padded[row, :, length:] = 0
        again[row] = ecg[row, :, torch.arange(500) % length]
    with torch.inference_mode():
        torch.testing.assert_close(built["repeated"](padded), built["padded"](again))
        assert not torch.allclose(built["padded"](padded)[1:], built["padded"](again)[1:], atol=1e-4)
        silence = torch.zeros(1, 3, 500)
        torch.testing.assert_close(built["repeated"](silence), built["padded"](silence))
