"""A collection conditioned once and kept on disk, read without copying. Needs no more than NumPy.

A store is a folder of these files, and tables that only people read (`noticed`):

    signals.i16   little-endian int16 [records, leads, samples] in µV, no header
    table.npz     records, patients, folds, ages, sexes, valid lengths, waveform hashes, and the labels of every task
    store.json    what the other two mean: format, name, rate, leads, conditioning, fold roles, rejected records

Each file answers for another: store.json has the digest of table.npz, which has a hash of every row of signals.i16.
"""

import hashlib
import io
import json
import math
import mmap
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.table import Task, find_task
from ecgenough.errors import Obstacle, WrongRequest, check_format, quoted
from ecgenough.recipe import Signal

FORMAT = 1
SIGNALS, TABLE, DESCRIPTION = "signals.i16", "table.npz", "store.json"
MICROVOLTS = 1000.0  # per mV; one count of a store is 1 µV
LARGEST = 32767  # counts; the range is symmetric

Arrays = Mapping[str, NDArray[Any]]

_ROWS_AT_ONCE = 256  # that are checked before their pages are given back


class Checks:
    """Which rows of a store's file were found to be as they were written. A process looks at each row once."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self.hashes, self.done = hashes, np.zeros(len(hashes), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Store:
    """Conditioned signals with all that is known about their records.

    `signals` is int16 `[records, leads, samples]` in µV, memory-mapped, read-only; after `valid[row]` samples a row is
    zero padding. `hashes` tell equal waveforms. `clipped` counts each row's samples that lay beyond ±32.767 mV.
    `listing` is the row's place among the records that the collection listed. `rejected` holds (record, reason).
    `read` gives rows that are known to be as they were written; `signals` itself does not look. `checks` is what is
    known of them, None for signals that were never in a file.
    """

    path: Path
    name: str
    fingerprint: str
    signal: Signal
    signals: NDArray[np.int16]
    records: tuple[str, ...]
    patients: tuple[str, ...]
    folds: NDArray[np.int64]
    ages: NDArray[np.float32]
    sexes: tuple[str, ...]
    valid: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    clipped: NDArray[np.int32]
    listing: NDArray[np.int64]
    tasks: dict[str, Task]
    default_task: str
    train_folds: tuple[int, ...]
    validation_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    rejected: tuple[tuple[str, str], ...]
    checks: Checks | None = None

    @property
    def rate(self) -> float:
        """In Hz."""
        return self.signal.rate

    @property
    def leads(self) -> tuple[str, ...]:
        """In the order of the signals."""
        return self.signal.leads

    @property
    def samples(self) -> int:
        """Of each lead, padding among them."""
        return int(self.signals.shape[2])

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the store in folder `path`.

        Raises WrongRequest where there is none, EcgenoughError for another format version or files that do not fit.
        """
        folder = Path(path)
        about = _read_description(folder)
        table = _read_table(folder, about)
        try:
            return cls._of(folder, about, table)
        except (KeyError, TypeError, ValueError, OverflowError) as error:  # of an infinite number of records
            why = quoted(" ".join(str(error).split()) or type(error).__name__, 120)
            raise _damaged(folder, DESCRIPTION, f"does not hold what it should: {why}") from None

    @classmethod
    def _of(cls, folder: Path, about: Mapping[str, Any], table: Arrays) -> Self:
        signal = Signal.model_validate(about["signal"])
        _check_fits(about, table)
        return cls(
            path=folder,
            name=str(about["name"]),
            fingerprint=str(about["fingerprint"]),
            signal=signal,
            signals=_map_signals(folder, about, signal),
            records=_words(table["records"]),
            patients=_words(table["patients"]),
            sexes=_words(table["sexes"]),
            **{column: table[column] for column in ("folds", "ages", "valid", "hashes", "clipped", "listing")},
            tasks=_unpack_tasks(about["tasks"], table),
            default_task=str(about["default_task"]),
            train_folds=tuple(about["train_folds"]),
            validation_folds=tuple(about["validation_folds"]),
            test_folds=tuple(about["test_folds"]),
            rejected=tuple((str(record), str(reason)) for record, reason in about["rejected"]),
            checks=Checks(table["hashes"]),
        )

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.int16]:
        """A copy of these rows, int16 µV `[rows, leads, samples]`. Raises what `check` does."""
        self.check(rows)
        return read_rows(self.signals, rows)

    def check(self, rows: NDArray[np.int64] | None = None) -> None:
        """Hash these rows, or all, as far as they have not been. Raises Obstacle naming the first that is damaged.

        The price is 1 ms for 1 MB, once a process. That the file is still as long as it was is asked every time: what
        reads beyond the end of a map's file is ended by SIGBUS.
        """
        checks = self.checks
        if checks is None or not isinstance(self.signals, np.memmap):
            return
        file = _map_of(self.signals)
        if file is not None and file.size() < len(file):
            raise _damaged(self.path, SIGNALS, f"has {file.size():,} bytes of the {len(file):,} it was opened with")
        rows = np.arange(len(self.records)) if rows is None else np.unique(rows)
        rows = rows[~checks.done[rows]]
        for part in np.array_split(rows, math.ceil(len(rows) / _ROWS_AT_ONCE)) if len(rows) else ():
            for row in part.tolist():
                if waveform_hash(self.signals[row].tobytes()) != checks.hashes[row]:
                    record = f"record {self.records[row]} (row {row:,} of {len(self.records):,})"
                    raise _damaged(self.path, SIGNALS, f"no longer holds {record} as it was written")
            checks.done[part] = True
            forget_pages(self.signals)

    def task(self, name: str | None = None) -> Task:
        """The task of that name, the joint task of several (form+rhythm), or the default one; see `find_task`."""
        return find_task(self.name, self.tasks, self.default_task if name is None else name)

    def patient_hashes(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """`patient_hash` of the patients of these rows; a record without a patient's name is a patient of its own."""
        names = [self.patients[row] or f"record {self.records[row]}" for row in rows]
        known = {name: patient_hash(self.name, name) for name in set(names)}
        return np.array([known[name] for name in names], dtype=np.uint64)

    def rows(self, task: str | None, folds: Sequence[int]) -> NDArray[np.int64]:
        """The rows of `signals`, ascending, that take part in the task and lie in one of the folds."""
        return np.flatnonzero(self.task(task).listed & np.isin(self.folds, list(folds)))

    def duplicates(self) -> list[list[int]]:
        """The rows of each waveform that is there more than once, ascending; groups by their first row."""
        return equal_rows(self.hashes)


def equal_rows(hashes: Sequence[int] | NDArray[np.uint64]) -> list[list[int]]:
    """The rows of each waveform that is there more than once, ascending; groups by their first row."""
    rows: dict[int, list[int]] = {}
    for row, waveform in enumerate(np.asarray(hashes, dtype=np.uint64).tolist()):
        rows.setdefault(waveform, []).append(row)
    return [group for group in rows.values() if len(group) > 1]


def read_rows(signals: NDArray[np.int16], rows: NDArray[np.int64]) -> NDArray[np.int16]:
    """A copy in memory of these rows of a store's signals; the pages read for it are given back.

    Without that, the memory a process is seen to hold grows to the size of the file it reads at random.
    """
    copied = np.take(np.asarray(signals), rows, axis=0)
    forget_pages(signals)
    return copied


def forget_pages(signals: NDArray[np.int16]) -> None:
    """Let go of the pages of a read-only memory map; they stay in the system's file cache as long as there is room."""
    file = _map_of(signals)
    if file is not None and not signals.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def _map_of(signals: NDArray[np.int16]) -> mmap.mmap | None:
    owner: Any = signals
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) else None


