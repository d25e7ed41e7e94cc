"""Where a lead rests on one voltage, as an amplifier at its end or a limit in software makes it."""

import numpy as np
from numpy.typing import NDArray

from ecgenough.signals.conditioning import FLAT

SAME = 1e-4  # mV; a limit leaves equal numbers, a wave's round summit does not
AWAY = 0.1  # mV from the lead's level: a resting baseline is no end
# Seconds on the very extreme. Rounding to 10 µV makes no wave of PTB-XL's rest as often or as long.
OFTEN, TIMES = 0.015, 4  # a wave's summit may be flat once
LONG = 0.2  # recorders repeat the last voltage for half of that
HIGH, HELD = 2.0, 0.04  # mV, from where on an amplifier may end, and no wave of a heart stays as long on its summit


def is_cut_off(line: NDArray[np.float32], rate: float) -> bool:
    """Whether a lead in mV `[samples]`, none of them lost, rests on its highest or lowest voltage as at the end of a range.

    Four times for 15 ms, or once for 0.2 s; for 40 ms on its largest voltage, of 2 mV or more.
    """
    if not line.size:
        return False
    about, height = line - np.median(line), np.abs(line)
    if height.max() >= HIGH and _rests(height, FLAT, max(3, round(HELD * rate))):
        return True
    often, long = max(2, round(OFTEN * rate)), max(2, round(LONG * rate))
    ends = [side for side in (about, -about) if side.max() >= AWAY]
    return any(_rests(side, SAME, often) >= TIMES or _rests(side, SAME, long) for side in ends)


def _rests(line: NDArray[np.float32], within: float, samples: int) -> int:
    """How many times at least so many samples on end are within so many mV of the highest."""
    edges = np.diff(np.concatenate([[0], (line >= line.max() - within).astype(np.int8), [0]]))
    return int(((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)) >= samples).sum())
