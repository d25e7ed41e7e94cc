import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sklearn

from ecgenough.scoring import (
    Predictions,
    corrected_resampled_t_test,
    delong_interval,
    delong_test,
    holm,
    paired_bootstrap,
)
from ecgenough.scoring.comparison import delong_contrast
from ecgenough.scoring.metrics import Unscorable

# Albumin, total protein, K-G score (low is good) and outcome of 43 patients with ovarian cancer: the data of DeLong,
# DeLong & Clarke-Pearson, Biometrics 1988, 44:837. The figures expected of them below are those of SAS/STAT's example
# "Comparing Receiver Operating Characteristic Curves" (PROC LOGISTIC), to the four digits it gives.
RECORDS = """
    3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0 1.6 5.6 5 1 3.8 5.7 5 1
    3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1 4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0
    4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1 3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1
    4.3 6.5 4 1 3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1 3.5 6.2 5 1
    2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1 3.6 6.6 5 1
"""
OVARIAN = np.array(RECORDS.split(), dtype=float).reshape(-1, 4)
ALBUMIN, PROTEIN, SCORE, OUTCOME = OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2], OVARIAN[:, 3]


@pytest.mark.parametrize(
    ("test", "area", "error", "low", "high"),
    [
        (ALBUMIN, 0.7366, 0.0927, 0.5549, 0.9182),
        (SCORE, 0.7258, 0.1028, 0.5243, 0.9273),
        (PROTEIN, 0.6478, 0.1000, 0.4518, 0.8439),
    ],
)
def test_delong_intervals_of_the_published_example(
    test: NDArray[np.float64], area: float, error: float, low: float, high: float
) -> None:
    found = delong_interval(OUTCOME, test)
    assert (found.value, found.variance**0.5, found.low, found.high) == pytest.approx(
        (area, error, low, high), abs=6e-5
    )


@pytest.mark.parametrize(
    ("test", "expected"),
    [(ALBUMIN, (0.0108, -0.1761, 0.1976, 0.9102)), (PROTEIN, (-0.0780, -0.2830, 0.1271, 0.4561))],
)
def test_delong_tests_of_the_published_example(test: NDArray[np.float64], expected: tuple[float, ...]) -> None:
    assert tuple(delong_test(OUTCOME, test, SCORE)) == pytest.approx(expected, abs=6e-5)


def kernel(positive: float, negative: float) -> float:
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def covariance_by_definition(
    truth: NDArray[np.bool_], scores: NDArray[np.float64], patients: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUCs and their covariance, pair by pair and patient by patient (Obuchowski 1997, sections 2 and 3)."""
    ups, downs = np.flatnonzero(truth), np.flatnonzero(~truth)
    m, n = len(ups), len(downs)
    areas = np.array([np.mean([[kernel(row[i], row[j]) for j in downs] for i in ups]) for row in scores])
    names = sorted(set(patients))
    up_sums, down_sums = np.zeros((2, len(names))), np.zeros((2, len(names)))
    for model, row in enumerate(scores):
        for i in ups:
            placement = np.mean([kernel(row[i], row[j]) for j in downs])
            up_sums[model, names.index(patients[i])] += placement - areas[model]
        for j in downs:
            placement = np.mean([kernel(row[i], row[j]) for i in ups])
            down_sums[model, names.index(patients[j])] += placement - areas[model]
    with_up, with_down = len({patients[i] for i in ups}), len({patients[j] for j in downs})
    covariance = np.empty((2, 2))
    for a in range(2):
        for b in range(2):
            s10 = with_up / ((with_up - 1) * m) * np.sum(up_sums[a] * up_sums[b])
            s01 = with_down / ((with_down - 1) * n) * np.sum(down_sums[a] * down_sums[b])
            factor = len(names) / (len(names) - 1)
            s11 = factor * np.sum(up_sums[a] * down_sums[b])
            s11_other = factor * np.sum(up_sums[b] * down_sums[a])
            covariance[a, b] = s10 / m + s01 / n + (s11 + s11_other) / (m * n)
    return areas, covariance


def study(seed: int, steps: int) -> tuple[NDArray[np.bool_], NDArray[np.float64], list[str]]:
    """Two models' correlated scores of about 30 records, of one to three records a patient, with ties."""
    rng = np.random.default_rng(seed)
    records = int(rng.integers(12, 40))
    truth = rng.random(records) < 0.4
    patients = [f"p{number}" for number in rng.integers(0, records, records)]
    truth[:2], truth[-2:], patients[:2], patients[-2:] = True, False, ["a", "b"], ["a", "c"]
    scores = rng.normal(size=records) + rng.normal(size=(2, records)) + truth
    return truth, np.round(scores * steps) / steps, patients


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 1000]), st.booleans())
def test_delong_is_its_definition_over_pairs(seed: int, steps: int, clustered: bool) -> None:
    truth, scores, patients = study(seed, steps)
    names = patients if clustered else [f"{n:03}" for n in range(len(truth))]
    areas, covariance = covariance_by_definition(truth, scores, names)
    given_names = patients if clustered else None
    one = delong_interval(truth, scores[0], given_names)
    assert (one.value, one.variance) == pytest.approx((areas[0], covariance[0, 0]))
    assert one.value == pytest.approx(sklearn.roc_auc_score(truth, scores[0]))
    both = delong_test(truth, scores[0], scores[1], given_names)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert both.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
    if variance > 1e-12:
        z = (areas[0] - areas[1]) / variance**0.5
        assert both.p == pytest.approx(2 * stats.norm.cdf(-abs(z)))
        assert (both.low, both.high) == pytest.approx(
            stats.norm.interval(0.95, loc=areas[0] - areas[1], scale=variance**0.5), abs=1e-9
        )


