"""What one look at a recording finds: what it says of itself, what its voltages are like, what is odd about them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough import formats
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.formats.bounds import check_rate
from ecgenough.formats.header import read_header
from ecgenough.formats.table import TableLayout
from ecgenough.inspection import duplicates, quality
from ecgenough.inspection.algebra import Misfit, misfit
from ecgenough.inspection.electrodes import Exchange, exchange
from ecgenough.signals.conditioning import FLAT, IMPOSSIBLE, SLOWEST, bridged
from ecgenough.signals.conditioning import SHORTEST as SHORTEST_READ
from ecgenough.signals.delineation import RATE, SHORTEST, find_beats, prepared, representative_waves
from ecgenough.signals.ends import is_cut_off
from ecgenough.signals.plausibility import beat_height
from ecgenough.signals.store import MICROVOLTS

Floats = NDArray[np.float64]

LOOKED_AT = 60.0  # seconds; what is measured on a day's recording is measured on its first minute


@dataclass(frozen=True, eq=False)
class Look:
    """One recording. `heights` are the mV that a beat spans in each lead, `scores` each lead's quality from 0 to 1,
    `indices` the means over leads of what they are made of (`quality.INDICES`).

    `unit` is what the file states, `step` about the smallest difference between its voltages in µV. `lost` counts samples,
    `flat` names leads that never vary, `still` those that do not for most of the time, `ended` those that rest on one
    voltage as an amplifier at its end does. `rate` is in Hz, `beats` a minute (NaN where none are found).
    """

    rate: float
    samples: int
    leads: tuple[str, ...]
    unit: str
    step: float
    lost: int
    flat: tuple[str, ...]
    still: tuple[str, ...]
    ended: tuple[str, ...]
    height: float
    heights: tuple[float, ...]
    beats: float
    scores: tuple[float, ...]
    indices: tuple[float, ...]
    misfit: Misfit | None
    exchange: Exchange | None
    hash: int | None
    sketch: NDArray[np.float32] | None

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    @property
    def score(self) -> float:
        """Quality from 0 to 1: the mean of the three worst leads'."""
        return quality.overall(np.array(self.scores))


def look(path: Path, layout: TableLayout | None = None) -> Look:
    """Read the recording at `path` and look at it. Raises BrokenRecord where it cannot be read."""
    return look_at(formats.read(path, layout), stated_unit(path, layout))


def look_at(ecg: Ecg, unit: str = "") -> Look:
    """Measure a recording; every figure is of its first minute at most.

    Raises BrokenRecord for one below 1 s or 20 Hz, or without a sample that is not lost.
    """
    check_rate(ecg.rate)
    if ecg.rate < SLOWEST:
        raise BrokenRecord(f"the recording has {ecg.rate:g} samples a second; an ECG needs at least {SLOWEST:g}.")
    if ecg.duration < SHORTEST_READ:
        raise BrokenRecord(f"the recording lasts {ecg.duration:.2f} s; at least {SHORTEST_READ:g} s is needed.")
    part = ecg.signal[:, : max(1, round(LOOKED_AT * ecg.rate))]
    lost = ~(np.abs(part) < IMPOSSIBLE)
    if lost.all():
        raise BrokenRecord("the recording holds no voltage: every sample is lost.")
    signal = bridged(part, lost) if lost.any() else part
    spans = np.ptp(signal, axis=1)
    flat = tuple(lead for lead, span in zip(ecg.leads, spans, strict=True) if span < FLAT)
    peaks, waves = np.zeros(0, dtype=np.int64), None
    if signal.shape[1] >= SHORTEST * ecg.rate and len(flat) < len(ecg.leads):
        clean = prepared(signal, ecg.rate)
        peaks = find_beats(clean)
        waves = representative_waves(clean, peaks)
    table = quality.indices(signal, ecg.rate, peaks / RATE)
    alive = table[:, quality.INDICES.index("fSQI")]
    centred = signal - np.median(signal, axis=1, keepdims=True)
    ended = [is_cut_off(line, ecg.rate) for line in signal]
    return Look(
        rate=ecg.rate,
        samples=ecg.samples,
        leads=ecg.leads,
        unit=unit,
        step=_step(signal),
        lost=int(np.count_nonzero(lost)),
        flat=flat,
        still=tuple(lead for lead, share in zip(ecg.leads, alive, strict=True) if share < 0.5 and lead not in flat),
        ended=tuple(lead for lead, held in zip(ecg.leads, ended, strict=True) if held and lead not in flat),
        height=float(beat_height(signal, ecg.rate)),
        heights=tuple(beat_height(signal[:, None], ecg.rate).round(4).tolist()),
        beats=60.0 * RATE / float(np.diff(peaks).mean()) if len(peaks) > 2 else float("nan"),
        scores=tuple(quality.score(table).round(4).tolist()),
        indices=tuple(table.mean(axis=0).round(4).tolist()),
        misfit=misfit(centred, ecg.leads),
        exchange=None if waves is None else exchange(waves, ecg.leads),
        hash=duplicates.exact_hash(ecg) if len(flat) < len(ecg.leads) else None,
        sketch=duplicates.sketch(signal, ecg.leads),
    )


def stated_unit(path: Path, layout: TableLayout | None = None) -> str:
    """The unit that a recording's file or layout states, with the counts it is kept in: "1000/mV", "200/mV"."""
    if layout is not None:
        return layout.unit
    try:
        header = read_header(path)
    except BrokenRecord:
        return "as its format says"
    return ", ".join(sorted({f"{signal.gain:g}/{signal.unit}" for signal in header.signals}))


def _step(signal: NDArray[np.float32]) -> float:
    """About the smallest difference between two voltages, in µV: of a lead's neighbouring samples, over all leads.

    The first percentile of them: the straight lines across gaps leave a few that are smaller.
    """
    steps = np.abs(np.diff(signal.astype(np.float64), axis=1))
    steps = steps[steps > 1e-9]
    return float(np.percentile(steps, 1) * MICROVOLTS) if steps.size else 0.0
