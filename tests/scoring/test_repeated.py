"""Figures over folds, seeds and repeats against scikit-learn, scipy, DeLong and numbers derived by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics as sklearn

from ecgenough.scoring.comparison import delong_contrast, delong_interval
from ecgenough.scoring.folds import Fold, Unit, auc_parts
from ecgenough.scoring.metrics import METRICS, Predictions, Unscorable
from ecgenough.scoring.repeated import (
    Measured,
    class_interval,
    contrast,
    interval,
    measure_units,
    moderated,
    patients_freedom,
    scores_of,
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


def test_a_fold_with_one_side_alone_says_nothing_of_ranks() -> None:
    """Fold 1 is ranked without a fault; fold 2 has positives only, which nothing can be ranked against."""
    labels = np.array([1, 1, 0, 0, 1, 1.0])
    scores = np.array([0.9, 0.8, 0.3, 0.2, 0.9, 0.4])
    found = measured([unit(labels, scores, [1, 1, 1, 1, 2, 2])], 6)
    assert found.macro["auc"].value == 1
    assert found.macro["average_precision"].value == 1
    assert found.macro["sensitivity"].value == pytest.approx(3 / 4)  # its calls count


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


def test_the_patients_error_of_an_auc_is_delong_s_and_so_is_what_units_share() -> None:
    labels, scores = cohort(3)
    _, others = cohort(3, gap=0.4)
    others = np.clip(0.7 * others + 0.3 * scores, 0, 1)
    found = measured([unit(labels, scores)], resamples=2)
    assert found.macro["auc"].patients_error() == pytest.approx(math.sqrt(delong_interval(labels, scores).variance))
    one, other = (auc_parts(unit(labels, each), 200)[0] for each in (scores, others))
    for sign in (1, -1):
        _, variance = delong_contrast(labels, np.stack([scores, others]), [1, sign])
        assert ((one + sign * other) ** 2).sum() == pytest.approx(variance)


def jackknifed(units: Sequence[Unit], patients: int) -> Floats:
    """Covariances of the units' macro AUCs by leaving out one patient after the other, with scikit-learn's AUCs."""

    def figure(one: Unit, without: int) -> float:
        found = []
        for place in range(one[0].predictions.labels.shape[1]):
            areas, pairs = [], []
            for fold in one:
                kept = fold.patients != without
                truth, scores = (
                    part[kept, place] for part in (fold.predictions.labels, fold.predictions.probabilities)
                )
                areas.append(sklearn.roc_auc_score(truth, scores))
                pairs.append(truth.sum() * (~truth).sum())
            found.append(np.average(areas, weights=pairs))
        return float(np.mean(found))

    left = np.array([[figure(one, patient) for patient in range(patients)] for one in units])
    return np.asarray(np.cov(left) * (patients - 1) ** 2 / patients)


@pytest.mark.parametrize(("records", "classes", "folds"), [(1, 1, 1), (3, 1, 1), (2, 2, 2)])
def test_parts_give_the_covariances_of_the_jackknife(records: int, classes: int, folds: int) -> None:
    rng, patients = np.random.default_rng(records), 60
    person = np.repeat(np.arange(patients), records)
    labels = (rng.random((patients, classes)) < 0.35)[person]
    hard = rng.normal(size=(patients, classes))[person] + rng.normal(size=labels.shape)
    rows = [np.flatnonzero(person % folds == fold) for fold in range(folds)]
    units = []
    for _ in range(2):
        scores = 1 / (1 + np.exp(-(labels + hard + 0.5 * rng.normal(size=labels.shape))))
        units.append(tuple(Fold(Predictions(labels[r], scores[r], [0.5] * classes), person[r]) for r in rows))
    parts = measured(units, patients, 2).macro["auc"].parts
    assert parts @ parts.T == pytest.approx(jackknifed(units, patients), rel=0.12)


def test_a_fold_with_a_single_positive_departs_from_the_area_of_all_folds() -> None:
    labels = np.array([1, 0, 0, 1, 1, 0, 0.0])
    scores = np.array([0.5, 0.4, 0.6, 0.9, 0.3, 0.2, 0.1])
    parts = auc_parts(unit(labels, scores, [1, 1, 1, 2, 2, 2, 2]), 7)[0]
    # 1 of 2 pairs and 4 of 4: the area is 5/6. The lone positive wins half of 2 pairs out of 6; the negatives 0 and 1.
    assert parts[0] == pytest.approx(2 / 6 * (1 / 2 - 5 / 6))
    assert parts[1:3] == pytest.approx(2 / 6 * (np.array([1, 0]) - 5 / 6) / 2 * math.sqrt(2))
    assert parts[3:] == pytest.approx(0)  # all pairs right, as in every draw of them


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


def three_units() -> tuple[Floats, list[Unit]]:
    """Three trainings that differ in skill by more than patients explain."""
    labels, scores = cohort(6, patients=80)
    logits, rng = np.log(scores / (1 - scores)), np.random.default_rng(2)
    trained = [logits + luck * labels + 0.3 * rng.normal(size=80) for luck in (-0.5, 0.1, 0.8)]
    return labels, [unit(labels, 1 / (1 + np.exp(-one))) for one in trained]


def test_the_variance_is_that_of_obuchowski_and_rockette() -> None:
    """Spread of the readers, here units, over their number and the mean covariance of two: Hillis (2014)."""
    labels, units = three_units()
    areas = [sklearn.roc_auc_score(labels, one[0].predictions.probabilities[:, 0]) for one in units]
    covariances = jackknifed(units, 80)
    shared = (covariances.sum() - np.trace(covariances)) / 6
    found = measured(units, 80, 2)
    one = interval(found, "auc")
    assert one.value == pytest.approx(np.mean(areas))
    assert one.training > 0
    assert one.patients**2 + one.training**2 == pytest.approx(np.var(areas, ddof=1) / 3 + shared, rel=0.04)
    assert math.isnan(interval(measured(units[:1], 80), "auc").training)


def test_units_alike_add_nothing_to_what_patients_do() -> None:
    labels, scores = cohort(9)
    found = measured([unit(labels, scores)] * 3)
    one, alone = interval(found, "auc"), interval(measured([unit(labels, scores)]), "auc")
    assert one.training == 0
    assert (one.low, one.high) == pytest.approx((alone.low, alone.high))


def test_an_interval_is_satterthwaite_s_on_the_logit_scale() -> None:
    labels, units = three_units()
    scores = measured(units, 80, 2).macro["auc"]
    one = interval(measured(units, 80, 2), "auc")
    covariances = scores.parts @ scores.parts.T
    within = np.trace(covariances) / 3 - (covariances.sum() - np.trace(covariances)) / 6
    first = min(labels.sum(), (1 - labels).sum()) - 1
    total = one.patients**2 + one.training**2
    freedom = total**2 / (one.patients**4 / first + (one.training**2 + within / 3) ** 2 / 2)
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


def trained(values: Sequence[float], repeats: int = 1, per_unit: float | None = None) -> Measured:
    """An arm of which only the AUC of each unit is known, and that patients do not move."""
    units = len(values)
    nothing = np.zeros((units, 50))
    scores = scores_of(np.array(values), nothing, nothing, per_unit or 1 / units)
    keys = tuple((place // repeats, place % repeats) for place in range(units))
    return Measured(keys, (30,), dict.fromkeys(METRICS, scores), (scores,))


def test_where_only_training_varies_a_difference_is_welch_s() -> None:
    one, other = [0.80, 0.86, 0.83], [0.75, 0.80, 0.79, 0.77]
    scipy = stats.ttest_ind(one, other, equal_var=False)
    found = contrast([(1, trained(one)), (-1, trained(other))], "auc")
    assert found.p == pytest.approx(scipy.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(scipy.confidence_interval(0.95)))


def test_an_arm_of_a_single_unit_lends_no_variance() -> None:
    one = [0.80, 0.86, 0.83]
    alone = stats.ttest_1samp(one, 0.7)
    assert contrast([(1, trained(one)), (-1, trained([0.7]))], "auc").p == pytest.approx(alone.pvalue)
    assert contrast([(1, trained([0.8])), (-1, trained([0.7]))], "auc").p == 0  # nothing is known to vary


def test_networks_lend_each_other_half_of_how_much_training_varies() -> None:
    # Variances .0002 and .0008, 1 and 2 degrees of freedom: (.0002 + 2 * .0008) / 3 = .0006 in common.
    arms = moderated(
        [trained([0.80, 0.82]), trained([0.80, 0.80 + 0.04 * 0.5**0.5, 0.80 + 0.08 * 0.5**0.5]), trained([0.7])]
    )
    scores = [arm.macro["auc"] for arm in arms]
    assert [one.training for one in scores[:2]] == pytest.approx([0.0004, 0.0007])
    assert [one.freedom for one in scores[:2]] == [1, 2]
    assert math.isnan(scores[2].training)
    assert scores[0].training_error() ** 2 == pytest.approx(0.0002)
    (alone,) = moderated([trained([0.80, 0.82])])
    assert (alone.macro["auc"].training, alone.macro["auc"].freedom) == (pytest.approx(0.0002), 1)


def test_repeated_splits_have_the_correction_of_nadeau_and_bengio() -> None:
    labels, scores = cohort(11)
    units = {
        (0, repeat): unit(labels, np.clip(scores + luck * labels, 0, 1)) for repeat, luck in enumerate((0, 0.1, 0.3))
    }
    plain, repeated = (
        measure_units(units, NAMES[:200], resamples=2, test_to_train=ratio).macro["auc"] for ratio in (0, 0.25)
    )
    assert plain.training_error() ** 2 == pytest.approx(plain.training / 3)
    assert repeated.training_error() ** 2 == pytest.approx(plain.training * (1 / 3 + 0.25))
    seeds = measure_units(
        {(key[1], 0): one for key, one in units.items()}, NAMES[:200], resamples=2, test_to_train=0.25
    )
    assert seeds.macro["auc"].training_error() == pytest.approx(plain.training_error())


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
    spread, own = 0.08 * (seeds > 1), 0.4
    truth = float(
        stats.norm.cdf(np.random.default_rng(1).normal(1.2, spread, 50_000) / math.sqrt(2 * (1 + own**2))).mean()
    )
    covered, studies = np.zeros(2), 150
    for study in range(studies):
        rng = np.random.default_rng(study)
        labels = (rng.permutation(160) < 45).astype(float)
        hard = rng.normal(size=160)
        dealt = (np.arange(160) % folds).tolist()
        arms = []
        for _ in range(2):
            logits = [labels * rng.normal(1.2, spread) + hard + own * rng.normal(size=160) for _ in range(seeds)]
            arms.append(measured([unit(labels, 1 / (1 + np.exp(-one)), dealt) for one in logits], 160, 2))
        one, other = moderated(arms)
        figure, lead = interval(one, "auc"), contrast([(1, one), (-1, other)], "auc")
        covered += figure.low <= truth <= figure.high, lead.low <= 0 <= lead.high
    shares = covered / studies
    assert (shares >= 0.90).all()  # a smaller run of benchmarks/coverage.py: 95%, and chance
    assert (shares <= 0.99).all()