def test_delong_intervals_cover_the_true_auc() -> None:
    # Normal scores a distance 1 apart: AUC = Phi(1 / sqrt 2) (Hanley & McNeil 1982).
    rng, truth = np.random.default_rng(0), np.arange(100) < 40
    target = stats.norm.cdf(1 / 2**0.5)
    intervals = [delong_interval(truth, rng.normal(truth, 1)) for _ in range(600)]
    assert 0.92 <= np.mean([found.low <= target <= found.high for found in intervals]) <= 0.98


def test_delong_test_finds_nothing_where_there_is_nothing_in_all_but_five_percent() -> None:
    rng, truth = np.random.default_rng(0), np.arange(100) < 40
    noise = rng.normal(size=(600, 3, 100))
    found = [delong_test(truth, truth + shared + one, truth + shared + two) for shared, one, two in noise]
    assert 0.02 <= np.mean([comparison.p < 0.05 for comparison in found]) <= 0.08


def test_delong_covers_records_that_share_patients_only_if_told_so() -> None:
    # Four records a patient; what is the patient's own doubles the variance of scores that are 1.5 apart.
    rng, patients = np.random.default_rng(1), np.repeat(np.arange(40), 4)
    truth = patients < 16
    target = stats.norm.cdf(1.5 / 2)
    told, untold = 0, 0
    for _ in range(400):
        scores = 1.5 * truth + rng.normal(size=40)[patients] + rng.normal(size=160)
        low, high = delong_interval(truth, scores, [str(patient) for patient in patients])[2:]
        told += low <= target <= high
        low, high = delong_interval(truth, scores)[2:]
        untold += low <= target <= high
    assert 0.9 <= told / 400 <= 0.98
    assert untold / 400 < 0.85


def test_delong_without_variance() -> None:
    truth = [0, 0, 1, 1]
    assert delong_interval(truth, [1, 2, 3, 4]) == (1, 0, 1, 1)
    assert delong_test(truth, [1, 2, 3, 4], [1, 2, 3, 9]) == (0, 0, 0, 1)
    assert delong_test(truth, [1, 2, 3, 4], [4, 3, 2, 1]) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("labels", "scores", "patients", "words"),
    [
        ([0, 1, 1], [0.1, 0.2, 0.3], None, "at least two patients"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], ["a", "b", "c", "c"], "at least two patients"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, np.nan], None, "finite scores"),
        ([0, 0, 1, 2], [0.1, 0.2, 0.3, 0.4], None, "labels of 0 or 1"),
        ([0, 0, 1], [0.1, 0.2, 0.3, 0.4], None, "records"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], ["a"], "records"),
    ],
)
def test_delong_says_what_it_needs(
    labels: list[int], scores: list[float], patients: list[str] | None, words: str
) -> None:
    with pytest.raises(Unscorable, match=words):
        delong_interval(labels, scores, patients)


def test_delong_compares_scores_of_the_same_records() -> None:
    with pytest.raises(Unscorable, match=r"\(4,\) and \(3,\)"):
        delong_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3])


def test_paired_bootstrap_is_a_naive_one_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random((50, 2)) < 0.4
    patients = [f"p{number}" for number in rng.integers(0, 30, 50)]
    first, second = (np.clip(0.3 * labels + 0.7 * rng.random(labels.shape), 0, 1) for _ in range(2))
    found = paired_bootstrap(
        Predictions(labels, first, [0.5, 0.5]),
        Predictions(labels, second, [0.5, 0.5]),
        patients,
        lambda metrics: metrics.macro["auc"],
        resamples=80,
        seed=5,
    )
    names, rows = sorted(set(patients)), np.array(patients)
    draw = np.random.default_rng(5)
    differences = []
    for _ in range(80):
        picks = draw.integers(len(names), size=len(names))
        taken = np.concatenate([np.flatnonzero(rows == names[pick]) for pick in picks])
        areas = [sklearn.roc_auc_score(labels[taken], scores[taken]) for scores in (first, second)]
        differences.append(areas[0] - areas[1])
    whole = sklearn.roc_auc_score(labels, first) - sklearn.roc_auc_score(labels, second)
    below, above = (np.sum(np.array(differences) <= 0) + 1) / 81, (np.sum(np.array(differences) >= 0) + 1) / 81
    assert tuple(found) == pytest.approx((whole, *np.percentile(differences, [2.5, 97.5]), 2 * min(below, above)))


