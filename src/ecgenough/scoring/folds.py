"""What one trained network answered on its test records, and how much each patient moves the area under its ROC curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.scoring.comparison import by_patient, placements
from ecgenough.scoring.metrics import Bools, Counts, Floats, Predictions, Unscorable, ratio


@dataclass(frozen=True, eq=False)
class Fold:
    """One trained network's answers; `patients` [records] are places in a list of all patients that are compared."""

    predictions: Predictions
    patients: NDArray[np.int64]


Unit = tuple[Fold, ...]


def unit_figures(unit: Unit, weights: Floats) -> dict[str, Floats]:
    """Every metric of a unit under weights [patients, draws], [classes, draws] each; NaN for an absent class.

    Ranks are compared within a fold only, of those that have both sides: an AUC counts as many times as its fold has
    pairs, an average precision as many as it has positives; calls and squared errors are pooled.
    """
    counts: Counts | None = None
    pairs: Floats = np.zeros(())
    positives: Floats = np.zeros(())
    areas: Floats = np.zeros(())
    precise: Floats = np.zeros(())
    for fold in unit:
        own = weights[fold.patients]
        counted, ranked = fold.predictions.counted(own), fold.predictions.ranked(own)
        in_fold = counted.positives * (counted.records - counted.positives)
        pairs = pairs + in_fold
        areas = areas + np.nan_to_num(ranked["auc"]) * in_fold
        ranked_positives = counted.positives * (in_fold > 0)
        positives = positives + ranked_positives
        precise = precise + np.nan_to_num(ranked["average_precision"]) * ranked_positives
        counts = counted if counts is None else counts + counted
    if counts is None:
        raise Unscorable("a unit without folds cannot be measured.")
    ranks = {"auc": ratio(areas, pairs), "average_precision": ratio(precise, positives)}
    absent = pairs == 0
    return {name: np.where(absent, np.nan, value) for name, value in (ranks | counts.figures()).items()}


def smaller_sides(unit: Unit) -> tuple[int, ...]:
    """How many patients stand on the smaller side of each class, [classes]."""
    labels = np.concatenate([fold.predictions.labels for fold in unit])
    patients = np.concatenate([fold.patients for fold in unit])
    return tuple(min(len(set(patients[column])), len(set(patients[~column]))) for column in labels.T)


def auc_parts(unit: Unit, patients: int) -> Floats:
    """How much each patient moves the AUC of each class, [classes, patients]; NaN for an absent class. See `area_parts`."""
    labels = np.concatenate([fold.predictions.labels for fold in unit])
    scores = np.concatenate([fold.predictions.probabilities for fold in unit])
    person = np.concatenate([fold.patients for fold in unit])
    dealt = np.repeat(np.arange(len(unit)), [len(fold.patients) for fold in unit])
    columns = zip(labels.T, scores.T, strict=True)
    return np.concatenate([area_parts(positive, each[None], dealt, person, patients)[1] for positive, each in columns])


def area_parts(
    positive: Bools, scores: Floats, dealt: NDArray[np.int64], person: NDArray[np.int64], patients: int
) -> tuple[Floats, Floats]:
    """AUCs [models] of `scores` [models, records] over folds, and how much each patient moves them, [models, patients].

    `dealt` [records] are the folds, `person` [records] the places of the patients. The covariance of two AUCs over other
    patients is the product of their parts, summed. Within one fold these are the components of DeLong et al. (1988), summed
    over the records of a patient as Obuchowski (1997) does; folds hold other patients and count as many times as they have
    pairs. A fold with one patient on a side cannot say how such patients vary: there the components depart from the AUC of all
    folds. NaN where no fold has both sides.
    """
    folds = [rows for fold in np.unique(dealt) if _both_sides(positive[rows := np.flatnonzero(dealt == fold)])]
    pairs = np.array([positive[rows].sum() * (~positive[rows]).sum() for rows in folds], dtype=np.float64)
    if not folds:
        return np.full(len(scores), np.nan), np.full((len(scores), patients), np.nan)
    placed = [placements(positive[rows], scores[:, rows]) for rows in folds]
    within = np.stack([up.mean(axis=1) for up, _ in placed])
    areas = np.asarray(pairs @ within / pairs.sum())
    parts = np.zeros((len(scores), patients))
    for rows, share, moved, area in zip(folds, pairs / pairs.sum(), placed, within, strict=True):
        sides = person[rows][positive[rows]], person[rows][~positive[rows]]
        there = [len(set(side.tolist())) for side in sides]
        centre = areas if min(there) < 2 else area
        for side, one, number in zip(sides, moved, there, strict=True):
            unbiased = np.sqrt(number / (number - 1)) if number > 1 else 1.0  # so that squares add up to a variance
            parts += share * unbiased / len(side) * by_patient(one - centre[:, None], side, patients)
    return areas, parts


def _both_sides(positive: Bools) -> bool:
    return bool(positive.any() and not positive.all())
