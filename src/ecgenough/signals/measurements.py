"""What calipers read off an ECG, as numbers: its rhythm, the intervals, heights and outline of its waves, and how beats vary.

Waves are those of the representative beat (`delineation`). RHYTHM is what a recorder prints; the rest describes each
wave in each lead, and what the representative beat leaves out: beats unlike it, and what the atria do between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, sosfiltfilt

from ecgenough.signals.delineation import (
    FEWEST_BEATS,
    RATE,
    SHORTEST,
    Beat,
    Floats,
    find_beats,
    prepared,
    samples_in,
    shift_onto,
    smoothed,
)

RHYTHM = ("rate", "rr_spread", "odd_beats", "pr", "qrs", "qt", "qtc", "axis", "p_height")
BEATS = (
    *("beats", "rr_median", "rr_least", "rr_most", "rr_iqr", "rr_cv", "rr_gap", "rr_early", "rr_late", "rr_early_late"),
    *("rr_step", "rr_step_median", "rr_step_long", "rr_turns", "rr_echo_1", "rr_echo_2", "rr_echo_3"),
)
VECTOR = (
    *("p_axis", "t_axis", "qrs_t", "p_duration", "pr_segment", "p_share", "sokolow_lyon", "cornell", "voltage_sum"),
    *("limb_voltage", "limb_voltage_least", "chest_voltage", "r_s_V1", "transition", "r_progression"),
    *("qrs_height", "qrs_height_time", "qrs_speed", "qrs_speed_time", "qrs_start", "qrs_end"),
)
WAVES = ("p", "qrs", "t")
VARIES = ("deviation", "deviation_most", "deviation_share", "likeness", "likeness_least", "unlike")
ODD = ("odd_size", "odd_width", "odd_before", "odd_after")
BETWEEN = ("waves_between", "waves_between_most", "waves_between_spread")
ATRIAL = ("residue", "residue_peak", "residue_tuned", "residue_slow", "between_qrs")
ATRIAL_LEADS = ("II", "V1")  # in which the atria are seen best
RAW = ("spike", "spike_most", "spike_share", "sharpest", "muscle", "wander", "range")
IN_EACH_LEAD = (
    *("q", "r", "s", "st", "t", "qrs_area", "qrs_size", "peak_to_peak", "r_time", "s_time", "q_duration", "turns"),
    *(
        "r_prime",
        "upstroke",
        "j",
        "st_60",
        "st_80",
        "st_slope",
        "t_most",
        "t_least",
        "t_share",
        "p",
        "p_most",
        "p_least",
    ),
)
OUTLINE = {
    "outline_pr": 6,
    "outline_qrs": 8,
    "outline_stt": 8,
}  # stretches of a lead's beat, each by means of that many parts
BEFORE_QRS, AFTER_QRS = 0.24, 0.4  # s of the stretches "pr" and "stt"
LIMB, CHEST = ("I", "II", "III", "aVR", "aVL", "aVF"), ("V1", "V2", "V3", "V4", "V5", "V6")
ATRIAL_BAND = butter(
    2, [3, 20], "bandpass", fs=RATE, output="sos"
)  # Hz: flutter and fibrillation, and their first harmonic
NEAR_QRS = 0.12  # s either side of R that are left out of what lies between QRS complexes
LIKE = 0.8  # correlation with the representative wave below which a wave is unlike it
SMALL = 0.05  # mV, added to what is divided by: below it a voltage is noise


def measures(leads: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what `measure` gives: times in ms, rate in beats a minute, axes in degrees, heights in mV.

    `_share`, `_slope` and `r_s` are ratios; `rr_` but for its median, in seconds, are relative to the median.
    """
    return (
        *RHYTHM,
        *(f"{what}_{lead}" for lead in leads for what in IN_EACH_LEAD),
        *BEATS,
        *VECTOR,
        *(f"{wave}_{what}" for wave in WAVES for what in VARIES),
        *ODD,
        *BETWEEN,
        *(f"{what}_{lead}" for lead in ATRIAL_LEADS for what in ATRIAL),
        *RAW,
        *(f"{what}_{part}_{lead}" for what, parts in OUTLINE.items() for lead in leads for part in range(parts)),
    )


