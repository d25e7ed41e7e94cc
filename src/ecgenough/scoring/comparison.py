"""Is one model better than another, or could it be chance? DeLong, paired bootstrap, corrected t-test, Holm."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ecgenough.scoring.intervals import RESAMPLES, patient_weights, percentile_interval
from ecgenough.scoring.metrics import Bools, Floats, Metrics, Predictions, Unscorable
from ecgenough.sentences import agreed, counted

LEVEL = 0.95


class Estimate(NamedTuple):
    """An AUC, its variance and its 95% interval."""

    value: float
    variance: float
    low: float
    high: float


class Difference(NamedTuple):
    """How much the first is above the second, its 95% interval, and the two-sided p-value of no difference."""

    value: float
    low: float
    high: float
    p: float


def delong_interval(labels: ArrayLike, scores: ArrayLike, patients: Sequence[str] | None = None) -> Estimate:
    """AUC of one class with DeLong's variance and normal interval, cut to 0..1 (DeLong et al. 1988).

    `labels` and `scores` [records]; with `patients` [records], records of one patient may be correlated (Obuchowski
    1997). Raises Unscorable with fewer than two patients on either side.
    """
    areas, covariance = _delong(labels, np.atleast_2d(np.asarray(scores, dtype=np.float64)), patients)
    low, high = _normal_interval(areas[0], covariance[0, 0])
    return Estimate(float(areas[0]), float(covariance[0, 0]), max(0.0, low), min(1.0, high))


def delong_test(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, patients: Sequence[str] | None = None
) -> Difference:
    """DeLong's test of two correlated AUCs of one class: the same records scored by two models.

    Arguments as for `delong_interval`. Where both AUCs have no variance at all, p is 1 if they are equal and 0 if not.
    """
    difference, variance = delong_contrast(labels, _stacked(first, second), (1, -1), patients)
    p = 2 * float(stats.norm.sf(_standardised(difference, variance)))
    return Difference(difference, *_normal_interval(difference, variance), p)


def delong_contrast(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike, patients: Sequence[str] | None = None
) -> tuple[float, float]:
    """A weighted sum of correlated AUCs of one class, and its variance by DeLong's method.

    `scores` [models, records] with one weight a model; labels and patients as for `delong_interval`. Raises Unscorable.
    """
    taken = np.asarray(weights, dtype=np.float64)
    areas, covariance = _delong(labels, np.asarray(scores, dtype=np.float64), patients)
    return float(taken @ areas), max(0.0, float(taken @ covariance @ taken))


def paired_bootstrap(
    first: Predictions,
    second: Predictions,
    patients: Sequence[str],
    metric: Callable[[Metrics], Floats],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """The difference of any metric between two models on the same records, bootstrapped over patients.

    `metric` picks one number: `lambda metrics: metrics.macro["auc"]` or `lambda metrics: metrics.classes["f1"][3]`.
    Percentile interval; p is twice the smaller share of resamples on one side of zero, each share counted with one more
    resample so that it is never 0 (Davison & Hinkley 1997, 4.2). Raises Unscorable where the labels differ or the class
    is absent.
    """
    if not np.array_equal(first.labels, second.labels):
        raise Unscorable("the two models were scored on different labels; compare them on the same records, in order.")
    if len(patients) != len(first.labels):
        are = agreed(len(patients), "is", "are")
        raise Unscorable(
            f"{counted(len(patients), 'patient')} {are} named for {counted(len(first.labels), 'record')}; name one for each."
        )
    value = float(metric(first.measure()) - metric(second.measure()))
    if np.isnan(value):
        raise Unscorable("the metric to compare is of a class without a positive or without a negative record.")
    draws = np.concatenate(
        [metric(first.measure(w)) - metric(second.measure(w)) for w in patient_weights(patients, resamples, seed)]
    )
    low, high = percentile_interval(draws)
    drawn = draws[~np.isnan(draws)]
    shares = [((drawn <= 0).sum() + 1) / (len(drawn) + 1), ((drawn >= 0).sum() + 1) / (len(drawn) + 1)]
    return Difference(value, low, high, min(1.0, 2 * float(min(shares))))


def corrected_resampled_t_test(differences: ArrayLike, train_records: float, test_records: float) -> Difference:
    """t-test over differences [runs] from repeated splits of one data set (Nadeau & Bengio 2003).

    Training sets overlap, so the plain t-test finds too much; here the variance is multiplied by 1/runs + test/train,
    the numbers of records in each. Without any variance, p is 1 for differences of zero and 0 for others.
    Raises Unscorable.
    """
    runs = np.asarray(differences, dtype=np.float64)
    if runs.ndim != 1 or len(runs) < 2 or not np.isfinite(runs).all():
        raise Unscorable("the corrected t-test needs the finite differences of at least two runs.")
    if not (train_records > 0 and test_records > 0):
        raise Unscorable("the corrected t-test needs the numbers of training and test records, both above 0.")
    mean = float(runs.mean())
    variance = float(runs.var(ddof=1)) * (1 / len(runs) + test_records / train_records)
    freedom = len(runs) - 1
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    p = 2 * float(stats.t.sf(_standardised(mean, variance), freedom))
    return Difference(mean, mean - reach, mean + reach, p)


def holm(p_values: ArrayLike) -> Floats:
    """p-values [tests] adjusted for testing all of them: compare each with the level you want (Holm 1979).

    Raises Unscorable for anything that is not in 0..1.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise Unscorable("Holm's correction needs a list of p-values in 0..1.")
    order = np.argsort(values)
    rising = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(rising, 1.0)
    return adjusted


