"""Figures of a collection: how its values are spread, how often each label is given, and which are given together."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from ecgenough.inspection.labels import Labels
from ecgenough.reports.plot import Axis, Entry, Figure, Frame, fitted_axis, shortened, svg
from ecgenough.sentences import counted, numeral

WIDTH = 400
BARS = 24  # of a histogram
ROW, NAME, VALUE = 24, 132, 96  # of the bars of labels
MOST_IN_MAP = 24  # classes
MAP_NAME, MAP_TOP = 74, 64
MOST_CELL = 60  # of the map of few classes


def histogram(title: str, axis: str, groups: Sequence[tuple[str, str, ArrayLike]], caption: str = "") -> Figure | None:
    """How often values lie where; `groups` are colour, name and values, stacked. None where there are fewer than two.

    What lies beyond the middle 99% of all values is counted in the bars at the ends, and said.
    """
    values = [np.asarray(group, dtype=np.float64) for _, _, group in groups]
    values = [group[np.isfinite(group)] for group in values]
    every = np.concatenate(values)
    if len(every) < 2:
        return None
    low, high = np.quantile(every, (0.005, 0.995)) if len(every) > 200 else (every.min(), every.max())
    x = fitted_axis(axis, [low, high if high > low else low + 1])
    edges = np.linspace(x.low, x.high, BARS + 1)
    stacks = np.cumsum([np.histogram(np.clip(group, x.low, x.high), edges)[0] for group in values], axis=0)
    frame = Frame(x, _counts_axis(int(stacks.max())), height=250)
    marks = [
        _bar(frame, edges[at], edges[at + 1], below[at], top[at], key)
        for (key, _, _), below, top in zip(groups, np.vstack([np.zeros(BARS), stacks[:-1]]), stacks, strict=True)
        for at in range(BARS)
        if top[at] > below[at]
    ]
    beyond = int(((every < x.low) | (every > x.high)).sum())
    said = (
        f" {counted(beyond, 'record')} beyond the ends {'is' if beyond == 1 else 'are'} in the outer bars."
        if beyond
        else ""
    )
    legend = tuple(Entry(key, name, f"{len(group):,}") for (key, name, _), group in zip(groups, values, strict=True))
    first, middle, third = (numeral(value, ".3g") for value in np.quantile(every, (0.25, 0.5, 0.75)))
    label = f"{title}: half lie between {first} and {third}, middle {middle}."
    return Figure(title, frame.draw(label, marks), (caption + said).strip(), legend if len(legend) > 1 else ())


def _counts_axis(most: int) -> Axis:
    return fitted_axis("records", [0, max(most, 1)], whole=False)


def _bar(frame: Frame, left: float, right: float, below: float, top: float, key: str) -> Markup:
    (x1, x2), (y1, y2) = frame.across([left, right]), frame.down([top, below])
    return Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        key, x1 + 0.5, y1, max(x2 - x1 - 1, 0.5), max(y2 - y1, 0.5)
    )


def prevalence_figure(labels: Labels) -> Figure:
    """A bar a class, the most frequent first."""
    order = np.argsort(-labels.shares, kind="stable")
    largest = float(labels.shares.max()) or 1.0
    room = WIDTH - NAME - VALUE
    line = Markup(
        '<text class="label" x="{name_x}" y="{y}" text-anchor="end">{name}<title>{full}</title></text>'
        '<rect class="bar k0" x="{left}" y="{top}" width="{width:.1f}" height="12" rx="2"/>'
        '<text class="tick" x="{value_x:.1f}" y="{y}">{value}</text>'
    )
    marks = [
        line.format(
            name_x=NAME - 10, y=place * ROW + 17, name=shortened(labels.classes[at], 17), full=labels.titles[at],
            left=NAME, top=place * ROW + 7, width=max(room * labels.shares[at] / largest, 1),
            value_x=NAME + room * labels.shares[at] / largest + 7, value=f"{labels.counts[at]:,} · {labels.shares[at]:.1%}",
        )
        for place, at in enumerate(order.tolist())
    ]  # fmt: skip
    words = ", ".join(f"{labels.classes[at]} {labels.shares[at]:.1%}" for at in order.tolist())
    drawn = svg(WIDTH, ROW * len(order) + 8, f"Prevalence: {words}.", marks)
    return Figure("How often each class is given", drawn, labels.sameness)


def together_figure(labels: Labels) -> Figure | None:
    """Of the records of each class (rows), the share that also has each other (columns); None for a single class."""
    if len(labels.classes) < 2:
        return None
    order = np.argsort(-labels.counts, kind="stable")[:MOST_IN_MAP]
    shares = labels.together[np.ix_(order, order)] / np.maximum(labels.counts[order], 1)[:, None]
    names = [labels.classes[at] for at in order.tolist()]
    size = min((WIDTH - MAP_NAME) / len(order), MOST_CELL)
    marks = _map_names(names, size)
    marks += [_map_cell(shares, row, column, size, names) for row in range(len(order)) for column in range(len(order))]
    caption = "Of the records of the class on the left, the share that also has the class above."
    if len(labels.classes) > MOST_IN_MAP:
        caption += f" The {MOST_IN_MAP} most frequent of {len(labels.classes)} classes."
    off = shares - np.eye(len(order)) * shares
    row, column = np.unravel_index(int(off.argmax()), off.shape)
    most = f"most often {names[column]} among {names[row]}, {off.max():.0%}" if off.max() > 0 else "no two of them are"
    label = f"Classes given together; {most}."
    return Figure(
        "Which classes are given together", svg(WIDTH, MAP_TOP + size * len(order) + 4, label, marks), caption
    )


def _map_names(names: Sequence[str], size: float) -> list[Markup]:
    row = Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}<title>{}</title></text>')
    column = Markup('<text class="tick" transform="translate({:.1f} {}) rotate(-55)">{}<title>{}</title></text>')
    rows = [
        row.format(MAP_NAME - 6, MAP_TOP + size * (at + 0.5) + 4, shortened(name, 10), name)
        for at, name in enumerate(names)
    ]
    columns = [
        column.format(MAP_NAME + size * (at + 0.5) + 3, MAP_TOP - 6, shortened(name, 10), name)
        for at, name in enumerate(names)
    ]
    return [*rows, *columns]


def _map_cell(shares: NDArray[np.float64], row: int, column: int, size: float, names: Sequence[str]) -> Markup:
    share = float(shares[row, column])
    x, y = MAP_NAME + size * column, MAP_TOP + size * row
    said = f"{names[column]} among {names[row]}: {share:.1%}"
    number = ""
    if size >= 30 and row != column and share > 0:
        number = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            x + size / 2, y + size / 2 + 4, f"{share:.0%}" if share >= 0.005 else "<1%"
        )
    return Markup(
        '<g><title>{}</title><rect class="{}" style="--share:{:.3f}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" '
        'rx="2"/>{}</g>'
    ).format(said, "own" if row == column else "heat", share, x + 0.5, y + 0.5, size - 1, size - 1, number)