def measure(ecg: NDArray[np.float32], rate: float, leads: tuple[str, ...]) -> Floats:
    """Measure an ECG in mV `[leads, samples]`; `[measures]`, NaN where something is not found."""
    found = dict.fromkeys(measures(leads), np.nan)
    measured = _Measured.of(ecg, rate, leads)
    if measured:
        each = _EachBeat(measured)
        parts = (
            measured.in_each_lead(),
            measured.vector(),
            measured.outline(),
            each.varying(),
            each.between(),
            each.atrial(),
        )
        for part in (
            _rhythm(measured.peaks),
            measured.intervals(),
            *parts,
            _raw(ecg, rate, each.r - measured.before_r),
        ):
            found.update(part)
    return np.array(list(found.values()))


def printed(ecg: NDArray[np.float32], rate: float, leads: tuple[str, ...]) -> dict[str, float]:
    """RHYTHM of an ECG in mV `[leads, samples]`, as `measure` has it, in three fifths of the time."""
    found = dict.fromkeys(RHYTHM, np.nan)
    measured = _Measured.of(ecg, rate, leads)
    if measured:
        told = _rhythm(measured.peaks) | measured.intervals()
        found = {name: told[name] for name in RHYTHM}
    return found


def _rhythm(peaks: NDArray[np.int64]) -> dict[str, float]:
    """Of the intervals between beats, at least two: how long, how uneven, and in what order."""
    rr = np.diff(peaks) / RATE
    median = float(np.median(rr))
    share = rr / median
    step, centred = np.abs(np.diff(share)), share - share.mean()
    found = {
        "rate": 60 / float(rr.mean()),
        "rr_spread": 1e3 * float(rr.std()),
        "beats": len(peaks),
        "rr_median": median,
        "rr_least": share.min(),
        "rr_most": share.max(),
        "rr_iqr": np.subtract(*np.percentile(share, [75, 25])),
        "rr_cv": share.std(),
        "rr_gap": np.diff(np.sort(share)).max(),  # wide where there are two lengths, as of bigeminy
        "rr_early": (share < 0.85).mean(),
        "rr_late": (share > 1.15).mean(),
        "rr_early_late": ((share[:-1] < 0.88) & (share[1:] > 1.08)).sum(),  # a premature beat and its pause
        "rr_step": np.sqrt((step**2).mean()),
        "rr_step_median": np.median(step),
        "rr_step_long": (step * median > 0.05).mean(),  # as pNN50
    }
    if len(rr) > 2:
        turned = np.diff(share)
        found["rr_turns"] = (turned[1:] * turned[:-1] < 0).mean()
    for lag in (1, 2, 3):
        if len(rr) > lag + 1:
            found[f"rr_echo_{lag}"] = (centred[lag:] * centred[:-lag]).mean() / ((centred**2).mean() + 1e-6)
    return {name: float(value) for name, value in found.items()}


