"""How far the textbook's measurements go: boosted trees on what `measurements` reads off each ECG."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile
from zlib import error as BadDeflate

import numpy as np

from ecgenough.baselines.classifiers import OneAClass, boosted_trees
from ecgenough.baselines.contract import Floats, Rows
from ecgenough.errors import WrongRequest
from ecgenough.files import written_aside
from ecgenough.progress import say, track
from ecgenough.sentences import counted
from ecgenough.signals.delineation import SHORTEST
from ecgenough.signals.measurements import RHYTHM, measure, measures
from ecgenough.signals.processes import worked
from ecgenough.signals.store import MICROVOLTS, Store

EDITION = 4  # of the measurements and the trees on them; of another one, records are measured and answered anew
BLOCK = 64  # records
ADVICE = "Close other programs, and run the same command again."


@dataclass(frozen=True)
class Intervals:
    """Boosted trees on the measurements of the store's leads; `missing` counts what was not found in training."""

    leads: tuple[str, ...]
    classifiers: OneAClass
    missing: dict[str, int]

    @classmethod
    def fit(cls, store: Store, task: str | None, rows: Rows, seed: int) -> Self:
        """Measure the store's records, where that has not been done, and fit on the training rows.

        Raises WrongRequest where scikit-learn is not installed or none of them can be measured, EcgenoughError where a
        measuring process dies.
        """
        table = measurements(store)[rows]
        nowhere = np.isnan(table).all(axis=0)
        if len(rows) and nowhere.all():
            raise WrongRequest(
                f"none of the {len(rows):,} training records of {store.name} can be measured: that takes three beats in at "
                f"least {SHORTEST:g} s. Lengthen signal.duration, or take a network instead."
            )
        # scikit-learn refuses a column without a number, as the axis of chest leads is
        told = np.where(nowhere, 0, table)
        classifiers = OneAClass.fit(told, store.task(task).labels[rows], lambda: boosted_trees(seed))
        absent = np.isnan(table[:, : len(RHYTHM)]).sum(axis=0)
        return cls(store.leads, classifiers, dict(zip(RHYTHM, map(int, absent), strict=True)))

    def probabilities(self, store: Store, rows: Rows) -> Floats:
        if store.leads != self.leads:
            raise WrongRequest(
                f"the intervals were learned from {', '.join(self.leads)}; {store.name} has other leads."
            )
        return self.classifiers.probabilities(measurements(store)[rows])

    def about(self) -> dict[str, Any]:
        return {
            "classifier": "boosted trees",
            "measures": list(measures(self.leads)),
            "missing_in_training": self.missing,
        }


def measurements(store: Store, workers: int | None = None) -> Floats:
    """Every record's measurements `[records, measures]`, NaN where not found; kept in a file beside the store."""
    kept = store.path.parent / f"{store.path.name}.intervals-{EDITION}.npz"
    table = _read(kept, store)
    if table is None:
        table = _measure(store, workers or os.cpu_count() or 1)
        names = np.array(measures(store.leads))
        with written_aside(kept) as aside, aside.open("wb") as file:
            np.savez_compressed(file, table=table.astype(np.float32), measures=names, store=np.array(store.fingerprint))
        unread = int(np.isnan(table[:, 0]).sum())
        say(f"{counted(len(table), 'record')} measured, {unread:,} without a readable beat: {kept}")
    return table.astype(np.float32).astype(np.float64)


def _read(path: Path, store: Store) -> Floats | None:
    """The table kept at `path`; None where there is none of this store."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            same = str(kept["store"]) == store.fingerprint and tuple(kept["measures"]) == measures(store.leads)
            table = np.asarray(kept["table"], dtype=np.float64)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, BadDeflate):
        return None
    return table if same and len(table) == len(store.records) else None


def _measure(store: Store, workers: int) -> Floats:
    table = np.empty((len(store.records), len(measures(store.leads))))
    starts = range(0, len(table), BLOCK)
    blocks = [(store.path, range(start, min(start + BLOCK, len(table)))) for start in starts]
    workers = workers if len(blocks) >= 2 * workers else 1  # of fewer blocks, processes would not pay
    measured = worked(_measure_block, blocks, workers, "measured intervals", ADVICE)
    for _ in track(_fill(table, measured), "measuring intervals", len(table), "ECGs"):
        pass
    return table


def _fill(table: Floats, blocks: Iterable[Floats]) -> Iterator[int]:
    """Put the blocks into the table one after the other; yields how many rows each has filled."""
    start = 0
    for block in blocks:
        table[start : start + len(block)] = block
        start += len(block)
        yield len(block)


def _measure_block(block: tuple[Path, range]) -> Floats:
    path, rows = block
    store = _opened(path)
    return np.stack([_measure_row(store, row) for row in rows])


_opened = lru_cache(maxsize=1)(Store.open)  # once a worker


def _measure_row(store: Store, row: int) -> Floats:
    signal = store.read(np.array([row]))[0, :, : store.valid[row]].astype(np.float32) / np.float32(MICROVOLTS)
    return measure(signal, store.rate, store.leads)