def _delong(labels: ArrayLike, scores: Floats, patients: Sequence[str] | None) -> tuple[Floats, Floats]:
    """AUCs [models] and their covariance [models, models] from scores [models, records].

    Each record's placement among the other side, found by sorting (as Sun & Xu 2014), and Obuchowski's (1997) sums of placements
    over patients give the covariance, which is DeLong's where every record is its own patient.
    """
    positive, patient = _checked_sides(labels, scores, patients)
    among_negatives, among_positives = placements(positive, scores)
    areas = among_negatives.mean(axis=1)
    patients_in_all = int(patient.max()) + 1
    ups = by_patient(among_negatives - areas[:, None], patient[positive], patients_in_all)
    downs = by_patient(among_positives - areas[:, None], patient[~positive], patients_in_all)
    with_positive, with_negative = len(set(patient[positive])), len(set(patient[~positive]))
    positives, negatives = int(positive.sum()), int((~positive).sum())
    crossed = ups @ downs.T * patients_in_all / (patients_in_all - 1) / (positives * negatives)
    covariance = (
        ups @ ups.T * with_positive / (with_positive - 1) / positives**2
        + downs @ downs.T * with_negative / (with_negative - 1) / negatives**2
        + crossed
        + crossed.T
    )
    return areas, covariance


def placements(positive: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """The share of negatives below each positive, and of positives above each negative, ties counting half.

    `positive` [records], `scores` [models, records]; [models, positives] and [models, negatives].
    """
    highs, lows = scores[:, positive], scores[:, ~positive]
    pairs = list(zip(highs, lows, strict=True))
    above = np.stack([_share_below(low, high) for high, low in pairs])
    below = np.stack([1 - _share_below(high, low) for high, low in pairs])
    return above, below


def _share_below(others: Floats, scores: Floats) -> Floats:
    """The share of `others` below each score, ties counting half."""
    ordered = np.sort(others)
    ranks = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return np.asarray(ranks / (2 * len(others)))


def by_patient(parts: Floats, patient: NDArray[np.intp], patients: int) -> Floats:
    """Sums of parts [models, records] over each patient, [models, patients]."""
    return np.stack([np.bincount(patient, weights=row, minlength=patients) for row in parts])


def _checked_sides(labels: ArrayLike, scores: Floats, patients: Sequence[str] | None) -> tuple[Bools, NDArray[np.intp]]:
    truth = np.asarray(labels)
    names = np.arange(len(truth)) if patients is None else np.asarray(patients, dtype=str)
    if truth.ndim != 1 or scores.shape[1:] != truth.shape or names.shape != truth.shape:
        shapes = f"{truth.shape}, {scores.shape[1:]} and {names.shape}"
        raise Unscorable(f"labels, scores and patients must be [records] each; they are {shapes}.")
    if not np.isfinite(scores).all() or not np.isin(truth, (0, 1)).all():
        raise Unscorable("DeLong's method needs labels of 0 or 1 and finite scores.")
    positive = truth.astype(bool)
    patient = np.unique(names, return_inverse=True)[1]
    if min(len(set(patient[positive])), len(set(patient[~positive]))) < 2:
        raise Unscorable("DeLong's method needs at least two patients with a positive and two with a negative record.")
    return positive, patient


def _stacked(first: ArrayLike, second: ArrayLike) -> Floats:
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise Unscorable(f"scores to compare must be [records] each; they are {one.shape} and {two.shape}.")
    return np.stack([one, two])


def _standardised(difference: float, variance: float) -> float:
    """Size of a difference in standard errors; infinite where there is a difference without variance."""
    if variance > 0:
        return abs(difference) / math.sqrt(variance)
    return math.inf if difference else 0.0


def _normal_interval(value: float, variance: float) -> tuple[float, float]:
    reach = float(stats.norm.ppf((1 + LEVEL) / 2)) * math.sqrt(max(0.0, variance))
    return float(value) - reach, float(value) + reach
