"""One network for several tasks: each is learned, chosen, calibrated and scored on its own records."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ecgenough.errors import WrongRequest
from ecgenough.formats import read
from ecgenough.learning.evaluation import Answers, validation_figures
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.reports import write_report
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.deciding import decide

BOTH = "superdiagnostic+form"


@pytest.fixture(scope="module")
def joint(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = tiny.with_changes([f"task={BOTH}", "loss.positive_weight=counts", "training.epochs=2"])
    return runs.train(stores["superclasses"], recipe, tmp_path_factory.mktemp("joint") / "run", "cpu")


def test_batches_show_a_label_only_where_it_was_asked_for(stores: dict[str, Store], tiny: Recipe) -> None:
    store = stores["superclasses"]
    rows = store.rows(BOTH, store.train_folds)
    normaliser = fit_normaliser(tiny.normalisation, store, rows)
    batches = Batches(store, rows, BOTH, tiny, normaliser, torch.device("cpu"))
    form = store.task("form")
    assert batches.parts == (slice(0, 5), slice(5, 5 + len(form.classes)))
    for batch in batches.training(0):
        asked = torch.from_numpy(form.listed[batch.rows.numpy()].copy())
        assert torch.equal(~batch.labels[:, 5:].isnan(), asked[:, None].expand(-1, len(form.classes)))
        assert not batch.labels[:, :5].isnan().any()


def test_each_task_s_figures_are_scikit_learn_s_on_its_own_records(joint: Path, stores: dict[str, Store]) -> None:
    store = stores["superclasses"]
    summary = json.loads((joint / "validation" / "metrics.json").read_text())
    means = []
    for task in ("superdiagnostic", "form"):
        table = pd.read_csv(joint / "tasks" / task / "validation" / "predictions.csv")
        rows = store.rows(task, store.validation_folds)
        assert table["record"].astype(str).tolist() == [store.records[row] for row in rows]
        present = [name for name in store.task(task).classes if 0 < table[f"y_{name}"].sum() < len(table)]
        means.append(np.mean([roc_auc_score(table[f"y_{name}"], table[f"p_{name}"]) for name in present]))
        assert summary["tasks"][task]["macro"]["auc"]["value"] == pytest.approx(means[-1], abs=1e-4)
    assert summary["macro"]["auc"]["value"] == pytest.approx(np.mean(means), abs=1e-4)
    assert summary["macro"]["auc"]["low"] <= summary["macro"]["auc"]["value"] <= summary["macro"]["auc"]["high"]
    best = pd.read_csv(joint / "log.csv")["validation_macro_auc"].max()
    assert best == pytest.approx(np.mean(means), abs=1e-4)


def test_a_task_that_cannot_be_scored_is_refused_before_anything_is_learned(
    stores: dict[str, Store], tiny: Recipe, joint: Path, tmp_path: Path
) -> None:
    """One scorable task beside it is not enough: each task's figures are written, at the very end of a training."""
    store = stores["superclasses"]
    form = store.task("form")
    labels = form.labels.copy()
    labels[np.isin(store.folds, store.validation_folds + store.test_folds)] = 0
    barren = replace(store, tasks={**store.tasks, "form": replace(form, labels=labels, likelihoods=None)})
    recipe = tiny.with_changes([f"task={BOTH}", "training.select=last", "training.epochs=1"])
    with pytest.raises(WrongRequest, match=r"no class of form has both positives and negatives in fold 9"):
        runs.train(barren, recipe, tmp_path / "run", "cpu")
    with pytest.raises(WrongRequest, match=r"no class of form has both positives and negatives in fold 10"):
        runs.evaluate(Model.load(joint), barren, tmp_path / "test", device="cpu")
    assert not list(tmp_path.iterdir())


