"""Beats are found where the simulator planted them."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.signals.delineation import RATE, Beat, find_beats, prepared, wave_edges
from ecgenough.simulation import Case, Simulated, simulate, simulator


def found_and_planted(made: Simulated, row: int, signal: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """Seconds of the beats found and of those planted, but for the first and last 150 ms, where QRS may be cut off."""
    found, planted = find_beats(prepared(signal, made.rate)) / RATE, made.waves.r[row]
    end = signal.shape[1] / made.rate - 0.15
    return tuple(beats[(beats > 0.15) & (beats < end)] for beats in (found, planted[~np.isnan(planted)]))


@pytest.mark.parametrize("sampled", [100, 250, 500])
@pytest.mark.parametrize("level", [0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("kind", ["", "AFIB", "SARRH", "CLBBB", "RVH", "LNGQT", "1AVB"])
def test_beats_are_those_planted_at_any_rate_under_noise(
    kind: str, level: float, sampled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """White noise on every lead by itself, as loud (mV, standard deviation) as no recorder's that is worth reading."""
    rates = np.array([40, 60, 80, 100, 120, 150, 180], dtype=np.float64)  # beats a minute
    monkeypatch.setattr(simulator, "heart_rates", lambda *_: rates)
    cases = [Case(frozenset({kind} - {""}), row, row, 40 + 5 * row) for row in range(len(rates))]
    made = simulate(cases, rate=sampled, seed=11, noise=False)
    noise = np.random.default_rng(0).normal(0, level, made.signal.shape).astype(np.float32)
    for row, signal in enumerate(made.signal + noise):
        found, planted = found_and_planted(made, row, signal)
        assert len(found) == len(planted), f"{rates[row]} a minute"
        assert np.abs(found - planted).max() < 0.07


@pytest.mark.parametrize("level", [0, 0.05, 0.1])
def test_of_premature_beats_few_are_missed(level: float) -> None:
    """They are slower than others; the smoothest ones are as slow as a T wave."""
    made = simulate([Case(frozenset({"PVC"}), row, row) for row in range(40)], rate=500, seed=2, noise=False)
    noise = np.random.default_rng(1).normal(0, level, made.signal.shape).astype(np.float32)
    premature = np.isfinite(made.waves.r) & np.isnan(made.waves.t_peak)
    missed, extra = 0, 0
    for row, signal in enumerate(made.signal + noise):
        found, planted = found_and_planted(made, row, signal)
        missed += int((np.abs(found[:, None] - planted).min(axis=0) > 0.07).sum())
        extra += int((np.abs(found[:, None] - planted).min(axis=1) > 0.07).sum())
    assert extra <= 1
    assert missed <= 0.2 * premature.sum()


def test_a_swinging_electrode_hides_no_beat_before_and_after() -> None:
    """For 1.5 s it moves faster than any QRS complex: what is usual is counted without it."""
    made = simulate([Case(record=1, patient=1)], rate=500, seed=3, noise=False)
    signal = made.signal[0].copy()
    signal[:, 2000:2750] += 8 * np.sin(np.arange(750) * 2 * np.pi * 6 / 500).astype(np.float32)
    found, planted = found_and_planted(made, 0, signal)
    for beats in (planted[planted < 3.8], planted[planted > 5.7]):
        assert np.abs(found[:, None] - beats).min(axis=0).max() < 0.07


@pytest.mark.parametrize("rate", [60, 90])
@pytest.mark.parametrize("after", [0.22, 0.26, 0.3])
def test_the_tall_t_wave_of_a_wide_complex_is_no_beat(rate: int, after: float) -> None:
    """As a pacemaker's beat is: QRS of 160 ms, and `after` s of it a T wave that moves 0.4 times as fast."""
    seconds = np.arange(5000) / RATE
    planted = np.arange(0.5, 9.5, 60 / rate)
    apart = seconds - planted[:, None]
    beat = -2.4 * np.exp(-((apart / 0.04) ** 2) / 2) + 1.3 * np.exp(-(((apart - after) / 0.05) ** 2) / 2)
    found = find_beats(np.outer(np.linspace(0.5, 1, 12), beat.sum(axis=0))) / RATE
    assert len(found) == len(planted)
    assert np.abs(found - planted).max() < 0.05


@pytest.mark.parametrize("level", [0, 0.01])
def test_a_long_pause_has_no_beats(level: float) -> None:
    made = simulate([Case(record=1, patient=1)], rate=500, seed=3, noise=False)
    signal = made.signal[0].copy()
    third = made.waves.r[0][~np.isnan(made.waves.r[0])][2]
    pause = round(500 * (third + 0.5))  # past its T wave
    signal[:, pause:] = signal[:, [pause]]
    signal += np.random.default_rng(0).normal(0, level, signal.shape).astype(np.float32)
    found, planted = found_and_planted(made, 0, signal)
    assert len(found) == (planted <= third).sum()


def test_every_beat_is_found_once() -> None:
    made = simulate([Case(record=1, patient=1)], rate=500, seed=3, noise=False)
    beats = find_beats(made.signal[0].astype(np.float64)) / 500
    planted = made.waves.r[0][~np.isnan(made.waves.r[0])]
    inside = planted[(planted > 0.2) & (planted < 9.8)]
    nearest = np.abs(beats[:, None] - inside).min(axis=0)
    assert nearest.max() < 0.06
    assert len(beats) <= len(planted)


def test_a_t_wave_on_which_the_recording_is_held_has_no_end() -> None:
    made = simulate([Case(record=1, patient=1)], rate=500, seed=3, noise=False)
    signal = made.signal[0].astype(np.float64)
    beat = Beat(signal, find_beats(signal))
    held = np.zeros_like(beat.signal)
    held[:, beat.offset + 60 :] = np.minimum(np.arange(held.shape[1] - beat.offset - 60) / 50, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        peak, end = beat.t(held)
    assert peak > beat.offset + 60
    assert np.isnan(end)


def test_where_samples_are_lost_nothing_is_found_and_nothing_warned_of() -> None:
    signal = simulate([Case(record=1, patient=1)], rate=500, seed=3).signal[0].copy()
    signal[4, 2000] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(find_beats(prepared(signal, 500))) == 0
        assert wave_edges(signal, 500) is None


@pytest.mark.parametrize("rate", [97.3, 257.0, 499.9, 999.5])
def test_at_an_odd_rate_the_last_beat_of_two_minutes_lies_where_it_was_planted(rate: float) -> None:
    """At 999.5 Hz, taken for 1,000, it would be found 60 ms too early."""
    seconds, planted = np.arange(round(120 * rate)) / rate, np.arange(0.6, 120, 0.8)
    line = np.exp(-(((np.mod(seconds - 0.6 + 0.4, 0.8) - 0.4) / 0.015) ** 2) / 2)
    found = wave_edges(np.outer([1, 0.5], line).astype(np.float32), rate)
    assert found is not None
    apart = found.r[-1] - planted[np.abs(planted - found.r[-1]).argmin()]
    first = found.r[1] - planted[1]
    assert apart == pytest.approx(first, abs=0.005)
