"""What calipers read off the representative beat: its intervals, and the heights, areas and outline of its waves in each lead."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ecgenough.signals.delineation import (
    FEWEST_BEATS,
    RATE,
    SHORTEST,
    Beat,
    Floats,
    find_beats,
    prepared,
    samples_in,
    smoothed,
)

IN_EACH_LEAD = (
    *("q", "r", "s", "st", "t", "qrs_area", "qrs_size", "peak_to_peak", "r_time", "s_time", "q_duration", "turns"),
    *("r_prime", "upstroke", "j", "st_60", "st_80", "st_slope", "t_most", "t_least", "t_share"),
    *("p", "p_most", "p_least"),
)
VECTOR = (
    *("p_axis", "t_axis", "qrs_t", "p_duration", "pr_segment", "p_share", "sokolow_lyon", "cornell", "voltage_sum"),
    *("limb_voltage", "limb_voltage_least", "chest_voltage", "r_s_V1", "transition", "r_progression"),
    *("qrs_height", "qrs_height_time", "qrs_speed", "qrs_speed_time", "qrs_start", "qrs_end"),
)
OUTLINE = {"outline_pr": 6, "outline_qrs": 8, "outline_stt": 8}  # stretches of a lead's beat, and the parts of each
BEFORE_QRS, AFTER_QRS = 0.24, 0.4  # s of the stretches "pr" and "stt"
LIMB, CHEST = ("I", "II", "III", "aVR", "aVL", "aVF"), ("V1", "V2", "V3", "V4", "V5", "V6")
SMALL = 0.05  # mV, added to what is divided by: below it a voltage is noise


@dataclass(frozen=True, eq=False)
class MeasuredBeat:
    """The representative beat of a prepared signal `[leads, samples]`, above its level before QRS."""

    signal: Floats
    peaks: NDArray[np.int64]
    beat: Beat
    leads: tuple[str, ...]

    @classmethod
    def of(cls, ecg: NDArray[np.float32], rate: float, leads: tuple[str, ...]) -> Self | None:
        """None where there are fewer than three beats in at least 2 s. Raises ValueError for other than one name a lead."""
        if len(ecg) != len(leads):
            raise ValueError(f"an ECG of {len(ecg)} leads with {len(leads)} lead names: {', '.join(leads)}")
        if ecg.shape[1] < SHORTEST * rate:
            return None
        signal = prepared(ecg, rate)
        peaks = find_beats(signal)
        return cls(signal, peaks, Beat(signal, peaks), leads) if len(peaks) >= FEWEST_BEATS else None

    @cached_property
    def above(self) -> Floats:
        return np.asarray(self.beat.signal - self.beat.level)

    @cached_property
    def qrs(self) -> Floats:
        return self.above[:, self.beat.onset : self.beat.offset + 1]

    @cached_property
    def p(self) -> tuple[float, float, float]:
        return self.beat.p()

    @cached_property
    def t_peak(self) -> float:
        return self.beat.t(self.above)[0]

    @property
    def before_r(self) -> int:
        """Samples from the onset of QRS to R."""
        return self.beat.centre - self.beat.onset

    @cached_property
    def size(self) -> float:
        """Height of the QRS complex, mV, all leads together."""
        return float(np.linalg.norm(self.qrs, axis=0).max())

    def intervals(self) -> dict[str, float]:
        beat = self.beat
        qt = ms(beat.t(self.above)[1] - beat.onset)
        return {
            "odd_beats": beat.odd,
            "pr": ms(beat.onset - self.p[0]),
            "qrs": ms(beat.offset - beat.onset),
            "qt": qt,
            "qtc": qt / beat.rr ** (1 / 3),  # Fridericia, Acta Med Scand 1920;53:469
            "axis": self._axis(self.qrs.sum(axis=1)),
            "p_height": self.p[2],
        }

    def in_each_lead(self) -> dict[str, float]:
        qrs = self.qrs
        most, least, top = qrs.max(axis=1), qrs.min(axis=1), qrs.argmax(axis=1)
        early = qrs[:, : samples_in(0.04) + 1]
        j, st_60, st_80 = (self._after_qrs(seconds) for seconds in (0, 0.06, 0.08))
        late = self.above[:, min(self.beat.offset + samples_in(0.08), self.above.shape[1] - 2) :]
        t_most, t_least = late.max(axis=1), late.min(axis=1)
        found = {
            "r": most,
            "st": self._after_qrs(0.04),
            "t": self._t_heights(),
            "qrs_area": ms(qrs.sum(axis=1)),
            "qrs_size": ms(np.abs(qrs).sum(axis=1)),
            "peak_to_peak": most - least,
            "r_time": ms(top),
            "s_time": ms(qrs.argmin(axis=1)),
            "upstroke": np.abs(np.diff(early)).mean(axis=1) / (np.abs(np.diff(qrs)).max(axis=1) + 1e-3),
            "j": j,
            "st_60": st_60,
            "st_80": st_80,
            "st_slope": st_80 - j,
            "t_most": t_most,
            "t_least": t_least,
            "t_share": np.where(t_most > -t_least, t_most, t_least) / (most - least + SMALL),
            **self._p_heights(),
        }
        lines = [_deflections(line, int(peak)) for line, peak in zip(qrs, top, strict=True)]
        found |= {name: np.array([line[name] for line in lines]) for name in lines[0]}
        return _by_lead(found, self.leads)

    def vector(self) -> dict[str, float]:
        """Of all leads together, and of several."""
        qrs, ends = self.qrs, self._p_ends()
        height, speed = np.linalg.norm(qrs, axis=0), np.linalg.norm(np.diff(qrs), axis=0)
        short = samples_in(0.03)
        found = {
            **self._voltages(),
            "p_duration": ms(ends - self.p[0]),
            "pr_segment": ms(self.beat.onset - ends),
            "p_share": self.p[2] / (self.size + SMALL),
            "qrs_height": height.max(),
            "qrs_height_time": ms(height.argmax()),
        }
        if len(speed):
            fastest = speed.max() + 1e-6
            found |= {
                "qrs_speed": fastest,
                "qrs_speed_time": ms(speed.argmax()),
                "qrs_start": speed[:short].mean() / fastest,  # slow with a delta wave
                "qrs_end": speed[-short:].mean() / fastest,  # slow with a bundle branch block
            }
        if not np.isnan(self.p[1]):
            found["p_axis"] = self._axis(self.above[:, int(self.p[1])])
        if not np.isnan(self.t_peak):
            t, area = self.above[:, int(self.t_peak)], qrs.sum(axis=1)
            found["t_axis"] = self._axis(t)
            found["qrs_t"] = area @ t / (np.linalg.norm(area) * np.linalg.norm(t) + 1e-9)  # cosine of the angle between
        return {name: float(value) for name, value in found.items()}

    def outline(self) -> dict[str, float]:
        onset, past = self.beat.onset, self.beat.offset + 1
        stretches = {
            "outline_pr": (max(0, onset - samples_in(BEFORE_QRS)), onset),
            "outline_qrs": (onset, past),
            "outline_stt": (past, min(past + samples_in(AFTER_QRS), self.above.shape[1])),
        }
        found: dict[str, float] = {}
        for what, (start, stop) in stretches.items():
            parts = OUTLINE[what]
            if stop - start >= parts:
                edges = np.linspace(start, stop, parts + 1).round().astype(int)
                means = np.add.reduceat(self.above[:, :stop], edges[:-1], axis=1) / np.diff(edges)
                for part in range(parts):
                    found |= _by_lead({f"{what}_{part}": means[:, part]}, self.leads)
        return found

    def _voltages(self) -> dict[str, float]:
        """What criteria of hypertrophy, low voltage and R progression add up; those whose leads are there."""
        high, deep = (
            dict(zip(self.leads, side, strict=True)) for side in (self.qrs.max(axis=1), -self.qrs.min(axis=1))
        )
        both = {lead: high[lead] + deep[lead] for lead in self.leads}
        limb, chest = ([both[lead] for lead in group if lead in both] for group in (LIMB, CHEST))
        found = {"voltage_sum": sum(both.values())}
        if limb:
            found |= {"limb_voltage": max(limb), "limb_voltage_least": min(limb)}
        if chest:
            found["chest_voltage"] = max(chest)
        if "V1" in both:
            found["r_s_V1"] = high["V1"] / (max(deep["V1"], 0) + SMALL)
        if {"V1", "V5", "V6"} <= both.keys():
            found["sokolow_lyon"] = deep["V1"] + max(high["V5"], high["V6"])  # Am Heart J 1949;37:161
        if {"aVL", "V3"} <= both.keys():
            found["cornell"] = high["aVL"] + deep["V3"]  # Casale et al., Circulation 1987;75:565
        if both.keys() >= set(CHEST):
            found["transition"] = next(
                (place for place, lead in enumerate(CHEST) if high[lead] > deep[lead]), len(CHEST)
            )
            found["r_progression"] = min(high[after] - high[before] for before, after in pairwise(CHEST[:4]))
        return found

    def _after_qrs(self, seconds: float) -> Floats:
        return np.asarray(self.above[:, min(self.beat.offset + samples_in(seconds), self.above.shape[1] - 1)])

    def _t_heights(self) -> Floats:
        """The T wave of each lead with its sign, mV."""
        if np.isnan(self.t_peak):
            return np.full(len(self.leads), np.nan)
        near = _around(self.above, self.t_peak, 0.03)
        return np.take_along_axis(near, np.abs(near).argmax(axis=1)[:, None], axis=1)[:, 0]

    def _p_heights(self) -> dict[str, Floats]:
        if np.isnan(self.p[1]):
            return {}
        near = _around(self.above, self.p[1], 0.06)
        return {"p": self.above[:, int(self.p[1])], "p_most": near.max(axis=1), "p_least": near.min(axis=1)}

    def _p_ends(self) -> float:
        """Where the P wave has fallen to 12% of its height; NaN without one, or where it runs into QRS."""
        if np.isnan(self.p[1]):
            return float("nan")
        fall = smoothed(np.linalg.norm(self.above[:, : self.beat.onset], axis=0), 0.016)[int(self.p[1]) :]
        below = np.flatnonzero(fall < fall.min() + 0.12 * (fall[0] - fall.min()))
        return self.p[1] + float(below[0]) if len(below) else float("nan")

    def _axis(self, vector: Floats) -> float:
        """Frontal axis, degrees, from I and aVF, the latter scaled as an augmented lead."""
        if "I" not in self.leads or "aVF" not in self.leads:
            return float("nan")
        first, foot = (vector[self.leads.index(lead)] for lead in ("I", "aVF"))
        return float(np.degrees(np.arctan2(foot * 2 / np.sqrt(3), first)))


def _deflections(line: Floats, top: int) -> dict[str, float]:
    """Of one lead's QRS: Q before the highest R at `top`, S after it and what rises after S, mV; how long Q lasts; its turns."""
    s = top + int(line[top:].argmin())
    turns = sum(len(find_peaks(side, prominence=SMALL)[0]) for side in (line, -line))
    return {
        "q": float(line[: top + 1].min()),
        "s": float(line[s]),
        "r_prime": float(line[s:].max() - line[s]),
        "q_duration": ms(float((line[:top] < -0.02).sum())),
        "turns": float(turns),
    }


def _around(signal: Floats, sample: float, seconds: float) -> Floats:
    return signal[:, max(0, int(sample) - samples_in(seconds)) : int(sample) + samples_in(seconds)]


def _by_lead(found: dict[str, Floats], leads: Sequence[str]) -> dict[str, float]:
    return {
        f"{what}_{lead}": float(value)
        for what, values in found.items()
        for lead, value in zip(leads, values, strict=True)
    }


def ms(samples: Any) -> Any:
    """Samples at RATE in milliseconds."""
    return samples * (1e3 / RATE)
