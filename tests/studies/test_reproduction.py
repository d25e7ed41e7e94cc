"""A run once more: identical, or by how much not; refused where data, source or versions are others."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecgenough.cli import main
from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.cell_reproduction import reproduce_cell
from ecgenough.studies.reproduction import Original, deviations, differences, reproduce, table_deviations


@pytest.fixture(scope="module")
def run(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    quick = tiny.with_changes(["training.epochs=2", "training.batch=64"])
    return runs.train(stores["superclasses"], quick, tmp_path_factory.mktemp("runs") / "first", "cpu")


def test_a_run_is_repeated_identically(run: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    found = reproduce(Original.open(run), stores["superclasses"], tmp_path / "again", "cpu")
    assert found["identical"]
    assert {"weights", "log train_loss", "metrics auc", "metrics brier", "predictions p_MI"} <= set(found["figures"])
    assert found["environment"] == {}
    assert json.loads((tmp_path / "again" / "reproduction.json").read_text()) == found
    first, again = ((folder / "model" / "model.safetensors").read_bytes() for folder in (run, tmp_path / "again"))
    assert first == again


def test_a_transfer_is_repeated_with_its_source(run: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    asked = Recipe().with_changes(["transfer.mode=frozen", "training.epochs=1", "training.select=last"])
    recipe = runs.recipe_for_transfer(Model.load(run), asked)
    shutil.copytree(run, tmp_path / "source")
    carried = runs.transfer(tmp_path / "source", stores["embolism"], recipe, tmp_path / "carried", "cpu")
    (tmp_path / "source").rename(tmp_path / "moved")
    with pytest.raises(WrongRequest, match=r"which is not there\. Say where it is now with --source"):
        Original.open(carried)
    original = Original.open(carried, tmp_path / "moved")
    assert reproduce(original, stores["embolism"], tmp_path / "again", "cpu")["identical"]
    with pytest.raises(WrongRequest, match="has other weights"):
        Original.open(carried, carried)


def test_a_pupil_is_repeated_with_its_teachers(
    run: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """The teacher has seen records that the pupil has not; the pupil's model names those too."""
    shutil.copytree(run, tmp_path / "teacher")
    changes = ["training.epochs=1", f"distillation.teachers=[{tmp_path / 'teacher'}]"]
    store = without(stores["superclasses"], 3)
    pupil = runs.train(store, tiny.with_changes(changes), tmp_path / "pupil", "cpu")
    assert reproduce(Original.open(pupil), store, tmp_path / "again", "cpu")["identical"]
    (tmp_path / "teacher" / "model" / "model.json").rename(tmp_path / "model.json")
    with pytest.raises(WrongRequest, match=r"was taught by .*teacher, which is not there"):
        Original.open(pupil)
    shutil.rmtree(tmp_path / "teacher")
    shutil.copytree(pupil, tmp_path / "teacher")
    with pytest.raises(WrongRequest, match="other weights than the model that taught"):
        Original.open(pupil)


def without(store: Store, count: int) -> Store:
    """The store, in which the first `count` training records take no part in the task."""
    task = store.task(None)
    listed = task.listed.copy()
    listed[store.rows(None, store.train_folds)[:count]] = False
    return replace(store, tasks={**store.tasks, task.name: replace(task, listed=listed)})


@pytest.mark.parametrize("arm", ["tiny full", "demographics"])
def test_a_study_s_cell_is_repeated(done: Path, arm: str, tmp_path: Path) -> None:
    cells = pd.read_csv(done / "cells.csv")
    cell = done / "cells" / cells.loc[cells["arm"] == arm, "cell"].iloc[0]
    found = reproduce_cell(cell, tmp_path / "again", "cpu", stores=done.parent / "stores")
    assert found["identical"], found
    assert found["environment"] == {}
    assert ("log train_loss" in found["figures"]) == (arm == "tiny full")
    assert "predictions p_embolism" in found["figures"]
    table = tmp_path / "again" / "cells" / cell.name / "predictions.csv"
    changed = pd.read_csv(table, dtype={"record": str})
    changed.loc[2, "p_embolism"] += 0.5
    changed.to_csv(table, index=False)
    assert table_deviations(cell, table.parent)["predictions p_embolism"] == pytest.approx(0.5)


