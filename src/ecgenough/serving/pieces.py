"""An ECG taken apart into waves, and without them: what occlusion takes away."""

import numpy as np
from numpy.typing import NDArray

from ecgenough.signals.delineation import WaveEdges

PIECES = ("P", "QRS", "ST-T", "between")


def pieces_of(edges: WaveEdges, samples: int, rate: float) -> NDArray[np.int64]:
    """Which of PIECES each of `samples` samples at `rate` Hz lies in.

    P reaches from its onset to QRS, ST-T from QRS to the end of T. A wave that was not found is part of "between".
    """
    number = np.full(samples, PIECES.index("between"), dtype=np.int64)
    times = np.arange(samples) / rate
    for piece, begin, end in (
        ("P", edges.p_onset, edges.qrs_onset),
        ("ST-T", edges.qrs_offset, edges.t_end),
        ("QRS", edges.qrs_onset, edges.qrs_offset),
    ):
        for r in edges.r:
            number[(times >= r + begin) & (times <= r + end)] = PIECES.index(piece)
    return number


def without_waves(signal: NDArray[np.float32], number: NDArray[np.int64]) -> NDArray[np.float32]:
    """`signal` `[leads, samples]` with a straight line in the place of every piece, from its first sample to its last.

    So the ECG has no step where a piece is taken out. A line stays a line under any normalisation of a lead.
    """
    flat = signal.copy()
    cuts = np.flatnonzero(np.diff(number)) + 1
    for first, last in zip((0, *cuts), (*(cuts - 1), len(number) - 1), strict=True):
        share = np.linspace(0, 1, last - first + 1, dtype=np.float32)
        flat[:, first : last + 1] = signal[:, [first]] * (1 - share) + signal[:, [last]] * share
    return flat
