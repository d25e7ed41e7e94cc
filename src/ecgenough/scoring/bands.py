"""ROC and precision-recall curves of a network trained several times, with 95% bands over patients.

Curves are averaged up and down at the same place across, over folds as many times as they have pairs (or positives), then over
units and classes, as the areas of `scoring.repeated` are. Bands are the mean and 1.96 standard errors under the same damped
draws of patients; they do not cover training again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.scoring.folds import Fold, Unit
from ecgenough.scoring.intervals import patient_weights
from ecgenough.scoring.metrics import Floats
from ecgenough.scoring.repeated import DAMPING

GRID: Floats = np.linspace(0, 1, 101)
DRAWS = 150
REACH = 1.959964  # of a normal interval of 95%
Heights = Callable[[Floats, Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, eq=False)
class Band:
    """A curve and its band at places `x` [points]."""

    x: Floats
    middle: Floats
    low: Floats
    high: Floats


def roc_band(units: Sequence[Unit], patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Band:
    """Sensitivity at each false positive rate."""
    return _band(units, patients, _sensitivities, draws, seed)


def pr_band(units: Sequence[Unit], patients: Sequence[str], *, draws: int = DRAWS, seed: int = 0) -> Band:
    """Precision where each sensitivity is first reached."""
    return _band(units, patients, _precisions, draws, seed)


def _band(units: Sequence[Unit], patients: Sequence[str], heights: Heights, draws: int, seed: int) -> Band:
    weights = np.concatenate(list(patient_weights(patients, draws, seed)), axis=1)
    damped = np.concatenate([np.ones((len(patients), 1)), 1 + DAMPING * (weights - 1)], axis=1)
    found = np.mean([_unit(unit, damped, heights) for unit in units], axis=0)
    middle, error = found[:, 0], found[:, 1:].std(axis=1, ddof=1) / DAMPING
    return Band(GRID, middle, np.clip(middle - REACH * error, 0, 1), np.clip(middle + REACH * error, 0, 1))


def _unit(unit: Unit, weights: Floats, heights: Heights) -> Floats:
    """Heights [points, draws] of one unit, the mean over its classes."""
    classes = range(unit[0].predictions.labels.shape[1])
    found = []
    for place in classes:
        parts = [heights(*_calls(fold, place, weights)) for fold in unit if place not in fold.predictions.absent]
        if parts:
            counts = np.stack([count for _, count in parts])
            found.append(
                np.einsum("fpd,fd->pd", np.stack([height for height, _ in parts]), counts / counts.sum(axis=0))
            )
    return np.asarray(np.mean(found, axis=0))


def _calls(fold: Fold, place: int, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted true and false calls [scores + 1, draws] when everything at or above each distinct score is called."""
    own = weights[fold.patients]
    positive, scores = fold.predictions.labels[:, place], fold.predictions.probabilities[:, place]
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    start = np.zeros((1, own.shape[1]))
    true, false = (np.cumsum(own[order] * side[order, None], axis=0)[ends] for side in (positive, ~positive))
    return np.concatenate([start, true]), np.concatenate([start, false])


def _sensitivities(true: Floats, false: Floats) -> tuple[Floats, Floats]:
    """Sensitivity [points, draws] at each false positive rate, and the pairs [draws]."""
    columns = zip((false / false[-1]).T, (true / true[-1]).T, strict=True)
    return np.stack([np.interp(GRID, x, y) for x, y in columns], axis=1), true[-1] * false[-1]


def _precisions(true: Floats, false: Floats) -> tuple[Floats, Floats]:
    """Precision [points, draws] where each sensitivity is first reached, and the positives [draws]."""
    found = []
    for hits, alarms in zip(true.T, false.T, strict=True):
        first: NDArray[np.int64] = np.maximum(1, np.searchsorted(hits / hits[-1], GRID - 1e-12))
        first = np.where(first < len(hits), first, len(hits) - 1)
        found.append(hits[first] / np.maximum(hits[first] + alarms[first], 1e-12))
    return np.stack(found, axis=1), true[-1]
