"""How good a recording is, in six published indices a lead, and one score made of them.

The indices are those of Clifford, Behar, Li & Rezek, Signal quality indices and data fusion for determining clinical
acceptability of electrocardiograms, Physiol Meas 2012;33:1419-1433, and of Li, Mark & Clifford, Physiol Meas 2008;29:15-32:

    bSQI     share of the beats that two detectors agree on, within 150 ms
    pSQI     power at 5-15 Hz, where QRS complexes have theirs, over that at 5-40 Hz
    sSQI     skewness of the voltages
    kSQI     kurtosis of the voltages (a normal distribution has 3): high for an ECG, low for noise
    basSQI   1 - power at 0-1 Hz over that at 0-40 Hz: low where the baseline wanders
    fSQI     share of the time in which the lead is not flat (there: 1 minus this)
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

from ecgenough.signals.conditioning import FLAT

Floats = NDArray[np.float64]

INDICES = ("bSQI", "pSQI", "sSQI", "kSQI", "basSQI", "fSQI")
TOLERANCE = 0.15  # seconds between two detections of one beat (ANSI/AAMI EC57)
WORST = 3  # leads
STRETCH = 0.5  # seconds in which a lead that is alive varies


def indices(signal: NDArray[np.float32], rate: float, beats: Floats) -> Floats:
    """The six indices of each lead of mV `[leads, samples]` without gaps: `[leads, 6]`.

    `beats` are where another detector found beats, in seconds. A lead that is flat throughout has 0 in each.
    """
    centred = signal.astype(np.float64) - signal.mean(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = centred * centred
        variance = squares.mean(axis=1)
        skewness = (squares * centred).mean(axis=1) / variance**1.5
        kurtosis = (squares * squares).mean(axis=1) / variance**2
        low, qrs, above_five, all_power = _powers(centred, rate)
        table = np.stack(
            [
                _agreement(centred, rate, beats),
                qrs / above_five,
                skewness,
                kurtosis,
                1 - low / all_power,
                _alive(signal, rate),
            ],
            axis=1,
        )
    table[np.ptp(signal, axis=1) < FLAT] = 0.0
    return np.asarray(np.nan_to_num(table))


def score(table: Floats) -> Floats:
    """One number a lead from `indices` `[..., 6]`, from 0 (no ECG to be seen) to 1: `[...]`.

    Each of bSQI, pSQI, kSQI and basSQI counts fully within the bounds that Zhao & Zhang (Front Physiol 2018;9:727) call
    optimal, not at all where they call it unqualified, linearly between; their mean is taken times fSQI.
    """
    graded = [_graded(table[..., INDICES.index(name)], *bounds) for name, bounds in BOUNDS.items()]
    return np.asarray(np.mean(graded, axis=0) * table[..., INDICES.index("fSQI")])


def overall(scores: Floats) -> float:
    """A recording's score from its leads': the mean of the three worst, as one bad lead is common and three are not."""
    return float(np.sort(scores)[:WORST].mean()) if len(scores) else 0.0


# Worthless up to the first, full from the second; the other two, where there are any, the same from above.
BOUNDS: dict[str, tuple[float, ...]] = {
    "bSQI": (0.6, 0.9),
    "pSQI": (0.3, 0.5, 0.8, 1.0),
    "kSQI": (3.0, 5.0),
    "basSQI": (0.5, 0.95),
}


def _graded(value: Floats, low: float, good: float, still_good: float = np.inf, high: float = np.inf) -> Floats:
    graded = np.clip((value - low) / (good - low), 0, 1)
    if np.isfinite(high):
        graded = np.minimum(graded, np.clip((high - value) / (high - still_good), 0, 1))
    return np.asarray(graded)


def _powers(centred: Floats, rate: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Power at 0-1, 5-15, 5-40 and 0-40 Hz."""
    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2
    at = np.fft.rfftfreq(centred.shape[1], 1 / rate)
    bands = ((0, 1), (5, 15), (5, 40), (0, 40))
    low, qrs, above_five, whole = (power[:, (at >= start) & (at <= end)].sum(axis=1) for start, end in bands)
    return low, qrs, above_five, whole


def _agreement(centred: Floats, rate: float, beats: Floats) -> Floats:
    """2 * matched / (found by one + found by the other), of `beats` and of each lead's own (`_energetic`)."""
    found = _energetic(centred, rate)
    shares = np.zeros(len(found))
    for at, own in enumerate(found):
        if len(own) and len(beats):
            near = np.abs(own[:, None] - beats[None]) <= TOLERANCE
            shares[at] = (near.any(axis=0).sum() + near.any(axis=1).sum()) / (len(own) + len(beats))
    return shares


def _energetic(centred: Floats, rate: float) -> list[Floats]:
    """Seconds of the beats of each lead alone: peaks of the energy at 5-15 Hz over 150 ms (Pan & Tompkins 1985)."""
    energy = uniform_filter1d(sosfiltfilt(_qrs_band(rate), centred, axis=1) ** 2, max(1, round(0.15 * rate)), axis=1)
    thresholds = 0.25 * np.percentile(energy, 95, axis=1)
    apart = max(1, round(0.25 * rate))
    peaks = (find_peaks(line, height=least, distance=apart)[0] for line, least in zip(energy, thresholds, strict=True))
    return [np.asarray(found / rate) for found in peaks]


@lru_cache(maxsize=16)
def _qrs_band(rate: float) -> Floats:
    """The filter from 5 to 15 Hz."""
    return np.asarray(butter(1, (5, min(15.0, 0.45 * rate)), "bandpass", fs=rate, output="sos"))


def _alive(signal: NDArray[np.float32], rate: float) -> Floats:
    """The share of half seconds in which a lead varies."""
    length = min(max(1, round(STRETCH * rate)), signal.shape[1])
    stretches = signal[:, : signal.shape[1] // length * length].reshape(len(signal), -1, length)
    return np.asarray((np.ptp(stretches, axis=-1) >= FLAT).mean(axis=1), dtype=np.float64)
