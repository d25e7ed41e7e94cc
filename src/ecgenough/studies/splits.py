"""Which rows of a store train, choose and test, and which of them must not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgenough.errors import WrongRequest
from ecgenough.model import PRETRAINED, Model
from ecgenough.progress import say
from ecgenough.signals.store import Store

Rows = NDArray[np.int64]


def split_rows(store: Store, task: str | None, leave_out: str | None = None) -> dict[str, Rows]:
    """Rows of the training, validation and test folds, in training and validation without the patients `left_out`.

    Raises WrongRequest where there is nothing to train or choose on, or a task is unknown.
    """
    name = store.task(task).name
    parts = {"train": store.train_folds, "validation": store.validation_folds, "test": store.test_folds}
    splits = {part: store.rows(name, folds) for part, folds in parts.items()}
    out = left_out(store, task, leave_out)
    for part in ("train", "validation"):
        listed = len(splits[part])
        splits[part] = np.setdiff1d(splits[part], out)
        if not len(splits[part]):
            without = f" once the patients of {leave_out} are left out" if listed else ""
            raise WrongRequest(
                f"{store.name} has no records of task {name} in its {part} folds ({listed_folds(parts[part])}){without}."
            )
    return splits


def left_out(store: Store, task: str | None, leave_out: str | None) -> Rows:
    """The training and validation rows of `task` whose patient has a record in the task `leave_out`.

    With them go records of the same waveform as one of those, whoever's they are said to be.
    """
    if leave_out is None:
        return np.zeros(0, dtype=np.int64)
    named = store.task(leave_out).listed
    patients = np.asarray(store.patients)
    known = np.isin(patients, patients[named]) | np.isin(store.hashes, store.hashes[named])
    rows = store.rows(task, (*store.train_folds, *store.validation_folds))
    return rows[known[rows]]


def say_left_out(store: Store, rows: Rows, leave_out: str | None) -> None:
    """How many records of how many patients `leave_out` keeps from training and validation."""
    if leave_out is not None:
        patients = len({store.patients[row] for row in rows})
        say(
            f"left out of training and validation, because their patients are in {leave_out}: "
            f"{len(rows):,} records of {patients:,} patients"
        )


def refuse_overlap(model: Model, store: Store, task: str | None = None) -> None:
    """Raises WrongRequest where the task's records in the store hold waveforms that the model has learned from.

    One pretrained without labels may go on with the same records, but not be tested on them.
    """
    known = np.isin(store.hashes, model.seen) & store.task(task).listed
    if model.task == PRETRAINED:  # it has seen no label, so only what it will be tested on must be new to it
        known &= np.isin(store.folds, store.test_folds)
    if known.any():
        name = store.task(task).name
        first = store.records[int(np.flatnonzero(known)[0])]
        raise WrongRequest(
            f"{int(known.sum())} records of {store.name} (first: {first}) were among those the source model learned from; "
            f"their figures would be too good. Train the source without these patients: --leave-out {name}."
        )


def listed_folds(folds: Sequence[int]) -> str:
    """Fold numbers as people read them."""
    return ", ".join(map(str, folds)) or "none"
