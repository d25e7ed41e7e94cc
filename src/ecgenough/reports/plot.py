"""Axes, curves and legends as SVG; colours and type sizes come from the page's style sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from ecgenough.reports.polyline import path_data
from ecgenough.sentences import numeral

COLOURS = 6  # as many as can be told apart by everyone; further curves are grey
TOLERANCE = 0.1  # of the SVG's units, less than a screen's pixel
UNIT = 0.1
FEWEST_TICKS = 3
LEAST_DECADES = 1.0  # of a logarithmic axis


def colour(place: int) -> str:
    """The style of the curve at `place`, counted from 0: a colour of its own for the first COLOURS, then grey."""
    return f"k{place}" if place < COLOURS else "rest"


@dataclass(frozen=True)
class Entry:
    """A line of a legend: which curve (`key` is a CSS class), its name and its figure."""

    key: str
    name: str
    figure: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing with the words around it."""

    title: str
    svg: Markup
    caption: str = ""
    legend: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Axis:
    """One axis: its title, the values at its ends, where its ticks stand, and what is written there if not the value."""

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...] = ()

    @property
    def marked(self) -> list[tuple[float, str]]:
        """Each tick with its words."""
        return list(zip(self.ticks, self.labels or [numeral(tick, "g") for tick in self.ticks], strict=True))

    def share(self, value: ArrayLike) -> np.ndarray:
        """Where values lie between the ends, 0 to 1."""
        return np.asarray((np.asarray(value, dtype=np.float64) - self.low) / (self.high - self.low))


SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def unit_axis(title: str) -> Axis:
    """An axis from 0 to 1."""
    return Axis(title, 0.0, 1.0, SHARES)


def fitted_axis(title: str, values: ArrayLike, *, whole: bool = False) -> Axis:
    """An axis around finite values with round ticks; `whole` keeps ticks to whole numbers."""
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    step = _round_step((high - low) / 5 or 0.1)
    step = max(1.0, step) if whole else step
    first, last = (low, max(high, low + 1)) if whole else (floor(low / step) * step, ceil(high / step - 1e-9) * step)
    if last <= first:
        last = first + step
    ticks = np.arange(ceil(first / step - 1e-9), floor(last / step + 1e-9) + 1) * step
    return Axis(title, first, last, tuple(float(f"{tick:.12g}") for tick in ticks))


def log_axis(title: str, values: ArrayLike) -> Axis:
    """An axis around the base-10 logarithms of positive values, with ticks at 1, 2 and 5 times powers of ten."""
    logs = np.log10(np.asarray(values, dtype=np.float64))
    pad = max(0.08, (LEAST_DECADES - (float(logs.max()) - float(logs.min()))) / 2)
    low, high = float(logs.min()) - pad, float(logs.max()) + pad
    powers = range(floor(low), ceil(high) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        ticks = [
            factor * 10.0**power for power in powers for factor in factors if low <= log10(factor * 10.0**power) <= high
        ]
        if len(ticks) >= FEWEST_TICKS:
            break
    return Axis(title, low, high, tuple(map(log10, ticks)), tuple(map(short_number, ticks)))


def short_number(value: float) -> str:
    """ "0.5", "120", "3 k", "4.8 M", "1.2 G"."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return numeral(value, ".3g")


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10 times a power of ten."""
    power = float(10 ** floor(log10(rough)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


@dataclass(frozen=True)
class Frame:
    """A plotting area with its axes: turns values into places and things drawn into an `<svg>`."""

    x: Axis
    y: Axis
    width: float = 400
    height: float = 350
    left: float = 56
    right: float = 14
    top: float = 12
    bottom: float = 46

    def across(self, value: ArrayLike) -> np.ndarray:
        """Where values of the horizontal axis lie, in the drawing's units from its left."""
        return np.asarray(self.left + self.x.share(value) * (self.width - self.left - self.right))

    def down(self, value: ArrayLike) -> np.ndarray:
        """Where values of the vertical axis lie, in the drawing's units from its top."""
        return np.asarray(self.height - self.bottom - self.y.share(value) * (self.height - self.top - self.bottom))

    def curve(self, x: ArrayLike, y: ArrayLike, key: str) -> Markup:
        """A line through the points; nothing where none of them is finite."""
        line = path_data(self.across(x), self.down(y), tolerance=TOLERANCE, unit=UNIT)
        if not line:
            return Markup("")
        return Markup('<path class="curve {}" transform="scale({})" d="{}"/>').format(key, UNIT, line)

    def area(self, x: ArrayLike, y: ArrayLike, key: str) -> Markup:
        """A filled shape along the points."""
        line = path_data(self.across(x), self.down(y), tolerance=0, unit=UNIT)
        return Markup('<path class="area {}" transform="scale({})" d="{}z"/>').format(key, UNIT, line)

    def dot(self, x: float, y: float, key: str, radius: float = 4, note: str = "") -> Markup:
        """A disc at a point; `note` is what it says under the pointer."""
        title = Markup("<title>{}</title>").format(note) if note else ""
        return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">{}</circle>').format(
            key, float(self.across(x)), float(self.down(y)), radius, title
        )

    def guide(self, x: tuple[float, float], y: tuple[float, float]) -> Markup:
        """A thin dashed line to compare with."""
        (x1, x2), (y1, y2) = self.across(x), self.down(y)
        return Markup('<path class="guide" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(x1, y1, x2, y2)

    def draw(self, label: str, drawn: Sequence[Markup]) -> Markup:
        """The whole `<svg>`: axes below, then what was drawn. `label` says it in words."""
        return svg(self.width, self.height, label, [self._axes(), *drawn])

    def _axes(self) -> Markup:
        floor_, ceiling = self.height - self.bottom, self.top
        parts = []
        for tick, words in self.x.marked:
            at = float(self.across(tick))
            label = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>')
            parts.append(label.format(at, floor_ + 17, words))
        for tick, words in self.y.marked:
            at = float(self.down(tick))
            parts.append(
                Markup(
                    '<path class="gridline" d="M{:.1f} {:.1f}H{:.1f}"/>'
                    '<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>'
                ).format(self.left, at, self.width - self.right, self.left - 8, at + 4, words)
            )
        titles = Markup(
            '<path class="axis" d="M{left:.1f} {floor:.1f}H{end:.1f}"/>'
            '<text class="title" x="{middle:.1f}" y="{foot:.1f}" text-anchor="middle">{x}</text>'
            '<text class="title" transform="translate(13 {centre:.1f}) rotate(-90)" text-anchor="middle">{y}</text>'
        ).format(
            left=self.left,
            floor=floor_,
            end=self.width - self.right,
            middle=(self.left + self.width - self.right) / 2,
            foot=self.height - 8,
            centre=(floor_ + ceiling) / 2,
            x=self.x.title,
            y=self.y.title,
        )
        return Markup("").join([*parts, titles])


def svg(width: float, height: float, label: str, drawn: Sequence[Markup]) -> Markup:
    """An `<svg>` that scales with the page and says in `label` what it shows."""
    return Markup('<svg class="plot" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, Markup("").join(drawn)
    )


def shortened(text: str, most: int) -> str:
    """At most `most` characters, with an ellipsis where some are left out."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
