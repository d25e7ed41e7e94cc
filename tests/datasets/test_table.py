"""Task and Dataset refuse what would make results wrong later."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgenough.datasets import Dataset, Task
from ecgenough.errors import WrongRequest


def task(**changes: Any) -> Task:
    settings: dict[str, Any] = {"labels": [[0, 1], [1, 0], [1, 1]], "listed": [True, True, False], **changes}
    return Task("rhythm", settings.pop("classes", ("SR", "AFIB")), **settings)


def dataset(**changes: Any) -> Dataset:
    settings: dict[str, Any] = {
        "name": "own",
        "root": Path("."),
        "records": ("a", "b", "c"),
        "paths": ("a.hea", "b.hea", "c.hea"),
        "patients": ("1", "1", "2"),
        "folds": [3, 3, 9],
        "ages": [50, np.nan, 90],
        "sexes": ("female", "", "male"),
        "tasks": {"rhythm": task()},
        "train_folds": (1, 2, 3),
        "validation_folds": (9,),
        "test_folds": (10,),
        "default_task": "rhythm",
    }
    return Dataset(**{**settings, **changes})


def test_arrays_have_their_types_and_cannot_be_changed() -> None:
    made = dataset()
    assert [a.dtype.name for a in (made.folds, made.ages, made.task(None).labels)] == ["int64", "float32", "float32"]
    with pytest.raises(ValueError, match="read-only"):
        made.task("rhythm").labels[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"folds": [3, 9, 9]}, r"^patient 1 has records in folds 3 and 9; folds must keep a patient whole\.$"),
        ({"records": ("a", "b", "a")}, r"^record a is listed twice; records must differ\.$"),
        ({"paths": ("a.hea",)}, "1 paths for 3 records"),
        ({"sexes": ("f", "", "male")}, 'sex "f"'),
        ({"default_task": "rythm"}, 'no task "rythm". Nearest: "rhythm".'),
        ({"test_folds": (9, 10)}, "fold 9 serves two purposes"),
        (
            {"records": (), "rejected": (("a", "a.hea is not there."),)},
            "no record that can be used. 1 were left out, the first because: a.hea is not there.",
        ),
    ],
)
def test_a_dataset_refuses(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        dataset(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": [[0, 2], [1, 0], [1, 1]]}, "labels other than 0 and 1"),
        ({"labels": [[0, 1]]}, r"labels of shape \(1, 2\); \(3, 2\) was expected"),
        ({"classes": ("SR", "SR")}, 'class "SR" twice'),
        ({"classes": (), "labels": np.zeros((3, 0))}, "has no classes"),
        ({"titles": ("sinus rhythm",)}, "1 title for 2 classes"),
        ({"likelihoods": [[0, 1.5], [1, 0], [1, 1]]}, "likelihoods outside 0 to 1"),
        ({"likelihoods": [[0.2, 1], [1, 0], [1, 1]]}, "not 0 exactly where the label is 0"),
    ],
)
def test_a_task_refuses(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        task(**changes)


def test_tasks_must_cover_every_record() -> None:
    short = replace(task(), labels=np.zeros((2, 2), dtype=np.float32), listed=np.ones(2, dtype=np.bool_))
    with pytest.raises(WrongRequest, match="records of shape"):
        dataset(tasks={"rhythm": short})