def to_microvolts(signal: NDArray[np.float32]) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """mV `[..., leads, samples]` -> counts of 1 µV, and how many samples `[...]` did not fit and were clipped."""
    counts = np.rint(signal * np.float32(MICROVOLTS))
    clipped = (np.abs(counts) > LARGEST).sum(axis=(-2, -1), dtype=np.int32)
    return np.clip(counts, -LARGEST, LARGEST).astype("<i2"), clipped


def waveform_hash(row: bytes) -> int:
    """64 bits of BLAKE2b over a row of counts as stored: equal for equal waveforms, whatever their names."""
    return int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little")


def patient_hash(collection: str, patient: str) -> int:
    """64 bits of BLAKE2b over a patient's name in a collection: patient 12 of another collection is someone else.

    It tells whether two records are of one person without naming the person; it does not hide a name that can be
    guessed.
    """
    key = hashlib.blake2b(collection.encode(), digest_size=32).digest()
    digest = hashlib.blake2b(patient.encode(errors="surrogateescape"), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little")


def table_digest(table: bytes) -> str:
    """What store.json says of table.npz, to tell that they belong together."""
    return hashlib.blake2b(table, digest_size=16).hexdigest()


def pack_table(columns: Arrays, tasks: Sequence[Task], rows: NDArray[np.int64]) -> bytes:
    """table.npz as bytes, the same for the same values: the columns, and the tasks' labels in `rows`."""
    arrays = dict(columns)
    for number, task in enumerate(tasks):
        arrays[f"task-{number}-classes"] = np.asarray(task.classes, dtype=np.str_)
        arrays[f"task-{number}-titles"] = np.asarray(task.titles, dtype=np.str_)
        arrays[f"task-{number}-labels"] = task.labels[rows].astype(np.uint8)
        arrays[f"task-{number}-listed"] = task.listed[rows]
        if task.likelihoods is not None:
            arrays[f"task-{number}-likelihoods"] = task.likelihoods[rows]
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise WrongRequest(f"{folder} is not a store: it has no {DESCRIPTION}. Make one with ecgenough prepare.")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder, DESCRIPTION, f"cannot be read ({error})") from None
    check_format(version, FORMAT, f"{folder} is a store", "Prepare it again.")
    return dict(about)


