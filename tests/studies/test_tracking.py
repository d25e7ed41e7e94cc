"""Trackers: what they are told is read back with their own readers; one that fails or hangs costs nothing."""

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ecgenough.errors import WrongRequest
from ecgenough.learning.watching import Beginning, Figures, watched
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs, tracking
from ecgenough.studies.tracking import Beside, as_texts, final, open_trackers


class Listener:
    """A watcher that keeps what it was told, and fails from its `fails`th call on."""

    def __init__(self, fails: int = 1000) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.fails = fails

    def _hear(self, what: str, told: Any) -> None:
        self.heard.append((what, told))
        if len(self.heard) >= self.fails:
            raise ConnectionError("no network")

    def begin(self, beginning: Beginning) -> None:
        self._hear("begin", beginning)

    def epoch(self, figures: Figures) -> None:
        self._hear("epoch", dict(figures))

    def end(self, metrics: Mapping[str, Any]) -> None:
        self._hear("end", metrics)

    def broken_off(self, reason: str) -> None:
        self._hear("broken off", reason)


@pytest.fixture(scope="module")
def quick(tiny: Recipe) -> Recipe:
    return tiny.with_changes(["training.epochs=2", "training.batch=64"])


def test_a_run_tells_its_watchers_from_beginning_to_end(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    listener = Listener()
    run = runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", [listener])
    assert [what for what, _ in listener.heard] == ["begin", "epoch", "epoch", "end"]
    beginning, first, second, metrics = (told for _, told in listener.heard)
    assert (beginning.folder, beginning.recipe.task) == (run, "embolism")
    assert beginning.data["records"]["train"] > beginning.data["records"]["validation"] > 0
    log = pd.read_csv(run / "log.csv")
    assert [first["epoch"], second["epoch"]] == log["epoch"].tolist() == [1, 2]
    assert second["train_loss"] == pytest.approx(log["train_loss"][1], rel=1e-5)
    assert metrics["macro"]["auc"]["value"] == pytest.approx(log["validation_macro_auc"].max(), abs=1e-4)


def test_trees_tell_their_watchers_of_their_fit(stores: dict[str, Store], tmp_path: Path) -> None:
    listener = Listener()
    runs.train(stores["superclasses"], load_recipe("calipers"), tmp_path / "run", "cpu", [listener])
    assert [what for what, _ in listener.heard] == ["begin", "epoch", "end"]
    _, row, metrics = (told for _, told in listener.heard)
    assert metrics["macro"]["auc"]["value"] == pytest.approx(row["validation_macro_auc"], abs=1e-4)


def test_a_training_that_goes_on_tells_its_earlier_epochs_again(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    class Stops(Listener):
        def epoch(self, figures: Figures) -> None:
            super().epoch(figures)
            raise KeyboardInterrupt

    stops, listener = Stops(), Listener()
    with pytest.raises(KeyboardInterrupt):
        runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", [stops])
    assert [what for what, _ in stops.heard] == ["begin", "epoch", "broken off"]
    runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", [listener])
    assert [what for what, _ in listener.heard] == ["begin", "epoch", "epoch", "end"]
    assert listener.heard[1] == stops.heard[1]


def test_a_tracker_that_fails_is_said_once_and_the_training_goes_on(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener(fails=2)
    run = runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", [Beside("there", listener)])
    assert (run / "model" / "model.json").exists()
    assert [what for what, _ in listener.heard] == ["begin", "epoch"]  # and it was left alone after that
    assert capsys.readouterr().err.count("there has failed and is left out from here on") == 1


def test_a_tracker_that_hangs_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nor asked again in the runs that follow, as those of a search do."""
    never = threading.Event()

    class Hangs(Listener):
        def epoch(self, figures: Figures) -> None:  # noqa: ARG002
            never.wait()

    monkeypatch.setattr(tracking, "SECONDS_TO_FINISH", 0.1)
    listener = Hangs()
    beside = Beside("there", listener)
    for _ in range(2):
        with watched([beside], Beginning(tmp_path, Recipe(), {})):
            beside.epoch({"epoch": 1.0})
        beside.end({"macro": {}})
    assert capsys.readouterr().err.count("it has not answered for 0.1 s") == 1
    never.set()
    assert [what for what, _ in listener.heard] == ["begin"]


def test_a_tracker_hears_of_one_run_after_the_other(tmp_path: Path) -> None:
    listener = Listener()
    beside = Beside("there", listener)
    for reason in ("pruned", "stopped"):
        with pytest.raises(ValueError, match=reason), watched([beside], Beginning(tmp_path, Recipe(), {})):
            raise ValueError(reason)
    assert [what for what, _ in listener.heard] == ["begin", "broken off"] * 2
    assert [listener.heard[place][1] for place in (1, 3)] == ["pruned", "stopped"]


def test_names_are_checked_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongRequest, match=r'tracker "wandd" is unknown\. Nearest: "wandb"'):
        open_trackers(["wandd"])
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(
        WrongRequest, match=r"--track mlflow needs the package mlflow: pip install 'ecgenough\[track\]'"
    ):
        open_trackers(["mlflow"])


def test_a_recipe_flattens_to_the_keys_that_set_takes(quick: Recipe) -> None:
    keys = as_texts(quick)
    assert keys["network.options.width"] == "4"
    assert keys["training.epochs"] == "2"
    assert keys["signal.leads"].startswith('["I", "II"')
    assert quick.with_changes(f"{key}={value}" for key, value in keys.items() if not key.endswith("kind")) == quick


def test_tensorboard_reads_the_figures_of_log_csv(stores: dict[str, Store], quick: Recipe, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", open_trackers(["tensorboard"]))
    events = accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    log = pd.read_csv(run / "log.csv")
    for column in ("train_loss", "validation_macro_auc", "learning_rate"):
        points = events.Scalars(column)
        assert [point.step for point in points] == [1, 2]
        assert [point.value for point in points] == pytest.approx(log[column].tolist(), rel=1e-4)
    metrics = pd.read_json(run / "validation" / "metrics.json", typ="series")
    assert events.Scalars("kept/auc")[0].value == pytest.approx(metrics["macro"]["auc"]["value"])
    text = events.Tensors("recipe/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "learning_rate: 0.003" in text


def test_tensorboard_shows_each_epoch_once_after_an_interruption(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for told in ([1], [1, 2]):
        tracker = tracking.TensorBoard()
        tracker.begin(Beginning(tmp_path, Recipe(), {}))
        for epoch in told:
            tracker.epoch({"epoch": float(epoch), "train_loss": 0.5})
        tracker.broken_off("stopped")
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [point.step for point in events.Scalars("train_loss")] == [1, 2]


def test_mlflow_holds_the_run_and_its_figures(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "embolism")
    run = runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", open_trackers(["mlflow"]))
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("embolism").experiment_id
    (found,) = client.search_runs([experiment])
    log = pd.read_csv(run / "log.csv")
    points = client.get_metric_history(found.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in points] == [
        (step, pytest.approx(value, rel=1e-4)) for step, value in enumerate(log["validation_loss"], 1)
    ]
    assert found.data.params["optimizer.learning_rate"] == "0.003"
    assert found.data.tags["dataset"] == "simulated"
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    metrics = pd.read_json(run / "validation" / "metrics.json", typ="series")
    assert found.data.metrics["kept/auc_low"] == pytest.approx(metrics["macro"]["auc"]["low"])


def test_mlflow_goes_on_with_an_interrupted_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    for told in ([1], [1, 2]):
        tracker = tracking.MlFlow()
        tracker.begin(Beginning(tmp_path, Recipe(), {}))
        for epoch in told:
            tracker.epoch({"epoch": float(epoch), "validation_loss": 0.5})
        tracker.broken_off("stopped")
    client = mlflow.MlflowClient()
    (found,) = client.search_runs([client.get_experiment_by_name("ecgenough").experiment_id])
    assert [point.step for point in client.get_metric_history(found.info.run_id, "validation_loss")] == [1, 2]
    assert (found.info.status, found.data.tags["broken off"]) == ("FAILED", "stopped")


def test_weights_and_biases_leaves_an_offline_run(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = runs.train(stores["embolism"], quick, tmp_path / "run", "cpu", open_trackers(["wandb"]))
    (file,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    told = (b"validation_macro_auc", b"optimizer.learning_rate", b"kept/auc", b"embolism")
    until = time.monotonic() + 30  # its own process writes the file, and may still be at it
    while time.monotonic() < until and not all(word in file.read_bytes() for word in told):
        time.sleep(0.1)
    assert [word for word in told if word not in file.read_bytes()] == []
    assert (run / ".wandb-run").read_text() in file.name


def test_final_figures_keep_their_intervals() -> None:
    metrics = {"macro": {"auc": {"value": 0.9, "low": 0.8, "high": 0.95}, "brier": {"value": 0.1}}}
    assert final(metrics) == {"kept/auc": 0.9, "kept/auc_low": 0.8, "kept/auc_high": 0.95, "kept/brier": 0.1}
