"""Two ways of doing one thing, timed in turn: what counts is the ratio within a pair, not the seconds of this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from numpy.typing import ArrayLike

from ecgenough.errors import EcgenoughError

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """`what` was done, on how much, and the seconds of each pair: ours, and the other way's.

    `bare` says that the other way is a lower bound, so that the ratio is ours / bare; else it is naive / ours.
    """

    what: str
    amount: str
    ours: tuple[float, ...]
    other: tuple[float, ...]
    bare: bool = False

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.ours, self.other, strict=True)
        return [ours / other if self.bare else other / ours for ours, other in pairs]

    def row(self) -> list[str]:
        """The cells of the table: what, amount, median ours, median other, which ratio, its median, least and most."""
        seconds = [f"{median(times):.3g} s" for times in (self.ours, self.other)]
        ratios = [f"{ratio:.2f}" for ratio in (median(self.ratios), min(self.ratios), max(self.ratios))]
        return [self.what, self.amount, *seconds, "ours / bare" if self.bare else "naive / ours", *ratios]


def alternate(
    what: str, amount: str, ours: Work, other: Work, repeats: int, *, share: float = 1.0, bare: bool = False
) -> Comparison:
    """Time `ours` and `other` in turn, `repeats` times each after one untimed turn of both.

    `share` is the part of the work that `other` does: its seconds are scaled to the whole.
    """
    ours(), other()
    turns = [(_seconds(ours), _seconds(other) / share) for _ in range(repeats)]
    return Comparison(what, amount, tuple(a for a, _ in turns), tuple(b for _, b in turns), bare)


def agree(what: str, ours: ArrayLike, other: ArrayLike, tolerance: float) -> None:
    """Raise EcgenoughError where the two ways do not come to the same numbers: their times would mean nothing."""
    apart = float(np.max(np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(other, dtype=np.float64))))
    if not apart <= tolerance:
        raise EcgenoughError(f"{what}: the two ways differ by {apart:g}, more than {tolerance:g}; do not time them.")


def _seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started
