"""Where R is in each beat of an ECG: what two recordings are laid over each other by."""

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg
from ecgenough.signals.delineation import wave_edges

REACH = 0.08  # seconds: R lies as near to where QRS is fastest
MOVED = 0.05  # seconds that a beat may be moved to lie on the others
TURNS = 3


def r_peaks(ecg: Ecg) -> list[float]:
    """R of each beat in seconds; empty where fewer than three beats are found.

    Beats are moved until their voltages, all leads together, lie over their own mean (Woody, Med Biol Eng 1967;5:539); R is
    the largest voltage of that mean, so that noise on one beat does not decide.
    """
    edges = wave_edges(ecg.signal, ecg.rate)
    if edges is None:
        return []
    reach, moved = round(REACH * ecg.rate), round(MOVED * ecg.rate)
    size = np.linalg.norm(ecg.signal - np.median(ecg.signal, axis=1, keepdims=True), axis=0)
    padded = np.pad(size.astype(np.float64), reach + moved)
    places = np.rint(edges.r * ecg.rate).astype(np.int64).clip(0, len(size) - 1)
    for _ in range(TURNS):
        mean = _around(padded, places + moved, reach).mean(axis=0)
        places = (places + _shifts(_around(padded, places, reach + moved), mean)).clip(0, len(size) - 1)
    mean = _around(padded, places + moved, reach).mean(axis=0)
    return [float(place) for place in (places + int(np.argmax(mean)) - reach) / ecg.rate]


def _around(padded: NDArray[np.float64], first: NDArray[np.int64], reach: int) -> NDArray[np.float64]:
    """`[beats, 2 reach + 1]` of what begins at `first`."""
    return np.asarray(padded[first[:, None] + np.arange(2 * reach + 1)])


def _shifts(beats: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.int64]:
    """How far each of `beats` `[beats, longer]` must be moved for its best correlation with `mean`."""
    windows = np.lib.stride_tricks.sliding_window_view(beats, len(mean), axis=1)
    centred = windows - windows.mean(axis=2, keepdims=True)
    alike = centred @ (mean - mean.mean()) / np.maximum(np.linalg.norm(centred, axis=2), 1e-9)
    return np.asarray(np.argmax(alike, axis=1) - (windows.shape[1] - 1) // 2)