@dataclass(frozen=True, eq=False)
class _Measured:
    """The representative beat of a prepared signal `[leads, samples]`, above its level before QRS."""

    signal: Floats
    peaks: NDArray[np.int64]
    beat: Beat
    leads: tuple[str, ...]

    @classmethod
    def of(cls, ecg: NDArray[np.float32], rate: float, leads: tuple[str, ...]) -> Self | None:
        """None where there are fewer than three beats in at least 2 s."""
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
        qt = _ms(beat.t(self.above)[1] - beat.onset)
        return {
            "odd_beats": beat.odd,
            "pr": _ms(beat.onset - self.p[0]),
            "qrs": _ms(beat.offset - beat.onset),
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
            "qrs_area": _ms(qrs.sum(axis=1)),
            "qrs_size": _ms(np.abs(qrs).sum(axis=1)),
            "peak_to_peak": most - least,
            "r_time": _ms(top),
            "s_time": _ms(qrs.argmin(axis=1)),
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
            "p_duration": _ms(ends - self.p[0]),
            "pr_segment": _ms(self.beat.onset - ends),
            "p_share": self.p[2] / (self.size + SMALL),
            "qrs_height": height.max(),
            "qrs_height_time": _ms(height.argmax()),
        }
        if len(speed):
            fastest = speed.max() + 1e-6
            found |= {
                "qrs_speed": fastest,
                "qrs_speed_time": _ms(speed.argmax()),
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


class _EachBeat:
    """The beats themselves beside the representative one."""

    def __init__(self, measured: _Measured) -> None:
        beat, signal = measured.beat, measured.signal
        self.measured, self.centre, self.length = measured, beat.centre, beat.signal.shape[1]
        self.margin = self.centre + self.length
        self.padded = np.pad(signal, ((0, 0), (self.margin, self.margin)), mode="edge")
        moved = [shift_onto(self.padded, int(peak) + self.margin, beat.signal, self.centre) for peak in measured.peaks]
        self.r = measured.peaks + np.array(moved)
        starts = self.r - self.centre
        self.inner = np.flatnonzero(
            (starts >= -5) & (starts + self.length <= signal.shape[1] + 5)
        )  # cut off by 10 ms at most

    def varying(self) -> dict[str, float]:
        """How far each wave of each beat is from the representative one, and the beat that is farthest."""
        if len(self.inner) < 2:
            return {}
        shape, beat = self.measured.beat.signal, self.measured.beat
        starts = self.r[self.inner] - self.centre + self.margin
        beats = np.stack([self.padded[:, start : start + self.length] for start in starts])
        t = min(beat.offset + samples_in(0.06), self.length - 2)
        stretches = (
            slice(max(0, beat.onset - samples_in(0.22)), beat.onset),
            slice(beat.onset, beat.offset + 1),
            slice(t, None),
        )
        found: dict[str, float] = {}
        for wave, stretch in zip(WAVES, stretches, strict=True):
            if shape[:, stretch].shape[1]:
                figures = _likeness(beats[:, :, stretch], shape[:, stretch])
                found |= {f"{wave}_{what}": value for what, value in zip(VARIES, figures, strict=True)}
        near = slice(max(0, self.centre - samples_in(0.12)), self.centre + samples_in(0.12))
        far = np.sqrt(((beats - shape)[:, :, near] ** 2).mean(axis=(1, 2)))
        return found | self._odd(int(far.argmax()), float(far.max()), beats)

    def _odd(self, which: int, far: float, beats: Floats) -> dict[str, float]:
        near = slice(max(0, self.centre - samples_in(0.2)), self.centre + samples_in(0.2))
        speed = np.linalg.norm(np.diff(beats[which]), axis=0)[near]
        rr, place = np.diff(self.r), int(self.inner[which])
        usual = float(np.median(rr))
        return {
            "odd_size": far / (self.measured.size + 1e-6),
            "odd_width": _ms(float((speed > 0.15 * speed.max()).sum())),
            "odd_before": float(rr[place - 1]) / usual if place else np.nan,
            "odd_after": float(rr[place]) / usual if place < len(rr) else np.nan,
        }

    def between(self) -> dict[str, float]:
        """Waves from the end of one QRS complex to the next: T and P, more of them in flutter and AV block."""
        beat = self.measured.beat
        height = smoothed(np.linalg.norm(self.measured.signal, axis=0), 0.03)
        after = beat.offset - beat.centre + samples_in(0.06)
        stretches = [height[one + after : other - self.measured.before_r - 4] for one, other in pairwise(self.r)]
        counts = [
            len(find_peaks(line, prominence=SMALL * self.measured.size)[0]) for line in stretches if len(line) > 20
        ]
        if not counts:
            return {}
        return {
            "waves_between": float(np.median(counts)),
            "waves_between_most": float(max(counts)),
            "waves_between_spread": float(np.std(counts)),
        }

    def atrial(self) -> dict[str, float]:
        """What is left when the representative beat is taken from each beat, and what lies between QRS complexes."""
        signal, leads = self.measured.signal, self.measured.leads
        rest, quiet = self._rest(), np.ones(signal.shape[1], dtype=bool)
        for r in self.r:
            quiet[max(0, r - samples_in(NEAR_QRS)) : max(0, r + samples_in(NEAR_QRS))] = False
        found: dict[str, float] = {}
        for lead in set(ATRIAL_LEADS).intersection(leads):
            own = leads.index(lead)
            figures = (*_spectrum(sosfiltfilt(ATRIAL_BAND, rest[own])), np.nan)
            if quiet.any():
                figures = (*figures[:-1], _rms(sosfiltfilt(ATRIAL_BAND, signal[own])[quiet]))
            found |= {f"{what}_{lead}": value for what, value in zip(ATRIAL, figures, strict=True)}
        return found

    def _rest(self) -> Floats:
        rest, shape = self.measured.signal.copy(), self.measured.beat.signal
        starts = self.r - self.centre
        ends = np.minimum(starts + self.length, np.append(starts[1:], rest.shape[1]))
        for start, end in zip(starts, ends, strict=True):
            first, last = max(0, start), max(0, end)
            rest[:, first:last] -= shape[:, first - start : last - start]
        return rest


def _raw(ecg: NDArray[np.float32], rate: float, onsets: NDArray[np.int64]) -> dict[str, float]:
    """Of the signal as it was sampled: how sharp it is at all, and before QRS (pacemakers), and its noise."""
    bend = np.abs(np.diff(ecg, 2, axis=1)).max(axis=0)
    centred = ecg - np.median(ecg, axis=1, keepdims=True)
    found = {
        "sharpest": bend.max(),
        "muscle": np.median(np.abs(np.diff(ecg, 2, axis=1))),
        "wander": _rms(centred.mean(axis=0)),
        "range": np.ptp(ecg, axis=1).max(),
    }
    at = onsets / RATE * rate
    before = [bend[max(0, round(on - 0.08 * rate)) : max(0, round(on + 0.01 * rate))] for on in at]
    spikes = [line.max() for line in before if len(line)]
    if spikes:
        complexes = [bend[max(0, round(on)) : max(0, round(on + 0.1 * rate))] for on in at]
        usual = np.median([line.max() for line in complexes if len(line)] or [np.nan])
        spike = np.median(spikes)
        found |= {"spike": spike, "spike_most": max(spikes), "spike_share": spike / (usual + 1e-3)}
    return {name: float(value) for name, value in found.items()}


def _deflections(line: Floats, top: int) -> dict[str, float]:
    """Of one lead's QRS: Q before the highest R at `top`, S after it and what rises after S, mV; how long Q lasts; its turns."""
    s = top + int(line[top:].argmin())
    turns = sum(len(find_peaks(side, prominence=SMALL)[0]) for side in (line, -line))
    return {
        "q": float(line[: top + 1].min()),
        "s": float(line[s]),
        "r_prime": float(line[s:].max() - line[s]),
        "q_duration": _ms(float((line[:top] < -0.02).sum())),
        "turns": float(turns),
    }


def _likeness(beats: Floats, shape: Floats) -> tuple[float, ...]:
    """VARIES of one wave of each beat `[beats, leads, samples]`, without its level, beside that of the representative."""
    beats = beats - beats.mean(axis=2, keepdims=True)
    shape = shape - shape.mean(axis=1, keepdims=True)
    far = np.sqrt(((beats - shape) ** 2).mean(axis=(1, 2)))
    alike = (beats * shape).sum(axis=(1, 2)) / np.sqrt((beats**2).sum(axis=(1, 2)) * (shape**2).sum() + 1e-9)
    usual = float(np.median(far))
    share = usual / (_rms(shape) + 1e-3)
    return usual, float(far.max()), share, float(np.median(alike)), float(alike.min()), float((alike < LIKE).mean())


def _spectrum(line: Floats) -> tuple[float, float, float, float]:
    """How much there is (mV), at which rate between 3 and 12 Hz most, the share within 0.5 Hz of it, and below 7 Hz."""
    size = 1 << max(13, (len(line) - 1).bit_length())
    power = np.abs(np.fft.rfft(line * np.hanning(len(line)), size)) ** 2
    rate = np.fft.rfftfreq(size, 1 / RATE)
    band = (rate >= 3) & (rate <= 12)
    power, rate = power[band], rate[band]
    most, total = rate[power.argmax()], power.sum() + 1e-12
    return (
        _rms(line),
        float(most),
        float(power[np.abs(rate - most) < 0.5].sum() / total),
        float(power[rate < 7].sum() / total),
    )


def _around(signal: Floats, sample: float, seconds: float) -> Floats:
    return signal[:, max(0, int(sample) - samples_in(seconds)) : int(sample) + samples_in(seconds)]


def _by_lead(found: dict[str, Floats], leads: Sequence[str]) -> dict[str, float]:
    return {
        f"{what}_{lead}": float(value)
        for what, values in found.items()
        for lead, value in zip(leads, values, strict=True)
    }


def _rms(line: Floats) -> float:
    return float(np.sqrt((line**2).mean()))


def _ms(samples: Any) -> Any:
    return samples * (1e3 / RATE)
