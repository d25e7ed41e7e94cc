"""ROC, precision-recall and reliability figures from predictions: a curve a class, or a curve a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import sqrt

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ecgenough.reports.plot import Entry, Figure, Frame, colour, fitted_axis, unit_axis
from ecgenough.reports.run import UNDEFINED, Estimate, Run
from ecgenough.reports.words import decimal
from ecgenough.scoring import pr_curve, reliability_curve, roc_curve
from ecgenough.sentences import counted, listing

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]
GRID = np.linspace(0, 1, 1001)  # where curves are averaged
LARGEST_DOT, SMALLEST_DOT = 9.0, 3.2
FEWEST_IN_BIN = 10  # below this an observed frequency is mostly chance
RELIABILITY = "Are the probabilities true?"
ABOUT_RELIABILITY = (
    "On the dashed line, of those given 30% three in ten are positive; below it the probabilities are too high. "
    f"The area of a dot is its share of the decisions; tenths with fewer than {FEWEST_IN_BIN} are left out."
)
NOT_DRAWN = f"Not drawn: no tenth of the probabilities has {FEWEST_IN_BIN} decisions, and fewer tell no frequency."


@dataclass(frozen=True)
class Line:
    """One curve of a figure: who it is of, its colour, its summary figure and the shares of positives behind it."""

    key: str
    name: str
    run: Run
    classes: tuple[str, ...]  # more than one: their average

    def figure(self, metric: str) -> Estimate:
        """The class's own figure, or the macro average of several."""
        if len(self.classes) == 1:
            return self.run.metrics.classes[self.classes[0]].figures.get(metric, UNDEFINED)
        return self.run.metrics.macro.get(metric, UNDEFINED)

    def truth(self, name: str) -> tuple[NDArray[np.bool_], Floats]:
        """Labels and probabilities of one class, `[records]` each."""
        assert self.run.predictions is not None
        column = self.run.data.classes.index(name)
        return self.run.predictions.labels[:, column], self.run.predictions.probabilities[:, column]


def lines(runs: Sequence[Run]) -> list[Line]:
    """The curves to draw: one a run where there are several, otherwise one a class and their average.

    Only so many get a colour, those with the most positives; the rest are grey. Runs without predictions have none.
    """
    drawn = [run for run in runs if run.predictions is not None and run.present()]
    if len(runs) > 1:
        return [
            Line(colour(place), run.name, run, tuple(run.present())) for place, run in enumerate(runs) if run in drawn
        ]
    if not drawn:
        return []
    run = drawn[0]
    names = sorted(run.present(), key=lambda name: -run.metrics.classes[name].positives)
    found = [Line(colour(place), name, run, (name,)) for place, name in enumerate(names)]
    found.sort(key=lambda line: run.data.classes.index(line.name))
    return [*found, Line("average", "macro average", run, tuple(names))] if len(names) > 1 else found


def roc_figure(drawn: Sequence[Line]) -> Figure:
    """Sensitivity against false positive rate, with the chosen thresholds as dots."""
    frame = Frame(unit_axis("false positive rate (1 − specificity)"), unit_axis("sensitivity"))
    marks = [frame.guide((0, 1), (0, 1))]
    for line in _from_back(drawn):
        marks.append(frame.curve(*_average(line, roc_curve), line.key))
        if point := _operating_point(line, "specificity", "sensitivity"):
            marks.append(frame.dot(1 - point[0], point[1], line.key, note=f"{line.name} at its threshold"))
    return Figure(
        "ROC: found against falsely alarmed",
        frame.draw(_described("ROC curves", "AUC", drawn, "auc"), marks),
        f"The dashed line is guessing. {_about_dots(drawn)}The legend gives AUCs.",
        _legend(drawn, "auc"),
    )


def pr_figure(drawn: Sequence[Line]) -> Figure:
    """Precision against sensitivity as steps, with the share of positives of a single class as the line of guessing."""
    frame = Frame(unit_axis("sensitivity (recall)"), unit_axis("precision"))
    marks, caption = [], "Guessing gives each class its share of positives."
    shares = {_share_of_positives(line) for line in drawn if len(line.classes) == 1}
    if len(shares) == 1:
        share = shares.pop()
        marks = [frame.guide((0, 1), (share, share))]
        caption = f"The dashed line is guessing: {share:.1%} of the records are positive."
    for line in _from_back(drawn):
        marks.append(frame.curve(*_average(line, _pr_steps), line.key))
        if point := _operating_point(line, "sensitivity", "precision"):
            marks.append(frame.dot(*point, line.key, note=f"{line.name} at its threshold"))
    return Figure(
        "Precision against sensitivity",
        frame.draw(_described("Precision-recall curves", "average precision", drawn, "average_precision"), marks),
        f"{caption} {_about_dots(drawn)}The legend gives average precisions.",
        _legend(drawn, "average_precision"),
    )


def reliability_figure(drawn: Sequence[Line]) -> Figure:
    """Observed frequency against predicted probability, in ten bins whose records are the area of their dot."""
    drawn = [line for line in drawn if line.key not in ("average", "rest")]
    truths = [[line.truth(name) for name in line.classes] for line in drawn]
    return reliability_chart([
        (entry, np.concatenate([labels for labels, _ in of_one]), np.concatenate([said for _, said in of_one]))
        for entry, of_one in zip(_legend(drawn, "brier"), truths, strict=True)
    ])  # fmt: skip


