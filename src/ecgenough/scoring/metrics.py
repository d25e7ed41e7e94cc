"""Textbook metrics of multi-label predictions, exact under ties and under record weights.

A record is called for a class when its probability is at or above that class's threshold. Averaging is macro: every
class counts alike, except those without a positive or without a negative, which have no AUC and are left out and named.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array

from ecgenough.errors import EcgenoughError
from ecgenough.sentences import counted

METRICS = ("auc", "average_precision", "sensitivity", "specificity", "precision", "f1", "g_mean", "accuracy", "brier")
CURVE_POINTS = 400
STRAIGHT = 1e-9  # a vertex nearer to the line than this share of the axis is on it but for rounding
NOTHING_PRESENT = "no class has both a positive and a negative record; there is nothing to tell apart."

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Curve = tuple[Floats, Floats]


class Unscorable(EcgenoughError, ValueError):
    """Labels and predictions that cannot be scored: shapes that disagree, NaN, or nothing to tell apart."""


@dataclass(frozen=True)
class Metrics:
    """Every metric by name: `classes` [classes], `macro` and `overall` single numbers.

    Measured under weights [records, draws], each gains a last axis of draws; a class without a positive or without a
    negative of any weight in a draw is NaN there and left out of that draw's macro mean.
    """

    classes: Mapping[str, Floats]
    macro: Mapping[str, Floats]
    overall: Mapping[str, Floats]


@dataclass(frozen=True)
class Counts:
    """Weighted sums over records: `records` [draws], the others [classes, draws]. Those of disjoint parts add up."""

    records: Floats
    positives: Floats
    hits: Floats
    alarms: Floats
    squares: Floats  # of the errors of the probabilities

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(one + another for one, another in zip(vars(self).values(), vars(other).values(), strict=True)))

    def figures(self) -> dict[str, Floats]:
        """Every metric that is not a matter of ranks, [classes, draws] each."""
        negatives = self.records - self.positives
        sensitivity, specificity = ratio(self.hits, self.positives), ratio(negatives - self.alarms, negatives)
        return {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "precision": ratio(self.hits, self.hits + self.alarms, undefined=0.0),
            "f1": ratio(2 * self.hits, self.hits + self.alarms + self.positives, undefined=0.0),
            "g_mean": g_mean(sensitivity, specificity),
            "accuracy": ratio(self.hits + negatives - self.alarms, self.records),
            "brier": ratio(self.squares, self.records),
        }


class Predictions:
    """Labels, probabilities and thresholds of one evaluated part, sorted once so that many weightings are cheap.

    `labels` [records, classes] of 0/1, `probabilities` [records, classes] in 0..1, `thresholds` [classes]; `absent` are
    the columns without a positive or without a negative. Raises Unscorable where `checked` does.
    """

    def __init__(self, labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike) -> None:
        self.labels, self.probabilities = checked(labels, probabilities)
        self.thresholds = _checked_thresholds(thresholds, self.labels.shape[1])
        self.absent = absent_classes(self.labels)
        self._rankings = [_Ranking(*column) for column in zip(self.labels.T, self.probabilities.T, strict=True)]

    def measure(self, weights: ArrayLike | None = None) -> Metrics:
        """All metrics; `weights` [records, draws], each at least 0, count a record that many times in that draw.

        Without weights, raises Unscorable if every class is absent.
        """
        if weights is None:
            if len(self.absent) == self.labels.shape[1]:
                raise Unscorable(NOTHING_PRESENT)
            alone = self.measure(np.ones((len(self.labels), 1)))
            return Metrics(*({name: value[..., 0] for name, value in part.items()} for part in vars(alone).values()))
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        if weights.ndim != 2 or len(weights) != len(self.labels):
            raise Unscorable(f"weights are {weights.shape} for {len(self.labels):,} records; give [records, draws].")
        classes = self.ranked(weights) | self.counted(weights).figures()
        absent = np.isnan(classes["auc"])
        classes = {name: np.where(absent, np.nan, classes[name]) for name in METRICS}
        return Metrics(classes, macro_figures(classes), self._overall(weights))

    def ranked(self, weights: Floats) -> dict[str, Floats]:
        """ROC AUC and average precision under weights [records, draws], [classes, draws] each."""
        both = np.array([ranking.areas(weights) for ranking in self._rankings])
        return {"auc": both[:, 0], "average_precision": both[:, 1]}

    def counted(self, weights: Floats) -> "Counts":
        """What the figures of the calls at the thresholds, and the Brier score, follow from."""
        called = self.probabilities >= self.thresholds
        return Counts(
            records=weights.sum(axis=0),
            positives=self.labels.T @ weights,
            hits=(called & self.labels).T @ weights,
            alarms=(called & ~self.labels).T @ weights,
            squares=((self.probabilities - self.labels) ** 2).T @ weights,
        )

    def _overall(self, weights: Floats) -> dict[str, Floats]:
        right = (self.probabilities >= self.thresholds) == self.labels
        records = weights.sum(axis=0)
        return {
            "exact_match": ratio(right.all(axis=1) @ weights, records),
            "accuracy": ratio(right.mean(axis=1) @ weights, records),
        }


def measure(labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike) -> Metrics:
    """All metrics of labels and probabilities [records, classes] at thresholds [classes].

    Per class, with scikit-learn's definitions: `auc`, `average_precision`, `sensitivity`, `specificity`, `precision`
    (0 where nothing is called: its zero_division=0), `f1`, `accuracy`, `brier`, and `g_mean` from that class's own
    sensitivity and specificity. `macro` is the mean over the classes that are present, except the macro G-mean: the
    root of macro sensitivity times macro specificity, so that both are of the same averaging (imbalanced-learn's
    `geometric_mean_score(average="macro")`). `overall` holds `exact_match`, the share of records with every class
    right, and `accuracy`, the share of right calls; absent classes count in both. A binary task has one class, its
    positive one, and macro is that class. Raises Unscorable.
    """
    return Predictions(labels, probabilities, thresholds).measure()


def auc(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Area under the ROC curve [classes]: the chance that a positive scores above a negative, ties counting half.

    Exact (Mann & Whitney 1947; Hanley & McNeil 1982). NaN for an absent class. Raises Unscorable.
    """
    return _areas(labels, probabilities)[:, 0]


