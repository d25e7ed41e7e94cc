"""Which records train, choose and test: patients who are promised to another task stay out of training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.pretraining import run_pretraining
from ecgenough.studies.splits import split_rows


@pytest.fixture(scope="module")
def two_tasks(stores: dict[str, Store]) -> Store:
    """The superclasses and a task "small" of every third record; its patients have other records too."""
    store = stores["superclasses"]
    listed = np.arange(len(store.records)) % 3 == 0
    labels = (np.arange(len(store.records)) % 2).astype(np.float32)[:, None]
    return replace(store, tasks={**store.tasks, "small": Task("small", ("odd",), labels, listed)})


@pytest.fixture(scope="module")
def source(two_tasks: Store, tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.with_changes(["leave_out=small", "training.epochs=1", "training.select=last"])
    return runs.train(two_tasks, recipe, tmp_path_factory.mktemp("runs") / "source", "cpu")


def test_no_patient_of_the_other_task_trains_or_chooses(two_tasks: Store) -> None:
    whole, spared = split_rows(two_tasks, None), split_rows(two_tasks, None, "small")
    patients = np.asarray(two_tasks.patients)
    named = set(patients[two_tasks.task("small").listed])
    assert any(patients[row] in named and row % 3 for row in whole["train"])  # some by their patient alone
    for part in ("train", "validation"):
        assert spared[part].tolist() == [row for row in whole[part] if patients[row] not in named]
        assert 0 < len(spared[part]) < len(whole[part])
    assert spared["test"].tolist() == whole["test"].tolist()


def test_a_copy_of_a_record_of_the_other_task_is_left_out_whoever_s_it_is(two_tasks: Store) -> None:
    row = int(split_rows(two_tasks, None, "small")["train"][0])
    hashes = two_tasks.hashes.copy()
    hashes[row] = hashes[0]
    assert row not in split_rows(replace(two_tasks, hashes=hashes), None, "small")["train"]


def test_the_source_can_be_carried_over_to_what_was_left_out(
    source: Path, two_tasks: Store, tiny: Recipe, tmp_path: Path
) -> None:
    changes = ["task=small", "transfer.mode=frozen", "training.epochs=1", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(source), tiny.with_changes(changes))
    assert Model.load(runs.transfer(source, two_tasks, recipe, tmp_path / "small", "cpu")).classes == ("odd",)


def test_a_source_that_left_no_one_out_is_refused_with_the_way_out(
    two_tasks: Store, tiny: Recipe, tmp_path: Path
) -> None:
    recipe = tiny.with_changes(["training.epochs=1", "training.select=last"])
    plain = runs.train(two_tasks, recipe, tmp_path / "plain", "cpu")
    asked = runs.recipe_for_transfer(Model.load(plain), recipe.with_changes(["task=small", "transfer.mode=frozen"]))
    with pytest.raises(WrongRequest, match="--leave-out small"):
        runs.transfer(plain, two_tasks, asked, tmp_path / "small", "cpu")


def test_the_run_says_who_was_left_out(
    source: Path, two_tasks: Store, tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, spared = split_rows(two_tasks, None), split_rows(two_tasks, None, "small")
    gone = [row for part in ("train", "validation") for row in set(whole[part]) - set(spared[part])]
    patients = len({two_tasks.patients[row] for row in gone})
    expected = {"task": "small", "records": len(gone), "patients": patients}
    flow = json.loads((source / "data.json").read_text())
    assert flow["left_out"] == expected
    assert flow["records"]["train"] == len(spared["train"])
    pretraining = tiny.with_changes(["pretraining.objective=masked", "leave_out=small", "training.epochs=1"])
    folder = run_pretraining(two_tasks, pretraining.with_changes(["training.select=loss"]), tmp_path / "p", "cpu")
    assert f"patients are in small: {len(gone)} records of {patients} patients" in capsys.readouterr().err
    assert json.loads((folder / "data.json").read_text())["left_out"] == expected
    assert not set(np.asarray(two_tasks.hashes)[gone].tolist()) & set(Model.load(folder).seen.tolist())


def test_an_unknown_task_and_one_that_leaves_nothing_are_refused(two_tasks: Store) -> None:
    with pytest.raises(WrongRequest, match=r'no task "smal"\. Nearest: "small"'):
        split_rows(two_tasks, None, "smal")
    with pytest.raises(WrongRequest, match=r"in its train folds .* once the patients of superdiagnostic are left out"):
        split_rows(two_tasks, None, "superdiagnostic")
