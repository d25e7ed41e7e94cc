"""ECGs on ECG paper: 25 mm/s across, 10 mm/mV up, drawn as SVG in true millimetres."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from ecgenough.ecg import STANDARD_LEADS, lead_name
from ecgenough.errors import WrongRequest, nearest
from ecgenough.reports.polyline import path_data
from ecgenough.sentences import counted

MM_PER_SECOND = 25.0
MM_PER_MILLIVOLT = 10.0
TOLERANCE_MM = 0.05
UNIT_MM = 0.01  # paths count in hundredths of a millimetre

LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 15, 5, 5, 10
LABEL_SECONDS = 0.4  # how far a lead's name reaches
PULSE_MM = 5  # the calibration pulse: 1 mV for 0.2 s
STANDARD_SECONDS = 10.0
COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
RHYTHM_LEAD = "II"

Layout = Literal["3x4+1", "rows"]


FOR, AGAINST = "#e8590c", "#1c7ed6"  # shades above and below 0; told apart with any colour vision
SHADES = 6  # steps of each
SHADE_MM = 2.4  # how broad a shade lies under the trace


@dataclass(frozen=True, eq=False)
class Strip:
    """A stretch of one lead: its samples as heights in mm, and where on the paper its first one stands.

    `shade`, if any, is a number from -1 to 1 a sample that colours the paper under the trace.
    """

    lead: str
    heights: NDArray[np.float64]
    left: float
    shade: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Row:
    """Strips on one baseline, which is `baseline` mm below the top of the paper."""

    strips: tuple[Strip, ...]
    baseline: float


def draw_ecg(signal: ArrayLike, rate: float, leads: Sequence[str], *, layout: Layout = "3x4+1") -> str:
    """Draw mV `[leads, samples]` at `rate` Hz on ECG paper with 1 and 5 mm squares, as one `<svg>`.

    "3x4+1" is the usual print of twelve leads over 10 s: four columns of 2.5 s, one after the other in time, above
    lead II for the whole length. It is kept for exactly that; fewer or other leads and other lengths get one lead a
    row, as "rows" always does. Each lead's median lies on its baseline, as behind a recorder's high-pass; NaN leaves
    a gap. The drawing's width and height are in mm, so it prints at true size; page styles may set the colours of
    the classes `ecg-paper`, `fine`, `coarse`, `trace` and `lead`.

    Raises WrongRequest for an unknown layout or a signal that does not fit its lead names.
    """
    return draw_strips(strips_of(signal, rate, leads, layout=layout), rate)


def strips_of(
    signal: ArrayLike, rate: float, leads: Sequence[str], *, layout: Layout = "3x4+1", shade: ArrayLike | None = None
) -> list[list[Strip]]:
    """The rows of strips that `draw_ecg` draws, with a `shade` `[leads, samples]` under them; raises as it does."""
    heights = _heights(signal, rate, leads)
    names = [lead_name(lead) for lead in leads]
    if layout not in get_args(Layout):
        raise WrongRequest(f'ECG layout "{layout}" is unknown. {nearest(layout, get_args(Layout))}')
    shades = None if shade is None else np.asarray(shade, dtype=np.float64)
    fits = set(names) == set(STANDARD_LEADS) and abs(heights.shape[1] / rate - STANDARD_SECONDS) < 0.1
    if layout == "3x4+1" and fits:
        return _standard(heights, rate, names, shades)
    return [[_strip(name, heights, names, LEFT_MM, shades)] for name in names]


def side_by_side(
    signal: ArrayLike, rate: float, leads: Sequence[str], columns: int, shade: ArrayLike | None = None
) -> list[list[Strip]]:
    """Short strips, such as one beat of each lead, `columns` in a row, 5 mm apart or more."""
    heights = _heights(signal, rate, leads)
    names = [lead_name(lead) for lead in leads]
    shades = None if shade is None else np.asarray(shade, dtype=np.float64)
    apart = 5 * (ceil(heights.shape[1] / rate * MM_PER_SECOND / 5) + 1)
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    return [
        [_strip(name, heights, names, LEFT_MM + place * apart, shades) for place, name in enumerate(row)]
        for row in rows
    ]


def draw_strips(strips: list[list[Strip]], rate: float, foot: str = "") -> str:
    """Draw rows of strips of `rate` Hz on ECG paper, as one `<svg>`; `foot` is SVG to stand at the bottom right."""
    rows, height = _stack(strips)
    ends = [strip.left - LEFT_MM + len(strip.heights) / rate * MM_PER_SECOND for row in strips for strip in row]
    width = LEFT_MM + 5 * ceil(max(ends) / 5 - 1e-6) + RIGHT_MM
    return str(_paper(rows, rate, width, height, Markup(foot)))


def _heights(signal: ArrayLike, rate: float, leads: Sequence[str]) -> NDArray[np.float64]:
    values = np.asarray(signal, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != len(leads) or 0 in values.shape:
        raise WrongRequest(
            f"an ECG to draw is [leads, samples]; this one is {values.shape} for {len(leads)} lead names."
        )
    if not 0 < rate < float("inf"):
        raise WrongRequest(f"a sampling rate of {rate} Hz is not possible.")
    values = np.where(np.isfinite(values), values, np.nan)
    medians = [np.median(lead[np.isfinite(lead)]) if np.isfinite(lead).any() else 0.0 for lead in values]
    return np.asarray((values - np.array(medians)[:, None]) * MM_PER_MILLIVOLT)


def _strip(
    lead: str,
    heights: NDArray[np.float64],
    names: list[str],
    left: float,
    shades: NDArray[np.float64] | None,
    part: slice = slice(None),
) -> Strip:
    at = names.index(lead)
    return Strip(lead, heights[at, part], left, None if shades is None else shades[at, part])


def _standard(
    heights: NDArray[np.float64], rate: float, names: list[str], shades: NDArray[np.float64] | None
) -> list[list[Strip]]:
    cuts = np.rint(np.linspace(0, heights.shape[1], len(COLUMNS) + 1)).astype(int)
    across = MM_PER_SECOND / rate
    rows = [
        [
            _strip(column[row], heights, names, LEFT_MM + start * across, shades, slice(start, stop))
            for column, start, stop in zip(COLUMNS, cuts[:-1], cuts[1:], strict=True)
        ]
        for row in range(len(COLUMNS[0]))
    ]
    return [*rows, [_strip(RHYTHM_LEAD, heights, names, LEFT_MM, shades)]]


def _stack(strips: list[list[Strip]]) -> tuple[list[Row], int]:
    """Put rows below each other on 5 mm lines, with the room they need within what paper allows."""
    rows, edge = [], TOP_MM
    for row in strips:
        heights = np.concatenate([strip.heights for strip in row])
        reach = heights[np.isfinite(heights)] if np.isfinite(heights).any() else np.zeros(1)
        baseline = edge + _room(float(reach.max()), least=15, most=30)
        rows.append(Row(tuple(row), baseline))
        below = 20 if row is not strips[-1] else 60  # the last row has no neighbour to overlap, only the paper's end
        edge = baseline + _room(-float(reach.min()), least=5, most=below)
    return rows, edge + BOTTOM_MM


def _room(reach: float, least: int, most: int) -> int:
    return min(max(5 * ceil((reach + 1) / 5), least), most)


def _paper(rows: list[Row], rate: float, width: int, height: int, foot: Markup) -> Markup:
    names = list(dict.fromkeys(strip.lead for row in rows for strip in row.strips))
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="ecg-paper" role="img" width="{w}mm" height="{h}mm" '
        'viewBox="0 0 {w} {h}" aria-label="ECG of {n}: {leads}; 25 mm/s, 10 mm/mV" '
        'font-family="Helvetica, Arial, sans-serif">'
        '<rect class="paper" width="{w}" height="{h}" fill="#fffafa"/>{grid}{rows}'
        '<text class="scale" x="{left}" y="{bottom}" font-size="2.8" fill="#5c5050">'
        "25 mm/s · 10 mm/mV · {rate:g} Hz</text>{foot}</svg>"
    ).format(
        w=width,
        h=height,
        n=counted(len(names), "lead"),
        leads=", ".join(names),
        grid=_grid(width, height),
        rows=Markup("").join(_draw_row(row, rate) for row in rows),
        left=LEFT_MM,
        bottom=height - 3.2,
        rate=rate,
        foot=Markup('<g class="foot" transform="translate({} {})">{}</g>').format(width - RIGHT_MM, height - 3.2, foot)
        if foot
        else "",
    )


def _grid(width: int, height: int) -> Markup:
    def lines(every: int, but: int) -> str:
        across = "".join(f"M0 {y}h{width}" for y in range(0, height + 1, every) if y % but)
        return across + "".join(f"M{x} 0v{height}" for x in range(0, width + 1, every) if x % but)

    return Markup(
        '<path class="fine" d="{}" fill="none" stroke="#f7dcd9" stroke-width="0.1"/>'
        '<path class="coarse" d="{}" fill="none" stroke="#ecb5ae" stroke-width="0.18"/>'
    ).format(lines(1, but=5), lines(5, but=max(width, height) + 1) + "M0 0h" + str(width) + "M0 0v" + str(height))


def _draw_row(row: Row, rate: float) -> Markup:
    start = LEFT_MM - PULSE_MM - 4
    pulse = f"M{start} {row.baseline}h1.5v-{MM_PER_MILLIVOLT:g}h{PULSE_MM}v{MM_PER_MILLIVOLT:g}h1.5"
    return Markup('<g class="row"><path class="pulse" d="{}" {}/>{}</g>').format(
        pulse,
        Markup('fill="none" stroke="#1d1d1f" stroke-width="0.25"'),
        Markup("").join(_draw_strip(strip, row.baseline, rate) for strip in row.strips),
    )


def _draw_strip(strip: Strip, baseline: float, rate: float) -> Markup:
    across = strip.left + np.arange(len(strip.heights), dtype=np.float64) * MM_PER_SECOND / rate
    line = path_data(across, baseline - strip.heights, tolerance=TOLERANCE_MM, unit=UNIT_MM)
    return Markup(
        '{shade}{tick}<path class="trace" data-lead="{lead}" d="{line}" transform="scale({unit})" fill="none" '
        'stroke="#1d1d1f" stroke-width="28" stroke-linejoin="round" stroke-linecap="round"/>'
        '<text class="lead" x="{x:g}" y="{y:g}" font-size="3.4" font-weight="600" fill="#1d1d1f" '
        'stroke="#fffafa" stroke-width="0.8" paint-order="stroke">{lead}{note}</text>'
    ).format(
        shade=_draw_shade(strip, across, baseline),
        tick=_column_mark(strip, baseline),
        lead=strip.lead,
        line=line,
        unit=UNIT_MM,
        x=strip.left + 1,
        y=baseline - _label_height(strip, rate),
        note="" if line else " (no signal)",
    )


def _draw_shade(strip: Strip, across: NDArray[np.float64], baseline: float) -> Markup:
    """The shade under a trace, one path for each step of each colour."""
    if strip.shade is None:
        return Markup("")
    steps = np.rint(np.clip(np.nan_to_num(strip.shade), -1, 1) * SHADES).astype(int)
    paths = []
    for step in sorted(set(steps.tolist()) - {0}, key=abs):
        there = steps == step
        there[1:] |= there[:-1].copy()  # each stretch reaches to the first sample of the next
        heights = np.where(there, baseline - strip.heights, np.nan)
        line = path_data(across, heights, tolerance=TOLERANCE_MM, unit=UNIT_MM)
        paths.append(
            Markup(
                '<path class="{}" d="{}" transform="scale({})" fill="none" stroke="{}" stroke-opacity="{:.2f}" '
                'stroke-width="{:g}" stroke-linejoin="round" stroke-linecap="butt"/>'
            ).format(
                "for" if step > 0 else "against",
                line,
                UNIT_MM,
                FOR if step > 0 else AGAINST,
                0.12 + 0.78 * abs(step) / SHADES,
                SHADE_MM / UNIT_MM,
            )
        )
    return Markup("").join(paths)


def _label_height(strip: Strip, rate: float) -> float:
    """How far above the baseline a lead's name clears what is drawn beside it."""
    beside = strip.heights[: ceil(LABEL_SECONDS * rate)]
    beside = beside[np.isfinite(beside)]
    return float(np.clip(beside.max() + 2, 9, 25)) if beside.size else 9.0


def _column_mark(strip: Strip, baseline: float) -> Markup:
    """The short stroke where one lead hands over to the next."""
    if strip.left == LEFT_MM:
        return Markup("")
    return Markup('<path class="handover" d="M{:g} {:g}v3m0 4v3" {}/>').format(
        strip.left, baseline - 5, Markup('fill="none" stroke="#1d1d1f" stroke-width="0.2"')
    )