def test_a_model_does_not_differ_from_itself() -> None:
    labels, scores = np.array([[1], [0], [1], [0]]), np.array([[0.9], [0.2], [0.4], [0.6]])
    one = Predictions(labels, scores, [0.5])
    found = paired_bootstrap(one, one, list("abcd"), lambda metrics: metrics.classes["f1"][0], resamples=50)
    assert found == (0, 0, 0, 1)


def test_paired_bootstrap_refuses_other_labels_missing_patients_and_absent_classes() -> None:
    one = Predictions([[1], [0]], [[0.9], [0.1]], [0.5])
    other = Predictions([[0], [1]], [[0.9], [0.1]], [0.5])
    with pytest.raises(Unscorable, match="different labels"):
        paired_bootstrap(one, other, ["a", "b"], lambda metrics: metrics.macro["auc"])
    with pytest.raises(Unscorable, match="1 patient is named for 2 records"):
        paired_bootstrap(one, one, ["a"], lambda metrics: metrics.macro["auc"])
    without = Predictions([[1, 0], [0, 0]], [[0.9, 0.1], [0.1, 0.2]], [0.5, 0.5])
    with pytest.raises(Unscorable, match="without a positive"):
        paired_bootstrap(without, without, ["a", "b"], lambda metrics: metrics.classes["auc"][1])


def test_corrected_t_test_by_its_formula() -> None:
    # Differences 1..4: mean 5/2, variance 5/3; 90 training and 10 test records: 5/3 (1/4 + 1/9), 3 degrees of freedom.
    found = corrected_resampled_t_test([1, 2, 3, 4], train_records=90, test_records=10)
    error = (5 / 3 * (1 / 4 + 1 / 9)) ** 0.5
    assert found.value == 2.5
    assert found.p == pytest.approx(2 * stats.t.sf(2.5 / error, 3))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 3, loc=2.5, scale=error))


def test_without_overlap_the_corrected_t_test_is_the_plain_one() -> None:
    differences = np.random.default_rng(0).normal(0.01, 0.02, 10)
    plain = stats.ttest_1samp(differences, 0)
    found = corrected_resampled_t_test(differences, train_records=1e15, test_records=1)
    assert found.p == pytest.approx(plain.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(plain.confidence_interval(0.95)))


def test_corrected_t_test_without_variance() -> None:
    assert corrected_resampled_t_test([0, 0, 0], 8, 2).p == 1
    assert corrected_resampled_t_test([0.5, 0.5], 8, 2) == (0.5, 0.5, 0.5, 0)


@pytest.mark.parametrize(("differences", "train"), [([1.0], 8), ([1.0, np.nan], 8), ([[1.0, 2.0]], 8), ([1.0, 2.0], 0)])
def test_corrected_t_test_says_what_it_needs(differences: list[float], train: int) -> None:
    with pytest.raises(Unscorable, match="corrected t-test needs"):
        corrected_resampled_t_test(differences, train, 2)


def test_holm_by_hand() -> None:
    # Rising: .005 x 4, .01 x 3, then .03 x 2 = .06, and .04 x 1 may not fall below it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float], level: float) -> None:
    remaining, rejected = sorted(range(len(p_values)), key=lambda place: p_values[place]), set()
    while remaining and p_values[remaining[0]] * len(remaining) <= level:
        rejected.add(remaining.pop(0))
    assert {place for place, p in enumerate(holm(p_values)) if p <= level} == rejected


@pytest.mark.parametrize("p_values", [[1.2], [-0.1], [np.nan], [[0.1]]])
def test_holm_takes_p_values_only(p_values: list[float]) -> None:
    with pytest.raises(Unscorable, match="p-values"):
        holm(p_values)


def test_delong_contrast_of_two_is_the_test_and_copies_change_nothing() -> None:
    rng = np.random.default_rng(2)
    truth = rng.permutation(80) < 25
    one, other = truth + rng.normal(size=80), 0.5 * truth + rng.normal(size=80)
    value, variance = delong_contrast(truth, [one, other], [1, -1])
    tested = delong_test(truth, one, other)
    assert value == pytest.approx(tested.value)
    assert 1.959964 * np.sqrt(variance) == pytest.approx(tested.high - tested.value, rel=1e-6)
    doubled = delong_contrast(truth, [one, one, other], [0.5, 0.5, -1])
    assert doubled == pytest.approx((value, variance))
