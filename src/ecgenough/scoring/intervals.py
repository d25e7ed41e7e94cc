"""Every metric with its 95% interval: a percentile bootstrap over patients.

Records of one patient resemble each other, so patients are what is drawn: with replacement, each with all its records
(Efron & Tibshirani 1993, ch. 8 and 13). A draw is a weight for each record, how often its patient came up.

Where all is right, or all wrong, every resample says the same and the interval would have no width, as if two patients
had settled it. Its far end is then the exact one of a share that n of n patients have, 0.025 ** (1 / n) (Clopper &
Pearson 1934): see `_open_class`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgenough.scoring.metrics import METRICS, Floats, Predictions, Unscorable
from ecgenough.sentences import agreed, counted

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
WEIGHTS_AT_ONCE = 500_000


def score(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    patients: Sequence[str],
    classes: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """The `records`, `patients`, `macro`, `overall`, `classes` and `absent` parts of metrics.json, as plain numbers.

    `labels` and `probabilities` [records, classes], `thresholds` [classes], `patients` [records]. Each metric is
    {"value", "low", "high"}: the value on all records, and the 2.5th and 97.5th percentile over the resamples. Classes
    without a positive or without a negative are named in `absent` and stand nowhere else, so every number is finite.

    A resample that lacks a present class's positives or negatives is skipped for that class (`skipped_resamples` counts
    them: about exp(-k) of all where k patients have it) and its macro mean is over the other classes.
    Raises Unscorable.
    """
    predictions = Predictions(labels, probabilities, thresholds)
    _check_names(predictions, patients, classes)
    whole = predictions.measure()
    draws = [predictions.measure(weights) for weights in patient_weights(patients, resamples, seed)]
    parts = {
        part: {
            metric: _intervals(value, np.concatenate([getattr(draw, part)[metric] for draw in draws], axis=-1))
            for metric, value in getattr(whole, part).items()
        }
        for part in ("macro", "overall", "classes")
    }
    _open_all(parts, predictions, patients)
    positives = predictions.labels.sum(axis=0)
    return {
        "records": len(predictions.labels),
        "patients": len(set(patients)),
        "macro": {metric: intervals[0] for metric, intervals in parts["macro"].items()},
        "overall": {metric: intervals[0] for metric, intervals in parts["overall"].items()},
        "classes": {
            name: {metric: intervals[column] for metric, intervals in parts["classes"].items()}
            | {"positives": int(positives[column]), "threshold": float(predictions.thresholds[column])}
            for column, name in enumerate(classes)
            if column not in predictions.absent
        },
        "absent": [classes[column] for column in predictions.absent],
    }


@dataclass(frozen=True, eq=False)
class Part:
    """One of several tasks: which `rows` of all records take part in it, and what is true and said of those.

    `labels` and `probabilities` [rows, classes], `thresholds` [classes].
    """

    rows: NDArray[np.int64]
    labels: ArrayLike
    probabilities: ArrayLike
    thresholds: ArrayLike


def score_together(
    parts: Sequence[Part], patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Any]:
    """The macro metrics averaged over several tasks, each {"value", "low", "high"}; every task counts alike.

    Each task is measured on its own records of all `patients` [records]; in a resample all share the draw.
    Raises Unscorable.
    """
    tasks = [(part.rows, Predictions(part.labels, part.probabilities, part.thresholds)) for part in parts]
    whole = [predictions.measure().macro for _, predictions in tasks]
    draws = [
        [predictions.measure(weights[rows]).macro for rows, predictions in tasks]
        for weights in patient_weights(patients, resamples, seed)
    ]
    return {
        name: _interval(
            float(np.mean([of_task[name] for of_task in whole])),
            np.concatenate([np.mean([of_task[name] for of_task in block], axis=0) for block in draws]),
        )
        for name in METRICS
    }


def patient_weights(patients: Sequence[str], resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks of bootstrap weights [records, draws], `resamples` draws in all.

    Draw after draw, `numpy.random.default_rng(seed).integers(n, size=n)` picks from the n patients in sorted order.
    """
    if resamples < 1:
        raise Unscorable(f"an interval needs at least one resample, not {resamples}.")
    names, patient = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    block = max(1, WEIGHTS_AT_ONCE // len(patient))
    for start in range(0, resamples, block):
        yield _drawn(rng, len(names), min(block, resamples - start))[patient]


def skipped_resamples(
    labels: ArrayLike, patients: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.int64]:
    """In how many of the resamples of `score` each class has no positive or no negative, [classes]."""
    truth = np.asarray(labels, dtype=bool)
    skipped = np.zeros(truth.shape[1], dtype=np.int64)
    for weights in patient_weights(patients, resamples, seed):
        skipped += ((truth.T @ weights == 0) | (~truth.T @ weights == 0)).sum(axis=1)
    return skipped


def percentile_interval(draws: Floats) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the draws that are not NaN. Raises Unscorable if all are."""
    usable = draws[~np.isnan(draws)]
    if not usable.size:
        raise Unscorable(f"none of {draws.size:,} resamples has positives and negatives; use more resamples.")
    low, high = np.percentile(usable, PERCENTILES)
    return float(low), float(high)


def _drawn(rng: np.random.Generator, patients: int, draws: int) -> Floats:
    """How often each patient comes up, [patients, draws]."""
    picks = [rng.integers(patients, size=patients) for _ in range(draws)]
    return np.stack([np.bincount(pick, minlength=patients) for pick in picks], axis=1).astype(np.float64)


def _intervals(values: Floats, draws: Floats) -> list[dict[str, float]]:
    """{"value", "low", "high"} for each value and its draws on the last axis; {} where the value is NaN."""
    return [
        {} if np.isnan(value) else _interval(float(value), drawn)
        for value, drawn in zip(np.atleast_1d(values), np.atleast_2d(draws), strict=True)
    ]


def _interval(value: float, draws: Floats) -> dict[str, float]:
    low, high = percentile_interval(draws)
    return {"value": value, "low": low, "high": high}


def _open_all(
    parts: Mapping[str, Mapping[str, list[dict[str, float]]]], predictions: Predictions, patients: Sequence[str]
) -> None:
    """Give the intervals without width, of what is all right or all wrong, an end."""
    behind = _patients_behind(predictions, patients)
    present = [column for column in range(len(behind["called"])) if column not in predictions.absent]
    for column in present:
        _open_class({name: found[column] for name, found in parts["classes"].items()}, behind, column)
    for name, found in parts["macro"].items():
        for end in _closed(found[0]):
            found[0][end] = float(np.mean([parts["classes"][name][column][end] for column in present]))
    for found in parts["overall"].values():
        _open(found[0], behind["any"][0])


def _patients_behind(predictions: Predictions, patients: Sequence[str]) -> dict[str, list[int]]:
    """How many patients each class has a positive, a negative, a called and any record of."""
    names, called = np.asarray(patients, dtype=str), predictions.probabilities >= predictions.thresholds
    kinds = {"positive": predictions.labels, "negative": ~predictions.labels, "called": called}
    kinds["any"] = np.ones_like(called)
    return {kind: [len(np.unique(names[column])) for column in which.T] for kind, which in kinds.items()}


def _open_class(found: Mapping[str, dict[str, float]], behind: Mapping[str, Sequence[int]], column: int) -> None:
    """Give a class's metrics that are 0 or 1 on every resample an end.

    All k pairs of a positive and a negative patient, none twice, are in order with a chance of AUC ** k at most, so k
    counts for the AUC as patients do for a share; average precision is at least the share of positives above all of these
    negatives. F1 and G-mean have the ends of what they are made of.
    """
    positive, negative, called, anyone = (behind[kind][column] for kind in ("positive", "negative", "called", "any"))
    patients = {
        "auc": min(positive, negative), "average_precision": positive, "sensitivity": positive,
        "specificity": negative, "precision": called, "accuracy": anyone,
    }  # fmt: skip
    for name, many in patients.items():
        _open(found[name], many)
    for end in _closed(found["g_mean"]):
        found["g_mean"][end] = math.sqrt(found["sensitivity"][end] * found["specificity"][end])
    for end in _closed(found["f1"]):
        both = found["sensitivity"][end], found["precision"][end]
        found["f1"][end] = 2 * math.prod(both) / sum(both) if sum(both) else 0.0


def _closed(interval: Mapping[str, float]) -> list[str]:
    """The far end, "low" of 1 and "high" of 0, of an interval without width; of any other none."""
    if interval["low"] != interval["high"] or interval["value"] not in (0, 1):
        return []
    return ["low" if interval["value"] == 1 else "high"]


def _open(interval: dict[str, float], patients: int) -> None:
    for end in _closed(interval) if patients else []:
        least = ((100 - PERCENTILES[1]) / 100) ** (1 / patients)
        interval[end] = least if end == "low" else 1 - least


def _check_names(predictions: Predictions, patients: Sequence[str], classes: Sequence[str]) -> None:
    records, columns = predictions.labels.shape
    if len(patients) != records:
        are = agreed(len(patients), "is", "are")
        raise Unscorable(
            f"{counted(len(patients), 'patient')} {are} named for {counted(records, 'record')}; name one for each record."
        )
    if len(classes) != columns or len(set(classes)) != columns:
        raise Unscorable(f"{len(set(classes))} different class names are given for {columns} columns of labels.")
