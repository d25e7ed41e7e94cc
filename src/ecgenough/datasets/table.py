"""What a collection is once it has been listed: records, patients, folds, and tasks with their labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.joint import columns_by_task, joint_class, joint_name, part_names
from ecgenough.errors import WrongRequest, doubled, nearest
from ecgenough.formats.table import TableLayout
from ecgenough.sentences import counted


@dataclass(frozen=True, eq=False)
class Task:
    """Which classes are asked for, and what each record's answer is.

    `labels` is float32 `[records, classes]` of 0 and 1. `listed` is bool `[records]`: the records that take part.
    `likelihoods`, where the annotators gave any, is float32 `[records, classes]` from 0 to 1, and 0 where the label is.
    A binary task has exactly one class, its positive one. `titles` are the full names of the classes. In a joint task
    (`joined`) a label is NaN where the record takes no part in the class's own task: it was never asked for there.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.float32]
    listed: NDArray[np.bool_]
    likelihoods: NDArray[np.float32] | None = None
    titles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _freeze(self, "labels", np.float32)
        _freeze(self, "listed", np.bool_)
        if not self.classes:
            raise WrongRequest(f'task "{self.name}" has no classes.')
        if (twice := doubled(self.classes)) is not None:
            raise WrongRequest(f'task "{self.name}" has class "{twice}" twice; class names must differ.')
        if self.titles and len(self.titles) != len(self.classes):
            raise WrongRequest(
                f'task "{self.name}" has {counted(len(self.titles), "title")} for '
                f"{counted(len(self.classes), 'class', 'classes')}."
            )
        _check_shape(self.name, "labels", self.labels, (len(self.listed), len(self.classes)))
        if not (np.isin(self.labels, (0, 1)) | (np.isnan(self.labels) & self.is_joint)).all():
            raise WrongRequest(f'task "{self.name}" has labels other than 0 and 1.')
        if self.likelihoods is not None:
            _freeze(self, "likelihoods", np.float32)
            _check_likelihoods(self)

    @property
    def is_joint(self) -> bool:
        """Whether this task is made of several."""
        return len(columns_by_task(self.name, self.classes)) > 1


def joined(tasks: Sequence[Task]) -> Task:
    """One task of several over the same records; a record's labels are NaN in those it takes no part in.

    It has likelihoods if all of them do.
    """
    likelihoods = [task.likelihoods for task in tasks if task.likelihoods is not None]
    return Task(
        name=joint_name([task.name for task in tasks]),
        classes=tuple(joint_class(task.name, label) for task in tasks for label in task.classes),
        labels=_side_by_side(tasks, [task.labels for task in tasks]),
        listed=np.any([task.listed for task in tasks], axis=0),
        likelihoods=_side_by_side(tasks, likelihoods) if len(likelihoods) == len(tasks) else None,
        titles=tuple(title for task in tasks for title in task.titles or task.classes),
    )


def find_task(dataset: str, tasks: Mapping[str, Task], wanted: str) -> Task:
    """The task `wanted` of a data set, or the joint task of those that it joins, such as form+rhythm.

    Raises WrongRequest with the nearest name, for a task joined to itself, or where there are no labels at all.
    """
    if not tasks:
        raise WrongRequest(
            f"{dataset} has no labels to train on or to test with. Add a column of 0 and 1, or one of words named label; "
            "without labels it can be prepared and pretrained on."
        )
    names = (wanted,) if wanted in tasks else part_names(wanted)
    for name in names:
        if name not in tasks:
            raise WrongRequest(f'{dataset} has no task "{name}". {nearest(name, tasks)}')
    if (twice := doubled(names)) is not None:
        raise WrongRequest(f'task "{wanted}" names "{twice}" twice; name each task once.')
    return tasks[names[0]] if len(names) == 1 else joined([tasks[name] for name in names])


