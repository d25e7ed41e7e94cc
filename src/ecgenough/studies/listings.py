"""What planning must know of the collections of a study, before any signal of theirs is read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets import Task, open_dataset
from ecgenough.locks import alone
from ecgenough.recipe import Signal, fingerprint
from ecgenough.signals.store import Store
from ecgenough.signals.store_identity import store_fingerprint
from ecgenough.simulation import simulate_collection
from ecgenough.studies.stores import open_store, store_at
from ecgenough.studies.study import Collection, Simulation

DEFAULT_TASKS = {"superclasses": "superdiagnostic", "embolism": "embolism"}
TEST_FOLDS = (10,)  # of everything simulated


@dataclass(frozen=True)
class Listing:
    """A collection conditioned in one way: `identity` changes with its signals, labels, patients and folds.

    `records` are those of the task. `place` is the same for two listings of the same collection. `parts` are how many
    of the records its own folds train, choose and test on.
    """

    name: str
    place: str
    task: str
    identity: str
    records: int
    parts: tuple[int, int, int]
    test_folds: tuple[int, ...]


class Table(Protocol):
    """What a listed collection and a prepared store have in common."""

    @property
    def records(self) -> Sequence[str]: ...
    @property
    def patients(self) -> Sequence[str]: ...
    @property
    def folds(self) -> NDArray[np.int64]: ...
    @property
    def ages(self) -> NDArray[np.float32]: ...
    @property
    def sexes(self) -> Sequence[str]: ...
    @property
    def train_folds(self) -> tuple[int, ...]: ...
    @property
    def validation_folds(self) -> tuple[int, ...]: ...
    @property
    def test_folds(self) -> tuple[int, ...]: ...
    def task(self, name: str | None) -> Task: ...


def list_collection(collection: Collection, signal: Signal) -> Listing:
    """List a collection as `signal` would condition it; one to be simulated is known before it is made.

    Raises WrongRequest for whatever cannot be found or used.
    """
    if collection.simulate is not None:
        return _to_be_simulated(collection.simulate, collection.task, signal)
    assert collection.data is not None  # Collection has one of the two
    if (store := store_at(collection.data, _folder(collection))) is not None:
        place, conditioned, table = str(store.path.resolve()), store.fingerprint, store
        return _listed(store.name, place, conditioned, table, collection.task)
    dataset = open_dataset(collection.data, _folder(collection), rate=signal.rate)
    place = f"{dataset.name} in {dataset.root.resolve()}"
    return _listed(dataset.name, place, store_fingerprint(dataset, signal), dataset, collection.task)


def prepared(collection: Collection, signal: Signal, simulated: Path, stores: Path | None) -> Store:
    """The store of a collection, which is simulated below the folder `simulated` first where the study says so."""
    if collection.simulate is None:
        assert collection.data is not None
        return open_store(collection.data, _folder(collection), signal, folder=stores)
    wanted = collection.simulate
    folder = simulated / f"{wanted.kind}-{wanted.records}-{wanted.rate}hz-seed{wanted.seed}"
    busy = f"another process is simulating {folder.name}; waiting for it."
    with alone(simulated / f"{folder.name}.lock", busy):  # two engines may want it at once
        if not folder.exists():
            simulate_collection(folder, wanted.kind, wanted.records, wanted.seed, rate=wanted.rate)
    return open_store("simulated", folder, signal, folder=stores)


def _folder(collection: Collection) -> Path | None:
    return Path(collection.folder) if collection.folder is not None else None


def _to_be_simulated(wanted: Simulation, task: str | None, signal: Signal) -> Listing:
    settings = wanted.model_dump(mode="json")
    tested = round(wanted.records / 10)
    return Listing(
        name="simulated",
        place=f"simulated {fingerprint(settings)}",
        task=task or DEFAULT_TASKS[wanted.kind],
        identity=fingerprint({"simulated": settings, "signal": signal.model_dump(mode="json")}),
        records=wanted.records,
        parts=(wanted.records - 2 * tested, tested, tested),
        test_folds=TEST_FOLDS,
    )


def _listed(name: str, place: str, conditioned: str, table: Table, task_name: str | None) -> Listing:
    task = table.task(task_name)
    folds = table.folds[task.listed]
    parts = [
        int(np.isin(folds, roles).sum()) for roles in (table.train_folds, table.validation_folds, table.test_folds)
    ]
    return Listing(
        name=name,
        place=place,
        task=task.name,
        identity=fingerprint({"conditioned": conditioned, "table": task_digest(table, task)}),
        records=int(task.listed.sum()),
        parts=(parts[0], parts[1], parts[2]),
        test_folds=table.test_folds,
    )


def task_digest(table: Table, task: Task) -> str:
    """Sixteen hex digits over who the task's records are of, what they are called and what their folds are."""
    rows = np.flatnonzero(task.listed)
    digest = hashlib.sha256()
    for column in (table.records, table.patients, table.sexes):
        digest.update("\n".join(column[row] for row in rows.tolist()).encode(errors="surrogateescape") + b"\0")
    for numbers in (table.folds, table.ages, task.labels):
        digest.update(np.ascontiguousarray(numbers[rows]).tobytes())
    digest.update(repr((task.classes, table.train_folds, table.validation_folds, table.test_folds)).encode())
    return digest.hexdigest()[:16]
