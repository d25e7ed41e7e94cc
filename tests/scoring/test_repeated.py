"""Figures over folds, seeds and repeats against scikit-learn, scipy, DeLong and numbers derived by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sklearn

from ecgenough.scoring.comparison import delong_interval
from ecgenough.scoring.metrics import Predictions, Unscorable
from ecgenough.scoring.repeated import (
    Fold,
    Measured,
    Scores,
    Unit,
    class_interval,
    contrast,
    interval,
    measure_units,
    patients_freedom,
    student,
    training_error,
)

Floats = NDArray[np.float64]
NAMES = [f"{number:04d}" for number in range(1000)]


def unit(labels: Floats, scores: Floats, folds: Sequence[int] | None = None, threshold: float = 0.5) -> Unit:
    """One class, a record a patient, dealt to folds."""
    dealt = np.zeros(len(labels), dtype=int) if folds is None else np.asarray(folds)
    rows = [np.flatnonzero(dealt == fold) for fold in sorted(set(dealt.tolist()))]
    return tuple(Fold(Predictions(labels[r, None], scores[r, None], [threshold]), r) for r in rows)


def cohort(seed: int = 0, patients: int = 200, gap: float = 1.2) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(patients) < 0.3).astype(float)
    return labels, 1 / (1 + np.exp(-(gap * labels + rng.normal(size=patients))))


def measured(units: Sequence[Unit], patients: int = 200, resamples: int = 400) -> Measured:
    return measure_units({(seed, 0): one for seed, one in enumerate(units)}, NAMES[:patients], resamples=resamples)


def test_one_fold_of_one_unit_is_scored_as_scikit_learn_scores_it() -> None:
    labels, scores = cohort()
    found = measured([unit(labels, scores)])
    assert found.macro["auc"].value == pytest.approx(sklearn.roc_auc_score(labels, scores))
    assert found.macro["average_precision"].value == pytest.approx(sklearn.average_precision_score(labels, scores))
    assert found.macro["sensitivity"].value == pytest.approx(sklearn.recall_score(labels, scores >= 0.5))
    assert found.macro["brier"].value == pytest.approx(sklearn.brier_score_loss(labels, scores))


def test_ranks_are_compared_within_folds_and_calls_pooled() -> None:
    # Fold 1: positives .9 .4, negatives .6 .1: 3 of 4 pairs. Fold 2: positive .3, negatives .2 .05: 2 of 2 pairs.
    labels = np.array([1, 1, 0, 0, 1, 0, 0.0])
    scores = np.array([0.9, 0.4, 0.6, 0.1, 0.3, 0.2, 0.05])
    found = measured([unit(labels, scores, [1, 1, 1, 1, 2, 2, 2])], 7)
    assert found.macro["auc"].value == pytest.approx((3 + 2) / (4 + 2))
    # Average precision: fold 1 (1 + 2/3) / 2, fold 2 1; two positives to one.
    assert found.macro["average_precision"].value == pytest.approx((2 * (1 + 2 / 3) / 2 + 1) / 3)
    assert found.macro["sensitivity"].value == pytest.approx(1 / 3)  # .9 alone is called of .9 .4 .3
    assert found.macro["specificity"].value == pytest.approx(3 / 4)


def test_guessing_by_prevalence_is_one_half_however_folds_differ() -> None:
    labels, _ = cohort(patients=90)
    folds = np.arange(90) % 5
    scores = np.array([labels[folds != fold].mean() for fold in folds])
    assert sklearn.roc_auc_score(labels, scores) < 0.45  # pooled, it looks worse than guessing
    found = measured([unit(labels, scores, folds.tolist())], 90)
    assert found.macro["auc"].value == 0.5
    assert interval(found, "auc")[:3] == (0.5, 0.5, 0.5)


def test_a_fold_without_positives_counts_for_calls_but_not_for_ranks() -> None:
    labels, scores = np.array([1, 0, 0, 0.0]), np.array([0.8, 0.3, 0.7, 0.1])
    found = measured([unit(labels, scores, [1, 1, 2, 2])], 4)
    assert found.macro["auc"].value == 1.0
    assert found.macro["specificity"].value == pytest.approx(2 / 3)


def test_the_patients_error_is_delong_s() -> None:
    labels, scores = cohort(3)
    found = measured([unit(labels, scores)], resamples=2000)
    assert found.macro["auc"].patients_error() == pytest.approx(
        math.sqrt(delong_interval(labels, scores).variance), rel=0.06
    )


def test_the_patients_error_of_a_share_is_the_binomial_one() -> None:
    labels, scores = cohort(4)
    found = measured([unit(labels, scores)], resamples=2000)
    share = found.macro["accuracy"].value
    assert found.macro["accuracy"].patients_error() == pytest.approx(math.sqrt(share * (1 - share) / 200), rel=0.06)


def test_records_of_one_patient_are_drawn_together() -> None:
    labels, scores = cohort(5)
    once = measured([unit(labels, scores)])
    fourfold = Fold(
        Predictions(np.tile(labels, 4)[:, None], np.tile(scores, 4)[:, None], [0.5]), np.tile(np.arange(200), 4)
    )
    again = measured([(fourfold,)])
    assert again.macro["auc"].patients_error() == pytest.approx(once.macro["auc"].patients_error())
    assert again.sides == once.sides


def test_units_are_averaged_and_their_spread_is_the_error_of_training() -> None:
    labels, _ = cohort()
    units = [
        unit(labels, cohort(seed)[1] * 0 + scores)
        for seed, scores in enumerate((cohort(1)[1], cohort(2)[1], cohort(3)[1]))
    ]
    areas = [sklearn.roc_auc_score(labels, one[0].predictions.probabilities[:, 0]) for one in units]
    scores = measured(units).macro["auc"]
    assert scores.value == pytest.approx(np.mean(areas))
    assert scores.training_error() == pytest.approx(stats.sem(areas))
    assert math.isnan(measured(units[:1]).macro["auc"].training_error())


def test_an_interval_is_satterthwaite_s_on_the_logit_scale() -> None:
    labels, scores = cohort(6)
    found = measured([unit(labels, scores), unit(labels, np.clip(scores + 0.1 * labels, 0, 1))])
    one = interval(found, "auc")
    first = min(labels.sum(), (1 - labels).sum()) - 1
    total = one.patients**2 + one.training**2
    freedom = total**2 / (one.patients**4 / first + one.training**4 / 1)
    assert one.freedom == pytest.approx(freedom)
    middle = math.log(one.value / (1 - one.value))
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(total) / (one.value * (1 - one.value))
    assert one.low == pytest.approx(1 / (1 + math.exp(-(middle - reach))))
    assert one.high == pytest.approx(1 / (1 + math.exp(-(middle + reach))))


def test_perfection_among_few_is_not_certain() -> None:
    labels = np.array([1.0] * 12 + [0.0] * 40)
    found = measured([unit(labels, 0.1 + 0.8 * labels)], 52)
    one = interval(found, "auc")
    exact = stats.binomtest(12, 12).proportion_ci(0.95, "exact")
    assert (one.low, one.high) == (pytest.approx(exact.low), 1.0)
    nothing = interval(measured([unit(labels, 0.9 - 0.8 * labels)], 52), "auc")
    assert (nothing.low, nothing.high) == (0.0, pytest.approx(1 - exact.low))


def test_degrees_of_freedom_are_of_the_smaller_side() -> None:
    assert patients_freedom([20]) == pytest.approx(19)
    # Variances 1/10 and 1/5 with 9 and 4 degrees of freedom: .3 ** 2 / (.01 / 9 + .04 / 4).
    assert patients_freedom([10, 5, 0]) == pytest.approx(0.09 / (0.01 / 9 + 0.04 / 4))
    with pytest.raises(Unscorable, match="nothing to tell apart"):
        patients_freedom([0])


def test_without_training_a_student_interval_is_scipy_s() -> None:
    differences = np.array([0.02, 0.05, -0.01, 0.04, 0.03])
    scipy = stats.ttest_1samp(differences, 0)
    found = student(differences.mean(), float(stats.sem(differences)), 4, math.nan, 0)
    assert found.p == pytest.approx(scipy.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(scipy.confidence_interval(0.95)))


def test_an_arm_does_not_differ_from_itself_and_better_scores_do() -> None:
    labels, scores = cohort(7)
    better = np.clip(scores + 0.25 * labels, 0, 1)
    same, best = measured([unit(labels, scores)]), measured([unit(labels, better)])
    assert contrast([(1, same), (-1, same)], "auc") == (0, 0, 0, 1)
    lead = contrast([(1, best), (-1, same)], "auc")
    assert lead.value == pytest.approx(sklearn.roc_auc_score(labels, better) - sklearn.roc_auc_score(labels, scores))
    assert lead.p < 0.001
    assert 0 < lead.low < lead.value < lead.high


def test_pairing_makes_a_difference_surer() -> None:
    labels, scores = cohort(8)
    noise = 0.05 * np.random.default_rng(1).normal(size=200)
    near = np.clip(scores + noise + 0.04 * labels, 0, 1)
    one, other = measured([unit(labels, near)]), measured([unit(labels, scores)])
    lead = contrast([(1, one), (-1, other)], "auc")
    apart = math.hypot(one.macro["auc"].patients_error(), other.macro["auc"].patients_error())
    assert (lead.high - lead.low) / 2 < 0.6 * stats.norm.ppf(0.975) * apart


def trained(values: Sequence[float]) -> Measured:
    """An arm of which only the AUC of each unit is known."""
    scores = Scores(np.array(values), np.zeros((len(values), 50)))
    return Measured(tuple((seed, 0) for seed in range(len(values))), (30,), {"auc": scores}, ())


def test_units_that_correspond_are_set_against_each_other() -> None:
    one, other = trained([0.80, 0.86, 0.83]), trained([0.75, 0.80, 0.79])
    error, freedom = training_error([(1, one), (-1, other)], "auc")
    assert (error, freedom) == (pytest.approx(stats.sem([0.05, 0.06, 0.04])), 2)


def test_units_that_do_not_correspond_vary_by_themselves() -> None:
    one, other = trained([0.80, 0.86, 0.83]), trained([0.75, 0.80])
    error, freedom = training_error([(1, one), (-1, other)], "auc")
    assert (error, freedom) == (pytest.approx(math.hypot(stats.sem([0.80, 0.86, 0.83]), stats.sem([0.75, 0.80]))), 3)
    alone, freedom = training_error([(1, one), (-1, trained([0.7]))], "auc")
    assert (alone, freedom) == (pytest.approx(stats.sem([0.80, 0.86, 0.83])), 2)
    unknown, freedom = training_error([(1, trained([0.8])), (-1, trained([0.7]))], "auc")
    assert math.isnan(unknown)
    assert freedom == 0


def test_the_auc_of_each_class_and_of_an_absent_one() -> None:
    labels, scores = cohort(10)
    table = np.stack([labels, np.zeros(200)], axis=1)
    fold = Fold(Predictions(table, np.stack([scores, scores], axis=1), [0.5, 0.5]), np.arange(200))
    found = measured([(fold,)])
    assert class_interval(found, 0)[:3] == interval(found, "auc")[:3]
    with pytest.raises(Unscorable, match="without a positive"):
        class_interval(found, 1)


@pytest.mark.parametrize(("folds", "seeds"), [(1, 1), (5, 2)])
def test_intervals_cover_the_true_auc(folds: int, seeds: int) -> None:
    # Positives lie d above negatives, d drawn for each training: the expected AUC is that of the mean over d.
    spread, own = 0.08, 0.4
    truth = float(
        stats.norm.cdf(np.random.default_rng(1).normal(1.2, spread, 50_000) / math.sqrt(2 * (1 + own**2))).mean()
    )
    covered, studies = 0, 200
    for study in range(studies):
        rng = np.random.default_rng(study)
        labels = (rng.permutation(160) < 45).astype(float)
        hard = rng.normal(size=160)
        dealt = (np.arange(160) % folds).tolist()
        units = []
        for _ in range(seeds):
            logits = labels * rng.normal(1.2, spread) + hard + own * rng.normal(size=160)
            units.append(unit(labels, 1 / (1 + np.exp(-logits)), dealt))
        one = interval(measured(units, 160, 80), "auc")
        covered += one.low <= truth <= one.high
    assert 0.91 <= covered / studies <= 0.99  # a smaller run of benchmarks/coverage.py; 95% give or take chance