def reliability_chart(drawn: Sequence[tuple[Entry, NDArray[np.bool_], Floats]]) -> Figure:
    """A reliability curve for each entry, which gives a Brier score, of its labels and probabilities `[decisions]`.

    The first lies on top. What has too few decisions is named in the caption.
    """
    frame = Frame(unit_axis("predicted probability"), unit_axis("observed frequency"))
    curves = [_reliability_marks(frame, entry.key, labels, probabilities) for entry, labels, probabilities in drawn]
    legend, told = tuple(entry for entry, *_ in drawn), "The legend gives Brier scores."
    undrawn = [entry.name for entry, marks in zip(legend, curves, strict=True) if not marks]
    if len(undrawn) == len(curves):
        return Figure(RELIABILITY, Markup(""), f"{NOT_DRAWN} {told}", legend)
    label = f"Reliability curves; Brier scores: {listing(f'{entry.name} {entry.figure}' for entry in legend)}."
    svg = frame.draw(label, [frame.guide((0, 1), (0, 1)), *chain(*reversed(curves))])
    left_out = f" Too few decisions to be drawn: {listing(undrawn)}." if undrawn else ""
    return Figure(RELIABILITY, svg, f"{ABOUT_RELIABILITY} {told}{left_out}", legend)


def _reliability_marks(frame: Frame, key: str, labels: NDArray[np.bool_], probabilities: Floats) -> list[Markup]:
    """One reliability curve with its dots, of labels and probabilities `[decisions]`; nothing where all bins have few."""
    found = reliability_curve(labels, probabilities)
    predicted, observed, records = (part[found.records >= FEWEST_IN_BIN] for part in found)
    if not len(records):
        return []
    marks = [frame.curve(predicted, observed, f"{key} thin")]
    for x, y, count in zip(predicted, observed, records, strict=True):
        radius = max(SMALLEST_DOT, LARGEST_DOT * sqrt(count / len(labels)))
        marks.append(frame.dot(float(x), float(y), key, radius, note=counted(int(count), "decision")))
    return marks


def separation_figure(line: Line) -> Figure:
    """How far apart a single class's positives and negatives lie: the share of each in tenths of probability."""
    labels, probabilities = line.truth(line.classes[0])
    edges = np.linspace(0, 1, 21)
    shares = [np.histogram(probabilities[side], edges)[0] / max(1, side.sum()) for side in (~labels, labels)]
    frame = Frame(unit_axis("predicted probability"), fitted_axis("share of the records", [0, *shares[0], *shares[1]]))
    threshold = line.run.threshold(line.classes[0])
    marks = [
        frame.area(np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]]), key)
        for share, key in zip(shares, ("rest", line.key), strict=True)
    ]
    if threshold is not None:
        marks += [frame.guide((threshold, threshold), (frame.y.low, frame.y.high))]
    words = f"Probabilities of {counted(int((~labels).sum()), 'negative')} and {counted(int(labels.sum()), 'positive')}"
    return Figure(
        "How far apart are they?",
        frame.draw(f"{words} as two histograms.", marks),
        f"The dashed line is the chosen threshold; probabilities are those of “{line.run.name}”.",
        (Entry("rest", "negatives", f"{(~labels).sum():,}"), Entry(line.key, "positives", f"{labels.sum():,}")),
    )


def _average(line: Line, curve: Callable[[NDArray[np.bool_], Floats], Curve]) -> Curve:
    """The curve of one class, or the mean of several at the same place on the horizontal axis."""
    found = [curve(*line.truth(name)) for name in line.classes]
    if len(found) == 1:
        return found[0]
    heights = np.mean([np.interp(GRID, *one) for one in found], axis=0)  # at a step, its later end
    start = np.mean([y[0] for _, y in found])
    return np.append(0.0, GRID), np.append(start, heights)


def _pr_steps(labels: NDArray[np.bool_], probabilities: Floats) -> Curve:
    """Each precision holds back to the recall before it: the area under these steps is the average precision."""
    recall, precision = pr_curve(labels, probabilities)
    levels, first = np.unique(recall[1:], return_index=True)  # false calls after a hit lower nothing that counts
    reached = levels > 0
    ends, heights = levels[reached], precision[1:][first[reached]]
    return np.repeat(np.append(0.0, ends), 2)[1:-1], np.repeat(heights, 2)


def _operating_point(line: Line, *metrics: str) -> tuple[float, float] | None:
    if len(line.classes) > 1 or line.key == "rest":
        return None
    first, second = (line.figure(metric).value for metric in metrics)
    return None if first is None or second is None else (first, second)


def _from_back(drawn: Sequence[Line]) -> list[Line]:
    """In the order of drawing: grey curves below, then the coloured, the first of them on top but for an average."""
    last_first = list(reversed(drawn))
    return sorted(last_first, key=lambda line: (line.key != "rest", line.key == "average"))


def _about_dots(drawn: Sequence[Line]) -> str:
    return "Dots are the chosen thresholds. " if any(len(line.classes) == 1 for line in drawn) else ""


def _share_of_positives(line: Line) -> float:
    return float(np.mean(line.truth(line.classes[0])[0]))


def _described(what: str, called: str, drawn: Sequence[Line], metric: str) -> str:
    return f"{what}; {called}: {listing(f'{line.name} {decimal(line.figure(metric).value)}' for line in drawn)}."


def _legend(drawn: Sequence[Line], metric: str) -> tuple[Entry, ...]:
    """An entry a curve; grey ones share one."""
    named = [Entry(line.key, line.name, decimal(line.figure(metric).value)) for line in drawn if line.key != "rest"]
    grey = sum(line.key == "rest" for line in drawn)
    return (*named, Entry("rest", f"{grey} more, see the table")) if grey else tuple(named)