def test_a_cell_that_does_not_fit_its_study_any_more_is_refused(done: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(done, study)
    cell = next(path for path in (study / "cells").iterdir() if path.name[0] != ".")
    card = json.loads((cell / "cell.json").read_text())
    with pytest.raises(WrongRequest, match="is the study itself"):
        reproduce_cell(cell, study, "cpu", stores=done.parent / "stores")
    for change, why in (
        ({"store": "0" * 16}, "the data are not those of"),
        ({"environment": {"torch": "1.0"}}, r"was made with torch 1\.0"),
        ({"environment": {"scikit-learn": "1.0"}}, r"was made with scikit-learn 1\.0"),
    ):
        (cell / "cell.json").write_text(json.dumps({**card, "origin": {**card["origin"], **change}}))
        with pytest.raises(WrongRequest, match=why):
            reproduce_cell(cell, tmp_path / "again", "cpu", stores=done.parent / "stores")
    (cell / "cell.json").write_text(json.dumps({key: value for key, value in card.items() if key != "origin"}))
    with pytest.raises(WrongRequest, match="does not say what it ran on"):
        reproduce_cell(cell, tmp_path / "again", "cpu", stores=done.parent / "stores")
    cell.rename(cell.with_name("0123456789abcdef"))
    (cell.with_name("0123456789abcdef") / "cell.json").write_text(json.dumps(card))
    with pytest.raises(WrongRequest, match="plans no cell 0123456789abcdef any more"):
        reproduce_cell(cell.with_name("0123456789abcdef"), tmp_path / "again", "cpu", stores=done.parent / "stores")


def test_the_deviation_is_the_largest_difference(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other")
    log = pd.read_csv(run / "log.csv")
    log.loc[1, "train_loss"] += 0.25
    log.to_csv(tmp_path / "other" / "log.csv", index=False)
    path = tmp_path / "other" / "validation" / "predictions.csv"
    table = pd.read_csv(path)
    table.loc[3, "p_MI"] += 0.5
    table.loc[5, "p_MI"] -= 0.125
    table.iloc[::-1].to_csv(path, index=False)  # in another order: records are matched by name
    found = deviations(run, tmp_path / "other")
    assert found.pop("log train_loss") == pytest.approx(0.25)
    assert found.pop("predictions p_MI") == pytest.approx(0.5)
    assert set(found.values()) == {0.0}


def test_other_data_are_refused_by_what_differs(run: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    store, original = stores["superclasses"], Original.open(run)
    row = int(store.rows(None, store.train_folds)[0])
    hashes = store.hashes.copy()
    hashes[row] += 1
    with pytest.raises(WrongRequest, match="2 waveforms of the training and validation folds differ"):
        reproduce(original, replace(store, hashes=hashes), tmp_path / "o", "cpu")
    task = store.task(None)
    labels = np.array(task.labels)
    labels[row] = 1 - labels[row]
    relabelled = replace(store, tasks={**store.tasks, task.name: replace(task, labels=labels, likelihoods=None)})
    with pytest.raises(WrongRequest, match=r"positives NORM train was \d+ and is \d+"):
        reproduce(original, relabelled, tmp_path / "o", "cpu")
    assert not (tmp_path / "o").exists()


def test_other_versions_are_refused_by_name_or_told(run: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(run, older)
    card = json.loads((older / "model" / "model.json").read_text())
    card["origin"]["environment"]["torch"] = "1.0"
    (older / "model" / "model.json").write_text(json.dumps(card))
    with pytest.raises(WrongRequest, match=r"was made with torch 1\.0, and this is 2"):
        reproduce(Original.open(older), stores["superclasses"], tmp_path / "o", "cpu")
    found = reproduce(Original.open(older), stores["superclasses"], tmp_path / "o", "cpu", anyway=True)
    assert found["environment"]["torch"][0] == "1.0"
    assert found["identical"]


def test_another_scikit_learn_is_refused_where_a_baseline_taught(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    changes = ["training.epochs=1", "distillation={teachers: [], baselines: [demographics]}"]
    pupil = runs.train(stores["superclasses"], tiny.with_changes(changes), tmp_path / "pupil", "cpu")
    assert reproduce(Original.open(pupil), stores["superclasses"], tmp_path / "same", "cpu")["environment"] == {}
    card = json.loads((pupil / "model" / "model.json").read_text())
    card["origin"]["environment"]["scikit-learn"] = "1.0"
    (pupil / "model" / "model.json").write_text(json.dumps(card))
    with pytest.raises(WrongRequest, match=r"was made with scikit-learn 1\.0, and this is 1"):
        reproduce(Original.open(pupil), stores["superclasses"], tmp_path / "other", "cpu")


def test_only_what_both_state_can_differ() -> None:
    then, now = {"torch": "1", "python": "3"}, {"torch": "2", "python": "3", "git": "abc"}
    assert differences(then, now) == {"torch": ("1", "2")}


def test_the_run_itself_and_what_is_no_run_are_refused(run: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="is the run itself"):
        reproduce(Original.open(run), stores["superclasses"], run, "cpu")
    shutil.copytree(run / "model", tmp_path / "model")
    with pytest.raises(WrongRequest, match="no run of ecgenough train or transfer"):
        Original.open(tmp_path / "model")
    with pytest.raises(WrongRequest, match="trained from scratch; leave --source out"):
        Original.open(run, run)


@pytest.mark.parametrize("option", ["--from", "--dataset", "--source"])
def test_a_cell_takes_its_data_from_its_study(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cell.json").write_text("{}")
    monkeypatch.setattr("sys.argv", ["ecgenough", "reproduce", str(tmp_path), option, "elsewhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "the study says its data; leave out --from, --dataset and --source." in capsys.readouterr().err
