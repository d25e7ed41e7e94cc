"""Curves of the arms that matter most: found against falsely alarmed, how true the probabilities are, how they learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from ecgenough.reports.curves import reliability_chart
from ecgenough.reports.plot import Entry, Figure, Frame, fitted_axis, unit_axis
from ecgenough.reports.reading import RANKING
from ecgenough.scoring.bands import Band, pr_band, roc_band
from ecgenough.sentences import counted, listing
from ecgenough.studies.analysis import Analysis, Standing
from ecgenough.studies.questions import SCRATCH


@dataclass(frozen=True)
class Leader:
    """An arm that is drawn, and its colour."""

    key: str
    standing: Standing


def leaders(analysis: Analysis) -> list[Leader]:
    """The best network, the same network from scratch, the best other network, and the best baseline."""
    best, sober = analysis.best_network, analysis.best_baseline
    networks = [one for one in analysis.standings if one.arm.is_network]
    chosen: list[Standing | None] = [best, sober]
    if best:
        same = [one for one in networks if one.arm.body == best.arm.body and one.arm.mode == SCRATCH]
        chosen += [next(iter(same), None), next((one for one in networks if one.arm.body != best.arm.body), None)]
    once = list(dict.fromkeys(one for one in chosen if one))
    return [Leader(f"k{place}", one) for place, one in enumerate(once)]


def band_figures(analysis: Analysis, drawn: Sequence[Leader]) -> list[Figure]:
    """ROC and precision-recall curves with bands."""
    question = analysis.question
    units = {one.key: [question.unit(one.standing.arm, key) for key in one.standing.arm.units] for one in drawn}
    roc = {one.key: roc_band(units[one.key], question.patients) for one in drawn}
    precise = {one.key: pr_band(units[one.key], question.patients) for one in drawn}
    shares = [float(np.mean(np.concatenate([a.labels for a in question.test_answers])[:, place]))
              for place in range(len(question.classes))]  # fmt: skip
    bands = "Bands are 95% over patients; they do not cover training again."
    guess = (
        f"The dashed line is guessing: {np.mean(shares):.1%} of the records are positive. " if len(shares) == 1 else ""
    )
    return [
        _band_figure("ROC: found against falsely alarmed", "auc", "AUCs", drawn, roc,
                     Frame(unit_axis("false positive rate (1 − specificity)"), unit_axis("sensitivity")),
                     ((0, 1), (0, 1)), f"The dashed line is guessing. {bands}"),
        _band_figure("Precision against sensitivity", "average_precision", "average precisions", drawn, precise,
                     Frame(unit_axis("sensitivity (recall)"), unit_axis("precision")),
                     ((0, 1), (shares[0], shares[0])) if len(shares) == 1 else None, f"{guess}{bands}"),
    ]  # fmt: skip


def _band_figure(
    title: str, metric: str, called: str, drawn: Sequence[Leader], bands: dict[str, Band], frame: Frame,
    guide: tuple[tuple[float, float], tuple[float, float]] | None, caption: str,
) -> Figure:  # fmt: skip
    marks: list[Markup] = [frame.guide(*guide)] if guide else []
    for one in reversed(drawn):
        band = bands[one.key]
        outline = np.concatenate([band.x, band.x[::-1]]), np.concatenate([band.low, band.high[::-1]])
        marks.append(frame.area(*outline, f"{one.key} band"))
    marks += [frame.curve(bands[one.key].x, bands[one.key].middle, one.key) for one in reversed(drawn)]
    entries = tuple(Entry(one.key, one.standing.name, f"{one.standing.figures[metric].value:.3f}") for one in drawn)
    words = listing(f"{entry.name} {entry.figure}" for entry in entries)
    return Figure(title, frame.draw(f"{title}; {words}.", marks), f"{caption} The legend gives {called}.", entries)


def calibration_figure(drawn: Sequence[Leader]) -> Figure:
    """Observed frequency against predicted probability, over all test answers of every unit and class."""
    curves = []
    for one in drawn:
        answers = [given for unit in one.standing.arm.units.values() for _, given in unit.values()]
        labels = np.concatenate([given.labels.ravel() for given in answers])
        probabilities = np.concatenate([given.probabilities.ravel() for given in answers])
        entry = Entry(one.key, one.standing.name, f"{one.standing.figures['brier'].value:.3f}")
        curves.append((entry, labels, probabilities))
    return reliability_chart(curves)


def training_figures(folder: Path, drawn: Sequence[Leader]) -> list[Figure]:
    """Validation AUC and loss by epoch: each training faint, their mean strong. Nothing where no log was left."""
    logs = {one.key: _logs(folder, one.standing) for one in drawn}
    wanted = (
        (RANKING, "AUC on the validation records", "AUC"),
        ("validation_loss", "Loss on the validation records", "loss"),
    )
    return [figure for column, title, height in wanted if (figure := _by_epoch(column, title, height, drawn, logs))]


def _logs(folder: Path, standing: Standing) -> list[pd.DataFrame]:
    paths = [folder / "cells" / cell.cell / "log.csv" for cell in standing.arm.cells if cell.status == "done"]
    tables = [pd.read_csv(path) for path in paths if path.is_file()]
    return [table for table in tables if "epoch" in table and len(table) > 1]


def _by_epoch(
    column: str, title: str, height: str, drawn: Sequence[Leader], logs: dict[str, list[pd.DataFrame]]
) -> Figure | None:
    having = [(one, [log for log in logs[one.key] if column in log]) for one in drawn]
    having = [(one, tables) for one, tables in having if tables]
    if not having:
        return None
    values = np.concatenate([table[column].to_numpy(np.float64) for _, tables in having for table in tables])
    longest = max(int(table["epoch"].max()) for _, tables in having for table in tables)
    frame = Frame(fitted_axis("epoch", [1, longest], whole=True), fitted_axis(height, values), height=290)
    marks: list[Markup] = []
    for one, tables in reversed(having):
        marks += [frame.curve(table["epoch"], table[column], f"{one.key} faint") for table in tables if len(tables) > 1]
        mean = pd.concat(tables).groupby("epoch")[column].mean()
        marks.append(frame.curve(mean.index.to_numpy(np.float64), mean.to_numpy(np.float64), one.key))
    entries = tuple(Entry(one.key, one.standing.name, counted(len(tables), "training")) for one, tables in having)
    words = listing(f"{entry.name}, {entry.figure}" for entry in entries)
    return Figure(
        title, frame.draw(f"{title} by epoch: {words}.", marks), "Faint: each training; strong: their mean.", entries
    )
