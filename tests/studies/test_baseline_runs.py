"""A baseline's run: laid out as a network's, so that a report can set them side by side."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from ecgenough import baselines
from ecgenough.cli import app
from ecgenough.errors import WrongRequest
from ecgenough.signals.store import Store
from ecgenough.studies.baseline_runs import run_baseline


@pytest.fixture(scope="module")
def demographics(stores: dict[str, Store], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_baseline("demographics", stores["superclasses"], None, tmp_path_factory.mktemp("runs") / "demographics")


def test_a_run_leaves_what_it_says(demographics: Path) -> None:
    assert {path.name for path in demographics.iterdir()} == {
        "baseline.json", "data.json", "rejected.csv", "validation", "test",
    }  # fmt: skip
    for part in ("validation", "test"):
        assert {path.name for path in (demographics / part).iterdir()} == {
            "metrics.json",
            "predictions.csv",
            "examples.npz",
        }
    card = json.loads((demographics / "baseline.json").read_text())
    assert (card["baseline"], card["task"], card["seed"]) == ("demographics", "superdiagnostic", 0)
    assert len(card["thresholds"]) == len(card["classes"]) == 5


def test_the_metrics_are_scikit_learn_s_on_the_predictions(demographics: Path) -> None:
    metrics = json.loads((demographics / "test" / "metrics.json").read_text())
    table = pd.read_csv(demographics / "test" / "predictions.csv")
    for name, figures in metrics["classes"].items():
        if name not in metrics["absent"]:
            assert figures["auc"]["value"] == pytest.approx(
                roc_auc_score(table[f"y_{name}"], table[f"p_{name}"]), abs=1e-4
            )
    assert (metrics["folds"], metrics["seen"]) == ([10], 0)


def test_thresholds_and_calibration_are_of_the_validation_records(demographics: Path) -> None:
    """On the records they were calibrated on, probabilities have the observed mean, but for Platt's smoothing."""
    table = pd.read_csv(demographics / "validation" / "predictions.csv")
    for name in ("NORM", "MI"):
        assert table[f"p_{name}"].mean() == pytest.approx(table[f"y_{name}"].mean(), abs=0.05)


def test_prevalence_ranks_no_one(stores: dict[str, Store], tmp_path: Path) -> None:
    run = run_baseline("prevalence", stores["embolism"], None, tmp_path / "prevalence")
    metrics = json.loads((run / "test" / "metrics.json").read_text())
    assert metrics["macro"]["auc"]["value"] == 0.5
    assert np.ptp(pd.read_csv(run / "test" / "predictions.csv")["p_embolism"]) == 0


def test_a_finished_run_is_left_and_another_is_never_written_over(
    demographics: Path, stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = stores["superclasses"]
    with pytest.raises(WrongRequest, match="holds another run"):
        run_baseline("prevalence", store, None, demographics)
    monkeypatch.setattr(baselines, "fit", None)  # nothing is fitted again
    assert run_baseline("demographics", store, None, demographics) == demographics
    (tmp_path / "recipe.yaml").write_text("")
    with pytest.raises(WrongRequest, match="a network's run"):
        run_baseline("prevalence", store, None, tmp_path)


def test_a_run_fitted_to_other_labels_or_ages_is_another_run(
    demographics: Path, stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store, run = stores["superclasses"], shutil.copytree(demographics, tmp_path / "run")
    task = store.task()
    labels = task.labels.copy()
    labels[0] = 1 - labels[0]
    for changed in (
        replace(store, tasks={**store.tasks, task.name: replace(task, labels=labels, likelihoods=None)}),
        replace(store, ages=store.ages + 1),
    ):
        with pytest.raises(WrongRequest, match="holds another run"):
            run_baseline("demographics", changed, None, run)
    card = json.loads((run / "baseline.json").read_text())
    del card["table"]  # as a run of an earlier version
    (run / "baseline.json").write_text(json.dumps(card))
    monkeypatch.setattr(baselines, "fit", None)  # nothing is fitted again
    assert run_baseline("demographics", store, None, run) == run


def test_the_command_line_does_the_same(stores: dict[str, Store], tmp_path: Path) -> None:
    store = str(stores["embolism"].path)
    asked = ["baseline", "prevalence", store, "--task", "embolism", "--set", "signal.rate=100"]
    answer = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "run")])
    assert answer.exit_code == 0, answer.output
    assert json.loads((tmp_path / "run" / "baseline.json").read_text())["task"] == "embolism"


def test_an_unknown_baseline_leaves_nothing(stores: dict[str, Store], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match='Nearest: "prevalence"'):
        run_baseline("prevalance", stores["embolism"], None, tmp_path / "out")
    assert not (tmp_path / "out").exists()
