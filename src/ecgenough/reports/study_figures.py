"""Figures of a study: differences with intervals, networks by modes, cost, and how the AUC grows with more ECGs."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ecgenough.reports.plot import Entry, Figure, Frame, fitted_axis, log_axis, short_number, shortened, svg
from ecgenough.reports.words import signed
from ecgenough.sentences import listing, numeral
from ecgenough.studies.analysis import Analysis, Standing
from ecgenough.studies.contrasts import Comparison
from ecgenough.studies.learning_curve import LearningCurve

WIDTH = 400
ROW = 40  # of a forest plot
MOST_ROWS = 16
HEAT_ROW, HEAT_NAME, LEAST_HEAT = 34, 128, 62
DOT = 5.0


# --- differences -----------------------------------------------------------------------------------------------------


def differences_figure(title: str, comparisons: Sequence[Comparison], axis: str, caption: str) -> Figure:
    """Differences below each other with their intervals and a line at none; those told apart are coloured."""
    shown = sorted(comparisons, key=lambda one: -one.value)[:MOST_ROWS]
    ends = [end for one in shown for end in (one.low, one.high, 0.0)]
    height = ROW * len(shown) + 52
    frame = Frame(fitted_axis(axis, ends), fitted_axis("", [0, 1]), WIDTH, height, left=8, right=14, top=6)
    marks = [_scale(frame), *(_difference(frame, 6 + ROW * place, one) for place, one in enumerate(shown))]
    words = listing(f"{one.first} {signed(one.value)} ({signed(one.low)} to {signed(one.high)})" for one in shown)
    more = f" The first {MOST_ROWS} of {len(comparisons)}." if len(comparisons) > MOST_ROWS else ""
    legend = (
        Entry("k0", "above, more than chance"),
        Entry("k1", "below, more than chance"),
        Entry("rest", "not told apart"),
    )
    label = f"{title}: {words}."
    return Figure(title, svg(WIDTH, height, label, marks), caption + more, legend)


def _scale(frame: Frame) -> Markup:
    line = Markup(
        '<path class="{kind}" d="M{x:.1f} 6V{y}"/><text class="tick" x="{x:.1f}" y="{at}" text-anchor="middle">{tick}</text>'
    )
    floor = frame.height - frame.bottom
    marks = [
        line.format(kind="guide" if tick == 0 else "gridline", x=float(frame.across(tick)), y=floor, at=floor + 17,
                    tick=numeral(tick, "+g") if tick else "0")
        for tick in frame.x.ticks
    ]  # fmt: skip
    title = Markup('<text class="title" x="{}" y="{}" text-anchor="middle">{}</text>')
    return Markup("").join([*marks, title.format(WIDTH / 2, frame.height - 8, frame.x.title)])


def _difference(frame: Frame, top: float, one: Comparison) -> Markup:
    key = "rest" if not one.told_apart else "k0" if one.value > 0 else "k1"
    x, low, high = (float(frame.across(value)) for value in (one.value, one.low, one.high))
    y = top + 27
    return Markup(
        '<text class="label" x="8" y="{name_y}">{name}<title>{full}</title></text>'
        '<text class="value" x="{end}" y="{name_y}" text-anchor="end">{value}'
        '<tspan class="weak" dx="6">{least} to {most}</tspan></text>'
        '<path class="whisker {key}" d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {a}v6M{high:.1f} {a}v6"/>'
        '<circle class="dot {key}" cx="{x:.1f}" cy="{y}" r="4.5"/>'
    ).format(
        name_y=top + 14, name=shortened(one.first, 28), full=one.first, end=WIDTH - 14, value=signed(one.value),
        least=signed(one.low), most=signed(one.high), key=key, low=low, high=high, x=x, y=y, a=y - 3,
    )  # fmt: skip


# --- networks by modes -----------------------------------------------------------------------------------------------


def heat_figure(analysis: Analysis) -> Figure | None:
    """The AUC of every network in every mode as a map; None where there is no second mode or network."""
    networks = [one for one in analysis.standings if one.arm.is_network]
    bodies = list(dict.fromkeys(one.arm.body for one in networks))
    ways = _in_study_order(analysis, networks)
    if len(networks) < 3 or min(len(bodies), len(ways)) < 2:
        return None
    wide = max(LEAST_HEAT, (WIDTH - HEAT_NAME - 8) / len(ways))
    width, height = HEAT_NAME + wide * len(ways) + 8, 30 + HEAT_ROW * len(bodies) + 4
    values = [one.auc.value for one in networks]
    low, span = min(values), (max(values) - min(values)) or 1.0
    heads = [
        Markup('<text class="tick" x="{:.1f}" y="20" text-anchor="middle">{}</text>').format(
            HEAT_NAME + wide * (place + 0.5), shortened(way, 16)
        )
        for place, way in enumerate(ways)
    ]
    names = [
        Markup('<text class="strong" x="{}" y="{}" text-anchor="end">{}<title>{}</title></text>').format(
            HEAT_NAME - 10, 30 + HEAT_ROW * (place + 0.5) + 4, shortened(body, 17), body
        )
        for place, body in enumerate(bodies)
    ]
    cells = [
        _heat_cell(one, HEAT_NAME + wide * ways.index(one.arm.way), 30 + HEAT_ROW * bodies.index(one.arm.body), wide,
                   (one.auc.value - low) / span)
        for one in networks
    ]  # fmt: skip
    words = listing(f"{one.name} {one.auc.value:.3f}" for one in networks)
    caption = "The stronger the colour, the higher the AUC. A dot marks the best and all not told apart from it."
    drawn = svg(width, height, f"AUC of networks by modes: {words}.", [*heads, *names, *cells])
    return Figure("Networks by ways of training", drawn, caption)


def _in_study_order(analysis: Analysis, networks: Sequence[Standing]) -> list[str]:
    """The ways of training in the order in which the study names them."""
    first = {cell.arm: place for place, cell in reversed(list(enumerate(analysis.cells)))}
    return list(dict.fromkeys(one.arm.way for one in sorted(networks, key=lambda one: first[one.name])))


def _heat_cell(one: Standing, x: float, y: float, wide: float, share: float) -> Markup:
    dot = Markup('<circle class="near" cx="{:.1f}" cy="{:.1f}" r="2.6"/>').format(x + wide - 11, y + 10)
    return Markup(
        '<rect class="heat" style="--share:{share:.3f}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h}" rx="4">'
        "<title>{name}: {value:.3f} ({low:.3f}–{high:.3f})</title></rect>"
        '<text class="on" x="{tx:.1f}" y="{ty:.1f}" text-anchor="middle">{value:.3f}</text>{dot}'
    ).format(
        share=share, x=x + 1.5, y=y + 1.5, w=wide - 3, h=HEAT_ROW - 3, name=one.name, value=one.auc.value,
        low=one.auc.low, high=one.auc.high, tx=x + wide / 2, ty=y + HEAT_ROW / 2 + 4,
        dot=dot if one.best or one.tied else "",
    )  # fmt: skip


# --- what it costs ---------------------------------------------------------------------------------------------------


def cost_figures(analysis: Analysis) -> list[Figure]:
    """AUC against seconds, parameters and operations, each where at least two arms state it."""
    wanted = (
        ("seconds a cell", [(one, one.seconds) for one in analysis.standings]),
        ("parameters", [(one, one.arm.first.parameters) for one in analysis.standings]),
        ("operations an ECG", [(one, one.arm.first.operations) for one in analysis.standings]),
    )
    found = []
    for what, pairs in wanted:
        known = [(one, cost) for one, cost in pairs if cost]
        if len(known) > 1:
            found.append(_cost_figure(what, known))
    return found


def _cost_figure(what: str, known: Sequence[tuple[Standing, float]]) -> Figure:
    values = [cost for _, cost in known]
    frame = Frame(log_axis(what, values), fitted_axis("AUC", [one.auc.value for one, _ in known]), height=290)
    marks = [
        frame.dot(float(np.log10(cost)), one.auc.value, "k0" if one.arm.is_network else "k1", DOT,
                  f"{one.name}: {short_number(cost)} {what}, AUC {one.auc.value:.3f}")
        for one, cost in reversed(known)
    ]  # fmt: skip
    cheapest = min((pair for pair in known if pair[0].best or pair[0].tied), key=lambda pair: pair[1], default=None)
    caption = ""
    if cheapest:
        caption = (
            f"Of the best and those not told apart from it, “{cheapest[0].name}” takes least: "
            f"{short_number(cheapest[1])} {what}."
        )
    words = listing(f"{one.name} {short_number(cost)}, {one.auc.value:.3f}" for one, cost in known)
    kinds = {one.arm.is_network for one, _ in known}
    legend = tuple(
        entry
        for entry, kind in ((Entry("k0", "networks"), True), (Entry("k1", "sober baselines"), False))
        if kind in kinds
    )
    return Figure(f"AUC against {what}", frame.draw(f"AUC against {what}: {words}.", marks), caption, legend)


# --- more ECGs -------------------------------------------------------------------------------------------------------


def growth_figure(curve: LearningCurve, key: str = "k0") -> Figure:
    """The AUC at the sizes studied with intervals, the fitted curve with its band, dashed beyond the largest size."""
    sizes = [point.records for point in curve.points]
    figures = [point.figure for point in curve.points]
    heights = [value for one in figures for value in (one.low, one.high)]
    frame = Frame(
        log_axis("training ECGs", [*sizes, *curve.grid]),
        fitted_axis("AUC", [*heights, *curve.middle, *curve.low, *curve.high]),
        height=310,
    )
    marks: list[Markup] = []
    if curve.grid.size:
        across = np.log10(curve.grid)
        marks.append(
            frame.area(
                np.concatenate([across, across[::-1]]), np.concatenate([curve.low, curve.high[::-1]]), f"{key} band"
            )
        )
        seen = curve.grid <= curve.largest
        ahead = curve.grid >= curve.largest
        marks += [
            frame.curve(across[seen], curve.middle[seen], key),
            frame.curve(across[ahead], curve.middle[ahead], f"{key} ahead"),
        ]
    for size, one in zip(sizes, figures, strict=True):
        marks.append(_upright(frame, float(np.log10(size)), one.low, one.high, key))
        marks.append(frame.dot(float(np.log10(size)), one.value, key, DOT, f"{size:,.0f} ECGs: {one.value:.3f}"))
    words = listing(f"{size:,.0f} ECGs {one.value:.3f}" for size, one in zip(sizes, figures, strict=True))
    if curve.why_not:
        caption = f"Nothing is told beyond these sizes: {curve.why_not}."
    else:
        caption = (
            f"Dots are what was measured, with 95% intervals; the line is an inverse power law with its 95% band, dashed "
            f"beyond the largest size. It is not drawn past {curve.horizon:,.0f} ECGs, four times the largest."
        )
    return Figure(f"More ECGs: {curve.arm}", frame.draw(f"AUC by number of training ECGs: {words}.", marks), caption)


def _upright(frame: Frame, x: float, low: float, high: float, key: str) -> Markup:
    across, down, up = float(frame.across(x)), float(frame.down(low)), float(frame.down(high))
    return Markup(
        '<path class="whisker {key}" d="M{x:.1f} {a:.1f}V{b:.1f}M{l:.1f} {a:.1f}h6M{l:.1f} {b:.1f}h6"/>'
    ).format(key=key, x=across, a=down, b=up, l=across - 3)
