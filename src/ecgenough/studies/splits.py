"""Which rows of a store train, choose and test, and which of them must not."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.joint import columns_by_task
from ecgenough.errors import WrongRequest
from ecgenough.model import PRETRAINED, Model
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.sentences import agreed, counted
from ecgenough.signals.store import Store

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Division:
    """The rows of a task that train, choose and test, and what was kept from training and validation, and why.

    `left_out` are rows of patients of the task `leave_out`. `copies` have the waveform of a row that chooses or tests;
    `twins` are all rows whose waveform another patient's or another fold's row has, `first` the first two of them.
    """

    rows: dict[str, Rows]
    leave_out: str | None
    left_out: Rows
    copies: Rows
    twins: Rows
    first: tuple[str, ...]

    def say(self, store: Store, task: str) -> None:
        """What goes where, for the person watching."""
        say(f"{store.name} {task}: {', '.join(f'{len(rows):,} {part}' for part, rows in self.rows.items())} records")
        if self.leave_out is not None:
            say(
                f"left out of training and validation, because their patients are in {self.leave_out}: "
                f"{counted(len(self.left_out), 'record')} of {counted(_patients(store, self.left_out), 'patient')}"
            )
        if len(self.twins):
            have, were = agreed(len(self.twins), "has", "have"), agreed(len(self.copies), "was", "were")
            say(
                f"{counted(len(self.twins), 'record')} of {store.name} {have} the waveform of a record of another patient or "
                f"fold (first: {' and '.join(self.first)}); {len(self.copies):,} {were} left out of training or validation, "
                "because the other one chooses or tests"
            )

    def digest(self, store: Store, recipe: Recipe) -> str:
        """Sixteen hex digits over what is learned from and chosen on: waveforms, labels and folds, wherever they lie."""
        rows, task = np.concatenate([self.rows["train"], self.rows["validation"]]), store.task(recipe.task)
        digest = hashlib.sha256(store.hashes[rows].tobytes())
        digest.update(task.labels[rows].tobytes())
        digest.update(store.folds[rows].tobytes())
        if recipe.labels == "likelihood" and task.likelihoods is not None:
            digest.update(task.likelihoods[rows].tobytes())
        return digest.hexdigest()[:16]

    def to_counts(self, store: Store) -> dict[str, Any]:
        """What data.json says of the rows that were kept from training and validation."""
        counts = {"records": len(self.left_out), "patients": _patients(store, self.left_out)}
        return {
            "left_out": None if self.leave_out is None else {"task": self.leave_out, **counts},
            "repeated": {"records": len(self.twins), "left_out": len(self.copies), "first": list(self.first)},
        }


def divide(store: Store, task: str | None, leave_out: str | None = None) -> Division:
    """Rows of the training, validation and test folds; training and validation without the patients of `leave_out`.

    A waveform is shown once: what tests is not chosen or learned from, what chooses is not learned from. Raises
    WrongRequest where there is nothing to train or choose on, or a task is unknown.
    """
    name = store.task(task).name
    folds = {"train": store.train_folds, "validation": store.validation_folds, "test": store.test_folds}
    listed = {part: store.rows(name, numbers) for part, numbers in folds.items()}
    spared = _of_patients(store, leave_out)
    rows = {part: every if part == "test" else every[~spared[every]] for part, every in listed.items()}
    twins = _twins(store, np.concatenate(list(rows.values())))
    copies = np.concatenate(
        [
            _copied(store, rows["train"], rows["validation"], rows["test"]),
            _copied(store, rows["validation"], rows["test"]),
        ]
    )
    kept = {part: np.setdiff1d(own, copies) for part, own in rows.items()}
    for part in ("train", "validation"):
        if not len(kept[part]):
            without = f" once the patients of {leave_out} are left out" if leave_out and len(listed[part]) else ""
            raise WrongRequest(
                f"{store.name} has no records of task {name} in its {part} folds ({listed_folds(folds[part])}){without}."
            )
    every = np.concatenate([listed["train"], listed["validation"]])
    return Division(kept, leave_out, every[spared[every]], copies, twins, _first_pair(store, twins))


def split_rows(store: Store, task: str | None, leave_out: str | None = None) -> dict[str, Rows]:
    """The rows that train, choose and test; see `divide`."""
    return divide(store, task, leave_out).rows


def check_scorable(store: Store, task: str, rows: Rows, folds: Sequence[int]) -> None:
    """Raise WrongRequest where no class can be told apart on these rows, which are those of `folds`.

    Of a joint task, each of the tasks it joins must have one.
    """
    about = store.task(task)
    for name, columns in columns_by_task(about.name, about.classes).items():
        labels = about.labels[rows, columns]
        if not ((labels == 1).any(axis=0) & (labels == 0).any(axis=0)).any():
            raise WrongRequest(
                f"no class of {name} has both positives and negatives in fold {listed_folds(folds)} of {store.name}, so "
                "nothing can be chosen or scored there. Use other folds, or another task."
            )


def refuse_overlap(model: Model, store: Store, task: str | None = None) -> None:
    """Raises WrongRequest where the task has records, or other records of patients, that the model has learned from.

    One pretrained without labels may go on with the same records, but not be tested on them.
    """
    about = store.task(task)
    rows = np.flatnonzero(about.listed)
    if model.task == PRETRAINED:  # it has seen no label, so only what it will be tested on must be new to it
        rows = rows[np.isin(store.folds[rows], store.test_folds)]
    way_out = _way_out(model, store, about.name)
    records = rows[np.isin(store.hashes[rows], model.seen)]
    if len(records):
        raise WrongRequest(
            f"{counted(len(records), 'record')} of {store.name} (first: {store.records[records[0]]}) "
            f"{agreed(len(records), 'was', 'were')} among those the source model learned from; their figures would be too "
            f"good. {way_out}"
        )
    known = rows[np.isin(store.patient_hashes(rows), model.seen_patients)]
    if len(known):
        people = _patients(store, known)
        raise WrongRequest(
            f"{counted(people, 'patient')} of {store.name} (first: {store.patients[known[0]]}) "
            f"{agreed(people, 'was', 'were')} among those the source model learned from; their figures would be too good. "
            f"{way_out} If they are other people, give this collection another name."
        )


def _way_out(model: Model, store: Store, task: str) -> str:
    """What to do instead. `--leave-out` takes a task of the collection that was learned from, and of no other."""
    if model.origin.get("dataset") == store.name:
        return (
            "Carry it over to another collection, or train a source of your own without these patients: ecgenough train "
            f"... --leave-out {task}."
        )
    return (
        f"Leave them out of {store.name}, or carry over a model that has not learned from them, such as one of your own that "
        "is trained without them."
    )


def refuse_knowing(model: Model, what: str, store: Store, rows: Rows) -> None:
    """Raise WrongRequest where `what`, a model, has learned from or was chosen on one of `rows`, which are to test."""
    known = seen_rows(model, store, rows)
    if len(known):
        raise WrongRequest(
            f"{what} has seen {len(known):,} of the records that are to test (first: {store.records[known[0]]}), or others "
            "of their patients; figures on them would be too good. Choose one that was trained without them."
        )


def seen_rows(model: Model, store: Store, rows: Rows) -> Rows:
    """Which of `rows` the model learned from or was chosen on, themselves or by another record of their patient."""
    known = np.isin(store.hashes[rows], model.seen) | np.isin(store.patient_hashes(rows), model.seen_patients)
    return rows[known]


def listed_folds(folds: Sequence[int]) -> str:
    """Fold numbers as people read them."""
    return ", ".join(map(str, folds)) or "none"


def _of_patients(store: Store, task: str | None) -> NDArray[np.bool_]:
    """Which rows `[records]` are of a patient of `task`, or have the waveform of one of its records."""
    if task is None:
        return np.zeros(len(store.records), dtype=np.bool_)
    named = np.flatnonzero(store.task(task).listed)
    hashes = store.patient_hashes(np.arange(len(store.records)))
    return np.isin(hashes, hashes[named]) | np.isin(store.hashes, store.hashes[named])


def _copied(store: Store, rows: Rows, *others: Rows) -> Rows:
    """Those of `rows` whose waveform one of the other rows has."""
    return rows[np.isin(store.hashes[rows], store.hashes[np.concatenate(others)])]


def _twins(store: Store, rows: Rows) -> Rows:
    """Those of `rows` whose waveform is also that of another patient or in another fold, twins side by side."""
    rows = rows[np.argsort(store.hashes[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(store.hashes[rows])) + 1
    groups = [group for group in np.split(rows, starts) if len(group) > 1]
    apart = [group for group in groups if len({(store.patients[row], int(store.folds[row])) for row in group}) > 1]
    return np.concatenate(apart) if apart else np.zeros(0, dtype=np.int64)


def _first_pair(store: Store, twins: Rows) -> tuple[str, ...]:
    """The first record that has a twin, and that twin."""
    if not len(twins):
        return ()
    first = int(twins.min())
    same = np.sort(twins[store.hashes[twins] == store.hashes[first]])
    return tuple(store.records[row] for row in same[:2])


def _patients(store: Store, rows: Rows) -> int:
    return len(set(store.patient_hashes(rows).tolist()))
