"""Calipers by program: what the simulator planted is what is measured."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.signals.delineation import RATE, find_beats, measure, measures, prepared
from ecgenough.simulation import Case, Simulated, simulate, simulator

KINDS = ("", "CLBBB", "CRBBB", "1AVB", "STACH", "SBRAD", "LNGQT", "LVH")
EACH = 6
NAMES = measures(STANDARD_LEADS)


@pytest.fixture(scope="module", params=[100, 500])
def measured(request: pytest.FixtureRequest) -> tuple[Simulated, NDArray[np.float64]]:
    """Noisy records of every kind in turn, and their measurements `[records, measures]`."""
    kinds = [frozenset({kind} - {""}) for kind in KINDS * EACH]
    cases = [Case(findings, record, record, 40 + record % 40) for record, findings in enumerate(kinds)]
    made = simulate(cases, rate=request.param, seed=7)
    return made, np.stack([measure(signal, made.rate, STANDARD_LEADS) for signal in made.signal])


def test_rate_is_that_of_the_planted_beats(measured: tuple[Simulated, NDArray[np.float64]]) -> None:
    made, table = measured
    planted = 60 / np.nanmean(np.diff(made.waves.r, axis=1), axis=1)
    np.testing.assert_allclose(table[:, NAMES.index("rate")], planted, atol=2)


@pytest.mark.parametrize(("what", "within"), [("qrs", 10), ("pr", 15), ("qt", 25)])
def test_intervals_are_those_planted(measured: tuple[Simulated, NDArray[np.float64]], what: str, within: float) -> None:
    made, table = measured
    waves = made.waves
    edges = {
        "qrs": (waves.qrs_onset, waves.qrs_offset),
        "pr": (waves.p_onset, waves.qrs_onset),
        "qt": (waves.qrs_onset, waves.t_end),
    }
    begin, end = edges[what]
    planted = 1e3 * np.nanmedian(end - begin, axis=1)
    found = table[:, NAMES.index(what)]
    seen = np.isfinite(found)
    assert seen.mean() > 0.95  # a P wave may drown in noise
    assert np.median(np.abs(found - planted)[seen]) < within
    assert np.corrcoef(found[seen], planted[seen])[0, 1] > 0.9


def test_bundle_branch_block_is_wider_than_normal(
    measured: tuple[Simulated, NDArray[np.float64]],
) -> None:
    _, table = measured
    qrs = table[:, NAMES.index("qrs")].reshape(EACH, len(KINDS))
    normal, left, right = (qrs[:, KINDS.index(kind)] for kind in ("", "CLBBB", "CRBBB"))
    assert normal.max() < 110  # ms
    assert min(np.median(left), np.median(right)) > 120  # as complete block is defined
    assert (np.stack([left, right]) > 120).mean() > 0.9  # a terminal force after a pause may be missed


def test_axis_and_heights_of_a_beat_drawn_by_hand() -> None:
    """I is a triangle of 1 mV, aVF one of sqrt(3)/2 mV: atan2(sqrt(3)/2 * 2/sqrt(3), 1) is 45 degrees."""
    signal = np.zeros((2, 5000), dtype=np.float32)
    triangle = np.concatenate([np.linspace(0, 1, 21), np.linspace(1, 0, 21)[1:]])
    for start in range(250, 4700, 400):
        signal[0, start : start + 41] = triangle
        signal[1, start : start + 41] = np.sqrt(3) / 2 * triangle
    found = dict(zip(measures(("I", "aVF")), measure(signal, 500, ("I", "aVF")), strict=True))
    assert found["axis"] == pytest.approx(45, abs=0.5)
    assert found["rate"] == pytest.approx(60 / 0.8, abs=0.1)
    assert found["r_I"] == pytest.approx(1, abs=0.03)
    assert found["r_aVF"] == pytest.approx(np.sqrt(3) / 2, abs=0.03)
    assert found["qrs"] == pytest.approx(80, abs=8)
    assert np.isnan(found["pr"])  # there is no P wave
    assert np.isnan(found["qt"])  # and no T wave


def test_atrial_fibrillation_beats_irregularly() -> None:
    cases = [Case(frozenset({"AFIB"} if row % 2 else set()), row, row) for row in range(12)]
    made = simulate(cases, rate=100, seed=1)
    spread = [measure(ecg, 100, STANDARD_LEADS)[NAMES.index("rr_spread")] for ecg in made.signal]
    assert min(spread[1::2]) > max(spread[::2])


@pytest.mark.parametrize("samples", [0, 50, 1000])
def test_what_cannot_be_read_is_missing_and_warns_of_nothing(samples: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(np.zeros((12, samples), dtype=np.float32), 100, STANDARD_LEADS)
    assert np.isnan(found).all()


def test_noise_alone_ends_in_numbers_or_missing_values() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        noise = rng.normal(0, 0.1, (12, 1000)).astype(np.float32)
        assert measure(noise, 100, STANDARD_LEADS).shape == (len(NAMES),)


def test_other_leads_have_their_own_measures() -> None:
    made = simulate([Case()], rate=100, seed=1)
    leads = ("II", "V5")
    found = dict(zip(measures(leads), measure(made.signal[0][[1, 10]], 100, leads), strict=True))
    assert np.isnan(found["axis"])  # needs I and aVF
    assert found["r_V5"] > 0.3


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
