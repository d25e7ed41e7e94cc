"""How many ECGs would be needed: the macro AUC of an arm over sizes of its training set, and a little beyond.

An inverse power law is fitted to the means, and to as many draws of them as say how uncertain they are. Nothing is told
further than REACH times the largest size, or at all from fewer than three sizes or a range too short to show a bend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecgenough.scoring.metrics import Floats
from ecgenough.scoring.power_law import FEWEST_SIZES, PowerLaw
from ecgenough.scoring.repeated import AUC, Interval, Measured, interval
from ecgenough.studies.questions import Arm

REACH = 4.0  # how many times the largest size is looked ahead
SHORTEST_RANGE = 4.0  # the largest size must be as many times the smallest
SURE = 0.975
LEVELS = (0.6, 0.7, 0.8, 0.9, 0.95, 0.99)  # the next of them above the figure reached is the goal
STEPS = 60
SEED = 0
LEAST_ERROR = 1e-4


@dataclass(frozen=True)
class Point:
    """A size with its figure."""

    records: float
    figure: Interval


@dataclass(frozen=True)
class Need:
    """Training records until the fitted curve reaches `goal`: median and 95% interval; None beyond the horizon."""

    goal: float
    what: str
    low: float | None
    middle: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """One arm over sizes. `why_not` says why nothing is told beyond them; empty where something is.

    `grid` [steps] runs from the smallest size to the horizon, `middle`, `low` and `high` [steps] are the fit and its 95% band.
    """

    arm: str
    points: tuple[Point, ...]
    why_not: str
    grid: Floats
    middle: Floats
    low: Floats
    high: Floats
    needs: tuple[Need, ...]

    @property
    def largest(self) -> float:
        """The largest training set that was studied, in records."""
        return self.points[-1].records

    @property
    def horizon(self) -> float:
        """As far as anything is told, in records."""
        return self.largest * REACH

    def doubled(self) -> tuple[float, float, float]:
        """The figure expected at twice the largest size, with its interval."""
        at = int(np.abs(self.grid - 2 * self.largest).argmin())
        return float(self.middle[at]), float(self.low[at]), float(self.high[at])


def learning_curve(arms: Sequence[Arm], measured: Mapping[int | None, Measured], sober: float | None) -> LearningCurve:
    """The curve of one arm at all its sizes; `sober` is the AUC of the best baseline, if there is one."""
    sizes = [(arm.train_records or 0.0, measured[arm.size]) for arm in arms if arm.train_records]
    sizes.sort(key=lambda one: one[0])
    points = tuple(Point(records, interval(one, AUC)) for records, one in sizes)
    empty = np.empty(0)
    if why := _too_little(points):
        return LearningCurve(arms[0].name, points, why, empty, empty, empty, empty, ())
    records = np.array([point.records for point in points])
    draws = np.stack([_draws(one, place) for place, (_, one) in enumerate(sizes)], axis=1)
    if np.mean(draws[:, -1] > draws[:, 0]) < SURE:
        why = "the AUC does not rise with the number of training ECGs by more than chance"
        return LearningCurve(arms[0].name, points, why, empty, empty, empty, empty, ())
    weights = 1 / np.array([_error(point.figure) for point in points]) ** 2
    means = np.array([[point.figure.value for point in points]])
    fitted, fits = PowerLaw.fit(records, means, weights), PowerLaw.fit(records, draws, weights)
    grid = np.unique(np.concatenate([np.geomspace(records[0], records[-1] * REACH, STEPS), [2 * records[-1]]]))
    low, high = np.percentile(fits.at(grid), (2.5, 97.5), axis=0)
    needs = tuple(_need(fits, goal, what, REACH * records[-1]) for goal, what in _goals(points[-1].figure.value, sober))
    return LearningCurve(arms[0].name, points, "", grid, fitted.at(grid)[0], low, high, needs)


def _too_little(points: Sequence[Point]) -> str:
    """Why these sizes do not say how the curve goes on; nothing where they may."""
    if len(points) < FEWEST_SIZES:
        return f"a curve needs at least {FEWEST_SIZES} sizes of the training set, and there are {len(points)}"
    span = points[-1].records / points[0].records
    if span < SHORTEST_RANGE:
        return f"the largest training set is {span:.1f} times the smallest, and a curve needs {SHORTEST_RANGE:g} times"
    return ""


def _draws(measured: Measured, place: int) -> Floats:
    """The mean AUC as it might have been, [draws]: with other patients, jointly over sizes, and trained again."""
    scores = measured.macro[AUC]
    drawn = scores.value + scores.shifts.mean(axis=0)
    again = np.nan_to_num(scores.training_error())
    return np.asarray(np.clip(drawn + np.random.default_rng((SEED, place)).normal(0, again, len(drawn)), 0, 1))


def _error(figure: Interval) -> float:
    return max(LEAST_ERROR, float(np.hypot(figure.patients, np.nan_to_num(figure.training))))


def _goals(reached: float, sober: float | None) -> list[tuple[float, str]]:
    """What more ECGs might be wanted for: to reach the best baseline, and the next round level."""
    goals = [] if sober is None or sober <= reached else [(sober, "the best sober baseline's AUC")]
    following = next((level for level in LEVELS if level > reached), None)
    return goals if following is None else [*goals, (following, f"an AUC of {following:g}")]


def _need(fits: PowerLaw, goal: float, what: str, horizon: float) -> Need:
    records = fits.needed(goal)
    low, middle, high = np.percentile(records, (2.5, 50, 97.5), method="closest_observation")
    return Need(goal, what, *(float(one) if one <= horizon else None for one in (low, middle, high)))