def average_precision(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Sum over distinct scores of precision times the gain in recall [classes], as scikit-learn defines it.

    NaN for an absent class. Raises Unscorable.
    """
    return _areas(labels, probabilities)[:, 1]


def g_mean(sensitivity: ArrayLike, specificity: ArrayLike) -> Floats:
    """Geometric mean of sensitivity and specificity, both of the same averaging (Kubat & Matwin 1997).

    0 where either is 0: a classifier that never calls one side is worthless here.
    """
    return np.asarray(np.sqrt(np.multiply(sensitivity, specificity, dtype=np.float64)))


def macro_mean(values: ArrayLike) -> float:
    """Mean of a metric [classes] over the classes that are present. Raises Unscorable if none is."""
    mean = float(_mean_of_present(np.asarray(values, dtype=np.float64)))
    if np.isnan(mean):
        raise Unscorable(NOTHING_PRESENT)
    return mean


def absent_classes(labels: ArrayLike) -> tuple[int, ...]:
    """Columns of labels [records, classes] without a positive or without a negative."""
    positive = np.asarray(labels, dtype=bool)
    return tuple(int(column) for column in np.flatnonzero(positive.all(axis=0) | ~positive.any(axis=0)))


def roc_curve(labels: ArrayLike, probabilities: ArrayLike, points: int = CURVE_POINTS) -> Curve:
    """False positive rate and sensitivity of one class, from (0, 0) to (1, 1).

    `labels` and `probabilities` [records]. Only corners are given, at most `points`: where there are more, those that
    move the line most (Douglas & Peucker 1973). Raises Unscorable for an absent class.
    """
    _, hits, alarms = calls_by_score(labels, probabilities)
    return _thinned(alarms / alarms[-1], hits / hits[-1], points)


def pr_curve(labels: ArrayLike, probabilities: ArrayLike, points: int = CURVE_POINTS) -> Curve:
    """Recall and precision of one class, from (0, 1) to recall 1, thinned as `roc_curve` is.

    Draw it as steps: precision is not linear between points (Davis & Goadrich 2006). Raises Unscorable.
    """
    _, hits, alarms = calls_by_score(labels, probabilities)
    return _thinned(hits / hits[-1], ratio(hits, hits + alarms, undefined=1.0), points)


def calls_by_score(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Distinct scores of one class, falling, and the true and false calls when everything at or above them is called.

    `labels` and `probabilities` [records]; the scores [distinct], the calls [distinct + 1] starting from none called.
    Raises Unscorable for an absent class.
    """
    positive, scores = checked(np.reshape(labels, (-1, 1)), np.reshape(probabilities, (-1, 1)))
    if absent_classes(positive):
        raise Unscorable("the class has no positive or no negative record; a curve needs both.")
    distinct, place = np.unique(-scores[:, 0], return_inverse=True)
    hits = np.bincount(place, weights=positive[:, 0], minlength=len(distinct))
    alarms = np.bincount(place, weights=~positive[:, 0], minlength=len(distinct))
    return -distinct, np.append(0.0, hits.cumsum()), np.append(0.0, alarms.cumsum())


def checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Bools, Floats]:
    """Labels as bool and probabilities as float64, both [records, classes].

    Raises Unscorable where shapes disagree, nothing is there, a label is not 0 or 1, or a probability is not in 0..1.
    """
    truth, scores = np.asarray(labels), checked_probabilities(probabilities)
    if truth.ndim != 2 or truth.shape != scores.shape:
        raise Unscorable(f"labels are {truth.shape} but probabilities {scores.shape}; both must be [records, classes].")
    if not truth.size:
        raise Unscorable(f"there is nothing to score: labels are {truth.shape}.")
    if not np.isin(truth, (0, 1)).all():
        raise Unscorable("labels must be 0 or 1; some are neither.")
    return truth.astype(bool), scores


