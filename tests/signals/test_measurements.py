"""Calipers by program: what was planted or drawn is what is measured."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.signals.measurements import RHYTHM, measure, measures, printed
from ecgenough.simulation import Case, Simulated, simulate

KINDS = ("", "CLBBB", "CRBBB", "1AVB", "STACH", "SBRAD", "LNGQT", "LVH")
EACH = 6
NAMES = measures(STANDARD_LEADS)
SECONDS = np.arange(5000) / 500


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


@pytest.mark.parametrize("samples", [100, 1000])
def test_what_a_recorder_prints_is_what_is_measured(samples: int) -> None:
    signal = simulate([Case()], rate=100, seed=1).signal[0][:, :samples]
    np.testing.assert_equal(
        list(printed(signal, 100, STANDARD_LEADS).values()), measure(signal, 100, STANDARD_LEADS)[: len(RHYTHM)]
    )


def test_other_leads_have_their_own_measures() -> None:
    made = simulate([Case()], rate=100, seed=1)
    leads = ("II", "V5")
    found = dict(zip(measures(leads), measure(made.signal[0][[1, 10]], 100, leads), strict=True))
    assert np.isnan(found["axis"])  # needs I and aVF
    assert found["r_V5"] > 0.3


def drawn(beats: list[float], heights: dict[str, float], width: float = 0.012) -> NDArray[np.float32]:
    """Ten seconds of 12 leads at 500 Hz: at each of `beats` one Gaussian wave of each lead's height, mV."""
    shape = np.exp(-(((SECONDS - np.array(beats)[:, None]) / width) ** 2) / 2).sum(axis=0)
    return np.outer([heights.get(lead, 0.0) for lead in STANDARD_LEADS], shape).astype(np.float32)


def read(signal: NDArray[np.float32], rate: float = 500) -> dict[str, float]:
    return dict(zip(NAMES, measure(signal, rate, STANDARD_LEADS), strict=True))


REGULAR = [0.6 + 0.8 * beat for beat in range(12)]


def test_the_order_of_intervals_tells_bigeminy_from_regular_beats_and_from_fibrillation() -> None:
    bigeminy = [0.5 + 1.6 * pair + extra for pair in range(6) for extra in (0, 0.6)]
    fibrillation = 0.5 + np.cumsum(np.random.default_rng(0).uniform(0.45, 1.1, 11))
    two, all_kinds, one = (read(drawn(list(beats), {"II": 1, "V5": 1})) for beats in (bigeminy, fibrillation, REGULAR))
    rr = np.diff(bigeminy)
    assert two["beats"] == len(bigeminy)
    assert two["rr_step"] == pytest.approx(np.sqrt(np.mean(np.diff(rr) ** 2)) / np.median(rr), rel=0.02)
    assert two["rr_step_long"] == 1
    assert two["rr_turns"] == 1
    assert two["rr_echo_1"] < -0.8
    assert two["rr_echo_2"] > 0.6
    assert abs(all_kinds["rr_echo_1"]) < 0.6
    assert two["rr_gap"] > 2 * all_kinds["rr_gap"] > 10 * one["rr_gap"]
    assert one["rr_cv"] < 0.01


def test_voltages_are_added_as_the_criteria_say() -> None:
    heights = {"I": 0.8, "II": 1.1, "aVL": 1.2, "V1": -1.5, "V2": -1, "V3": -0.9, "V4": 0.9, "V5": 2.1, "V6": 1.7}
    found = read(drawn(REGULAR, heights))
    assert found["sokolow_lyon"] == pytest.approx(1.5 + 2.1, abs=0.1)
    assert found["cornell"] == pytest.approx(1.2 + 0.9, abs=0.1)
    assert found["limb_voltage"] == pytest.approx(1.2, abs=0.05)
    assert found["chest_voltage"] == pytest.approx(2.1, abs=0.1)
    assert found["transition"] == STANDARD_LEADS.index("V4") - STANDARD_LEADS.index("V1")


