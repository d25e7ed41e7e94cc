"""Figures of a network that was trained several times, over folds, seeds and repeated splits, and how sure they are.

A *fold* is one trained network's answers on its test records; a *unit* is one seed of one repeat: the folds that together
answer each of its test records once. A figure is the mean over units. Two things could have come out differently: other
patients might have been tested, and every network might have been trained again. The model is that of Obuchowski & Rockette
(1995) for readers and cases, units being the readers: figure of unit u = truth + training of u + patients as u treats them.

- *Patients.* Each unit has *parts*: how much each patient moves its figure, so that the products of two units' parts, summed,
  are their covariance over other patients. Of an AUC they are DeLong's (`scoring.folds`); of other figures they are the
  departures under bootstrap draws of patients, the same draws for every unit and arm. Draws are damped: a patient drawn n
  times counts 1 + (n - 1) / 4 times, and departures are multiplied by 4. To first order that is the bootstrap (it tends to
  the infinitesimal jackknife of Jaeckel 1972), but no class ever vanishes from a draw, and the few pairs within a small
  fold do not swell the error. What other patients would do to a mean over units, or to any difference of such means, is the
  sum of squares of the mean parts; so everything is paired.
- *Training.* Units spread by more than patients: E[spread] = training + (variance of a unit - covariance of two units), over
  patients. The bracket is known from the parts, and what the spread exceeds it by is the variance of training (Hillis
  2014); it is not counted twice, and where it comes out negative none is added. Two or three units tell little of it, so
  networks that were trained equally often lend each other half: an arm's variance is the mean of its own and of that of all
  networks, as in Smyth's moderated variances (2004) with a prior as heavy as the arm's own. Of k networks with n units each,
  that has 4 k / (k + 3) times n - 1 degrees of freedom if all vary alike; since they may not, k / 2 are counted, at most 2.5,
  which is where the two meet.
- Repeated splits share their training records, so units differ too little; there the variance of training is multiplied by
  1 / units + test / train records, not by 1 / units alone (Nadeau & Bengio 2003). Theirs is the variance of all differences;
  here patients, who are the same in every repeat, are known apart.

The two variances are added, that of training where it is above 0 over all arms of a difference, and intervals are Student's with
the degrees of freedom of Satterthwaite (1946): those of the patients, and those of the spread for all of it that was estimated
from the spread. Of a single unit the second is unknown, and the interval does not cover it. Neither covers another collection of
training records: no unbiased estimate of that exists within one cross-validation (Bengio & Grandvalet 2004).
`benchmarks/coverage.py` measures how often the intervals hold the truth.

Ranks are compared within a fold only. Scores of networks trained apart are not on one scale: pooled over folds, even
guessing by prevalence falls below 0.5 (Forman & Scholz 2010). So an AUC is the mean of the folds' AUCs, each counting as
many times as it has pairs, an average precision as many as it has positives; calls and squared errors are pooled.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import special

from ecgenough.scoring.comparison import LEVEL, Difference
from ecgenough.scoring.folds import Unit, auc_parts, smaller_sides, unit_figures
from ecgenough.scoring.intervals import RESAMPLES, patient_weights
from ecgenough.scoring.metrics import METRICS, Floats, Unscorable, macro_figures

DAMPING = 0.25  # how much of a draw's departure from one record a patient is taken
MOST_GAIN = 2.5  # in degrees of freedom, from what other networks say of training
AUC = "auc"


@dataclass(frozen=True, eq=False)
class Scores:
    """One figure of one arm in each unit: `values` [units], and by how much more under each draw, `shifts` [units, draws].

    Shifts are those of whole draws: the damping is undone. `parts` [units, patients or draws] are what the sums of products
    make covariances of. `training` is the variance that training adds to one unit, negative where units spread less than
    patients alone would have them, NaN of a single unit; `freedom` are its degrees of freedom, and `per_unit` is what it
    is multiplied by in the mean.
    """

    values: Floats
    shifts: Floats
    parts: Floats
    training: float
    freedom: float
    per_unit: float

    @property
    def value(self) -> float:
        """The mean over units."""
        return float(self.values.mean())

    def patients_error(self) -> float:
        """Standard error that is due to the patients who happened to be tested."""
        return float(np.linalg.norm(self.parts.mean(axis=0)))

    def training_error(self) -> float:
        """Standard error of the mean over units that is due to training; NaN where it is unknown."""
        return self.training if math.isnan(self.training) else math.sqrt(max(0.0, self.training * self.per_unit))

    def spread(self) -> float:
        """What of the mean's variance the spread of units tells: what training adds, and what patients do to each alone."""
        return max(0.0, self.training * self.per_unit + within_units(self.parts) / len(self.values))