def _read_table(folder: Path, about: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    try:
        packed = (folder / TABLE).read_bytes()
        if table_digest(packed) != about.get("table"):
            raise _damaged(folder, TABLE, f"does not belong to {DESCRIPTION}")
        with np.load(io.BytesIO(packed), allow_pickle=False) as table:
            return dict(table)
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile) as error:  # NotImplementedError, too
        raise _damaged(folder, TABLE, f"cannot be read ({error})") from None


def _check_fits(about: Mapping[str, Any], table: Arrays) -> None:
    """Raise ValueError where a column has not a value for each record, or the default task is none of the tasks."""
    records = int(about["records"])
    rows = {name: len(column) for name, column in table.items() if not name.endswith(("-classes", "-titles"))}
    if wrong := next((name for name, length in rows.items() if length != records), None):
        raise ValueError(f"{wrong} has {rows[wrong]:,} values for {records:,} records")
    if about["default_task"] not in ("", *about["tasks"]):
        raise ValueError("its default task is none of its tasks")


def _map_signals(folder: Path, about: Mapping[str, Any], signal: Signal) -> NDArray[np.int16]:
    path, shape = folder / SIGNALS, (int(about["records"]), len(signal.leads), int(about["samples"]))
    if not path.is_file():
        raise _damaged(folder, SIGNALS, "is absent")
    size, expected = path.stat().st_size, 2 * math.prod(shape)
    if size != expected:
        raise _damaged(folder, SIGNALS, f"has {size:,} bytes; {' x '.join(map(str, shape))} samples take {expected:,}")
    return np.memmap(path, dtype="<i2", mode="r", shape=shape)


def _unpack_tasks(names: Sequence[str], table: Arrays) -> dict[str, Task]:
    return {
        name: Task(
            name=name,
            classes=_words(table[f"task-{number}-classes"]),
            labels=table[f"task-{number}-labels"].astype(np.float32),
            listed=table[f"task-{number}-listed"],
            likelihoods=table.get(f"task-{number}-likelihoods"),
            titles=_words(table[f"task-{number}-titles"]),
        )
        for number, name in enumerate(names)
    }


def _words(column: NDArray[Any]) -> tuple[str, ...]:
    return tuple(str(word) for word in column.tolist())


def _damaged(folder: Path, file: str, what: str) -> Obstacle:
    return Obstacle(f"the store {folder} is damaged: {file} {what}. Remove the folder and prepare it again.")
