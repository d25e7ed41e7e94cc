"""Do probabilities mean what they say, and how to make them: Platt scaling, temperature, reliability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit

from ecgenough.scoring.metrics import Bools, Floats, Unscorable, absent_classes, checked, checked_probabilities

NEAREST_TO_CERTAIN = 1e-7
"""Probabilities closer to 0 or 1 count as this close: a float32 sigmoid cannot tell them from 1."""

SHARPEST = 100.0
"""Temperatures are sought from 1/100 to 100: beyond, every probability is 0, 1 or 0.5 for all purposes."""


@dataclass(frozen=True)
class Calibration:
    """Per class, p becomes sigmoid(slope * logit(p) + intercept); slope 1 and intercept 0 leave it as it is.

    `absent` are the columns that had no positive or no negative where it was fitted, and so are left as they are.
    """

    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    absent: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.slope) != len(self.intercept) or not np.isfinite((*self.slope, *self.intercept)).all():
            raise Unscorable("a calibration needs one finite slope and one finite intercept for each class.")

    @classmethod
    def none(cls, classes: int) -> Self:
        """The calibration that changes nothing."""
        return cls((1.0,) * classes, (0.0,) * classes)

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, Sequence[float]]) -> Self:
        """The inverse of `to_numbers`."""
        try:
            slope, intercept = (tuple(map(float, numbers[part])) for part in ("slope", "intercept"))
            absent = tuple(map(int, numbers["absent"]))
        except (KeyError, TypeError, ValueError):
            raise Unscorable("a calibration needs the numbers slope, intercept and absent, a list each.") from None
        return cls(slope, intercept, absent)

    def to_numbers(self) -> dict[str, list[float]]:
        """Plain lists that JSON can hold."""
        return {"slope": list(self.slope), "intercept": list(self.intercept), "absent": list(self.absent)}

    def of(self, columns: Sequence[int]) -> Self:
        """The calibration of these of its classes, in this order."""
        absent = tuple(place for place, column in enumerate(columns) if column in self.absent)
        slope, intercept = (tuple(numbers[column] for column in columns) for numbers in (self.slope, self.intercept))
        return type(self)(slope, intercept, absent)

    def apply(self, probabilities: ArrayLike) -> Floats:
        """Calibrated probabilities float64 [..., classes]. Raises Unscorable where the classes differ in number."""
        scores = checked_probabilities(probabilities)
        if not scores.ndim or scores.shape[-1] != len(self.slope):
            raise Unscorable(f"probabilities are {scores.shape} but the calibration is for {len(self.slope)} classes.")
        slope, intercept = np.array(self.slope), np.array(self.intercept)
        untouched = (slope == 1) & (intercept == 0)
        return np.where(untouched, scores, expit(slope * log_odds(scores) + intercept))


def fit_platt(labels: ArrayLike, probabilities: ArrayLike) -> Calibration:
    """Slope and intercept per class by maximum likelihood on the logits, from validation records [records, classes].

    Targets are Platt's (1999): (P + 1) / (P + 2) for the P positives and 1 / (N + 2) for the N negatives, which keeps
    the fit finite where a class is told apart perfectly. A negative slope means that the class was ranked backwards.
    Classes without a positive or without a negative stay as they are and are named in `absent`. Raises Unscorable.
    """
    truth, scores = checked(labels, probabilities)
    absent = absent_classes(truth)
    fits = [
        (1.0, 0.0) if column in absent else _platt(truth[:, column], log_odds(scores[:, column]))
        for column in range(truth.shape[1])
    ]
    return Calibration(tuple(slope for slope, _ in fits), tuple(intercept for _, intercept in fits), absent)


def fit_temperature(labels: ArrayLike, probabilities: ArrayLike) -> Calibration:
    """One temperature T for all classes, logits divided by T, that minimises binary cross-entropy (Guo et al. 2017).

    T is at most 100 and at least 1/100. It never changes a ranking. Raises Unscorable.
    """
    truth, scores = checked(labels, probabilities)
    logits = log_odds(scores)
    bounds = (-np.log(SHARPEST), np.log(SHARPEST))
    found = minimize_scalar(
        lambda log_slope: _cross_entropy(np.exp(log_slope) * logits, truth.astype(np.float64)),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-9},
    )
    slope = float(np.exp(found.x))
    return Calibration((slope,) * truth.shape[1], (0.0,) * truth.shape[1])


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> Floats:
    """Mean distance between predicted and observed frequency over equal bins, weighted by records, [classes].

    Naeini et al. 2015, on the probability of the positive class. Raises Unscorable.
    """
    truth, scores = checked(labels, probabilities)
    columns = zip(truth.T, scores.T, strict=True)
    curves = [reliability_curve(positive, score, bins) for positive, score in columns]
    return np.array([np.average(np.abs(c.predicted - c.observed), weights=c.records) for c in curves])


class Reliability(NamedTuple):
    """Mean prediction, share of positives and number of records of each bin that is not empty."""

    predicted: Floats
    observed: Floats
    records: NDArray[np.int64]


def reliability_curve(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> Reliability:
    """Predicted against observed frequency of one class in equal bins that contain their upper edge.

    `labels` and `probabilities` [records]. Raises Unscorable.
    """
    if bins < 1:
        raise Unscorable(f"a reliability curve needs at least one bin, not {bins}.")
    positive, scores = checked(np.reshape(labels, (-1, 1)), np.reshape(probabilities, (-1, 1)))
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], scores[:, 0])
    records = np.bincount(place, minlength=bins)
    filled = records > 0
    predicted, observed = (np.bincount(place, weights=w[:, 0], minlength=bins)[filled] for w in (scores, positive))
    return Reliability(predicted / records[filled], observed / records[filled], records[filled].astype(np.int64))


def _platt(positive: Bools, logits: Floats) -> tuple[float, float]:
    positives, negatives = positive.sum(), (~positive).sum()
    targets = np.where(positive, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    inputs = np.stack([logits, np.ones_like(logits)])

    def loss(weights: Floats) -> float:
        return _cross_entropy(weights @ inputs, targets)

    def slopes(weights: Floats) -> Floats:
        return np.asarray(inputs @ (expit(weights @ inputs) - targets) / len(targets))

    def curvature(weights: Floats) -> Floats:
        spread = expit(weights @ inputs) * expit(-(weights @ inputs))
        return np.asarray((inputs * spread) @ inputs.T / len(targets))

    start = np.array([1.0, 0.0])
    found = minimize(loss, start, jac=slopes, hess=curvature, method="trust-exact", options={"gtol": 1e-9})
    return float(found.x[0]), float(found.x[1])


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    """Mean binary cross-entropy, without overflow (Lin, Lin & Weng 2007)."""
    return float(np.mean(np.logaddexp(0, logits) - targets * logits))


def log_odds(probabilities: ArrayLike) -> Floats:
    """The logits of probabilities, of which none counts as nearer to 0 or 1 than NEAREST_TO_CERTAIN."""
    return np.asarray(logit(np.clip(probabilities, NEAREST_TO_CERTAIN, 1 - NEAREST_TO_CERTAIN)), dtype=np.float64)
