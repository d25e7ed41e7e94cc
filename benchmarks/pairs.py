"""Two ways of doing one thing, timed in turn: what counts is the ratio within a pair, not the seconds of this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from ecgenough.errors import EcgenoughError

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """`what` was done, on how much, and the seconds of each pair: ours, and the other way's.

    `bare` says that the other way is a lower bound, so that the ratio is ours / bare; else it is naive / ours.
    """

    what: str
    amount: str
    pairs: tuple[tuple[float, float], ...]
    bare: bool

    def row(self) -> str:
        """A row of the table: what, amount, median seconds of both, the ratio's median, least and most, pairs."""
        ours, other = (f"{median(seconds) * 1000:,.4g} ms" for seconds in zip(*self.pairs, strict=True))
        ratios = [a / b if self.bare else b / a for a, b in self.pairs]
        ratio = f"{median(ratios):,.2f} ({min(ratios):,.2f} to {max(ratios):,.2f})"
        meaning = "ours / bare" if self.bare else "naive / ours"
        return f"| {self.what} | {self.amount} | {ours} | {other} | {meaning} | {ratio} | {len(self.pairs)} |"


def alternate(
    what: str, amount: str, ours: Work, other: Work, repeats: int, *, share: float = 1.0, bare: bool = False
) -> Comparison:
    """Time `ours` and `other` in turn, `repeats` times each after one untimed turn of both.

    `share` is the part of the work that `other` does: its seconds are scaled to the whole.
    """
    ours(), other()
    turns = ((_seconds(ours), _seconds(other) / share) for _ in range(repeats))
    return Comparison(what, amount, tuple(turns), bare)


def agree(what: str, apart: float, tolerance: float) -> None:
    """Raise EcgenoughError where the two ways come to numbers too far apart: their times would mean nothing."""
    if not apart <= tolerance:
        raise EcgenoughError(f"{what}: the two ways differ by {apart:g}, more than {tolerance:g}; do not time them.")


def _seconds(work: Work) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started
