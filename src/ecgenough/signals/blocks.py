"""Reading and conditioning a collection in blocks of records, on all cores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough import formats
from ecgenough.errors import EcgenoughError
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import Signal
from ecgenough.signals.conditioning import Usable, condition_batch, samples_of, usable
from ecgenough.signals.plausibility import beat_height
from ecgenough.signals.processes import worked
from ecgenough.signals.store import to_microvolts, waveform_hash

ADVICE = "Run the same command with fewer workers; it goes on where it stopped."
TOGETHER = 32  # records held in memory at their own rate by one process


@dataclass(frozen=True)
class Request:
    """Consecutive records of a collection: their paths below `root`, the first one's place in the listing."""

    root: Path
    paths: tuple[str, ...]
    first: int
    settings: Signal
    layout: TableLayout | None = None


@dataclass
class Outcome:
    """What became of consecutive records: of each kept row its place in the listing, valid samples, hash, clipped and
    bridged samples and the mV a beat spans; of each broken record its place and the reason."""

    listing: list[int] = field(default_factory=list)
    valid: list[int] = field(default_factory=list)
    hashes: list[int] = field(default_factory=list)
    clipped: list[int] = field(default_factory=list)
    bridged: list[int] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many records it tells of, kept or broken."""
        return len(self.listing) + len(self.broken)

    def extend(self, other: "Outcome") -> None:
        """Add what became of the records that follow."""
        self.listing += other.listing
        self.valid += other.valid
        self.hashes += other.hashes
        self.clipped += other.clipped
        self.bridged += other.bridged
        self.heights += other.heights
        self.broken += other.broken


@dataclass(frozen=True, eq=False)
class Block:
    """Conditioned rows, int16 µV `[kept, leads, samples]`, and what became of every record of the block."""

    rows: NDArray[np.int16]
    outcome: Outcome


def condition_block(request: Request) -> Block:
    """Read and condition the records of one block; those that cannot be used are told, not raised.

    Raises WrongRequest for settings that fit no recording.
    """
    shape = (len(request.paths), len(request.settings.leads), samples_of(request.settings))
    rows, outcome = np.zeros(shape, dtype="<i2"), Outcome()
    valid, clipped, bridged = (np.zeros(shape[0], dtype=np.int32) for _ in range(3))
    heights = np.zeros(shape[0])
    for start in range(0, shape[0], TOGETHER):
        for (rate, _), members in _alike(request, range(start, min(start + TOGETHER, shape[0])), outcome).items():
            at = [place for place, _ in members]
            voltages = np.stack([one.signal for _, one in members])
            batch = condition_batch(voltages, rate, request.settings)
            rows[at], clipped[at] = to_microvolts(batch.signal)
            valid[at], bridged[at] = batch.valid, [one.bridged for _, one in members]
            heights[at] = beat_height(voltages, rate)
    broken = {place for place, _ in outcome.broken}
    kept = [place for place in range(shape[0]) if place + request.first not in broken]
    outcome.listing = [place + request.first for place in kept]
    outcome.valid, outcome.clipped = valid[kept].tolist(), clipped[kept].tolist()
    outcome.bridged, outcome.heights = bridged[kept].tolist(), heights[kept].round(4).tolist()
    rows = rows[kept] if broken else rows
    outcome.hashes = [waveform_hash(row.tobytes()) for row in rows]
    return Block(rows, outcome)


Members = list[tuple[int, Usable]]


def _alike(request: Request, places: range, outcome: Outcome) -> dict[tuple[float, int], Members]:
    """Usable signals of the records at `places`, by rate and length; the others go to `outcome.broken`."""
    groups: dict[tuple[float, int], Members] = {}
    for place in places:
        try:
            ecg = formats.read(request.root / request.paths[place], request.layout)
            found = usable(ecg, request.settings)
        except EcgenoughError as error:
            outcome.broken.append((place + request.first, str(error)))
        except OSError as error:
            outcome.broken.append((place + request.first, f"{request.paths[place]}: {error.strerror or error}."))
        else:
            groups.setdefault((ecg.rate, found.signal.shape[1]), []).append((place, found))
    return groups


Conditioner = Callable[[Sequence[Request]], Iterator[Block]]
"""Gives the block of every request, in order."""


def conditioned_blocks(requests: Sequence[Request], workers: int) -> Iterator[Block]:
    """The block of every request, in order, from `workers` processes that run a few blocks ahead.

    Raises EcgenoughError where a process dies, as it does when memory runs out.
    """
    if min(workers, len(requests)) > 1:
        # One record here first: what reading and conditioning it imports is then there before the fork, once for all.
        condition_block(replace(requests[0], paths=requests[0].paths[:1]))
    yield from worked(condition_block, requests, workers, "prepared records", ADVICE)
