"""A store under construction: a folder beside its final place, resumed after a kill, removed when the disk is full."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from math import ceil
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.table import Dataset
from ecgenough.errors import Obstacle
from ecgenough.progress import track
from ecgenough.recipe import Signal
from ecgenough.signals.blocks import TOGETHER, Block, Conditioner, Outcome, Request, conditioned_blocks
from ecgenough.signals.conditioning import samples_of
from ecgenough.signals.store import SIGNALS, waveform_hash

BLOCK = 128  # records handed to a process at once, at most
SHARES = 8  # blocks that a process gets at least, so that none waits long for the last one
JOURNAL = "journal"  # a line of JSON for each block that is on the disk
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def build_signals(
    part: Path, dataset: Dataset, settings: Signal, workers: int, conditioner: Conditioner | None = None
) -> Outcome:
    """Write signals.i16 of the whole collection into folder `part`, going on where a killed run stopped.

    `conditioner` does the work in place of `workers` processes of this machine.

    Raises Obstacle where the disk is too small, OSError where it fails.
    """
    row_bytes = 2 * len(settings.leads) * samples_of(settings)
    part.mkdir(parents=True, exist_ok=True)
    signals = os.open(part / SIGNALS, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _reserve(part, signals, len(dataset.records) * row_bytes)
        with open(part / JOURNAL, "a+b") as journal:
            total = _resume(journal, signals, row_bytes)
            requests = _requests(dataset, settings, total.records, workers)
            blocks = conditioner(requests) if conditioner else conditioned_blocks(requests, workers)
            written = _write_blocks(journal, signals, row_bytes, blocks, total)
            for _ in track(written, f"preparing {dataset.name}", total=len(dataset.records), unit="records"):
                pass
        os.ftruncate(signals, len(total.listing) * row_bytes)
        os.fsync(signals)
    finally:
        os.close(signals)
    return total


@contextmanager
def disk_failures(path: Path, part: Path) -> Iterator[None]:
    """Turn a disk's failure into a sentence; where it is full, remove `part` to give its space back."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            shutil.rmtree(part, ignore_errors=True)
            raise Obstacle(
                f"the disk of {path.parent} is full; nothing half-made of {path.name} has been left there. "
                "Free some space, or choose another folder with --store."
            ) from None
        raise Obstacle(
            f"the store {path} cannot be written: {error.strerror or error}. Choose another folder with --store."
        ) from None


def _reserve(part: Path, signals: int, size: int) -> None:
    """Take all the space at once, so that a disk too small is known before the work and not after it."""
    missing = size - os.fstat(signals).st_blocks * 512
    free = shutil.disk_usage(part).free
    if missing > free:
        shutil.rmtree(part, ignore_errors=True)
        raise Obstacle(
            f"{part.parent} has {free / 1e6:,.1f} MB free, and the store needs {missing / 1e6:,.1f} MB. "
            "Free some space, or choose another folder with --store."
        )
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(signals, 0, size)


def _requests(dataset: Dataset, settings: Signal, first: int, workers: int) -> list[Request]:
    """The records from place `first` on, in blocks; so few that they fill no block stay together."""
    left = len(dataset.records) - first
    size = BLOCK if left <= BLOCK else min(BLOCK, max(TOGETHER, ceil(left / (SHARES * workers))))
    return [
        Request(dataset.root, dataset.paths[start : start + size], start, settings, dataset.layout)
        for start in range(first, len(dataset.records), size)
    ]


def _write_blocks(
    journal: IO[bytes], signals: int, row_bytes: int, blocks: Iterator[Block], total: Outcome
) -> Iterator[int]:
    """Write every block and note it, adding to `total`; yields how many more records are done."""
    yield total.records
    for block in blocks:
        _write(signals, block.rows, len(total.listing) * row_bytes)
        journal.write(json.dumps(asdict(block.outcome)).encode() + b"\n")
        journal.flush()
        total.extend(block.outcome)
        yield block.outcome.records


def _write(signals: int, rows: NDArray[np.int16], offset: int) -> None:
    left = memoryview(rows.tobytes())
    while left:
        written = os.pwrite(signals, left, offset)
        left, offset = left[written:], offset + written


def _resume(journal: IO[bytes], signals: int, row_bytes: int) -> Outcome:
    """What the journal says is done, up to the first line that is torn or whose rows are not on the disk.

    A killed process tears the last line at most; a power cut may also have lost rows, which their hashes tell.
    """
    total, end = Outcome(), 0
    journal.seek(0)
    for line in journal:
        outcome = _noted(line)
        if outcome is None or not _is_on_disk(outcome, signals, row_bytes, len(total.listing)):
            break
        total.extend(outcome)
        end += len(line)
    journal.truncate(end)
    return total


def _noted(line: bytes) -> Outcome | None:
    """A line of the journal, or None if it is torn or of another version."""
    try:
        note = json.loads(line) if line.endswith(b"\n") else {}
        broken = [(int(place), str(reason)) for place, reason in note.pop("broken")]
        whole = {"broken", *note} == {field.name for field in fields(Outcome)}
        return Outcome(**note, broken=broken) if whole else None
    except (ValueError, TypeError, KeyError):
        return None


def _is_on_disk(outcome: Outcome, signals: int, row_bytes: int, first_row: int) -> bool:
    offsets = ((first_row + row) * row_bytes for row in range(len(outcome.listing)))
    return outcome.hashes == [waveform_hash(os.pread(signals, row_bytes, offset)) for offset in offsets]
