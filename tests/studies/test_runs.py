"""Runs from a recipe to a folder: the same twice, the same after being killed, and never over another run."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ecgenough.commands.transfer import transfer as transfer_command
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.formats import read
from ecgenough.learning import training
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

QUICK = ["training.epochs=1", "training.select=last"]
TINY_ENOUGH = """
crop: {seconds: 2.56}
network: {name: eegnet}
training: {epochs: 1, batch: 32}
"""


@pytest.fixture(scope="module")
def source(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train(stores["superclasses"], tiny, tmp_path_factory.mktemp("runs") / "source", "cpu")


def test_a_run_leaves_what_it_says(source: Path) -> None:
    assert {path.name for path in source.iterdir()} == {
        "recipe.yaml", "model", "log.csv", "data.json", "rejected.csv", "validation",
    }  # fmt: skip
    flow = json.loads((source / "data.json").read_text())
    assert (
        flow["records"]["train"] + flow["records"]["validation"] + flow["records"]["test"] == flow["records"]["in_task"]
    )
    chosen_on = pd.read_csv(source / "validation" / "predictions.csv", dtype={"patient": str})
    for name, deciding in flow["validation_patients"].items():
        whose = [set(chosen_on["patient"][chosen_on[f"y_{name}"] == label]) for label in (1, 0)]
        assert deciding == list(map(len, whose))
    assert list(flow["validation_patients"]) == flow["classes"]
    assert Recipe.from_yaml((source / "recipe.yaml").read_text()).task == "superdiagnostic"
    assert pd.read_csv(source / "log.csv")["epoch"].tolist() == [1, 2, 3]


def test_the_metrics_are_scikit_learn_s_on_the_predictions(source: Path) -> None:
    metrics = json.loads((source / "validation" / "metrics.json").read_text())
    table = pd.read_csv(source / "validation" / "predictions.csv")
    for name, figures in metrics["classes"].items():
        expected = roc_auc_score(table[f"y_{name}"], table[f"p_{name}"])
        assert figures["auc"]["value"] == pytest.approx(expected, abs=1e-4)  # six digits are written
        assert figures["auc"]["low"] <= figures["auc"]["value"] <= figures["auc"]["high"]
        called = table[f"p_{name}"] >= figures["threshold"]
        assert figures["sensitivity"]["value"] == pytest.approx(called[table[f"y_{name}"] == 1].mean())


def test_the_same_recipe_gives_the_same_run(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    again = runs.train(stores["superclasses"], tiny, tmp_path / "again", "cpu")
    assert _figures(again) == _figures(source)
    other = runs.train(stores["superclasses"], tiny.with_changes(["seed=5"]), tmp_path / "other", "cpu")
    assert _figures(other) != _figures(source)


def test_a_model_of_likelihoods_is_scored_where_none_are_known(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """They are what it learned from; what it is judged by are labels, which every store has."""
    store = stores["superclasses"]
    hard = replace(store, tasks={name: replace(task, likelihoods=None) for name, task in store.tasks.items()})
    model = Model.load(runs.train(store, tiny.with_changes([*QUICK, "labels=likelihood"]), tmp_path / "run", "cpu"))
    known = runs.evaluate(model, store, tmp_path / "known", device="cpu")
    assert runs.evaluate(model, hard, tmp_path / "unknown", device="cpu") == known
    with pytest.raises(WrongRequest, match=r"states none\. Use labels: hard"):
        runs.train(hard, tiny.with_changes([*QUICK, "labels=likelihood"]), tmp_path / "other", "cpu")


def test_a_run_learned_from_other_labels_is_another_run(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that were mended change the store's table and not its fingerprint, which tells the signals."""
    store, recipe, out = stores["embolism"], tiny.with_changes(QUICK), tmp_path / "run"
    mended = _with_labels_turned(store, store.rows(None, store.train_folds)[:1])
    tested = _with_labels_turned(store, store.rows(None, store.test_folds)[:1])
    runs.train(store, recipe, out, "cpu")
    with pytest.raises(WrongRequest, match=r"holds another run: its recipe, data, labels"):
        runs.train(mended, recipe, out, "cpu")
    monkeypatch.setattr(runs, "carry_out", None)  # nothing is trained again
    assert runs.train(tested, recipe, out, "cpu") == out  # it has learned nothing from these
    _forget(out / "model" / "model.json", "learned_from")  # as a run of an earlier version
    assert runs.train(mended, recipe, out, "cpu") == out