def test_a_task_cut_out_answers_as_the_whole_does(joint: Path, stores: dict[str, Store], simulated: Path) -> None:
    whole, store = Model.load(joint), stores["superclasses"]
    form = whole.for_task("form")
    assert form.classes == store.task("form").classes
    assert whole.for_task(BOTH) is whole
    assert whole.for_task("form+superdiagnostic").classes[0] == f"form:{form.classes[0]}"
    ecg = read(next((simulated / "superclasses").rglob("*.hea")))
    everything, alone = whole.predict(ecg), form.predict(ecg)
    assert everything.classes[5:] == tuple(f"form:{name}" for name in alone.classes)
    assert everything.probabilities[5:] == pytest.approx(alone.probabilities)
    assert everything.thresholds[5:] == alone.thresholds
    assert whole.for_task(" superdiagnostic + form") is whole
    with pytest.raises(WrongRequest, match='names "form" twice'):
        whole.for_task("form+form")
    with pytest.raises(WrongRequest, match=r'this model has no task "from"\. Nearest: "form"\.'):
        whole.for_task("from")


def test_evaluating_one_task_or_all_gives_the_same_figures(
    joint: Path, stores: dict[str, Store], tmp_path: Path
) -> None:
    model, store = Model.load(joint), stores["superclasses"]
    everything = runs.evaluate(model, store, tmp_path / "all", device="cpu")
    form = runs.evaluate(model, store, tmp_path / "form", task_name="form", device="cpu")
    assert form["task"] == "form"
    assert everything["tasks"]["form"]["macro"]["auc"] == pytest.approx(form["macro"]["auc"])
    assert json.loads((tmp_path / "all" / "form" / "metrics.json").read_text())["records"] == form["records"]
    assert form["records"] < everything["records"]


def test_calibration_and_thresholds_are_those_of_each_task_alone() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(200, 3))
    labels = (logits + random.normal(size=(200, 3)) > 0).astype(np.float32)
    labels[50:, 2] = np.nan  # the second task asks 50 records only
    answers = Answers(np.arange(200), logits, labels)
    calibration, thresholds, untuned = decide(answers, ("a:x", "a:y", "b:x"), [slice(0, 2), slice(2, 3)])
    first = decide(Answers(np.arange(200), logits[:, :2], labels[:, :2]), ("x", "y"))
    second = decide(Answers(np.arange(50), logits[:50, 2:], labels[:50, 2:]), ("x",))
    assert calibration.slope == first.calibration.slope + second.calibration.slope
    assert thresholds == first.thresholds + second.thresholds
    assert not untuned
    figures = validation_figures(answers, [slice(0, 2), slice(2, 3)])
    by_hand = [
        np.mean([roc_auc_score(labels[:, column], logits[:, column]) for column in (0, 1)]),
        roc_auc_score(labels[:50, 2], logits[:50, 2]),
    ]
    assert figures["validation_macro_auc"] == pytest.approx(np.mean(by_hand))


def test_a_report_is_of_one_task(joint: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r"answers several tasks; report one of them, such as .*tasks/form\.$"):
        write_report([joint], tmp_path / "both.html", None)
    write_report([joint / "tasks" / "form"], tmp_path / "form.html", None)
    assert "form" in (tmp_path / "form.html").read_text()


def test_a_baseline_answers_one_task(stores: dict[str, Store], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r'answers one task at a time; "superdiagnostic\+form" joins several'):
        run_baseline("prevalence", stores["superclasses"], BOTH, tmp_path)


def test_a_joint_model_is_carried_over_to_a_task_of_its_own(
    joint: Path, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe = tiny.with_changes(["transfer.mode=frozen", "training.epochs=1"])
    recipe = runs.recipe_for_transfer(Model.load(joint), recipe)
    carried = Model.load(runs.transfer(joint, stores["embolism"], recipe, tmp_path / "carried", "cpu"))
    assert carried.classes == stores["embolism"].task().classes
    assert not carried.is_joint
    body = [name for name, _ in carried.network.named_parameters() if not name.startswith("head.")]
    before, after = Model.load(joint).network.state_dict(), carried.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in body)
