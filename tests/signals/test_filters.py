"""Filters against SciPy's design, PyWavelets' own loop, and signals whose answer is known."""

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import butter, freqz_sos

from ecgenough.errors import WrongRequest
from ecgenough.recipe import BandPass, LowPassWavelet, NoFilter
from ecgenough.signals.filters import band_pass, check_filter, filtered, low_pass_wavelet, wavelet_baseline
from ecgenough.simulation import Case, Waves, simulate

Samples = NDArray[np.float64]
RATES = (100.0, 257.0, 500.0, 1000.0)


def decibels(gain: Samples) -> Samples:
    return 20 * np.log10(np.maximum(np.abs(gain), 1e-12))


def impulse(rate: float) -> Samples:
    """One second in a minute's middle: long enough that nothing of a response is cut."""
    signal = np.zeros(int(60 * rate))
    signal[len(signal) // 2] = 1.0
    return signal


def measured_gain(response: Samples, rate: float, at_hz: Samples) -> Samples:
    """Gain of an impulse response at some frequencies, by the definition of the Fourier transform."""
    times = np.arange(len(response)) / rate
    return np.abs(np.exp(-2j * np.pi * np.outer(at_hz, times)) @ response)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_causal_band_pass_meets_scipy_s_design_at_its_own_rate(rate: float, order: int) -> None:
    at_hz = np.array([0.2, 0.5, 1.0, 3.0, 10.0, 25.0, 40.0, 45.0, 48.0])
    _, design = freqz_sos(butter(order, [1, 45], "bandpass", fs=rate, output="sos"), worN=at_hz, fs=rate)
    gain = measured_gain(band_pass(impulse(rate), rate, 1, 45, order, zero_phase=False), rate, at_hz)
    assert decibels(gain) == pytest.approx(decibels(design), abs=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_zero_phase_band_pass_has_the_design_s_gain_squared(rate: float) -> None:
    at_hz = np.array([0.3, 1.0, 3.0, 10.0, 25.0, 40.0, 45.0])
    _, design = freqz_sos(butter(2, [1, 45], "bandpass", fs=rate, output="sos"), worN=at_hz, fs=rate)
    gain = measured_gain(band_pass(impulse(rate), rate, 1, 45, 2, zero_phase=True), rate, at_hz)
    assert decibels(gain) == pytest.approx(2 * decibels(design), abs=0.1)


@pytest.mark.parametrize("rate", RATES)
def test_an_edge_is_at_half_the_power_at_every_rate(rate: float) -> None:
    """-3.01 dB is what Butterworth means by an edge; the paper's filter, designed for 100 Hz, has it elsewhere."""
    gain = measured_gain(band_pass(impulse(rate), rate, 1, 45, 2, zero_phase=False), rate, np.array([1.0, 45.0]))
    assert decibels(gain) == pytest.approx([-3.01, -3.01], abs=0.1)


def test_zero_phase_filtering_leaves_a_peak_where_it_is_and_causal_filtering_does_not() -> None:
    times = np.arange(2000) / 500
    bump = np.exp(-((times - 2) ** 2) / (2 * 0.02**2))
    assert band_pass(bump, 500, 0.05, 20, 2, zero_phase=True).argmax() == 1000
    assert band_pass(bump, 500, 0.05, 20, 2, zero_phase=False).argmax() > 1003


@pytest.mark.parametrize("zero_phase", [True, False])
def test_an_offset_makes_no_step(zero_phase: bool) -> None:
    assert np.abs(band_pass(np.full(1000, 5.0), 100, 1, 45, 2, zero_phase)).max() < 1e-9


@pytest.mark.parametrize("high", [50.0, 60.0, 1000.0])
def test_an_upper_edge_at_or_above_half_the_rate_lets_all_above_the_lower_one_pass(high: float) -> None:
    at_hz = np.array([0.5, 1.0, 10.0, 30.0, 45.0, 49.0])
    _, design = freqz_sos(butter(2, 1, "highpass", fs=100, output="sos"), worN=at_hz, fs=100)
    gain = measured_gain(band_pass(impulse(100), 100, 1, high, 2, zero_phase=False), 100, at_hz)
    assert decibels(gain) == pytest.approx(decibels(design), abs=0.1)


def test_a_band_that_lets_nothing_pass_is_refused() -> None:
    with pytest.raises(WrongRequest, match="low must be below high"):
        band_pass(np.zeros(1000), 100, 45, 1)
    with pytest.raises(WrongRequest, match="raise the rate"):
        band_pass(np.zeros(1000), 100, 50, 60)
    with pytest.raises(WrongRequest, match="raise the rate"):
        check_filter(BandPass(low=60, high=80), 100)


@pytest.mark.parametrize(("low", "high", "order"), [(1.0, 45.0, 300), (0.01, 0.02, 100)])
def test_a_design_beyond_double_precision_is_refused(low: float, high: float, order: int) -> None:
    with pytest.raises(WrongRequest, match="lower its order"):
        band_pass(np.zeros(1000), 500, low, high, order)


def test_an_unknown_wavelet_is_refused_with_the_nearest() -> None:
    with pytest.raises(WrongRequest, match='"dbb4" is unknown\\. Nearest: "db4"'):
        check_filter(LowPassWavelet(wavelet="dbb4"), 100)


def baseline_of_one_lead(lead: Samples, wavelet: str) -> Samples:
    """The paper's rule one lead and one level at a time: E(n - 1) > E(n) < E(n + 1) stops at level n."""
    approximations, energies = [lead], [np.inf]
    while True:
        approximation, detail = pywt.dwt(approximations[-1], wavelet)
        approximations.append(approximation)
        energies.append(float(np.sum(detail**2)))
        level = len(energies) - 2
        if level > 1 and energies[level - 1] > energies[level] < energies[level + 1]:
            break
        if len(approximation) >= len(approximations[-2]):
            level = len(energies) - 1
            break
    baseline = approximations[level]
    for shorter in reversed(approximations[:level]):
        baseline = pywt.idwt(baseline, None, wavelet)[: len(shorter)]
    return baseline


@given(seed=st.integers(0, 10**6), samples=st.integers(20, 700), wavelet=st.sampled_from(["db4", "haar", "sym5"]))
@settings(max_examples=60, deadline=None)
def test_the_batched_baseline_is_that_of_each_lead_alone(seed: int, samples: int, wavelet: str) -> None:
    rng = np.random.default_rng(seed)
    leads = rng.standard_normal((2, 3, samples)).cumsum(axis=-1) * rng.uniform(0, 1, (2, 3, 1)) + rng.standard_normal(
        (2, 3, samples)
    )
    batched = wavelet_baseline(leads, wavelet)
    for record, lead in np.ndindex(2, 3):
        np.testing.assert_allclose(batched[record, lead], baseline_of_one_lead(leads[record, lead], wavelet), atol=1e-9)


def test_low_pass_wavelet_takes_wander_away_and_leaves_the_beats() -> None:
    times = np.arange(5000) / 500
    beats = sum(np.exp(-((times - at) ** 2) / (2 * 0.012**2)) for at in np.arange(0.5, 10, 0.8))
    wander = 0.8 * np.sin(2 * np.pi * 0.15 * times)
    clean = low_pass_wavelet(beats + wander, 500)
    assert np.abs(clean[500:-500] - beats[500:-500]).mean() < 0.2 * np.abs(wander).mean()
    assert clean[500:-500].max() > 0.7


def test_low_pass_wavelet_at_500_hz_takes_mains_harmonics_by_the_design() -> None:
    """A 100 Hz sine, far from any baseline, falls by twice what the causal design takes: the filter runs both ways."""
    times = np.arange(10000) / 500
    _, design = freqz_sos(butter(2, 50, fs=500, output="sos"), worN=[100.0], fs=500)
    window = np.hanning(10000)
    passed = low_pass_wavelet(np.sin(2 * np.pi * 10 * times) + np.sin(2 * np.pi * 100 * times), 500)
    spectrum = np.abs(np.fft.rfft(passed * window)) / (window.sum() / 2)
    assert decibels(spectrum[2000:2001]) == pytest.approx(2 * decibels(design), abs=0.1)


def test_low_pass_at_half_the_rate_changes_nothing_but_the_baseline() -> None:
    noise = np.random.default_rng(1).standard_normal((2, 1000))
    literal = low_pass_wavelet(noise, 100, 50, baseline_below=None)
    np.testing.assert_array_equal(literal, noise - wavelet_baseline(noise))


def st_levels(signals: Samples, waves: Waves, rate: float) -> Samples:
    """mV `[records, leads]` 60 ms behind the QRS complex, against 30 ms before it; the median beat's."""
    levels = []
    for signal, onsets, offsets in zip(signals, waves.qrs_onset, waves.qrs_offset, strict=True):
        whole = [(on, off) for on, off in zip(onsets, offsets, strict=True) if on > 1 and off < 9]
        beats = [signal[:, round((off + 0.06) * rate)] - signal[:, round((on - 0.03) * rate)] for on, off in whole]
        levels.append(np.median(beats, axis=0))
    return np.array(levels)


@pytest.mark.parametrize("rate", [100, 500])
def test_a_bounded_baseline_takes_wander_and_leaves_st_elevation_which_the_published_rule_takes(rate: float) -> None:
    """Acute anterior infarctions, V1 to V3, under a wander of 0.4 mV at 0.15 to 0.25 Hz. ECG paper shows 0.05 mV."""
    cases = [Case(frozenset({"ASMI-acute"}), number, number) for number in range(12)]
    simulated = simulate(cases, rate=rate, noise=False)
    hearts, times = simulated.signal[:, 6:9].astype(np.float64), np.arange(10 * rate) / rate
    drift = np.linspace(0.15, 0.25, 12)[:, None, None]
    wandering = hearts + 0.4 * np.sin(2 * np.pi * (drift * times + np.arange(12)[:, None, None] / 12))
    true = st_levels(hearts, simulated.waves, rate)
    assert np.median(true) > 0.2
    bounded = low_pass_wavelet(wandering, rate, baseline_below=0.5)
    assert np.abs(st_levels(bounded, simulated.waves, rate) - true).max() < 0.05
    middle = slice(rate, -rate)  # the transform does not know what comes before and after
    left = (bounded - hearts + np.median(hearts, axis=-1, keepdims=True))[..., middle]
    assert np.ptp(left - left.mean(axis=-1, keepdims=True), axis=-1).mean() < 0.25 * 0.8
    literal = low_pass_wavelet(wandering, rate, baseline_below=None)
    assert np.median(np.abs(st_levels(literal, simulated.waves, rate) - true)) > 0.1


@pytest.mark.parametrize(("rate", "level"), [(100, 7), (128, 7), (128.1, 8), (500, 9), (0.9, 1)])
def test_the_bound_is_the_level_whose_band_ends_below_it(rate: float, level: int) -> None:
    """The approximation of level n ends at rate / 2 ** (n + 1): 0.39 Hz at level 7 of 100 Hz, 0.5 at level 7 of 128 Hz."""
    noise = np.random.default_rng(3).standard_normal(4000)
    bounded = low_pass_wavelet(noise, rate, high=rate, baseline_below=0.5)
    np.testing.assert_array_equal(bounded, noise - wavelet_baseline(noise, least=level))


@pytest.mark.parametrize("kind", [NoFilter(), BandPass(), BandPass(zero_phase=False), LowPassWavelet()])
def test_a_batch_is_filtered_as_its_leads_alone(kind: NoFilter | BandPass | LowPassWavelet) -> None:
    signals = np.random.default_rng(2).standard_normal((3, 2, 800)).astype(np.float32)
    together = filtered(signals, 100, kind)
    assert together.dtype == np.float64
    for record, lead in np.ndindex(3, 2):
        np.testing.assert_array_equal(together[record, lead], filtered(signals[record, lead], 100, kind))
