import json
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn import metrics as sklearn

from ecgenough.scoring import METRICS, score, skipped_resamples
from ecgenough.scoring.intervals import patient_weights
from ecgenough.scoring.metrics import Unscorable

RESAMPLES = 40


def collection(
    records: int = 60, classes: int = 3, seed: int = 0
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64], list[str]]:
    """Predictions with ties, a rare class first, and patients of one to four records, named out of order."""
    rng = np.random.default_rng(seed)
    labels = rng.random((records, classes)) < np.linspace(0.05, 0.5, classes)
    labels[:2, 0], labels[-1] = True, False
    probabilities = np.round(0.3 * labels + 0.7 * rng.random(labels.shape), 1).astype(np.float64)
    patients = [f"p{number}" for number in np.sort(rng.integers(0, records // 2, records))[::-1]]
    return labels, probabilities, np.linspace(0.4, 0.6, classes), patients


def reference_draws(patients: list[str], seed: int) -> list[NDArray[np.intp]]:
    """Rows of each resample, by drawing patients one resample after another and listing all their records."""
    rng, names, rows = np.random.default_rng(seed), sorted(set(patients)), np.array(patients)
    draws = [rng.integers(len(names), size=len(names)) for _ in range(RESAMPLES)]
    return [np.concatenate([np.flatnonzero(rows == names[pick]) for pick in draw]) for draw in draws]


def reference_class(truth: NDArray[np.bool_], scores: NDArray[np.float64], threshold: float) -> dict[str, float]:
    if truth.all() or not truth.any():
        return dict.fromkeys(METRICS, np.nan)
    calls = scores >= threshold
    sensitivity, specificity = sklearn.recall_score(truth, calls), sklearn.recall_score(~truth, ~calls)
    return {
        "auc": sklearn.roc_auc_score(truth, scores),
        "average_precision": sklearn.average_precision_score(truth, scores),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": sklearn.precision_score(truth, calls, zero_division=0),
        "f1": sklearn.f1_score(truth, calls),
        "g_mean": (sensitivity * specificity) ** 0.5,
        "accuracy": sklearn.accuracy_score(truth, calls),
        "brier": sklearn.brier_score_loss(truth, scores),
    }


def interval(values: list[float]) -> list[float]:
    return [float(bound) for bound in np.nanpercentile(values, [2.5, 97.5])]


def test_intervals_are_those_of_a_naive_bootstrap_with_scikit_learn() -> None:
    labels, probabilities, thresholds, patients = collection()
    found = score(labels, probabilities, thresholds, patients, ["a", "b", "c"], resamples=RESAMPLES, seed=7)
    draws = reference_draws(patients, seed=7)
    tables = [
        [reference_class(labels[rows, c], probabilities[rows, c], thresholds[c]) for c in range(3)] for rows in draws
    ]
    assert skipped_resamples(labels, patients, resamples=RESAMPLES, seed=7).tolist() == [
        sum(np.isnan(table[c]["auc"]) for table in tables) for c in range(3)
    ]
    for metric in METRICS:
        for c, name in enumerate("abc"):
            part = found["classes"][name][metric]
            expected = interval([table[c][metric] for table in tables])
            if expected not in ([0, 0], [1, 1]):  # those have an end of their own: see below
                assert [part["low"], part["high"]] == pytest.approx(expected)
            value = reference_class(labels[:, c], probabilities[:, c], thresholds[c])[metric]
            assert part["value"] == pytest.approx(value)
        means = [float(np.nanmean([entry[metric] for entry in table])) for table in tables]
        if metric == "g_mean":
            sides = [[np.nanmean([e[side] for e in t]) for side in ("sensitivity", "specificity")] for t in tables]
            means = [float(np.sqrt(first * second)) for first, second in sides]
        assert [found["macro"][metric][end] for end in ("low", "high")] == pytest.approx(interval(means))
    right = (probabilities >= thresholds) == labels
    for name, shares in (("exact_match", right.all(axis=1)), ("accuracy", right.mean(axis=1))):
        part = found["overall"][name]
        expected = [float(shares.mean()), *interval([float(shares[rows].mean()) for rows in draws])]
        assert [part["value"], part["low"], part["high"]] == pytest.approx(expected)


def test_score_holds_exactly_the_parts_of_metrics_json() -> None:
    labels, probabilities, thresholds, patients = collection(classes=4)
    labels[:, 2] = False
    found = score(labels, probabilities, thresholds, patients, ["a", "b", "never", "d"], resamples=20)
    assert list(found) == ["records", "patients", "macro", "overall", "classes", "absent"]
    assert (found["records"], found["patients"]) == (60, len(set(patients)))
    assert list(found["macro"]) == list(METRICS)
    assert list(found["overall"]) == ["exact_match", "accuracy"]
    assert list(found["classes"]) == ["a", "b", "d"]
    assert found["absent"] == ["never"]
    assert list(found["classes"]["a"]) == [*METRICS, "positives", "threshold"]
    assert found["classes"]["a"]["positives"] == labels[:, 0].sum()
    assert found["classes"]["d"]["threshold"] == thresholds[3]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_binary_task_reports_its_positive_class() -> None:
    labels, probabilities, thresholds, patients = collection(classes=1)
    found = score(labels, probabilities, thresholds, patients, ["PE"], resamples=20)
    for metric in METRICS:
        assert found["macro"][metric] == pytest.approx(found["classes"]["PE"][metric])


def test_same_seed_same_interval_and_another_seed_another() -> None:
    labels, probabilities, thresholds, patients = collection()
    first, again, other = (
        score(labels, probabilities, thresholds, patients, ["a", "b", "c"], resamples=20, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["macro"]["auc"] != other["macro"]["auc"]


def test_records_of_one_patient_are_drawn_together() -> None:
    patients = ["b", "a", "b", "c", "b"]
    weights = np.concatenate(list(patient_weights(patients, 50, seed=0)), axis=1)
    assert weights.shape == (5, 50)
    assert (weights[0] == weights[2]).all()
    assert (weights[0] == weights[4]).all()
    assert (weights[[0, 1, 3]].sum(axis=0) == 3).all()


def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    patients = [str(number // 2) for number in range(30)]
    whole = np.concatenate(list(patient_weights(patients, 11, seed=3)), axis=1)
    monkeypatch.setattr("ecgenough.scoring.intervals.WEIGHTS_AT_ONCE", 100)
    blocks = list(patient_weights(patients, 11, seed=3))
    assert [block.shape[1] for block in blocks] == [3, 3, 3, 2]
    assert np.array_equal(np.concatenate(blocks, axis=1), whole)


def test_more_records_of_the_same_patients_do_not_narrow_the_interval() -> None:
    labels, probabilities, thresholds, patients = collection()
    once = score(labels, probabilities, thresholds, patients, ["a", "b", "c"], resamples=50)
    four_times = score(
        np.tile(labels, (4, 1)), np.tile(probabilities, (4, 1)), thresholds, patients * 4, ["a", "b", "c"], resamples=50
    )
    assert four_times["macro"]["auc"] == pytest.approx(once["macro"]["auc"])


def test_the_interval_of_a_share_covers_it() -> None:
    # Accuracy .8 of 100 patients: its bootstrap interval should cover .8 in about 95% of studies.
    rng = np.random.default_rng(0)
    covered = 0
    for study in range(150):
        truth = rng.random((100, 1)) < 0.5
        called = np.where(rng.random((100, 1)) < 0.8, truth, ~truth).astype(float)
        found = score(truth, called, [0.5], [str(n) for n in range(100)], ["a"], resamples=200, seed=study)
        covered += found["overall"]["accuracy"]["low"] <= 0.8 <= found["overall"]["accuracy"]["high"]
    assert 0.9 <= covered / 150 <= 0.98


def test_what_is_all_right_on_few_patients_is_not_certain() -> None:
    """2 of 2 positives and 3 of 3 negatives: Clopper & Pearson's ends, as scipy has them; two patients settle nothing."""
    labels = np.array([[1], [1], [1], [0], [0], [0]])
    probabilities = np.array([[0.9], [0.8], [0.8], [0.3], [0.2], [0.1]])
    patients = ["p1", "p1", "p2", "n1", "n2", "n3"]  # one has two records
    found = score(labels, probabilities, [0.5], patients, ["mi"], resamples=200)
    exact = {n: binomtest(n, n).proportion_ci(0.95, "exact").low for n in (2, 3, 5)}
    low = {name: interval["low"] for name, interval in found["macro"].items()}
    assert low["sensitivity"] == low["auc"] == low["average_precision"] == low["precision"] == pytest.approx(exact[2])
    assert low["specificity"] == pytest.approx(exact[3])
    assert low["accuracy"] == pytest.approx(exact[5])
    assert found["overall"]["exact_match"]["low"] == pytest.approx(exact[5])
    assert low["g_mean"] == pytest.approx((exact[2] * exact[3]) ** 0.5)
    assert low["f1"] == pytest.approx(exact[2])  # the harmonic mean of two that are equal
    assert found["classes"]["mi"]["auc"] == found["macro"]["auc"]
    assert all(found["macro"][name]["high"] == 1 for name in low if name != "brier")


def test_what_is_all_wrong_on_few_patients_is_not_certain() -> None:
    labels, probabilities = np.array([[1], [1], [0], [0]]), np.array([[0.1], [0.2], [0.3], [0.4]])
    found = score(labels, probabilities, [0.35], ["a", "b", "c", "d"], ["mi"], resamples=200)["macro"]
    high = binomtest(0, 2).proportion_ci(0.95, "exact").high
    assert found["auc"] == {"value": 0, "low": 0, "high": pytest.approx(high)}
    assert found["sensitivity"]["high"] == pytest.approx(high)
    assert found["precision"]["high"] == pytest.approx(binomtest(0, 1).proportion_ci(0.95, "exact").high)
    assert found["g_mean"]["high"] == pytest.approx((high * found["specificity"]["high"]) ** 0.5)


def test_nothing_called_and_guessing_stay_as_they_are() -> None:
    """Without a call there is no share of right ones, 0 by convention; a constant has an AUC of 0.5 on any patients."""
    labels, probabilities = np.array([[1], [1], [0], [0]]), np.full((4, 1), 0.3)
    found = score(labels, probabilities, [0.5], ["a", "b", "c", "d"], ["mi"], resamples=200)["macro"]
    assert found["precision"] == {"value": 0, "low": 0, "high": 0}
    assert found["auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}


@pytest.mark.parametrize(
    ("patients", "classes", "resamples", "words"),
    [
        (["a"], ["x", "y", "z"], 10, "1 patient is named for 60 records"),
        (None, ["x", "y"], 10, "2 different class names are given for 3 columns"),
        (None, ["x", "y", "y"], 10, "2 different class names are given for 3 columns"),
        (None, ["x", "y", "z"], 0, "at least one resample"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(
    patients: list[str] | None, classes: list[str], resamples: int, words: str
) -> None:
    labels, probabilities, thresholds, named = collection()
    with pytest.raises(Unscorable, match=words):
        score(labels, probabilities, thresholds, patients or named, classes, resamples=resamples)


def test_too_few_resamples_for_a_rare_class_are_refused() -> None:
    # With one positive patient of two, half of all single resamples lack the positive or the negative.
    refused = 0
    for seed in range(20):
        try:
            score([[1], [0]], [[0.9], [0.1]], [0.5], ["a", "b"], ["x"], resamples=1, seed=seed)
        except Unscorable as error:
            refused += "use more resamples" in str(error)
    assert 4 <= refused <= 16


def test_a_thousand_resamples_are_fast() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random((2000, 71)) < rng.uniform(0.004, 0.4, 71)
    probabilities = rng.random(labels.shape)
    patients = [str(record * 9 // 10) for record in range(2000)]
    start = time.process_time()
    score(labels, probabilities, np.full(71, 0.5), patients, [str(c) for c in range(71)])
    assert time.process_time() - start < 10  # 0.6 s on one core; the slack is for a busy machine
