"""The rows of a report's tables, as plain values for the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgenough.recipe import Recipe
from ecgenough.reports.run import UNDEFINED, Estimate, Run
from ecgenough.reports.words import MEANINGS, too_few_to_compare
from ecgenough.scoring import METRICS, holm, paired_bootstrap
from ecgenough.scoring.comparison import Difference
from ecgenough.scoring.metrics import Predictions as Scored
from ecgenough.sentences import listing

COMPARED = ("auc", "average_precision", "sensitivity", "specificity", "f1", "g_mean", "brier")


@dataclass(frozen=True)
class MetricRow:
    """One metric over all classes, and what it means."""

    name: str
    meaning: str
    figure: Estimate


@dataclass(frozen=True)
class Confusion:
    """Calls of one class at its threshold against its labels."""

    name: str
    title: str
    threshold: float
    hits: int
    misses: int
    alarms: int
    passes: int

    @property
    def sensitivity(self) -> float:
        """Of the positives, the share that is called; 0 without any."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def specificity(self) -> float:
        """Of the negatives, the share that is not called; 0 without any."""
        return self.passes / max(1, self.alarms + self.passes)


@dataclass(frozen=True)
class Call:
    """What a run says of one class of one record."""

    name: str
    title: str
    probability: float
    threshold: float | None
    labelled: bool

    @property
    def called(self) -> bool:
        return self.threshold is not None and self.probability >= self.threshold

    @property
    def wrong(self) -> bool:
        """Whether a call was due that is not there, or the other way round; without a threshold nothing is called."""
        return self.threshold is not None and self.called != self.labelled


@dataclass(frozen=True)
class Example:
    """One record with its calls and its drawing's place in the examples."""

    record: str
    patient: str
    calls: tuple[Call, ...]
    verdict: str
    right: bool


def overall_rows(run: Run) -> list[MetricRow]:
    """Macro figures, then those over all classes at once where there is more than one class."""
    rows = [MetricRow(*MEANINGS[name], run.metrics.macro[name]) for name in METRICS if name in run.metrics.macro]
    if len(run.data.classes) > 1 and "exact_match" in run.metrics.overall:
        rows.append(MetricRow(*MEANINGS["exact_match"], run.metrics.overall["exact_match"]))
    return rows


def class_columns(run: Run) -> list[tuple[str, str, str]]:
    """Key, heading and meaning of the metrics that this run has."""
    return [(name, *MEANINGS[name]) for name in METRICS if name in run.metrics.macro]


def compared_columns(runs: Sequence[Run]) -> list[tuple[str, str, str]]:
    """Key, heading and meaning of the metrics by which runs are set side by side."""
    return [(name, *MEANINGS[name]) for name in COMPARED if any(name in run.metrics.macro for run in runs)]


def figure_of(figures: dict[str, Estimate], name: str) -> Estimate:
    """The figure of that name, undefined where there is none: what a template asks for."""
    return figures.get(name, UNDEFINED)


def confusions(run: Run) -> list[Confusion]:
    """Counts of every present class that has a threshold; none without predictions."""
    if run.predictions is None:
        return []
    found = []
    for column, name in enumerate(run.data.classes):
        threshold = run.threshold(name)
        if threshold is None:
            continue
        called, labelled = run.predictions.probabilities[:, column] >= threshold, run.predictions.labels[:, column]
        counts = [(called & labelled), (~called & labelled), (called & ~labelled), (~called & ~labelled)]
        found.append(Confusion(name, run.data.title(name), threshold, *(int(count.sum()) for count in counts)))
    return found


def example(run: Run, record: str, most: int) -> Example | None:
    """The calls on one record, at most `most` of them: what is labelled or called first, then the most probable."""
    if run.predictions is None or record not in run.predictions.records:
        return None
    row = run.predictions.records.index(record)
    calls = [
        Call(name, run.data.title(name), float(run.predictions.probabilities[row, column]), run.threshold(name),
             bool(run.predictions.labels[row, column]))
        for column, name in enumerate(run.data.classes)
    ]  # fmt: skip
    telling = sorted(calls, key=lambda call: (not (call.labelled or call.called), -call.probability))[:most]
    shown = tuple(call for call in calls if call in telling)
    right = not any(call.wrong for call in calls)
    return Example(record, run.predictions.patients[row], shown, _verdict(calls, right), right)


def _verdict(calls: Sequence[Call], right: bool) -> str:
    labels = listing(call.name for call in calls if call.labelled) or "nothing"
    if right:
        return f"Labelled {labels}, and read so."
    missed = [call.name for call in calls if call.wrong and call.labelled]
    alarms = [call.name for call in calls if call.wrong and call.called]
    wrong = [f"{verb} {listing(names)}" for verb, names in (("missed", missed), ("falsely called", alarms)) if names]
    return f"Labelled {labels}; {listing(wrong)}."


def differences(runs: Sequence[Run]) -> dict[str, Difference]:
    """How far the best run's macro AUC lies above each other one's on the same records, paired over patients.

    The p-values are Holm's, for all comparisons at once. Empty where runs were not all scored on the same records, the best
    left no predictions, or too few positives or negatives are there to tell.
    """
    known = [run for run in runs if run.predictions is not None and run.metrics.auc.value is not None]
    if len(known) < 2 or len({frozenset(run.predictions.records) for run in known if run.predictions}) > 1:
        return {}
    best, *rest = sorted(known, key=lambda run: -(run.metrics.auc.value or 0))
    if any((run.metrics.auc.value or 0) > (best.metrics.auc.value or 0) for run in runs):
        return {}  # the best of all left no predictions
    if too_few_to_compare(best):
        return {}
    scored, patients = _aligned(best)
    found = [paired_bootstrap(scored, _aligned(run)[0], patients, lambda metrics: metrics.macro["auc"]) for run in rest]
    adjusted = holm([difference.p for difference in found])
    return {run.name: one._replace(p=float(p)) for run, one, p in zip(rest, found, adjusted, strict=True)}


def _aligned(run: Run) -> tuple[Scored, list[str]]:
    """A run's predictions and patients in the order of the records' names."""
    assert run.predictions is not None
    order = np.argsort(np.asarray(run.predictions.records, dtype=str), kind="stable")
    thresholds = [0.5 if (chosen := run.threshold(name)) is None else chosen for name in run.data.classes]
    scored = Scored(run.predictions.labels[order], run.predictions.probabilities[order], thresholds)
    people = run.predictions.people
    return scored, [people[row] for row in order]


def recipe_differences(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """The recipe keys whose values differ, with the value of each run that has a recipe."""
    flat = [run.method.flat() for run in runs if isinstance(run.method, Recipe)]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    rows = [(key, [_plain(one.get(key)) for one in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _plain(value: Any) -> str:
    return "–" if value is None or value == {} else str(value)
