"""Folds that keep patients whole and give every fold its share of every class."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgenough.errors import WrongRequest
from ecgenough.sentences import counted


def make_folds(patients: Sequence[str], labels: ArrayLike, folds: int = 10, seed: int = 0) -> NDArray[np.int64]:
    """Deal patients into folds 1 to `folds`; int64 `[records]`, the same for a patient whatever the order of rows.

    `labels` is `[records, classes]` of 0 and 1. Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011) over
    patients instead of records: the rarest class still to be dealt goes first, each of its patients to the fold that
    lacks it most, among folds that are not yet full; so no fold exceeds its share by a whole patient's records.
    Raises WrongRequest if there are fewer patients than folds.
    """
    names, members = np.unique(np.asarray(patients, dtype=np.str_), return_inverse=True)
    if len(names) < folds:
        raise WrongRequest(
            f"{counted(len(names), 'patient')} cannot be dealt into {folds} folds; list at least one a fold."
        )
    counts = _counts(members, np.asarray(labels) > 0, len(names))
    draws = np.array([_draw(name, seed) for name in names.tolist()], dtype=np.uint64)
    return _deal(counts, draws, folds)[members] + 1


def _counts(members: NDArray[np.intp], labels: NDArray[np.bool_], patients: int) -> NDArray[np.int64]:
    """Per patient, the number of records of each class and, last, of all records: `[patients, classes + 1]`."""
    labels = labels.reshape(len(members), -1)
    columns = [np.bincount(members, weights=labels[:, index], minlength=patients) for index in range(labels.shape[1])]
    return np.stack([*columns, np.bincount(members, minlength=patients)], axis=1).astype(np.int64)


def _draw(name: str, seed: int) -> int:
    """A patient's own random number: it does not depend on who else is listed, nor in which order."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest(), "big")


def _deal(counts: NDArray[np.int64], draws: NDArray[np.uint64], folds: int) -> NDArray[np.int64]:
    patients, columns = counts.shape
    home = np.full(patients, -1, dtype=np.int64)
    # What each fold still lacks of each class, times `folds` so that it stays whole and ties are exact.
    lacking = np.tile(counts.sum(axis=0), (folds, 1))
    remaining = counts.sum(axis=0)
    while (home < 0).any():
        rare = _rarest(remaining[:-1])
        column = columns - 1 if rare is None else rare
        waiting = np.flatnonzero((home < 0) & (counts[:, column] > 0))
        for patient in waiting[np.lexsort((draws[waiting], -counts[waiting, column]))].tolist():
            home[patient] = fold = _neediest(lacking, column, int(draws[patient]))
            lacking[fold] -= folds * counts[patient]
        remaining -= counts[waiting].sum(axis=0)
    return home


def _rarest(remaining: NDArray[np.int64]) -> int | None:
    present = np.flatnonzero(remaining > 0)
    return int(present[np.argmin(remaining[present])]) if len(present) else None


def _neediest(lacking: NDArray[np.int64], column: int, draw: int) -> int:
    """The fold that lacks most of `column`, then most records, among those not full; the patient's draw breaks ties."""
    records = lacking[:, -1]
    open_folds = np.flatnonzero(records > 0)
    needs = lacking[open_folds, column]
    neediest = open_folds[needs == needs.max()]
    neediest = neediest[records[neediest] == records[neediest].max()]
    return int(neediest[draw % len(neediest)])
