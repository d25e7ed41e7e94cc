"""Folds that a manifest states, by number or as train, validation and test, or that are dealt where it states none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.folds import make_folds
from ecgenough.datasets.sheet import Sheet
from ecgenough.datasets.table import check_patients_are_whole
from ecgenough.errors import WrongRequest
from ecgenough.progress import say
from ecgenough.sentences import counted

FOLDS = 10
WORDS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Split:
    """A fold for each record, and what each fold is for."""

    folds: NDArray[np.int64]
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


DEALT = (tuple(range(1, FOLDS - 1)), (FOLDS - 1,), (FOLDS,))


def make_split(
    sheet: Sheet,
    column: str | None,
    patients: Sequence[str],
    labels: NDArray[np.float32],
    seed: int,
    to_train_on: bool = True,
) -> Split:
    """The folds that `column` states; ten stratified ones, drawn from `seed`, where there is no such column.

    Numbers: the highest fold tests, the one below it validates, the others train. Words: as they say; where nothing is
    marked for validation, a ninth of the training patients is.
    Raises WrongRequest for a word that is none of the three, and for fewer than three numbers, a patient on two sides, or
    too few patients to deal. Those are left alone unless the records are `to_train_on`: too few patients are one fold then.
    """
    if column is None:
        if not to_train_on and len(set(patients)) < FOLDS:
            return Split(np.ones(len(sheet), dtype=np.int64), (1,), (), ())
        return _dealt(sheet, patients, labels, seed)
    if any(value.lower() in WORDS for value in sheet.column(column)):
        if to_train_on:
            check_patients_are_whole(patients, [_side(sheet, column, row) for row in range(len(sheet))])
        return _from_words(sheet, column, patients, labels, seed)
    return _from_numbers(sheet, column, to_train_on)


def _dealt(sheet: Sheet, patients: Sequence[str], labels: NDArray[np.float32], seed: int) -> Split:
    people = len(set(patients))
    if people < FOLDS:
        raise WrongRequest(
            f"{sheet.path.name} has {counted(people, 'patient')}, too few to deal into {FOLDS} folds. Add a column fold that says "
            "train, validation or test in each row."
        )
    return Split(make_folds(patients, labels, FOLDS, seed), *DEALT)


def _from_numbers(sheet: Sheet, column: str, to_train_on: bool) -> Split:
    folds = sheet.whole_numbers(column)
    numbers = np.unique(folds).tolist()
    if len(numbers) < 3 and not to_train_on:
        return Split(folds, tuple(numbers), (), ())
    if len(numbers) < 3:
        raise WrongRequest(
            f'{sheet.path.name} column "{column}" has fewer than three folds, which cannot train, validate and test. '
            "Write train, validation or test instead of numbers."
        )
    *train, validation, test = numbers
    return Split(folds, tuple(train), (validation,), (test,))


def _from_words(sheet: Sheet, column: str, patients: Sequence[str], labels: NDArray[np.float32], seed: int) -> Split:
    sides = np.array([_side(sheet, column, row) for row in range(len(sheet))])
    if "validation" in sides or "train" not in sides:
        numbers = {"train": 1, "validation": 2, "test": 3}
        return Split(np.array([numbers[side] for side in sides.tolist()], dtype=np.int64), (1,), (2,), (3,))
    rows = np.flatnonzero(sides == "train")
    learners = [patients[row] for row in rows.tolist()]
    if len(set(learners)) < FOLDS - 1:
        raise WrongRequest(
            f'{sheet.path.name} column "{column}" marks nothing for validation, and {len(set(learners))} training '
            "patients are too few to take a ninth of. Mark some rows validation."
        )
    say(f"{sheet.path.name}: no row is marked for validation; a ninth of the training patients is taken for it.")
    folds = np.full(len(sheet), FOLDS, dtype=np.int64)
    folds[rows] = make_folds(learners, labels[rows], FOLDS - 1, seed)
    return Split(folds, *DEALT)


def _side(sheet: Sheet, column: str, row: int) -> str:
    word = sheet.columns[column][row]
    if word.lower() not in WORDS:
        raise sheet.complaint(column, row, f'"{word}" is none of train, validation and test')
    return WORDS[word.lower()]