def checked_probabilities(probabilities: ArrayLike) -> Floats:
    """Probabilities as float64. Raises Unscorable for NaN and for what is not in 0..1, such as logits."""
    scores = np.asarray(probabilities, dtype=np.float64)
    if np.isnan(scores).any():
        raise Unscorable(f"{np.isnan(scores).sum():,} of {scores.size:,} probabilities are NaN; the network diverged.")
    if scores.size and (scores.min() < 0 or scores.max() > 1):
        raise Unscorable(f"probabilities must be in 0..1, but run from {scores.min():g} to {scores.max():g}.")
    return scores


def ratio(numerator: Floats, denominator: Floats, undefined: float = np.nan) -> Floats:
    """Quotient, and `undefined` where the denominator is 0."""
    quotient: Floats = np.full(np.shape(numerator), undefined)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


class _Ranking:
    """One class's records sorted into cells between its positives' scores, so that areas follow from sums of weights.

    With K distinct scores of positives from the highest down, cells 0..K-1 hold the positives at each, K..2K-1 the
    negatives tied with them, 2K..3K-1 the negatives just above each, and 3K the negatives below them all.
    """

    def __init__(self, positive: Bools, scores: Floats) -> None:
        falling = -scores
        levels = np.unique(falling[positive])
        level = np.searchsorted(levels, falling)
        tied = np.isin(falling, levels)
        cell = np.where(positive, 0, np.where(tied, len(levels), 2 * len(levels))) + level
        records = len(scores)
        shape = (3 * len(levels) + 1, records)
        self.levels = len(levels)
        self.cells = csc_array((np.ones(records), cell, np.arange(records + 1)), shape=shape)

    def areas(self, weights: Floats) -> Floats:
        """ROC AUC and average precision [2, draws] under weights [records, draws]; NaN without both sides."""
        if not self.levels:
            return np.full((2, weights.shape[1]), np.nan)
        sums = np.asarray(self.cells @ weights)
        hits, ties, above = sums[: self.levels], sums[self.levels : 2 * self.levels], sums[2 * self.levels :]
        true, false = hits.cumsum(axis=0), (ties + above[:-1]).cumsum(axis=0)
        positives, negatives = true[-1], false[-1] + above[-1]
        pairs = np.where((positives > 0) & (negatives > 0), positives * negatives, 0.0)
        area = ratio((hits * (negatives - false + ties / 2)).sum(axis=0), pairs)
        precise = ratio((hits * ratio(true, true + false, undefined=0.0)).sum(axis=0), positives)
        return np.array([area, np.where(pairs > 0, precise, np.nan)])


def _areas(labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """ROC AUC and average precision [classes, 2]."""
    truth, scores = checked(labels, probabilities)
    once = np.ones((len(truth), 1))
    columns = zip(truth.T, scores.T, strict=True)
    return np.array([_Ranking(positive, score).areas(once)[:, 0] for positive, score in columns])


def macro_figures(classes: Mapping[str, Floats]) -> dict[str, Floats]:
    """Macro means [draws] of metrics [classes, draws], NaN being absent; the macro G-mean as `measure` defines it."""
    means = {name: _mean_of_present(values) for name, values in classes.items()}
    return means | {"g_mean": g_mean(means["sensitivity"], means["specificity"])}


def _mean_of_present(values: Floats) -> Floats:
    present = ~np.isnan(values)
    return ratio(np.where(present, values, 0.0).sum(axis=0), present.sum(axis=0).astype(np.float64))


def _checked_thresholds(thresholds: ArrayLike, classes: int) -> Floats:
    values = np.asarray(thresholds, dtype=np.float64)
    if values.shape != (classes,) or np.isnan(values).any():
        wanted = counted(classes, "class", "classes")
        raise Unscorable(f"thresholds {values.tolist()} do not fit: give one number for each of {wanted}.")
    return values


def _thinned(x: Floats, y: Floats, points: int) -> Curve:
    """At most `points` of a line's vertices, always those farthest from the line through the ones already kept."""
    if points < 2:
        raise Unscorable(f"a curve needs at least 2 points, not {points}.")
    kept = [0, len(x) - 1]
    stretches = [_farthest(x, y, 0, len(x) - 1)]
    while stretches and len(kept) < points:
        nearness, first, vertex, last = heapq.heappop(stretches)
        if nearness > -STRAIGHT:
            break
        kept.append(vertex)
        heapq.heappush(stretches, _farthest(x, y, first, vertex))
        heapq.heappush(stretches, _farthest(x, y, vertex, last))
    corners = np.sort(kept)
    return x[corners], y[corners]


def _farthest(x: Floats, y: Floats, first: int, last: int) -> tuple[float, int, int, int]:
    """Minus the largest distance from the chord between two vertices, the first, the vertex it is at, and the last."""
    if last - first < 2:
        return 0.0, first, first, last
    along, up = x[last] - x[first], y[last] - y[first]
    inner = slice(first + 1, last)
    length = np.hypot(along, up) or 1.0  # precision stays at 0 until the first true call
    distance = np.abs(along * (y[inner] - y[first]) - up * (x[inner] - x[first])) / length
    vertex = int(np.argmax(distance))
    return -float(distance[vertex]), first, first + 1 + vertex, last
