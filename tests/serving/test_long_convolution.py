"""Convolutions without complex numbers and filters without recursion, against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgenough.networks.s4d import StateSpace
from ecgenough.recipe import BandPass, LowPassWavelet, NoFilter, Signal
from ecgenough.serving.fourier import FixedStateSpace, LongConvolution
from ecgenough.serving.zero_phase import LONGEST, torch_filter
from ecgenough.signals.filters import band_pass


@settings(deadline=None)
@given(time=st.integers(1, 300), reach=st.integers(0, 300), seed=st.integers(0, 99))
def test_convolution_is_numpy_s(time: int, reach: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    ahead, before = random.standard_normal((2, time)), random.standard_normal((2, min(reach, time)))
    signal = random.standard_normal((3, 2, time))
    found = LongConvolution(ahead, before, time)(torch.from_numpy(signal).float()).numpy()
    kernel = np.concatenate([before, ahead], axis=1)
    for row in range(3):
        for channel in range(2):
            whole = np.convolve(signal[row, channel], kernel[channel])
            expected = whole[before.shape[1] : before.shape[1] + time]
            np.testing.assert_allclose(found[row, channel], expected, rtol=0, atol=2e-5 * time**0.5)


@torch.no_grad()
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("time", [16, 125, 1000, 1001])
def test_a_fixed_state_space_is_the_state_space(bidirectional: bool, time: int) -> None:
    torch.manual_seed(0)
    space = StateSpace(6, 16, bidirectional, "linear").eval()
    signal = torch.randn(2, 6, time)
    torch.testing.assert_close(FixedStateSpace(space, time)(signal), space(signal), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=40)
@given(
    samples=st.integers(2, 3000),
    low=st.sampled_from([0.5, 1.0, 5.0]),
    high=st.sampled_from([20.0, 45.0]),
    order=st.integers(1, 3),
    zero_phase=st.booleans(),
    offset=st.sampled_from([0.0, 30.0]),
)
def test_the_filter_without_recursion_is_the_recipe_s(
    samples: int, low: float, high: float, order: int, zero_phase: bool, offset: float
) -> None:
    settings_ = Signal(rate=100, filter=BandPass(low=low, high=high, order=order, zero_phase=zero_phase))
    kernel = torch_filter(settings_)
    assert kernel is not None
    ecg = np.random.default_rng(samples).standard_normal((1, 2, samples)) + offset
    found = kernel(torch.from_numpy(ecg).float()).numpy()
    expected = band_pass(ecg, 100, low, high, order, zero_phase)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * (1 + offset))


def test_what_no_convolution_can_do_is_left_to_the_caller() -> None:
    assert torch_filter(Signal(filter=NoFilter())) is None
    assert torch_filter(Signal(filter=LowPassWavelet())) is None
    assert torch_filter(Signal(rate=100, filter=BandPass(low=1, high=50))) is None
    # 0.01 Hz at 500 Hz: the response falls by e every 500 / (2 pi 0.01 sqrt(1/2)) = 11,254 samples, and to 1e-7 after 16
    # times as many.
    assert 16 * 500 / (2 * np.pi * 0.01 * np.sqrt(0.5)) > LONGEST
    assert torch_filter(Signal(rate=500, filter=BandPass(low=0.01, high=45))) is None
    assert torch_filter(Signal(rate=500, filter=BandPass(low=0.5, high=45))) is not None
