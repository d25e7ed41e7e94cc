"""Figures of a run's course: where its records went, how it learned, how sure its results are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ecgenough.reports.plot import Entry, Figure, Frame, colour, fitted_axis, shortened, svg
from ecgenough.reports.reading import RANKING
from ecgenough.reports.run import Data, Estimate, Run
from ecgenough.reports.words import decimal, interval
from ecgenough.sentences import counted, listing

PARTS = ("train", "validation", "test")
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}
WIDTH = 400
ROW = 42  # of a forest plot
DODGE = 11  # between figures on one of its lines
STEP = 24  # between reasons to leave


# --- where the records went ----------------------------------------------------------------------------------------


def flow_figure(data: Data) -> Figure:
    """Records from the listing to training, validation and test, with those left out at the side."""
    records, patients = data.records, data.patients
    left_out = [("rejected", records["rejected"])]
    if elsewhere := records["listed"] - records["rejected"] - records["in_task"]:
        left_out.append(("not in the task", elsewhere))
    second = 72 + STEP * len(left_out)
    unused = records["in_task"] - sum(records[part] for part in PARTS)
    third = second + 94 + (STEP if unused else 0)
    marks = [_box(20, 6, 190, counted(records["listed"], "record"), "listed"), _arrow(115, 56, second)]
    marks += [_aside(56 + STEP * (place + 0.75), number, why) for place, (why, number) in enumerate(left_out)]
    marks += [_box(20, second, 190, counted(records["in_task"], "record"), f"in the task {shortened(data.task, 18)}")]
    marks += [_aside(second + 50 + 0.75 * STEP, unused, "in none of the parts")] if unused else []
    marks += [_fork(115, second + 50, third)]
    for place, part in enumerate(PARTS):
        of = counted(patients[part], "patient") if part in patients else ""
        marks.append(_box(4 + place * 134, third, 124, counted(records[part], "record"), of, heading=PART_NAMES[part]))
    words = listing(f"{PART_NAMES[part]} {records[part]:,}" for part in PARTS)
    out = listing(f"{number:,} {why}" for why, number in left_out)
    label = f"Flow of records: {records['listed']:,} listed, {out}, {records['in_task']:,} in the task; {words}."
    return Figure("Records and patients", svg(WIDTH, third + 76, label, marks))


def _box(x: float, y: float, width: float, strong: str, weak: str, heading: str = "") -> Markup:
    height = 70 if heading else 50
    top = Markup('<text class="heading" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        x + width / 2, y + 18, heading
    )
    return Markup(
        '<rect class="box{}" x="{}" y="{}" width="{}" height="{}" rx="6"/>{}'
        '<text class="strong" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="weak" x="{}" y="{}" text-anchor="middle">{}</text>'
    ).format(
        " part" if heading else "", x, y, width, height, top if heading else "",
        x + width / 2, y + height - 29, strong, x + width / 2, y + height - 12, weak,
    )  # fmt: skip


def _arrow(x: float, y: float, to: float) -> Markup:
    return Markup('<path class="flow" d="M{x} {y}V{to}m-4 -6l4 6l4 -6"/>').format(x=x, y=y, to=to)


def _fork(x: float, y: float, to: float) -> Markup:
    """From one box down to the three parts."""
    middle = to - 18
    ends = Markup("").join(_arrow(66 + place * 134, middle, to) for place in range(len(PARTS)))
    return Markup('<path class="flow" d="M{} {}V{}M66 {}H334"/>{}').format(x, y, middle, middle, ends)


def _aside(y: float, number: int, why: str) -> Markup:
    """Records that leave, to the right."""
    return Markup(
        '<path class="flow" d="M115 {y}H238m-6 -4l6 4l-6 4"/>'
        '<text x="247" y="{foot}"><tspan class="strong">{number:,}</tspan>'
        '<tspan class="weak" dx="5">{why}</tspan></text>'
    ).format(y=y, foot=y + 4, number=number, why=why)


# --- how sure ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ForestRow:
    """One name and the figures that stand on its line, each with its colour."""

    name: str
    figures: tuple[tuple[str, Estimate], ...]

    @property
    def height(self) -> int:
        return ROW + DODGE * (len(self.figures) - 1)


def forest_figure(title: str, rows: Sequence[ForestRow], caption: str = "", legend: tuple[Entry, ...] = ()) -> Figure:
    """AUCs with their intervals below each other."""
    values = [
        end for row in rows for _, one in row.figures for end in (one.value, one.low, one.high) if end is not None
    ]
    height = sum(row.height for row in rows) + 52
    frame = Frame(fitted_axis("AUC", values), fitted_axis("", [0, 1]), WIDTH, height, left=8, right=14, top=6)
    marks, top = [_forest_scale(frame)], 6
    for row in rows:
        marks.append(_forest_row(frame, top, row))
        top += row.height
    words = listing(f"{row.name} {', '.join(_in_words(one) for _, one in row.figures)}" for row in rows)
    return Figure(title, svg(WIDTH, height, f"{title}: {words}.", marks), caption, legend)


def _in_words(figure: Estimate) -> str:
    return f"{decimal(figure.value)} ({interval(figure) or 'no interval'})"


def _forest_scale(frame: Frame) -> Markup:
    line = Markup(
        '<path class="gridline" d="M{x:.1f} 6V{y}"/>'
        '<text class="tick" x="{x:.1f}" y="{at}" text-anchor="middle">{tick}</text>'
    )
    floor = frame.height - frame.bottom
    lines = [
        line.format(x=float(frame.across(tick)), y=floor, at=floor + 17, tick=said) for tick, said in frame.x.marked
    ]
    title = Markup('<text class="title" x="{}" y="{}" text-anchor="middle">AUC</text>').format(
        WIDTH / 2, frame.height - 8
    )
    return Markup("").join([*lines, title])


def _forest_row(frame: Frame, top: int, row: ForestRow) -> Markup:
    name = Markup('<text class="label" x="8" y="{}">{}<title>{}</title></text>').format(
        top + 14, shortened(row.name, 30), row.name
    )
    bars = [_bar(frame, top + 27 + DODGE * place, key, one) for place, (key, one) in enumerate(row.figures)]
    if len(row.figures) > 1:
        return Markup("").join([name, *bars])
    alone = row.figures[0][1]
    value = Markup(
        '<text class="value" x="{}" y="{}" text-anchor="end">{}<tspan class="weak" dx="6">{}</tspan></text>'
    ).format(WIDTH - 14, top + 14, decimal(alone.value), interval(alone))
    return Markup("").join([name, value, *bars])


def _bar(frame: Frame, y: float, key: str, figure: Estimate) -> Markup:
    if figure.value is None:
        return Markup("")
    x = float(frame.across(figure.value))
    low, high = (x if end is None else float(frame.across(end)) for end in (figure.low, figure.high))
    return Markup(
        '<path class="whisker {key}" d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {a}v6M{high:.1f} {a}v6"/>'
        '<circle class="dot {key}" cx="{x:.1f}" cy="{y}" r="4.5"/>'
    ).format(key=key, low=low, high=high, y=y, a=y - 3, x=x)


# --- how it learned ------------------------------------------------------------------------------------------------


def learning_figures(runs: Sequence[Run]) -> list[Figure]:
    """Loss and validation macro AUC by epoch, with the kept epoch marked, of the runs that have epochs and whose log has them."""
    logged = [(colour(place), run) for place, run in enumerate(runs) if run.log is not None and run.has_epochs]
    ranked = [(key, run) for key, run in logged if run.log is not None and RANKING in run.log]
    alone = len(runs) == 1
    return [draw(of, alone) for draw, of in ((_loss_figure, logged), (_auc_figure, ranked)) if of]


def _loss_figure(logged: Sequence[tuple[str, Run]], alone: bool) -> Figure:
    columns = [("train_loss", "k0", "training"), ("validation_loss", "k1", "validation")]
    series = [
        (key if not alone else colour, name if alone else run.name, run, column)
        for key, run in logged
        for column, colour, name in (columns if alone else columns[1:])
    ]
    return _by_epoch("Loss" if alone else "Loss on the validation records", "loss", series)


def _auc_figure(logged: Sequence[tuple[str, Run]], alone: bool) -> Figure:
    series = [("k1" if alone else key, "validation" if alone else run.name, run, RANKING) for key, run in logged]
    return _by_epoch("AUC on the validation records", "AUC", series)


def _by_epoch(title: str, height: str, series: Sequence[tuple[str, str, Run, str]]) -> Figure:
    """Curves of log columns; `series` are colour, name, run and column."""
    values = np.concatenate([_column(run, column) for *_, run, column in series])
    epochs = np.concatenate([_column(run, "epoch") for *_, run, _ in series])
    frame = Frame(fitted_axis("epoch", epochs, whole=True), fitted_axis(height, values), height=290)
    marks: list[Markup] = []
    for key, _, run, column in series:
        x, y = _column(run, "epoch"), _column(run, column)
        marks.append(frame.curve(x, y, key) if len(x) > 1 else Markup(""))
        kept = np.flatnonzero((x == run.kept_epoch) & np.isfinite(y))
        marks += [frame.dot(x[at], y[at], key, 5, f"epoch {run.kept_epoch} was kept") for at in kept[:1]]
    entries = tuple(Entry(key, name, _last_words(run, column)) for key, name, run, column in series)
    words = listing(f"{entry.name} {entry.figure}" for entry in entries)
    known = any(run.kept_epoch is not None for *_, run, _ in series)
    return Figure(
        title,
        frame.draw(f"{title} by epoch: {words}.", marks),
        "Dots mark the epoch that was kept." if known else "",
        entries,
    )


def _column(run: Run, name: str) -> np.ndarray:
    assert isinstance(run.log, pd.DataFrame)
    return run.log[name].to_numpy(np.float64)


def _last_words(run: Run, column: str) -> str:
    """The figure at the kept epoch, or at the last one where it is not known which was kept."""
    epochs, values = _column(run, "epoch"), _column(run, column)
    kept = np.flatnonzero(epochs == run.kept_epoch)
    at = int(kept[0]) if kept.size else len(values) - 1
    value = float(values[at])
    return f"{decimal(value if np.isfinite(value) else None)} at epoch {epochs[at]:.0f}"
