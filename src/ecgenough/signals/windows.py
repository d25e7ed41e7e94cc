"""A recording longer than what a network was shown: windows evenly spaced from its start to its end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.recipe import Signal
from ecgenough.signals.conditioning import MARGIN, condition_batch, usable
from ecgenough.signals.plausibility import beat_height
from ecgenough.signals.store import to_microvolts

Read = TypeVar("Read")
SLACK = 0.1  # of a window: that much of a recording may stay unseen before another window is added


def window_starts(samples: int, length: int) -> NDArray[np.int64]:
    """First samples of as few windows of `length` as cover `samples`, evenly spaced; one from the start where it does."""
    count = max(ceil(samples / length - SLACK), 1)
    spare = max(samples - length, 0) if count > 1 else 0
    return np.rint(np.linspace(0, spare, count)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Window:
    """Conditioned counts of 1 µV `[leads, samples]`, as a store keeps them, `valid` of them signal, and their flaws.

    `bridged` samples were lost and `clipped` ones did not fit; a beat spans `height` mV.
    """

    counts: NDArray[np.int16]
    valid: int
    bridged: int
    clipped: int
    height: float


def windows(ecg: Ecg, settings: Signal) -> list[Window]:
    """The recording in windows of `settings.duration`, each conditioned as a recording of that length would be.

    Raises BrokenRecord where none can be used.
    """
    return over_windows(ecg, settings, lambda piece: _window(piece, settings))


def over_windows(ecg: Ecg, settings: Signal, read: Callable[[Ecg], Read]) -> list[Read]:
    """What `read` makes of each window of the recording.

    Windows that cannot be used, as where the electrodes were not yet attached, are left out. Raises BrokenRecord, for
    the reason of the first, where none can.
    """
    made, reasons = [], []
    for piece in _pieces(ecg, settings):
        try:
            made.append(read(piece))
        except BrokenRecord as reason:
            reasons.append(reason)
    if not made:
        raise reasons[0]
    return made


def _window(piece: Ecg, settings: Signal) -> Window:
    found = usable(piece, settings)
    conditioned = condition_batch(found.signal[None], piece.rate, settings)
    counts, clipped = to_microvolts(conditioned.signal[0])
    height = float(beat_height(found.signal, found.rate))
    return Window(counts, conditioned.valid, found.bridged, int(clipped), height)


def _pieces(ecg: Ecg, settings: Signal) -> Iterator[Ecg]:
    """The recording from the start of each window on, with the margin after it that filters look at."""
    length, kept = (round(seconds * ecg.rate) for seconds in (settings.duration, settings.duration + MARGIN))
    for start in window_starts(ecg.samples, length):
        yield replace(ecg, signal=ecg.signal[:, start : start + kept])
