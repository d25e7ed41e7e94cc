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
        """What, amount, the medians of both, which ratio, its median, least and most, and the pairs, for the table."""
        ours, other = (f"{median(seconds):.3g} s" for seconds in zip(*self.pairs, strict=True))
        ratios = [a / b if self.bare else b / a for a, b in self.pairs]
        middle, least, most = (
            f"{r:.2f}" if r < 100 else f"{r:,.0f}" for r in (median(ratios), min(ratios), max(ratios))
        )
        meaning = "ours / bare" if self.bare else "naive / ours"
        cells = (self.what, self.amount, ours, other, meaning, f"{middle} ({least} to {most})", str(len(self.pairs)))
        return f"| {' | '.join(cells)} |"


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
