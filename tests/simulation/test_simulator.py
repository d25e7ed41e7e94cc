import os
import time
from pathlib import Path

import numpy as np
import pytest

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest
from ecgenough.simulation import FINDINGS, Case, simulate
from ecgenough.simulation.cohort import superclass_cohort

CASES = [
    Case(frozenset(findings.split()), record, patient, age, "male" if record % 2 else "female")
    for record, (patient, age, findings) in enumerate(
        [
            (1, 40.0, ""),
            (1, 41.0, "STACH"),
            (2, 70.0, "CLBBB PVC"),
            (3, 66.0, "AFIB LVH ISC_"),
            (4, 55.0, "IMI IMI-acute"),
        ]
    )
]


@pytest.mark.parametrize("rate", [100.0, 360.0, 500.0])
def test_shape_type_and_size(rate: float) -> None:
    signal = simulate(CASES, rate=rate, duration=7.5).signal
    assert signal.shape == (5, 12, round(7.5 * rate))
    assert signal.dtype == np.float32
    assert np.isfinite(signal).all()
    assert 0.3 < np.abs(signal).max() < 10


def test_a_record_does_not_depend_on_its_neighbours() -> None:
    together = simulate(CASES, seed=5)
    for row, case in enumerate(CASES):
        alone = simulate([case], seed=5)
        np.testing.assert_array_equal(alone.signal[0], together.signal[row])
    backwards = simulate(CASES[::-1], seed=5)
    np.testing.assert_array_equal(backwards.signal[::-1], together.signal)


def test_seeds_and_records_differ() -> None:
    assert not np.array_equal(simulate(CASES, seed=1).signal, simulate(CASES, seed=2).signal)
    twice = simulate([Case(record=1, patient=7), Case(record=2, patient=7)])
    assert not np.array_equal(twice.signal[0], twice.signal[1])


def test_records_of_one_patient_share_the_heart() -> None:
    """The same patient's beats look more alike than two patients' do."""
    cases = [Case(record=2 * number + half, patient=number, age=50) for number in range(20) for half in (0, 1)]
    simulated = simulate(cases, noise=False)
    beats = np.stack([first_beat(simulated, row) for row in range(len(cases))])
    same = np.abs(beats[0::2] - beats[1::2]).mean(axis=(1, 2))
    other = np.abs(beats[0::2] - np.roll(beats[1::2], 2, axis=0)).mean(axis=(1, 2))
    assert np.median(same) < 0.25 * np.median(other)


def test_rates_sample_the_same_heart() -> None:
    """Every fifth sample at 500 Hz is the record at 100 Hz, but for rounding to float32."""
    fine, coarse = (simulate(CASES, rate=rate, noise=False).signal for rate in (500, 100))
    np.testing.assert_allclose(fine[:, :, ::5], coarse, atol=2e-3)


def test_one_beat_is_what_the_waves_say() -> None:
    simulated = simulate([Case(record=9)], noise=False)
    waves = simulated.waves
    order = [waves.p_onset, waves.p_offset, waves.qrs_onset, waves.r, waves.qrs_offset, waves.t_peak, waves.t_end]
    times = np.stack([wave[0] for wave in order])
    whole = np.isfinite(times).all(axis=0)
    assert whole.sum() >= 8
    assert (np.diff(times[:, whole], axis=0) > 0).all()


def test_evidence_lies_where_the_finding_was_planted() -> None:
    """Where a patient with Q waves differs most from himself without them, the evidence says so."""
    case = Case(frozenset({"IMI"}), 4, 4, 60.0)
    planted, healthy = simulate([case], noise=False), simulate([Case(frozenset(), 4, 4, 60.0)], noise=False)
    evidence = planted.evidence(0, "IMI")
    assert evidence.shape == (12, 5000)
    rows = [lead in ("II", "III", "aVF") for lead in STANDARD_LEADS]
    assert (evidence.any(axis=1) == rows).all()
    change = np.abs(planted.signal[0] - healthy.signal[0])[rows]
    assert change[evidence[rows]].mean() > 5 * change[~evidence[rows]].mean()


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_finding_can_be_simulated_and_shown(finding: str) -> None:
    simulated = simulate([Case(frozenset({finding}), 2)], duration=10)
    share = simulated.evidence(0, finding).mean()
    assert 0 < share < 1
    assert simulated.ecg(0).leads == STANDARD_LEADS


def test_unknown_finding_names_the_nearest() -> None:
    with pytest.raises(WrongRequest, match=r'finding "CLBB" cannot be simulated\. Nearest: "CLBBB"'):
        simulate([Case(frozenset({"CLBB"}))])


def test_contradictory_findings_are_refused() -> None:
    with pytest.raises(WrongRequest, match="CLBBB and CRBBB"):
        simulate([Case(frozenset({"CLBBB", "CRBBB"}))])


@pytest.mark.parametrize(("rate", "duration"), [(20, 10), (float("nan"), 10), (500, 0), (500, 1e9), (float("inf"), 10)])
def test_impossible_extents_are_refused(rate: float, duration: float) -> None:
    with pytest.raises(WrongRequest, match="cannot simulate"):
        simulate(CASES, rate=rate, duration=duration)


@pytest.mark.parametrize("case", [Case(record=-1), Case(patient=-2)])
def test_negative_numbers_are_refused(case: Case) -> None:
    with pytest.raises(WrongRequest, match="0 or more"):
        simulate([case])


def test_no_cases_are_refused() -> None:
    with pytest.raises(WrongRequest, match="at least one case"):
        simulate([])


@pytest.mark.skipif("ECGENOUGH_DATA" not in os.environ, reason="set ECGENOUGH_DATA to a folder with ptb-xl-500hz")
def test_amplitudes_are_those_of_ptb_xl() -> None:
    """Median standard deviation and peak-to-peak of each lead within a third of the real ones."""
    folder = Path(os.environ["ECGENOUGH_DATA"]) / "ptb-xl-500hz"
    files = sorted(folder.glob("records500/*/*.dat"))[:200]
    real = np.stack([np.fromfile(file, dtype="<i2").reshape(-1, 12).T / 1000 for file in files])
    rng = np.random.default_rng(0)
    kinds = ["", "", "", "", "LVH", "IMI", "ASMI", "LAFB", "NDT", "ISC_"]
    cases = [
        Case(frozenset(kinds[number % 10].split()), number, number, float(rng.uniform(25, 88)), "male")
        for number in range(200)
    ]
    made = simulate(cases).signal
    for measure in (lambda ecg: ecg.std(axis=2), lambda ecg: np.ptp(np.percentile(ecg, [0.2, 99.8], axis=2), axis=0)):
        ratio = np.median(measure(made), axis=0) / np.median(measure(real), axis=0)
        assert (ratio > 0.67).all(), ratio
        assert (ratio < 1.5).all(), ratio


def test_five_hundred_a_second_are_simulated_on_two_cores() -> None:
    """So each core does 250 ECGs of 10 s at 500 Hz in a second of its own time; the best of three, as others run."""
    cases = superclass_cohort(128, seed=0).cases
    took = []
    for _ in range(3):
        started = time.process_time()
        for first in range(0, 128, 64):
            simulate(cases[first : first + 64])
        took.append(time.process_time() - started)
    assert 128 / min(took) > 250


def first_beat(simulated: object, row: int) -> np.ndarray:
    r = simulated.waves.r[row]  # type: ignore[attr-defined]
    at = round(float(r[np.isfinite(r) & (r > 1)][0]) * 500)
    return np.asarray(simulated.signal[row, :, at - 40 : at + 50])  # type: ignore[attr-defined]
