"""Recordings that are there twice: the same voltages, or a copy at another gain, offset, unit or rate.

The same voltages are told by a hash of what was read, rounded to 1 µV. For the others each recording has a sketch: its
leads in bins of time, standardised, projected at random onto a few numbers (Johnson & Lindenstrauss 1984), so that
copies lie beside each other and can be found without comparing everything with everything. What lies beside each other
is then read again and compared sample by sample. A copy that starts at another moment of a longer recording is not found.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError
from ecgenough.signals.store import MICROVOLTS, waveform_hash

Floats = NDArray[np.float64]

INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # the others are sums of these
BINS = 64
SKETCH = 16
NEAR = 0.2  # of sketches of length 1; of the 2,176 ECGs of PTB-XL's fold 9 no two are within 0.3
ALIKE = 0.999  # correlation over all samples of all leads, above which one is a copy of the other
NEAREST = 16  # sketches looked at beside each; flat or empty recordings are all alike
_PROJECTION = np.random.default_rng(0).standard_normal((len(INDEPENDENT) * BINS, SKETCH)) / np.sqrt(SKETCH)


@dataclass(frozen=True)
class Copy:
    """Two records by place: `exact` where they have the same voltages, else how alike they are and at which gain."""

    first: int
    second: int
    exact: bool
    correlation: float = 1.0
    gain: float = 1.0


def exact_hash(ecg: Ecg) -> int:
    """The same for recordings with the same voltages to within rounding to 1 µV, leads and rate."""
    order = sorted(range(len(ecg.leads)), key=lambda at: _place(ecg.leads[at]))
    lost = np.int64(-(2**62))
    counts = np.rint(np.float64(MICROVOLTS) * ecg.signal[order])
    whole = np.where(np.isfinite(counts), counts, lost).astype("<i8")
    about = f"{ecg.rate:g} {' '.join(ecg.leads[at] for at in order)} {ecg.samples}".encode()
    return waveform_hash(about + whole.tobytes())


def sketch(signal: NDArray[np.float32], leads: Sequence[str]) -> NDArray[np.float32] | None:
    """Sixteen numbers of length 1 that a change of gain, offset or rate leaves as they are; None where all is flat.

    `signal` is mV `[leads, samples]` without gaps. Leads that are not there count as flat.
    """
    if signal.shape[1] < BINS:
        return None
    edges = np.linspace(0, signal.shape[1], BINS + 1)
    binned = np.zeros((len(INDEPENDENT), BINS))
    for row, lead in enumerate(INDEPENDENT):
        if lead in leads:
            line = signal[leads.index(lead)].astype(np.float64)
            summed = np.concatenate([[0.0], np.cumsum(line - line.mean())])
            binned[row] = np.diff(np.interp(edges, np.arange(len(summed)), summed)) / np.diff(edges)
    projected = binned.ravel() @ _PROJECTION
    length = float(np.linalg.norm(projected))
    return np.asarray(projected / length, dtype=np.float32) if length > 1e-9 else None


def exact_copies(hashes: Sequence[int]) -> list[Copy]:
    """Of several alike the first with each of the others."""
    places = defaultdict(list)
    for place, one in enumerate(hashes):
        places[one].append(place)
    return [Copy(same[0], other, exact=True) for same in places.values() for other in same[1:]]


def near_pairs(sketches: Sequence[NDArray[np.float32] | None], hashes: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs whose sketches lie beside each other, each with its 16 nearest; those with equal hashes are left out."""
    places = [place for place, one in enumerate(sketches) if one is not None]
    if len(places) < 2:
        return []
    points = np.stack([one for one in sketches if one is not None]).astype(np.float64)
    nearest = min(NEAREST + 1, len(places))  # a sketch is also beside itself
    distances, neighbours = cKDTree(points).query(points, k=nearest, distance_upper_bound=NEAR)
    ones, ranks = np.nonzero(np.isfinite(distances))
    pairs = np.sort(np.stack([ones, np.asarray(neighbours)[ones, ranks]]), axis=0)
    found = {(places[first], places[second]) for first, second in pairs.T.tolist()}
    return sorted(pair for pair in found if hashes[pair[0]] != hashes[pair[1]])


def compared(first: Ecg, second: Ecg) -> tuple[float, float] | None:
    """Correlation of two recordings over all samples of the leads they share, and the gain from first to second.

    None where they share no lead, one of them is flat, or they last differently long. The faster one is read off at
    the slower one's samples.
    """
    shared = [lead for lead in first.leads if lead in second.leads]
    if not shared or abs(first.duration - second.duration) > 0.02 * first.duration:
        return None
    slow = min(first, second, key=lambda ecg: ecg.samples)
    at = np.arange(slow.samples) / slow.rate
    try:
        one, other = (_read_off(ecg, shared, at) for ecg in (first, second))
    except EcgenoughError:
        return None
    whole = np.isfinite(one) & np.isfinite(other)
    one, other = (np.where(whole, line, 0.0) for line in (one, other))
    power, other_power, both = (float((a * b).sum()) for a, b in ((one, one), (other, other), (one, other)))
    if power == 0 or other_power == 0:
        return None
    return both / np.sqrt(power * other_power), float(np.sign(both) * np.sqrt(other_power / power))


def _read_off(ecg: Ecg, leads: Sequence[str], at: Floats) -> Floats:
    times = np.arange(ecg.samples) / ecg.rate
    lines = np.stack([np.interp(at, times, line) for line in ecg.select(leads).signal])
    known = np.isfinite(lines).any(axis=1, keepdims=True)  # a lead that was lost throughout has no level
    return np.asarray(lines - np.nanmedian(np.where(known, lines, 0.0), axis=1, keepdims=True))


def _place(lead: str) -> tuple[int, str]:
    return (STANDARD_LEADS.index(lead) if lead in STANDARD_LEADS else len(STANDARD_LEADS), lead)
