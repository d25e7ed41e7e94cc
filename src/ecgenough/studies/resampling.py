"""Which records of a target train, choose and test in each cell: whole patients, and nothing chosen on the tested.

A cell sees its target as a store whose four folds are its own: one trains, one chooses, one tests, one takes no part.
Everything that reads published folds so reads these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.folds import make_folds
from ecgenough.datasets.table import check_patients_are_whole
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.signals.store import Store
from ecgenough.studies.study import Folds, Published

UNUSED, TRAIN, VALIDATION, TEST = 0, 1, 2, 3
NAMES = {TRAIN: "training", VALIDATION: "validation", TEST: "test"}

Roles = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """One division of a target: `fold` of `repeat` tests, and `size` training records are allowed (None: all)."""

    repeat: int
    fold: int
    size: int | None = None


def splits_of(resampling: Published | Folds, test_folds: Sequence[int], sizes: Sequence[int] = ()) -> list[Split]:
    """Every division that a study asks for; a published one is known by its first test fold."""
    if isinstance(resampling, Published):
        divisions = [Split(0, min(test_folds))]
    else:
        divisions = [
            Split(repeat, fold) for repeat in range(resampling.repeats) for fold in range(1, resampling.folds + 1)
        ]
    return [Split(split.repeat, split.fold, size) for split in divisions for size in (None, *sizes)]


def shares(resampling: Published | Folds) -> tuple[float, float, float]:
    """How large training, validation and test are expected to be; published folds are taken for eight, one and one."""
    if isinstance(resampling, Published):
        return 0.8, 0.1, 0.1
    tested = 1 / resampling.folds
    chosen = (1 - tested) / _parts(resampling.validation)
    return 1 - tested - chosen, chosen, tested


def divided(store: Store, task: str, resampling: Published | Folds, split: Split) -> Store:
    """The store with the folds of one split instead of its own; records outside the task take no part.

    Raises WrongRequest where there are too few patients, EcgenoughError should a patient ever be on two sides.
    """
    if isinstance(resampling, Published):
        people, roles = store.patients, _published(store, task)  # what its publisher divided is flagged, not refused
    else:
        people, roles = people_of(store), _dealt(store, task, resampling, split)
    if split.size is not None:
        roles = _cut(roles, people, store.task(task).labels, split.size, seed=split.repeat)
    check_apart(store, people, roles)
    return replace(store, folds=roles, train_folds=(TRAIN,), validation_folds=(VALIDATION,), test_folds=(TEST,))


def check_apart(store: Store, people: Sequence[str], roles: Roles) -> None:
    """Raise EcgenoughError naming a patient, or a waveform, of which the split has records on two sides."""
    used = np.flatnonzero(roles != UNUSED).tolist()
    sides = [NAMES[int(role)] for role in roles[used]]
    try:
        check_patients_are_whole([people[row] for row in used], sides)
    except WrongRequest as error:
        raise EcgenoughError(f"{store.name} cannot be divided so: {error}") from None


@lru_cache(maxsize=16)
def people_of(store: Store) -> tuple[str, ...]:
    """Whose each record is, as far as can be told: two patients who share a waveform count as one.

    A recording that is listed twice under two names would otherwise be trained on and tested.
    """
    parent = {patient: patient for patient in store.patients}
    first: dict[int, str] = {}
    for patient, waveform in zip(store.patients, store.hashes.tolist(), strict=True):
        known = first.setdefault(waveform, patient)
        parent[_root(parent, patient)] = _root(parent, known)
    return tuple(_root(parent, patient) for patient in store.patients)


def doubled_waveforms(store: Store, task: str) -> list[tuple[str, str]]:
    """Pairs of records of the task that are the same recording under two patients' names."""
    first: dict[int, int] = {}
    pairs = []
    for row in np.flatnonzero(store.task(task).listed).tolist():
        known = first.setdefault(int(store.hashes[row]), row)
        if store.patients[known] != store.patients[row]:
            pairs.append((store.records[known], store.records[row]))
    return pairs


def _root(parent: dict[str, str], patient: str) -> str:
    while parent[patient] != patient:
        parent[patient] = parent[parent[patient]]
        patient = parent[patient]
    return patient


def _published(store: Store, task: str) -> Roles:
    roles = np.full(len(store.records), UNUSED, dtype=np.int64)
    for role, folds in ((TRAIN, store.train_folds), (VALIDATION, store.validation_folds), (TEST, store.test_folds)):
        roles[store.rows(task, folds)] = role
    return roles


def _dealt(store: Store, task: str, resampling: Folds, split: Split) -> Roles:
    listed, labels, people = store.task(task).listed, store.task(task).labels, np.asarray(people_of(store))
    roles, rows = np.full(len(store.records), UNUSED, dtype=np.int64), np.flatnonzero(listed)
    seed = resampling.seed + split.repeat
    folds = make_folds(people[rows].tolist(), labels[rows], resampling.folds, seed)
    roles[rows[folds == split.fold]] = TEST
    learn = rows[folds != split.fold]
    parts = make_folds(people[learn].tolist(), labels[learn], _parts(resampling.validation), seed)
    roles[learn] = np.where(parts == 1, VALIDATION, TRAIN)
    return roles


def _parts(validation: float) -> int:
    """Into how many parts the records that are not tested are dealt; one of them is validation."""
    return max(2, round(1 / validation))


def _cut(roles: Roles, people: Sequence[str], labels: NDArray[np.float32], size: int, seed: int) -> Roles:
    """Keep `size` training records at most, and as large a share of the validation records.

    A larger size keeps what a smaller one kept.
    """
    cut, share = roles.copy(), min(size / max(int((roles == TRAIN).sum()), 1), 1.0)
    for role in (TRAIN, VALIDATION):
        rows = np.flatnonzero(roles == role)
        order = _in_even_order([people[row] for row in rows.tolist()], labels[rows], seed)
        cut[rows[order[max(1, round(share * len(rows))) :]]] = UNUSED
    return cut


def _in_even_order(people: Sequence[str], labels: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Rows patient by patient, drawn, such that every beginning has nearly the same share of every class.

    A patient counts for the rarest class among the records; each class's patients are spread evenly over the order.
    """
    names, members = np.unique(np.asarray(people, dtype=np.str_), return_inverse=True)
    totals = (labels > 0).sum(axis=0)
    rarest = np.argsort(totals, kind="stable")
    home = np.full(len(names), -1)
    for column in rarest[::-1]:
        home[members[labels[:, column] > 0]] = column
    place = np.empty(len(names))
    random = np.random.default_rng(seed)
    for group in np.unique(home):
        there = np.flatnonzero(home == group)
        place[random.permutation(there)] = (np.arange(len(there)) + 0.5) / len(there)
    return np.lexsort((members, place[members]))
