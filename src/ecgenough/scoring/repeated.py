"""Figures of a network that was trained several times, over folds, seeds and repeated splits, and how sure they are.

A *fold* is one trained network's answers on its test records; a *unit* is one seed of one repeat: the folds that together
answer each of its test records once. A figure is the mean over units. Two things could have come out differently:

- other patients: all units of all arms are measured under the same bootstrap draws of patients (`scoring.intervals`), so
  that differences between arms are paired. Draws are damped: a patient drawn n times counts 1 + (n - 1) / 4 times, and
  standard errors are multiplied by 4. To first order that is the bootstrap (it tends to the infinitesimal jackknife of
  Jaeckel 1972), but no class ever vanishes from a draw, and the few pairs within a small fold do not swell the error;
- training again: units differ from each other. Part of that is how differently they treat these very patients, which the
  other error holds already; it is counted twice, so that two seeds, which tell little, err to the wider side.

Standard errors of both are added in squares and turned into a Student interval with the degrees of freedom of Satterthwaite
(1946). Of a single unit the second is unknown, and the interval does not cover it. Neither covers another collection of
training records: no unbiased estimate of that exists within one cross-validation (Bengio & Grandvalet 2004); the corrected
resampled t-test of `scoring.comparison` allows for it.

Ranks are compared within a fold only. Scores of networks trained apart are not on one scale: pooled over folds, even
guessing by prevalence falls below 0.5 (Forman & Scholz 2010). So an AUC is the mean of the folds' AUCs, each counting as
many times as it has pairs, an average precision as many as it has positives; calls and squared errors are pooled.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from ecgenough.scoring.comparison import LEVEL, Difference
from ecgenough.scoring.intervals import RESAMPLES, patient_weights
from ecgenough.scoring.metrics import METRICS, Counts, Floats, Predictions, Unscorable, macro_figures, ratio

DAMPING = 0.25  # how much of a draw's departure from one record a patient is taken


@dataclass(frozen=True, eq=False)
class Fold:
    """One trained network's answers; `patients` [records] are places in a list of all patients that are compared."""

    predictions: Predictions
    patients: NDArray[np.int64]


Unit = tuple[Fold, ...]


@dataclass(frozen=True, eq=False)
class Scores:
    """One figure of one arm: in each unit, `values` [units], and by how much more under each draw, `shifts` [units, draws].

    Shifts are those of whole draws: the damping is undone.
    """

    values: Floats
    shifts: Floats

    @property
    def value(self) -> float:
        return float(self.values.mean())

    def patients_error(self) -> float:
        """Standard error that is due to the patients who happened to be tested."""
        return float(self.shifts.mean(axis=0).std(ddof=1))

    def training_error(self) -> float:
        """Standard error of the mean over units that is due to training; NaN of a single unit."""
        units = len(self.values)
        return float(self.values.std(ddof=1)) / math.sqrt(units) if units > 1 else math.nan


@dataclass(frozen=True, eq=False)
class Measured:
    """All figures of one arm: macro figures by metric, and the AUC of each class, of `units` in order.

    `sides` [classes] is how many patients stand on the smaller side of each class, 0 where it is absent.
    """

    units: tuple[tuple[int, int], ...]
    sides: tuple[int, ...]
    macro: Mapping[str, Scores]
    class_auc: tuple[Scores, ...]


class Interval(NamedTuple):
    """A figure, its 95% interval, and the standard errors it is made of; `training` is NaN where it is not known."""

    value: float
    low: float
    high: float
    patients: float
    training: float
    freedom: float