@dataclass(frozen=True, eq=False)
class Dataset:
    """A listed collection; signals are not read yet.

    `paths` are relative to `root` and readable by `formats.read`, with `layout` where files are plain tables. `ages`
    are in years (NaN where unknown), `sexes` are "female", "male" or "". `rejected` holds (record, reason) of what was
    listed but cannot be used. Without labels there are no `tasks`, and `default_task` is empty. `torn` names patients
    that are known to have records in several folds; only `inspect` lists such a collection, to tell which they are.
    Raises WrongRequest for an empty collection, a record listed twice, or any other patient in two folds.
    """

    name: str
    root: Path
    records: tuple[str, ...]
    paths: tuple[str, ...]
    patients: tuple[str, ...]
    folds: NDArray[np.int64]
    ages: NDArray[np.float32]
    sexes: tuple[str, ...]
    tasks: Mapping[str, Task]
    train_folds: tuple[int, ...]
    validation_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    default_task: str
    rejected: tuple[tuple[str, str], ...] = field(default=())
    layout: TableLayout | None = None
    torn: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _freeze(self, "folds", np.int64)
        _freeze(self, "ages", np.float32)
        if not self.records:
            raise WrongRequest(f"{self.name} lists no record that can be used.{_first_reason(self.rejected)}")
        if (twice := doubled(self.records)) is not None:
            raise WrongRequest(f"record {twice} is listed twice; records must differ.")
        for what in ("paths", "patients", "folds", "ages", "sexes"):
            if (count := len(getattr(self, what))) != len(self.records):
                raise WrongRequest(f"{self.name} has {count} {what} for {counted(len(self.records), 'record')}.")
        for task in self.tasks.values():
            _check_shape(task.name, "records", task.listed, (len(self.records),))
        if unknown := sorted(set(self.sexes) - {"female", "male", ""}):
            raise WrongRequest(f'{self.name} has sex "{unknown[0]}"; write female, male or nothing.')
        if self.tasks:
            self.task(self.default_task)
        check_folds_are_apart(self.train_folds, self.validation_folds, self.test_folds)
        if set(self.torn) != torn_patients(self.patients, self.folds.tolist()).keys():
            check_patients_are_whole(self.patients, self.folds.tolist())

    def task(self, name: str | None) -> Task:
        """The task of that name, the joint task of several (form+rhythm), or the default one; see `find_task`."""
        return find_task(self.name, self.tasks, self.default_task if name is None else name)


def torn_patients(patients: Sequence[str], folds: Sequence[int]) -> dict[str, list[int]]:
    """The patients whose records lie in more than one fold, with these folds, in the order of the listing."""
    homes: dict[str, set[int]] = {}
    for patient, fold in zip(patients, folds, strict=True):
        homes.setdefault(patient, set()).add(fold)
    return {patient: sorted(found) for patient, found in homes.items() if len(found) > 1}


def check_patients_are_whole(patients: Sequence[str], folds: Sequence[int] | Sequence[str]) -> None:
    """Raise WrongRequest naming the first patient whose records lie in more than one fold, given by number or name."""
    home: dict[str, Any] = {}
    for patient, fold in zip(patients, folds, strict=True):
        if home.setdefault(patient, fold) != fold:
            sides = (home[patient], fold)
            first, second = sides if isinstance(fold, str) else sorted(sides)
            raise WrongRequest(
                f"patient {patient} has records in folds {first} and {second}; folds must keep a patient whole."
            )


def check_folds_are_apart(*sides: tuple[int, ...]) -> None:
    """Raise WrongRequest if a fold serves two of training, validation and test."""
    counts = Counter(fold for side in sides for fold in set(side))
    shared = sorted(fold for fold, count in counts.items() if count > 1)
    if shared:
        raise WrongRequest(f"fold {shared[0]} serves two purposes; training, validation and test folds must differ.")


def _check_likelihoods(task: Task) -> None:
    likelihoods = task.likelihoods
    assert likelihoods is not None
    _check_shape(task.name, "likelihoods", likelihoods, task.labels.shape)
    within = np.isnan(task.labels) | ((likelihoods >= 0) & (likelihoods <= 1))
    if not within.all() or ((likelihoods > 0) != (task.labels > 0)).any():
        raise WrongRequest(f'task "{task.name}" has likelihoods outside 0 to 1, or not 0 exactly where the label is 0.')


def _side_by_side(tasks: Sequence[Task], tables: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Tables `[records, classes]` of the tasks in one, NaN where a record takes no part in the table's task."""
    nothing = np.float32(np.nan)
    known = [np.where(task.listed[:, None], table, nothing) for task, table in zip(tasks, tables, strict=True)]
    return np.concatenate(known, axis=1)


def _check_shape(task: str, what: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise WrongRequest(f'task "{task}" has {what} of shape {array.shape}; {shape} was expected.')


def _freeze(value: Any, name: str, dtype: type[np.generic]) -> None:
    array = np.array(getattr(value, name), dtype=dtype)
    array.flags.writeable = False
    object.__setattr__(value, name, array)


def _first_reason(rejected: tuple[tuple[str, str], ...]) -> str:
    return f" {len(rejected):,} were left out, the first because: {rejected[0][1]}" if rejected else ""
