"""Where a lead rests on one voltage again and again, as an amplifier at its end or a limit in software makes it."""

import numpy as np
from numpy.typing import NDArray

HELD = 0.02  # seconds, and three samples at least, on the very extreme
TIMES = 3  # a wave's summit may be flat once
SAME = 1e-4  # mV; a limit leaves equal numbers, a wave's round summit does not
AWAY = 0.1  # mV from the lead's level: a resting baseline is no end


def held_ends(signal: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
    """Which leads of mV `[leads, samples]`, each about its level of 0, rest on an extreme three times or more: `[leads]`."""
    length = max(3, round(HELD * rate))
    held = np.zeros(len(signal), dtype=bool)
    for lines in (signal, -signal):
        tops = lines.max(axis=1)
        at_end = lines >= tops[:, None] - SAME
        likely = (tops >= AWAY) & (at_end.sum(axis=1) >= TIMES * length)
        for row in np.flatnonzero(likely):
            held[row] |= _rests(at_end[row], length) >= TIMES
    return held


def _rests(at_end: NDArray[np.bool_], length: int) -> int:
    """How many unbroken runs of at least `length` samples there are."""
    edges = np.diff(np.concatenate([[0], at_end.astype(np.int8), [0]]))
    return int(((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)) >= length).sum())