def within_units(parts: Floats) -> float:
    """By how much the variance of a unit is above the covariance of two, over patients; 0 of a single unit."""
    units = len(parts)
    if units < 2:
        return 0.0
    of_mean, of_units = float((parts.mean(axis=0) ** 2).sum()), float((parts**2).sum(axis=1).mean())
    return (of_units - of_mean) * units / (units - 1)


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
    units: Mapping[tuple[int, int], Unit],
    patients: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    test_to_train: float = 0.0,
) -> Measured:
    """Every figure of the units, as they are and under draws of `patients`, each of whom is named once.

    Units are told apart by seed and repeat. The same patients, resamples and seed give the same draws to every arm.
    `test_to_train` is how many records are tested for each that is learned from; it counts where there are repeats.
    """
    whole = [unit_figures(unit, np.ones((len(patients), 1))) for unit in units.values()]
    drawn: list[list[dict[str, Floats]]] = [[] for _ in units]
    for weights in patient_weights(patients, resamples, seed):
        for found, unit in zip(drawn, units.values(), strict=True):
            found.append(unit_figures(unit, 1 + DAMPING * (weights - 1)))
    under = [{name: np.concatenate([part[name] for part in found], axis=-1) for name in METRICS} for found in drawn]
    macro, macro_under = [macro_figures(one) for one in whole], [macro_figures(one) for one in under]
    moved = np.stack([auc_parts(unit, len(patients)) for unit in units.values()])
    parts = {AUC: _mean_of_present(moved)}
    repeats = {repeat for _, repeat in units}
    per_unit = 1 / len(units) + (test_to_train if len(repeats) > 1 else 0.0)
    return Measured(
        tuple(units),
        smaller_sides(next(iter(units.values()))),
        {
            name: _scores([one[name] for one in macro], [one[name] for one in macro_under], parts.get(name), per_unit)
            for name in METRICS
        },
        tuple(
            _scores([one[AUC][place] for one in whole], [one[AUC][place] for one in under], moved[:, place], per_unit)
            for place in range(moved.shape[1])
        ),
    )


def _mean_of_present(moved: Floats) -> Floats:
    """The parts of the macro AUC, [units, patients], from those of each class, [units, classes, patients]."""
    present = ~np.isnan(moved[0, :, 0])
    return np.asarray(moved[:, present].mean(axis=1)) if present.any() else moved[:, 0]


def _scores(whole: Sequence[Floats], under: Sequence[Floats], parts: Floats | None, per_unit: float) -> Scores:
    """Scores of units from their figures, [1] each, and from those under the draws, [draws] each."""
    values = np.concatenate(whole)
    shifts = (np.stack(under) - values[:, None]) / DAMPING
    return scores_of(values, shifts, _of_draws(shifts) if parts is None else parts, per_unit)


def scores_of(values: Floats, shifts: Floats, parts: Floats, per_unit: float) -> Scores:
    """Scores whose training variance is the arm's own."""
    units = len(values)
    training = float(values.var(ddof=1)) - within_units(parts) if units > 1 else math.nan
    return Scores(values, shifts, parts, training, units - 1, per_unit)


def _of_draws(shifts: Floats) -> Floats:
    """Parts of which the sums of products are the covariances over the draws."""
    return np.asarray((shifts - shifts.mean(axis=1, keepdims=True)) / math.sqrt(max(1, shifts.shape[1] - 1)))


def moderated(arms: Sequence[Measured]) -> list[Measured]:
    """The same arms, each with the mean of its own variance of training and that of all; for networks alike in kind.

    Arms of a single unit have no variance of their own and stay as they are.
    """
    macro = {name: _moderated([arm.macro[name] for arm in arms]) for name in METRICS}
    by_class = [_moderated(list(column)) for column in zip(*(arm.class_auc for arm in arms), strict=True)]
    return [
        replace(
            arm,
            macro={name: scores[place] for name, scores in macro.items()},
            class_auc=tuple(column[place] for column in by_class),
        )
        for place, arm in enumerate(arms)
    ]


def _moderated(arms: Sequence[Scores]) -> list[Scores]:
    known = [arm for arm in arms if not math.isnan(arm.training)]
    if len(known) < 2:
        return list(arms)
    common = float(np.average([arm.training for arm in known], weights=[arm.freedom for arm in known]))
    gain = min(len(known) / 2, MOST_GAIN)
    return [
        arm
        if math.isnan(arm.training)
        else replace(arm, training=(arm.training + common) / 2, freedom=gain * arm.freedom)
        for arm in arms
    ]


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
    error, freedom = _together(of_patients**2, patients_freedom(sides), [(1.0, scores)])
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

    Student's, with two-sided p-value, from the same variances as `interval`. Arms are trained by themselves.
    """
    scores = [(weight, arm.macro[metric]) for weight, arm in parts]
    value = float(sum(weight * one.value for weight, one in scores))
    moved = np.asarray(sum(weight * one.parts.mean(axis=0) for weight, one in scores))
    error, freedom = _together(float((moved**2).sum()), patients_freedom(parts[0][1].sides), scores)
    reach = _quantile(freedom) * error
    if error > 0:
        p = 2 * float(special.stdtr(freedom, -abs(value) / error))
    else:
        p = 0.0 if value else 1.0
    return Difference(value, max(-1.0, value - reach), min(1.0, value + reach), p)


def _together(of_patients: float, patients_freedom: float, arms: Sequence[tuple[float, Scores]]) -> tuple[float, float]:
    """The joint standard error of a weighted sum of arms and its degrees of freedom (Satterthwaite 1946)."""
    known = [(weight**2, arm) for weight, arm in arms if weight and not math.isnan(arm.training)]
    of_training = sum(square * arm.training * arm.per_unit for square, arm in known)
    total = of_patients + max(0.0, of_training)
    if total == 0:
        return 0.0, max(1.0, patients_freedom)
    parts = of_patients**2 / max(1.0, patients_freedom)
    if of_training > 0:
        parts += sum((square * arm.spread()) ** 2 / max(1.0, arm.freedom) for square, arm in known)
    return math.sqrt(total), max(1.0, total**2 / parts)


def _quantile(freedom: float) -> float:
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))
