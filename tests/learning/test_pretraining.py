"""Pretraining without labels: it learns, repeats itself, survives being killed, and ends in a model for transfer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric

from ecgenough.errors import WrongRequest
from ecgenough.learning import training
from ecgenough.learning.pretraining import cropped, partners, patient_numbers
from ecgenough.model import Model
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.reports.reading import read_run
from ecgenough.signals.store import Store
from ecgenough.studies import pretraining, runs
from ecgenough.studies.pretraining import run_pretraining
from ecgenough.studies.splits import refuse_overlap

PRETRAIN = [
    "network.name=s4d_hybrid", "network.options={width: 32, layers: 1, state: 16, dropout: 0}", "training.batch=16",
    "training.select=loss", "training.epochs=8", "training.ema=0.8", "optimizer.learning_rate=0.005",
]  # fmt: skip
OBJECTIVES = {
    "masked": [*PRETRAIN, "pretraining.objective=masked", "pretraining.seconds=0.1", "pretraining.fraction=0.3"],
    "contrastive": [*PRETRAIN, "pretraining.objective=contrastive", "pretraining.width=16"],
    "measured": [*PRETRAIN, "pretraining.objective=measured"],
    "patient": [*PRETRAIN, "pretraining.objective=contrastive", "pretraining.positives=patient"],
}


@pytest.fixture(scope="module", params=["masked", "contrastive", "measured"])
def objective(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pretrained(
    objective: str, stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("pretrained") / objective
    return run_pretraining(stores["superclasses"], tiny.with_changes(OBJECTIVES[objective]), out, "cpu")


def test_the_loss_falls(pretrained: Path) -> None:
    log = pd.read_csv(pretrained / "log.csv")
    assert list(log) == ["epoch", "train_loss", "validation_loss", "learning_rate", "ecgs_per_second", "seconds"]
    assert log["train_loss"].iloc[-1] < 0.9 * log["train_loss"].iloc[0]
    assert log["validation_loss"].iloc[-1] < log["validation_loss"].iloc[0]
    assert Model.load(pretrained).origin["epoch"] == log["epoch"][log["validation_loss"].idxmin()]


def test_it_leaves_a_model_without_classes(pretrained: Path, stores: dict[str, Store], tmp_path: Path) -> None:
    assert {path.name for path in pretrained.iterdir()} == {
        "recipe.yaml",
        "model",
        "log.csv",
        "data.json",
        "rejected.csv",
    }
    card = json.loads((pretrained / "model" / "model.json").read_text())
    assert (card["task"], card["classes"], card["thresholds"]) == ("pretrained", [], [])
    store, model = stores["superclasses"], Model.load(pretrained)
    learned_from = np.isin(store.folds, (*store.train_folds, *store.validation_folds))
    assert set(model.seen.tolist()) == set(np.asarray(store.hashes)[learned_from].tolist())
    with pytest.raises(WrongRequest, match="knows no classes yet"):
        model.prediction(np.zeros(1))
    with pytest.raises(WrongRequest, match="knows no classes yet"):
        runs.evaluate(model, store, tmp_path / "e", device="cpu")


def test_a_report_says_what_such_a_folder_has(pretrained: Path) -> None:
    with pytest.raises(WrongRequest, match="is a pretraining: it has a model to carry over and its losses in log"):
        read_run(pretrained)


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_it_can_be_transferred(pretrained: Path, stores: dict[str, Store], mode: str, tmp_path: Path) -> None:
    changes = [f"transfer.mode={mode}", "training.epochs=2", "training.batch=32", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(pretrained), Recipe().with_changes(changes))
    assert recipe.pretraining is None
    model = Model.load(runs.transfer(pretrained, stores["embolism"], recipe, tmp_path / mode, "cpu"))
    assert model.classes == ("embolism",)
    before = Model.load(pretrained).network.state_dict()
    body = {key: value for key, value in model.network.state_dict().items() if not key.startswith("head")}
    assert all(torch.equal(value, before[key]) for key, value in body.items()) == (mode == "frozen")


def test_labels_of_the_records_it_has_seen_may_follow_but_not_tests_on_them(
    pretrained: Path, stores: dict[str, Store]
) -> None:
    model, store = Model.load(pretrained), stores["superclasses"]
    refuse_overlap(model, store)
    swapped = type(store)(**{**vars(store), "test_folds": store.train_folds})
    with pytest.raises(WrongRequest, match="were among those the source model learned from"):
        refuse_overlap(model, swapped)


def test_a_broken_off_pretraining_goes_on_to_the_same_weights(
    objective: str,
    pretrained: Path,
    stores: dict[str, Store],
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, write = tiny.with_changes(OBJECTIVES[objective]), training.write_checkpoint

    def write_and_die(folder: Path, identity: str, state: dict[str, object]) -> None:
        write(folder, identity, state)
        if state["progress"]["epoch"] == 2:  # type: ignore[index]
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "write_checkpoint", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            run_pretraining(stores["superclasses"], recipe, tmp_path / "run", "cpu")
    assert not (tmp_path / "run" / "model").exists()
    resumed = Model.load(run_pretraining(stores["superclasses"], recipe, tmp_path / "run", "cpu")).network.state_dict()
    unbroken = Model.load(pretrained).network.state_dict()
    assert all(torch.equal(resumed[key], unbroken[key]) for key in unbroken)


def test_views_of_one_patient_s_records_can_be_the_pairs(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    out = run_pretraining(stores["superclasses"], tiny.with_changes(OBJECTIVES["patient"]), tmp_path / "patient", "cpu")
    assert np.isfinite(pd.read_csv(out / "log.csv")["validation_loss"]).all()


def test_a_record_s_partner_is_the_patient_s_next() -> None:
    group = patient_numbers(["b", "a", "", "a", "b", "a", ""])
    assert group[1] == group[3] == group[5] != group[0] == group[4]
    assert len(set(group.tolist())) == 4
    assert partners(np.arange(7), group).tolist() == [4, 3, 2, 5, 0, 1, 6]
    assert partners(np.array([0, 1, 5]), group).tolist() == [0, 5, 1]  # among the given rows only


def test_each_record_is_cropped_from_its_own_start() -> None:
    ecg = torch.arange(24.0).view(2, 2, 6)
    assert cropped(ecg, torch.tensor([0, 3]), 3).tolist() == [[[0, 1, 2], [6, 7, 8]], [[15, 16, 17], [21, 22, 23]]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([], "has no section pretraining"),
        (["pretraining.objective=masked"], "training.select macro_auc needs labels"),
        ([*OBJECTIVES["masked"], "training.sampling=class-balanced"], "training.sampling class-balanced needs labels"),
    ],
)
def test_what_needs_labels_is_refused(
    stores: dict[str, Store], tiny: Recipe, changes: list[str], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        run_pretraining(stores["superclasses"], tiny.with_changes(changes), tmp_path / "run", "cpu")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("pretraining.objektive=masked", 'key "pretraining'),
        ("pretraining.temperature=2", 'key "pretraining.temperature" does not go with "masked"'),
        ("pretraining.fractoin=0.3", 'Nearest: "pretraining.fraction"'),
        ("pretraining.fraction=1", "it must be below 1."),
    ],
)
def test_wrong_keys_get_a_sentence(change: str, sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        load_recipe("pretrain-masked", [change])
    assert sentence in str(refusal.value)


def test_labels_are_not_learned_by_a_recipe_that_pretrains(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(WrongRequest, match="pretrains without labels"):
        runs.train(stores["superclasses"], tiny.with_changes(OBJECTIVES["masked"]), tmp_path / "run", "cpu")


def test_of_several_processes_the_first_measures(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a machine used to measure all records at the same time."""
    order = []

    @contextmanager
    def rank_zero_first(_: Fabric, local: bool = False) -> Iterator[None]:
        order.append(f"first, local {local}")
        yield
        order.append("the others")

    def measured(store: Store, _: object) -> torch.Tensor:
        order.append("measured")
        return torch.zeros(len(store.records), 2)

    monkeypatch.setattr(Fabric, "rank_zero_first", rank_zero_first)
    monkeypatch.setattr(pretraining, "measured", measured)
    quick = tiny.with_changes([*OBJECTIVES["measured"], "training.epochs=1"])
    run_pretraining(stores["superclasses"], quick, tmp_path / "run", "cpu")
    assert order == ["first, local True", "measured", "the others"]