def measure_units(
    units: Mapping[tuple[int, int], Unit], patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Measured:
    """Every figure of the units, as they are and under draws of `patients`, each of whom is named once.

    Units are told apart by seed and repeat. The same patients, resamples and seed give the same draws to every arm.
    """
    whole = [_unit_figures(unit, np.ones((len(patients), 1))) for unit in units.values()]
    drawn: list[list[dict[str, Floats]]] = [[] for _ in units]
    for weights in patient_weights(patients, resamples, seed):
        for found, unit in zip(drawn, units.values(), strict=True):
            found.append(_unit_figures(unit, 1 + DAMPING * (weights - 1)))
    under = [{name: np.concatenate([part[name] for part in found], axis=-1) for name in METRICS} for found in drawn]
    macro, macro_under = [macro_figures(one) for one in whole], [macro_figures(one) for one in under]
    return Measured(
        tuple(units),
        _smaller_sides(next(iter(units.values()))),
        {name: _scores([one[name] for one in macro], [one[name] for one in macro_under]) for name in METRICS},
        tuple(
            _scores([one["auc"][place] for one in whole], [one["auc"][place] for one in under])
            for place in range(len(whole[0]["auc"]))
        ),
    )


def _smaller_sides(unit: Unit) -> tuple[int, ...]:
    labels = np.concatenate([fold.predictions.labels for fold in unit])
    patients = np.concatenate([fold.patients for fold in unit])
    return tuple(min(len(set(patients[column])), len(set(patients[~column]))) for column in labels.T)


def _scores(whole: Sequence[Floats], under: Sequence[Floats]) -> Scores:
    """Scores of units from their figures, [1] each, and from those under the draws, [draws] each."""
    values = np.concatenate(whole)
    return Scores(values, (np.stack(under) - values[:, None]) / DAMPING)


def _unit_figures(unit: Unit, weights: Floats) -> dict[str, Floats]:
    """Every metric of a unit under weights [patients, draws], [classes, draws] each; NaN for an absent class."""
    counts: Counts | None = None
    pairs: Floats = np.zeros(())
    areas: Floats = np.zeros(())
    precise: Floats = np.zeros(())
    for fold in unit:
        own = weights[fold.patients]
        counted, ranked = fold.predictions.counted(own), fold.predictions.ranked(own)
        in_fold = counted.positives * (counted.records - counted.positives)
        pairs = pairs + in_fold
        areas = areas + np.nan_to_num(ranked["auc"]) * in_fold
        precise = precise + np.nan_to_num(ranked["average_precision"]) * counted.positives * (in_fold > 0)
        counts = counted if counts is None else counts + counted
    if counts is None:
        raise Unscorable("a unit without folds cannot be measured.")
    ranks = {"auc": ratio(areas, pairs), "average_precision": ratio(precise, counts.positives)}
    absent = pairs == 0
    return {name: np.where(absent, np.nan, value) for name, value in (ranks | counts.figures()).items()}


def interval(measured: Measured, metric: str) -> Interval:
    """The 95% interval of a macro figure."""
    return _interval(measured.macro[metric], measured.sides)


def class_interval(measured: Measured, place: int) -> Interval:
    """The 95% interval of the AUC of one class. Raises Unscorable where it is absent."""
    return _interval(measured.class_auc[place], measured.sides[place : place + 1])


def _interval(scores: Scores, sides: Sequence[int]) -> Interval:
    """An interval of a figure in 0..1 on the logit scale, so that it stays in 0..1.

    At exactly 0 or 1 the draws cannot vary: there it is that of a proportion which so many patients out of as many showed, as
    there are on the smallest side (Clopper & Pearson 1934).
    """
    value, of_patients, of_training = scores.value, scores.patients_error(), scores.training_error()
    if math.isnan(value):
        raise Unscorable("the figure is of a class without a positive or without a negative record.")
    error, freedom = _together(of_patients, of_training, patients_freedom(sides), len(scores.values) - 1)
    if value in (0.0, 1.0):
        edge = ((1 - LEVEL) / 2) ** (1 / min(side for side in sides if side))
        low, high = (edge, 1.0) if value else (0.0, 1 - edge)
        return Interval(value, low, high, of_patients, of_training, freedom)
    reach = _quantile(freedom) * error / (value * (1 - value))
    low, high = (float(special.expit(special.logit(value) + sign * reach)) for sign in (-1, 1))
    return Interval(value, low, high, of_patients, of_training, freedom)


def patients_freedom(sides: Sequence[int]) -> float:
    """Degrees of freedom of an error over patients: one less than the smaller side of a class.

    Over several classes, each with a variance like that of one over its side, Satterthwaite's (1946).
    """
    shares = np.array([1 / side for side in sides if side], dtype=np.float64)
    freedoms = np.array([max(1, side - 1) for side in sides if side], dtype=np.float64)
    if not shares.size:
        raise Unscorable("no class has both a positive and a negative record; there is nothing to tell apart.")
    return float(shares.sum() ** 2 / (shares**2 / freedoms).sum())


def contrast(parts: Sequence[tuple[float, Measured]], metric: str) -> Difference:
    """A weighted sum of one macro figure over arms, such as 1 times one less 1 times another, with interval and p-value.

    The variance of training is that of `training_error`.
    """
    value = sum(weight * arm.macro[metric].value for weight, arm in parts)
    shifts = sum(weight * arm.macro[metric].shifts.mean(axis=0) for weight, arm in parts)
    freedom = patients_freedom(parts[0][1].sides)
    return student(float(value), float(np.std(shifts, ddof=1)), freedom, *training_error(parts, metric))


def training_error(parts: Sequence[tuple[float, Measured]], metric: str) -> tuple[float, int]:
    """What training again would add to the standard error of a contrast, and its degrees of freedom; NaN where unknown.

    Where all arms have the same units, unit is set against unit; otherwise training varies in each arm by itself.
    """
    scores = [(weight, arm.macro[metric]) for weight, arm in parts]
    if len({arm.units for _, arm in parts}) == 1:
        values = np.asarray(sum(weight * one.values for weight, one in scores))
        return Scores(values, np.empty(0)).training_error(), len(values) - 1
    errors = [abs(weight) * one.training_error() for weight, one in scores]
    known = [error for error in errors if not math.isnan(error)]
    freedom = sum(len(one.values) - 1 for _, one in scores)
    return (math.sqrt(sum(error**2 for error in known)) if known else math.nan), freedom


def student(value: float, of_patients: float, freedom: float, of_training: float, training_freedom: int) -> Difference:
    """A difference with its Student interval and two-sided p-value from its two standard errors."""
    error, together = _together(of_patients, of_training, freedom, training_freedom)
    reach = _quantile(together) * error
    if error > 0:
        p = 2 * float(stats.t.sf(abs(value) / error, together))
    else:
        p = 0.0 if value else 1.0
    return Difference(value, max(-1.0, value - reach), min(1.0, value + reach), p)


def _together(of_patients: float, of_training: float, first: float, second: float) -> tuple[float, float]:
    """The joint standard error and its degrees of freedom (Satterthwaite 1946)."""
    one, other = of_patients**2, 0.0 if math.isnan(of_training) else of_training**2
    total = one + other
    if total == 0:
        return 0.0, max(1.0, first)
    parts = one**2 / max(1.0, first) + (other**2 / max(1.0, second) if other else 0.0)
    return math.sqrt(total), max(1.0, total**2 / parts)


def _quantile(freedom: float) -> float:
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))