def test_a_second_r_wave_is_seen_where_it_was_drawn() -> None:
    single = drawn(REGULAR, {"II": 1, "V1": 1.2, "V6": 0.9})
    delayed = [beat + 0.05 for beat in REGULAR]
    double = single + drawn([beat + 0.025 for beat in REGULAR], {"V1": -0.8}) + drawn(delayed, {"V1": 0.7})
    one, two = read(single), read(double)
    assert two["r_prime_V1"] > 0.5
    assert one["r_prime_V1"] < 0.1
    assert two["turns_V1"] > one["turns_V1"]
    assert two["turns_V6"] == one["turns_V6"]


def test_the_outline_of_a_stretch_averages_to_the_whole() -> None:
    made = simulate([Case(record=1, patient=1)], rate=500, seed=3)
    found = read(made.signal[0])
    for lead in STANDARD_LEADS:
        outline = np.mean([found[f"outline_qrs_{part}_{lead}"] for part in range(8)])
        assert outline * (found["qrs"] + 2) == pytest.approx(
            found[f"qrs_area_{lead}"], abs=0.15 * found[f"qrs_size_{lead}"]
        )


@pytest.mark.parametrize("rate", [4.5, 5.0, 6.5])
def test_flutter_waves_are_found_between_beats_at_their_rate(rate: float) -> None:
    beats = drawn([0.5 + 0.73 * beat for beat in range(13)], {"II": 1.2, "V1": -1})
    flutter = beats.copy()
    flutter[[1, 6]] += (0.15 * np.sin(2 * np.pi * rate * SECONDS)).astype(np.float32)
    with_it, without = read(flutter), read(beats)
    for lead in ("II", "V1"):
        assert with_it[f"residue_peak_{lead}"] == pytest.approx(rate, abs=0.3)
        assert with_it[f"between_qrs_{lead}"] > 5 * without[f"between_qrs_{lead}"]
    assert with_it["waves_between"] > without["waves_between"]


def test_one_beat_unlike_the_others_is_told_from_them() -> None:
    usual = [beat for beat in REGULAR if beat != REGULAR[5]]
    signal = drawn(usual, {"II": 1, "V1": -1, "V5": 1}) + drawn(
        [REGULAR[5] - 0.2], {"II": -1.5, "V1": 1.5}, width=0.035
    )
    found, plain = read(signal), read(drawn(REGULAR, {"II": 1, "V1": -1, "V5": 1}))
    assert found["qrs_unlike"] == pytest.approx(1 / len(REGULAR), abs=0.02)
    assert found["odd_before"] == pytest.approx(0.6 / 0.8, abs=0.05)
    assert found["odd_after"] == pytest.approx(1.0 / 0.8, abs=0.05)
    assert found["odd_width"] > 2 * plain["odd_width"]
    assert found["qrs_likeness_least"] < 0 < 0.99 < plain["qrs_likeness_least"]


def test_a_pacemakers_spikes_are_sharper_than_what_comes_before_other_complexes() -> None:
    beats = drawn(REGULAR, {"II": 1, "V5": 1.2}, width=0.03)
    paced = beats.copy()
    for beat in REGULAR:
        paced[:, round(500 * (beat - 0.07))] += 0.6
    assert read(paced)["spike"] > 20 * read(beats)["spike"]


@settings(max_examples=25, deadline=None)
@given(
    leads=st.sets(st.sampled_from(STANDARD_LEADS), min_size=1),
    seconds=st.floats(0.1, 12),
    rate=st.sampled_from([50, 100, 257, 500]),
    seed=st.integers(0, 99),
    size=st.sampled_from([0.0, 1e-4, 0.05, 3.0]),
)
def test_whatever_leads_and_however_short_or_noisy_numbers_come_and_no_warning(
    leads: set[str], seconds: float, rate: int, seed: int, size: float
) -> None:
    made = simulate([Case(frozenset({"AFIB"} if seed % 3 == 0 else set()), seed, seed)], rate=rate, seed=seed)
    chosen = tuple(lead for lead in STANDARD_LEADS if lead in leads)
    signal = made.signal[0][[STANDARD_LEADS.index(lead) for lead in chosen], : round(seconds * rate)]
    signal = signal + np.random.default_rng(seed).normal(0, size, signal.shape).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measure(signal, rate, chosen)
    assert found.shape == (len(set(measures(chosen))),)
    assert not np.isinf(found).any()