def test_a_checkpoint_of_other_labels_is_not_gone_on_with(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, recipe, out = stores["embolism"], tiny, tmp_path / "run"
    _broken_off_after_one_epoch(monkeypatch, lambda: runs.train(store, recipe, out, "cpu"))
    chosen_on = store.rows(None, store.validation_folds)[:1]
    with pytest.raises(WrongRequest, match="is of another recipe or other data"):
        runs.train(_with_labels_turned(store, chosen_on), recipe, out, "cpu")
    assert runs.train(store, recipe, out, "cpu") == out


def _with_labels_turned(store: Store, rows: NDArray[np.int64]) -> Store:
    task = store.task()
    labels = task.labels.copy()
    labels[rows] = 1 - labels[rows]
    return replace(store, tasks={task.name: replace(task, labels=labels, likelihoods=None)})


def _forget(card: Path, key: str) -> None:
    about = json.loads(card.read_text())
    del about["origin"][key]
    card.write_text(json.dumps(about))


def test_a_killed_training_goes_on_to_the_same_result(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe, out = tmp_path / "tiny.yaml", tmp_path / "killed"
    recipe.write_text(tiny.to_yaml())
    store = str(stores["superclasses"].path)
    command = [sys.executable, "-m", "ecgenough", "train", store, "--recipe", str(recipe), "--out", str(out)]
    once = {**os.environ, "OMP_NUM_THREADS": "1"}
    kills = random.Random(0)
    for _ in range(2):
        process = subprocess.Popen([*command, "--device", "cpu"], env=once, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch"):
                time.sleep(kills.random() * 0.3)
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        assert not (out / "model" / "model.json").exists() or process.returncode in (0, -signal.SIGKILL)
    finished = subprocess.run([*command, "--device", "cpu"], env=once, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert _figures(out) == _figures(source)


def test_another_run_is_never_written_over(source: Path, stores: dict[str, Store], tiny: Recipe) -> None:
    assert runs.train(stores["superclasses"], tiny, source, "cpu") == source  # the same one is left as it is
    with pytest.raises(WrongRequest, match="holds another run"):
        runs.train(stores["superclasses"], tiny.with_changes(["seed=9"]), source, "cpu")


@pytest.mark.parametrize("mode", ["frozen", "full", "lp-ft", "gradual", "layerwise", "lora"])
def test_every_mode_of_transfer_ends_in_a_model(
    source: Path, stores: dict[str, Store], mode: str, tmp_path: Path
) -> None:
    changes = [
        f"transfer.mode={mode}",
        "transfer.head_epochs=1",
        "transfer.rank=2",
        "training.epochs=2",
        "training.batch=32",
    ]
    changes.append("training.select=last")
    recipe = runs.recipe_for_transfer(Model.load(source), Recipe().with_changes(changes))
    out = runs.transfer(source, stores["embolism"], recipe, tmp_path / mode, "cpu")
    model = Model.load(out)
    assert model.classes == ("embolism",)
    about = json.loads((out / "transfer.json").read_text())
    assert about["mode"] == mode
    backbone_before = Model.load(source).network.state_dict()
    unchanged = all(
        torch.equal(value, backbone_before[name])
        for name, value in model.network.state_dict().items()
        if not name.startswith("head")
    )
    assert unchanged == (mode == "frozen")


def test_records_the_source_has_learned_from_are_refused(
    source: Path, stores: dict[str, Store], tmp_path: Path
) -> None:
    recipe = runs.recipe_for_transfer(Model.load(source), Recipe().with_changes(["transfer.mode=full"]))
    with pytest.raises(WrongRequest, match="were among those the source model learned from"):
        runs.transfer(source, stores["superclasses"], recipe, tmp_path / "leak", "cpu")


def test_one_file_gets_the_answer_it_got_in_the_set(source: Path, stores: dict[str, Store], simulated: Path) -> None:
    model, store = Model.load(source), stores["superclasses"]
    table = pd.read_csv(source / "validation" / "predictions.csv", dtype={"record": str}).set_index("record")
    for record in table.index[:5]:
        (header,) = (simulated / "superclasses").rglob(f"{int(record):05d}*.hea")
        answer = model.predict(read(header))
        expected = table.loc[record, [f"p_{name}" for name in model.classes]].to_numpy(dtype=float)
        np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
        assert set(store.records) >= {record}


def test_a_model_of_other_classes_is_not_scored(source: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="the model knows"):
        runs.evaluate(Model.load(source), stores["embolism"], tmp_path / "e", task_name="embolism", device="cpu")


def test_folds_without_records_are_named(source: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="in fold 77"):
        runs.evaluate(Model.load(source), stores["superclasses"], tmp_path / "e", folds=[77], device="cpu")


@pytest.mark.parametrize(
    "damage", ["weights", "card", "cut card", "classes", "thresholds", "version", "missing", "calibration"]
)
def test_a_damaged_model_is_refused_in_a_sentence(source: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        (folder / name).write_bytes((source / "model" / name).read_bytes())
    card = json.loads((folder / "model.json").read_text())
    if damage == "weights":
        content = bytearray((folder / "model.safetensors").read_bytes())
        content[-1] ^= 1
        (folder / "model.safetensors").write_bytes(content)
    elif damage == "card":
        (folder / "model.json").write_text("{")
    elif damage == "cut card":
        whole = (folder / "model.json").read_bytes()
        (folder / "model.json").write_bytes(whole[: len(whole) // 2])
    elif damage == "classes":
        (folder / "model.json").write_text(json.dumps({**card, "classes": ["one"]}))
    elif damage == "thresholds":
        (folder / "model.json").write_text(json.dumps({**card, "thresholds": card["thresholds"][:-1]}))
    elif damage == "calibration":
        (folder / "model.json").write_text(json.dumps({**card, "calibration": {"slope": [1], "intercept": [0]}}))
    elif damage == "version":
        (folder / "model.json").write_text(json.dumps({**card, "format": 99}))
    else:
        (folder / "model.safetensors").unlink()
    with pytest.raises(EcgenoughError) as refusal:
        Model.load(folder)
    assert str(folder) in str(refusal.value)


@pytest.mark.parametrize(
    ("version", "advice"), [(99, "update ecgenough"), (0, "Train it again"), (None, "Train it again")]
)
def test_a_model_of_another_format_is_refused_with_what_to_do(
    source: Path, tmp_path: Path, version: int | None, advice: str
) -> None:
    shutil.copytree(source / "model", tmp_path / "model")
    card = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps(card | {"format": version}))
    with pytest.raises(EcgenoughError, match=f"model.json is of format {version}; .* reads format 1. .*{advice}"):
        Model.load(tmp_path / "model")


def test_another_source_s_checkpoint_in_the_same_folder_is_refused(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same recipe, data and folder, other weights to begin with: nothing in the folder is touched."""
    changes = ["transfer.mode=full", "training.epochs=2", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(source), tiny.with_changes(changes))
    other = runs.train(
        stores["superclasses"], tiny.with_changes(["seed=7", "training.epochs=1"]), tmp_path / "o", "cpu"
    )
    out = tmp_path / "carried"
    _broken_off_after_one_epoch(monkeypatch, lambda: runs.transfer(other, stores["embolism"], recipe, out, "cpu"))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(before) == {"recipe.yaml", "log.csv", "checkpoint.pt"}
    with pytest.raises(WrongRequest, match=r"checkpoint\.pt is of another recipe or other data"):
        runs.transfer(source, stores["embolism"], recipe, out, "cpu")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    runs.transfer(other, stores["embolism"], recipe, out, "cpu")  # its own goes on
    assert json.loads((out / "transfer.json").read_text())["from"] == str(other)


def test_the_source_is_read_once(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = runs.recipe_for_transfer(Model.load(source), tiny.with_changes(["transfer.mode=frozen", *QUICK]))
    loads, load = [], Model.load
    monkeypatch.setattr(Model, "load", lambda folder, *rest: loads.append(folder) or load(folder, *rest))
    runs.transfer(source, stores["embolism"], recipe, tmp_path / "carried", "cpu")
    assert loads == [source]


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills while the second checkpoint is written; with room again, the run ends as an unbroken one does."""
    out, written = tmp_path / "full", []
    write_bytes = Path.write_bytes

    def fills(path: Path, content: bytes) -> int:
        if ".checkpoint.pt" in path.name:
            written.append(path)
            if len(written) == 2:
                write_bytes(path, bytes(content)[:1000])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", fills)
    with pytest.raises(OSError, match="No space left"):
        runs.train(stores["superclasses"], tiny, out, "cpu")
    monkeypatch.undo()
    assert torch.load(out / "checkpoint.pt", weights_only=True)["progress"]["epoch"] == 1
    assert not list(out.glob(".*.part"))
    runs.train(stores["superclasses"], tiny, out, "cpu")
    assert _figures(out) == _figures(source)


def test_a_class_that_validation_cannot_decide_is_named_everywhere(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = stores["superclasses"]
    task = store.task(None)
    labels = task.labels.copy()
    labels[np.isin(store.folds, store.validation_folds), task.classes.index("HYP")] = 0
    without = replace(store, tasks={task.name: replace(task, labels=labels, likelihoods=None)})
    out = runs.train(without, tiny.with_changes(QUICK), tmp_path / "run", "cpu")
    assert "so neither calibrated nor given a threshold but 0.5: HYP" in capsys.readouterr().err
    model = Model.load(out)
    assert model.untuned == ("HYP",)
    assert model.thresholds[task.classes.index("HYP")] == 0.5
    assert json.loads((out / "model" / "model.json").read_text())["untuned"] == ["HYP"]
    assert json.loads((out / "data.json").read_text())["untuned"] == ["HYP"]


def test_recipes_of_another_purpose_are_refused(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    store = stores["embolism"]
    with pytest.raises(WrongRequest, match="Use ecgenough transfer"):
        runs.train(store, tiny.with_changes(["transfer.mode=full"]), tmp_path / "run", "cpu")
    pretraining = tiny.with_changes(["pretraining.objective=masked"])
    with pytest.raises(WrongRequest, match="Use ecgenough pretrain"):
        runs.train(store, pretraining, tmp_path / "run", "cpu")
    with pytest.raises(WrongRequest, match="Use ecgenough pretrain"):
        runs.transfer(source, store, pretraining, tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_device_that_does_not_exist_is_refused(stores: dict[str, Store], tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r'device "gpu" is unknown\. Say auto, cpu or cuda'):
        runs.train(stores["embolism"], tiny, tmp_path / "run", "gpu")
    assert not (tmp_path / "run").exists()


def test_the_mode_of_a_recipe_file_is_kept_unless_told_otherwise(
    source: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(tiny.with_changes(["transfer.mode=lora", "transfer.rank=2", *QUICK]).to_yaml())
    store = str(stores["embolism"].path)
    for mode, out in ((None, tmp_path / "kept"), ("frozen", tmp_path / "told")):
        transfer_command(source, store, out, mode=mode, recipe=str(recipe), device="cpu")
        assert json.loads((out / "transfer.json").read_text())["mode"] == (mode or "lora")


def test_training_from_a_store_needs_no_reader_of_recordings(stores: dict[str, Store], tmp_path: Path) -> None:
    """On a machine without pandas, wfdb and PyWavelets: train, then evaluate and carry over."""
    (tmp_path / "tiny.yaml").write_text(TINY_ENOUGH)
    source, target, run = str(stores["superclasses"].path), str(stores["embolism"].path), str(tmp_path / "run")
    recipe = ["--recipe", str(tmp_path / "tiny.yaml")]
    commands = [
        ["train", source, *recipe, "--out", run],
        ["evaluate", run, source, "--out", f"{run}/test"],
        ["transfer", run, target, *recipe, "--mode", "frozen", "--out", str(tmp_path / "carried")],
    ]
    code = f"""
import sys
for absent in ("pandas", "wfdb", "pywt"):
    sys.modules[absent] = None
from ecgenough.cli import app
for command in {commands}:
    app([*command, "--device", "cpu"], standalone_mode=False)
"""
    once = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=once)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "run" / "test" / "predictions.csv")
    assert len(table) == json.loads((tmp_path / "run" / "test" / "metrics.json").read_text())["records"]


def _broken_off_after_one_epoch(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Path]) -> None:
    write = training.write_checkpoint

    def breaks_off(*arguments: Any) -> None:
        write(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "write_checkpoint", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            run()


def _figures(run: Path) -> dict[str, object]:
    metrics: dict[str, object] = json.loads((run / "validation" / "metrics.json").read_text())
    return metrics
