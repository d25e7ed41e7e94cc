"""Two ways of doing one thing, timed in turn: what counts is the ratio within a pair, not the seconds of this machine."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from ecgenough.errors import EcgenoughError

Work = Callable[[], object]


@dataclass(frozen=True)
class Bound:
    """The least that the machine needs for something: `times` as long as for `work`, which is nothing but `what`."""

    what: str
    work: Work
    times: float


@dataclass(frozen=True)
class Comparison:
    """`what` was done, on how much, and the seconds of each pair: ours, and the other way's.

    `bare` says that the other way is a lower bound, so that the ratio is ours / bare; else it is `other` / ours.
    `bounds` are the seconds that the machine needs at least for the `hardware` that is named, measured in each turn.
    """

    what: str
    amount: str
    pairs: tuple[tuple[float, float], ...]
    bare: bool
    hardware: str = ""
    bounds: tuple[float, ...] = ()
    other: str = "naive"

    def row(self) -> str:
        """What, amount, the medians of both, which ratio, its median, least and most, and the pairs, for the table.

        Last, the seconds of the hardware bound, and which share of its rate is reached.
        """
        ours, other = (f"{median(seconds):.3g} s" for seconds in zip(*self.pairs, strict=True))
        ratios = [a / b if self.bare else b / a for a, b in self.pairs]
        middle, least, most = (
            f"{r:.2f}" if r < 100 else f"{r:,.0f}" for r in (median(ratios), min(ratios), max(ratios))
        )
        meaning = "ours / bare" if self.bare else f"{self.other} / ours"
        cells = [self.what, self.amount, ours, other, meaning, f"{middle} ({least} to {most})", str(len(self.pairs))]
        return f"| {' | '.join([*cells, *self._bound()])} |"

    def _bound(self) -> tuple[str, str]:
        if not self.bounds:
            return "", ""
        shares = [bound / ours for bound, (ours, _) in zip(self.bounds, self.pairs, strict=True)]
        reached = f"{median(shares):.2g} ({min(shares):.2g} to {max(shares):.2g})"
        return f"{self.hardware}, {median(self.bounds):.3g} s", reached


def alternate(
    what: str,
    amount: str,
    ours: Work,
    other: Work,
    repeats: int,
    *,
    share: float = 1.0,
    bare: bool = False,
    bound: Bound | None = None,
    named: str = "naive",
) -> Comparison:
    """Time `ours`, `other` and the hardware's `bound` in turn, `repeats` times each after one untimed turn of all.

    `share` is the part of the work that `other`, which is `named`, does: its seconds are scaled to the whole.
    """
    ours(), other(), bound and bound.work()
    pairs, bounds = [], []
    for _ in range(repeats):
        pairs.append((_seconds(ours), _seconds(other) / share))
        if bound:
            bounds.append(_seconds(bound.work) * bound.times)
    return Comparison(what, amount, tuple(pairs), bare, bound.what if bound else "", tuple(bounds), named)


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
