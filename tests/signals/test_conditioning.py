"""Conditioning: the order of its steps, what it refuses, and that nothing depends on padding or on the batch."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.recipe import BandPass, LowPassWavelet, NoFilter, Signal
from ecgenough.signals.conditioning import (
    MARGIN,
    check_settings,
    condition,
    condition_batch,
    resampled,
    samples_of,
    usable,
)

TWO = ("I", "II")
rates = st.one_of(st.sampled_from([100.0, 257.0, 500.0, 1000.0, 360.5]), st.floats(60, 1100))


def recording(signal: NDArray[np.generic] | list[list[float]], rate: float, leads: tuple[str, ...] = TWO) -> Ecg:
    return Ecg(np.asarray(signal, dtype=np.float32), rate, leads)


def noise(samples: int, rate: float, seed: int = 0, leads: tuple[str, ...] = TWO) -> Ecg:
    return recording(np.random.default_rng(seed).standard_normal((len(leads), samples)), rate, leads)


def sine(hertz: float, rate: float, seconds: float) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def test_without_filter_at_its_own_rate_a_recording_stays_as_it_is() -> None:
    ecg = noise(1000, 100)
    conditioned = condition(ecg, Signal(leads=TWO))
    assert conditioned.valid == 1000
    assert conditioned.signal.flags.writeable
    np.testing.assert_array_equal(conditioned.signal, ecg.signal)


def test_a_long_recording_is_cut_at_its_start_and_a_short_one_padded_at_its_end() -> None:
    long, short = noise(6000, 100), noise(700, 100)
    np.testing.assert_array_equal(condition(long, Signal(leads=TWO)).signal, long.signal[:, :1000])
    padded = condition(short, Signal(leads=TWO))
    assert padded.valid == 700
    np.testing.assert_array_equal(padded.signal[:, :700], short.signal)
    assert not padded.signal[:, 700:].any()


def test_leads_come_in_the_order_asked_for_and_are_derived_by_einthoven_s_law() -> None:
    ecg = noise(1000, 100)
    conditioned = condition(ecg, Signal(leads=("aVF", "II", "III")))
    one, two = ecg.signal
    np.testing.assert_allclose(conditioned.signal, [two - one / 2, two, two - one], atol=1e-6)
    with pytest.raises(BrokenRecord, match="lead V1 is absent"):
        condition(ecg, Signal())


@given(rate=rates, target=st.sampled_from([100.0, 128.0, 250.0, 500.0]), phase=st.floats(0, 6.3))
@settings(max_examples=40, deadline=None)
def test_resampling_keeps_a_5_hz_sine_in_amplitude_and_in_time(rate: float, target: float, phase: float) -> None:
    signal = np.sin(2 * np.pi * 5 * np.arange(int(10 * rate)) / rate + phase) + 3.0
    fresh = resampled(signal[None].astype(np.float32), rate, target)[0]
    times = np.arange(len(fresh)) / target
    middle = slice(int(target), len(fresh) - int(target))
    assert fresh[middle] == pytest.approx(np.sin(2 * np.pi * 5 * times + phase)[middle] + 3.0, abs=0.01)


def test_257_hz_becomes_100_hz_by_the_exact_ratio() -> None:
    """30 min at 257 Hz would drift by 19 samples at 257.7; 10 s are 2570 samples, and 1000 at 100 Hz."""
    conditioned = condition(recording([sine(5, 257, 10)] * 2, 257), Signal(leads=TWO))
    assert conditioned.valid == 1000
    assert conditioned.signal[0, 100:900] == pytest.approx(sine(5, 100, 10)[100:900], abs=0.01)


@given(samples=st.integers(257, 3000), rate=rates, target=st.sampled_from([100.0, 250.0, 500.0]))
@settings(max_examples=40, deadline=None)
def test_any_length_and_rate_gives_one_shape_and_a_valid_part_of_the_right_length(
    samples: int, rate: float, target: float
) -> None:
    wanted = Signal(leads=TWO, rate=target, duration=4.0)
    if samples / rate < 1:
        with pytest.raises(BrokenRecord, match=r"at least 1 s"):
            condition(noise(samples, rate), wanted)
        return
    conditioned = condition(noise(samples, rate), wanted)
    assert conditioned.signal.shape == (2, 4 * target)
    assert conditioned.signal.dtype == np.float32
    assert abs(conditioned.valid - min(4 * target, samples * target / rate)) <= 1
    assert not conditioned.signal[:, conditioned.valid :].any()


def test_resampling_makes_no_step_at_the_ends_of_an_offset_or_a_slope() -> None:
    slope = np.linspace(2, 5, 5000, dtype=np.float32)[None]
    expected = np.interp(np.arange(1000) / 100, np.arange(5000) / 500, slope[0])
    assert resampled(slope, 500, 100)[0] == pytest.approx(expected, abs=2e-3)
    assert resampled(np.full((1, 2570), 7.0, np.float32), 257, 100)[0] == pytest.approx(np.full(1000, 7.0), abs=1e-5)


def test_resampling_keeps_what_lies_above_the_new_nyquist_from_folding_down() -> None:
    """70 Hz at 100 Hz would fold to 30 Hz."""
    assert np.abs(resampled(sine(70, 500, 10)[None].astype(np.float32), 500, 100)[0, 100:900]).max() < 0.01


def test_the_filter_works_at_the_new_rate() -> None:
    """What a filter does at its edge depends on the rate it was designed at; here that must be 250 Hz, after 1000."""
    times = np.arange(10000) / 1000
    ecg = recording([np.sin(2 * np.pi * 3 * times), np.sin(2 * np.pi * 45 * times)], 1000)
    conditioned = condition(ecg, Signal(leads=TWO, rate=250, filter=BandPass()))
    at_250 = np.stack([sine(3, 250, 10), sine(45, 250, 10)])
    expected = sosfiltfilt(butter(2, [1, 45], "bandpass", fs=250, output="sos"), at_250)
    np.testing.assert_allclose(conditioned.signal[:, 500:2000], expected[:, 500:2000], atol=0.01)


def test_a_filter_that_does_not_fit_the_new_rate_works_before_resampling() -> None:
    """1-60 Hz cannot be had at 100 Hz, but at 500 Hz it can: 20 Hz pass, and 0.2 Hz do not."""
    ecg = recording([sine(20, 500, 10), sine(0.2, 500, 10)], 500)
    conditioned = condition(ecg, Signal(leads=TWO, filter=BandPass(low=1, high=60)))
    at_500 = sosfiltfilt(butter(2, [1, 60], "bandpass", fs=500, output="sos"), ecg.signal.astype(float))
    np.testing.assert_allclose(conditioned.signal[:, 200:800], at_500[:, 1000:4000:5], atol=0.01)


@given(
    seconds=st.floats(1.0, 14.0),
    rate=st.sampled_from([100.0, 257.0, 500.0]),
    kind=st.sampled_from([NoFilter(), BandPass(), BandPass(zero_phase=False), LowPassWavelet()]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_padding_never_influences_what_is_signal(
    seconds: float, rate: float, kind: NoFilter | BandPass | LowPassWavelet, seed: int
) -> None:
    """A recording conditioned to 30 s and to 20 s, both longer than itself, is the same where it is signal."""
    ecg = noise(ceil(seconds * rate), rate, seed)
    longer, shorter = (condition(ecg, Signal(leads=TWO, duration=s, filter=kind)) for s in (30.0, 20.0))
    assert longer.valid == shorter.valid
    np.testing.assert_array_equal(longer.signal[:, : longer.valid], shorter.signal[:, : shorter.valid])
    assert np.ptp(longer.signal[:, : longer.valid]) > 0.1


def test_what_follows_the_wanted_duration_by_more_than_the_margin_does_not_matter() -> None:
    ecg = noise(6000, 100)
    start = recording(ecg.signal[:, : int((10 + MARGIN) * 100)], 100)
    wanted = Signal(leads=TWO, filter=BandPass())
    np.testing.assert_array_equal(condition(ecg, wanted).signal, condition(start, wanted).signal)


@pytest.mark.parametrize("rate", [100.0, 257.0, 500.0])
@pytest.mark.parametrize("kind", [NoFilter(), BandPass(), LowPassWavelet()])
def test_a_batch_is_conditioned_as_its_recordings_one_by_one(
    rate: float, kind: NoFilter | BandPass | LowPassWavelet
) -> None:
    ecgs = [noise(int(9.3 * rate), rate, seed, STANDARD_LEADS) for seed in range(5)]
    wanted = Signal(filter=kind)
    together = condition_batch(np.stack([usable(ecg, wanted).signal for ecg in ecgs]), rate, wanted)
    for ecg, signal in zip(ecgs, together.signal, strict=True):
        alone = condition(ecg, wanted)
        assert alone.valid == together.valid
        np.testing.assert_array_equal(alone.signal, signal)


def test_gaps_are_bridged_by_lines_and_ends_by_the_nearest_sample() -> None:
    ramp = np.arange(1000, dtype=np.float32)
    holed = ramp.copy()
    holed[[0, 1, 500, 501, 502, 999]] = [np.nan, -1e30, np.nan, np.nan, 1e30, np.nan]
    conditioned = condition(recording([holed, ramp], 100), Signal(leads=TWO))
    expected = ramp.copy()
    expected[[0, 1, 999]] = [2, 2, 998]
    np.testing.assert_allclose(conditioned.signal, [expected, ramp])


@pytest.mark.parametrize("kind", [NoFilter(), BandPass(), BandPass(zero_phase=False), LowPassWavelet()])
def test_gaps_never_reach_a_filter(kind: NoFilter | BandPass | LowPassWavelet) -> None:
    signal = np.random.default_rng(0).standard_normal((2, 5000))
    signal[0, 1000:2500] = np.nan
    assert np.isfinite(condition(recording(signal, 500), Signal(leads=TWO, filter=kind)).signal).all()


def test_half_a_lead_may_be_lost_but_no_more() -> None:
    ecg = noise(1000, 100)
    half, more = ecg.signal.copy(), ecg.signal.copy()
    half[1, 200:700] = np.nan
    more[1, 200:701] = np.nan
    condition(recording(half, 100), Signal(leads=TWO))
    with pytest.raises(BrokenRecord, match="lead II lacks 501 of 1,000 samples"):
        condition(recording(more, 100), Signal(leads=TWO))
    more[1] = np.nan
    with pytest.raises(BrokenRecord, match="lead II lacks 1,000 of 1,000"):
        condition(recording(more, 100), Signal(leads=TWO))
    condition(recording(more, 100), Signal(leads=("I",)))


def test_only_the_part_that_is_shown_counts_as_lost() -> None:
    ecg = noise(6000, 100)
    early, late = ecg.signal.copy(), ecg.signal.copy()
    early[0, :600], late[0, 1000:] = np.nan, np.nan
    np.testing.assert_array_equal(condition(recording(late, 100), Signal(leads=TWO)).signal, ecg.signal[:, :1000])
    with pytest.raises(BrokenRecord, match="lead I lacks 600 of 1,000"):
        condition(recording(early, 100), Signal(leads=TWO))


def test_flat_in_every_lead_is_refused_and_flat_in_one_is_not() -> None:
    signal = np.full((2, 1000), 0.3, dtype=np.float32)
    with pytest.raises(BrokenRecord, match="flat: no lead varies by 1 µV in 10 s"):
        condition(recording(signal, 100), Signal(leads=TWO))
    signal[1, 5] += 0.2
    condition(recording(signal, 100), Signal(leads=TWO))
    with pytest.raises(BrokenRecord, match="flat"):
        condition(recording(signal, 100), Signal(leads=("I",)))
    with pytest.raises(BrokenRecord, match="flat"):
        condition(recording(np.r_["1", signal[:, 10:], noise(500, 100).signal], 100), Signal(leads=TWO, duration=9))


def test_too_short_or_too_slow_a_recording_is_refused() -> None:
    with pytest.raises(BrokenRecord, match=r"lasts 0\.99 s"):
        condition(noise(99, 100), Signal(leads=TWO))
    condition(noise(100, 100), Signal(leads=TWO))
    with pytest.raises(BrokenRecord, match="lasts"):
        condition(recording(np.zeros((2, 0)), 100), Signal(leads=TWO))
    with pytest.raises(BrokenRecord, match="10 samples a second"):
        condition(noise(100, 10), Signal(leads=TWO))


def test_settings_that_fit_no_recording_are_refused() -> None:
    for wrong in (Signal(rate=5), Signal(duration=0.5), Signal(filter=BandPass(low=50, high=60))):
        with pytest.raises(WrongRequest):
            check_settings(wrong)
    assert samples_of(Signal(rate=257, duration=10)) == 2570
