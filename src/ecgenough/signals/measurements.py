"""What calipers read off an ECG, as numbers: its rhythm, the intervals, heights and outline of its waves, and how beats vary.

Waves are those of the representative beat (`measured_beat`). RHYTHM is what a recorder prints; the rest describes each
wave in each lead, and what the representative beat leaves out: beats unlike it, and what the atria do (`each_beat`).
"""

import numpy as np
from numpy.typing import NDArray

from ecgenough.signals.delineation import RATE, Floats
from ecgenough.signals.each_beat import ATRIAL, ATRIAL_LEADS, BETWEEN, ODD, VARIES, WAVES, EachBeat, rms
from ecgenough.signals.measured_beat import IN_EACH_LEAD, OUTLINE, VECTOR, MeasuredBeat

RHYTHM = ("rate", "rr_spread", "odd_beats", "pr", "qrs", "qt", "qtc", "axis", "p_height")
BEATS = (
    *("beats", "rr_median", "rr_least", "rr_most", "rr_iqr", "rr_cv", "rr_gap", "rr_early", "rr_late", "rr_early_late"),
    *("rr_step", "rr_step_median", "rr_step_long", "rr_turns", "rr_echo_1", "rr_echo_2", "rr_echo_3"),
)
RAW = ("spike", "spike_most", "spike_share", "sharpest", "muscle", "wander", "range")


def measures(leads: tuple[str, ...]) -> tuple[str, ...]:
    """The names of what `measure` gives: times in ms, rate in beats a minute, axes in degrees, heights in mV. But for:

    - `rr_median` in s; `rr_least`, `_most`, `_iqr`, `_cv`, `_gap`, `_step`, `_step_median`, `odd_before` and `odd_after`
      relative to it; `rr_early`, `_late`, `_step_long` and `_turns`, shares; `rr_echo`, correlations.
    - `p_height`, `qrs_height` and `qrs_speed` (mV in 2 ms): lengths of the vector of all leads. `odd_size` is relative to it.
    - `qrs_area` and `qrs_size` in mV ms; `st_slope` in mV, from J to 80 ms after it; `residue_peak` in Hz.
    - `spike`, `sharpest` and `muscle`: second differences of the samples in mV, which depend on the sampling rate.
    - `_share`, `upstroke`, `qrs_start`, `qrs_end`, `r_s`, `unlike`, `residue_tuned` and `_slow`: ratios; `qrs_t` a cosine,
      `likeness` a correlation.
    - `beats`, `rr_early_late`, `turns`, `waves_between`: counts; `transition`: the place of a chest lead, from 0.

    `s_time` is that of the lowest point of QRS, which may be Q; `r_prime` the rise from S to the highest point after it, be
    it no more than the end of S.
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
    """Measure an ECG in mV `[leads, samples]`; `[measures]`, NaN where something is not found.

    Nothing is found where a sample is lost (NaN): bridge gaps before. Raises ValueError for other than one name a lead.
    """
    found = dict.fromkeys(measures(leads), np.nan)
    measured = MeasuredBeat.of(ecg, rate, leads)
    if measured:
        each = EachBeat(measured)
        for part in (
            _rhythm(measured.peaks),
            measured.intervals(),
            measured.in_each_lead(),
            measured.vector(),
            measured.outline(),
            each.varying(),
            each.between(),
            each.atrial(),
            _raw(ecg, rate, each.r - measured.before_r),
        ):
            found.update(part)
    return np.array(list(found.values()))


def printed(ecg: NDArray[np.float32], rate: float, leads: tuple[str, ...]) -> dict[str, float]:
    """RHYTHM of an ECG in mV `[leads, samples]`, as `measure` has it, in three fifths of the time."""
    found = dict.fromkeys(RHYTHM, np.nan)
    measured = MeasuredBeat.of(ecg, rate, leads)
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


def _raw(ecg: NDArray[np.float32], rate: float, onsets: NDArray[np.int64]) -> dict[str, float]:
    """Of the signal as it was sampled: how sharp it is at all, and before QRS (pacemakers), and its noise."""
    bend = np.abs(np.diff(ecg, 2, axis=1)).max(axis=0)
    centred = ecg - np.median(ecg, axis=1, keepdims=True)
    found = {
        "sharpest": bend.max(),
        "muscle": np.median(np.abs(np.diff(ecg, 2, axis=1))),
        "wander": rms(centred.mean(axis=0)),
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
