"""Several models that answer as one: the mean of their log-odds, however it is asked for."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from ecgenough import networks
from ecgenough.cli import main
from ecgenough.ecg import Ecg
from ecgenough.ensembles import digest, ensemble, load, short_name
from ecgenough.errors import WrongRequest
from ecgenough.formats import read
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.serving.explanation import explain
from ecgenough.serving.export import export_onnx
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs

TASK = "superdiagnostic+form"
CLASSES = (*(f"superdiagnostic:{label}" for label in ("NORM", "MI", "STTC", "CD", "HYP")), "form:ABQRS", "form:LVOLT")
NETWORKS = {"one": "resnet18", "two": "s4d_hybrid", "three": "eegnet"}
OPTIONS = {"resnet18": {"width": 4}, "s4d_hybrid": {"width": 8}, "eegnet": {}}


@pytest.fixture(scope="module")
def members(tiny: Recipe) -> dict[str, Model]:
    """Three models of unlike networks with fresh weights, each with a calibration and thresholds of its own."""
    return {name: _model(tiny, NETWORKS[name], seed) for seed, name in enumerate(NETWORKS)}


def _model(recipe: Recipe, network: str, seed: int) -> Model:
    torch.manual_seed(seed)
    draw, count = np.random.default_rng(seed), len(CLASSES)
    built = networks.build(network, leads=12, classes=count, **OPTIONS[network])
    changes = [f"network.name={network}", f"network.options={OPTIONS[network]}", f"task={TASK}"]
    return Model(
        network=built.eval(),
        recipe=recipe.with_changes(changes),
        task=TASK,
        classes=CLASSES,
        titles=tuple(label.lower() for label in CLASSES),
        thresholds=tuple(draw.uniform(0.05, 0.95, count).tolist()),
        normaliser=Normaliser("scale", scale=torch.full((12,), 0.2)),
        calibration=Calibration(
            tuple(draw.uniform(0.5, 2, count)), tuple(draw.normal(size=count)), absent=(seed,) if seed else ()
        ),
        seen=np.arange(seed, seed + 3, dtype=np.uint64),
        seen_patients=np.arange(10 * seed, 10 * seed + 2, dtype=np.uint64),
    )


@pytest.fixture(scope="module")
def ecg(simulated: Path) -> Ecg:
    return read(next((simulated / "superclasses").rglob("*.hea")))


@pytest.fixture
def saved(members: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the three models in it."""
    for name, model in members.items():
        model.save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("names", [("one",), ("one", "two"), ("three", "one", "two")])
def test_it_answers_with_the_mean_of_its_members_log_odds(
    members: dict[str, Model], ecg: Ecg, names: tuple[str, ...]
) -> None:
    together = ensemble({name: members[name] for name in names}).predict(ecg)
    each = [members[name].predict(ecg) for name in names]
    expected = expit(np.mean([logit(answer.probabilities) for answer in each], axis=0))
    np.testing.assert_allclose(together.probabilities, expected, atol=1e-6)
    thresholds = expit(np.mean([logit(answer.thresholds) for answer in each], axis=0))
    np.testing.assert_allclose(together.thresholds, thresholds)


def test_of_one_task_it_answers_as_of_all(members: dict[str, Model], ecg: Ecg) -> None:
    whole = ensemble(members)
    alone = whole.for_task("form").predict(ecg)
    assert alone.classes == ("ABQRS", "LVOLT")
    np.testing.assert_allclose(alone.probabilities, whole.predict(ecg).probabilities[5:], atol=1e-6)


def test_it_has_seen_what_any_member_has_and_doubts_what_any_doubts(members: dict[str, Model]) -> None:
    together = ensemble(members)
    assert together.seen.tolist() == [0, 1, 2, 3, 4]
    assert together.seen_patients.tolist() == [0, 1, 10, 11, 20, 21]
    assert together.untuned == (CLASSES[1], CLASSES[2])


def test_its_members_are_left_as_they_were(members: dict[str, Model], ecg: Ecg) -> None:
    before = {name: model.predict(ecg).probabilities for name, model in members.items()}
    with torch.no_grad():
        for weight in ensemble(members).network.parameters():
            weight.zero_()
    assert {name: model.predict(ecg).probabilities for name, model in members.items()} == before


def test_its_stages_hold_every_weight_once(members: dict[str, Model]) -> None:
    network = ensemble(members).network
    listed = [id(weight) for stage in network.stages() for weight in stage.parameters()]
    assert sorted(listed) == sorted(id(weight) for weight in network.parameters())
    assert network.stages()[-1] is network.head


@pytest.mark.usefixtures("saved")
def test_names_joined_by_a_plus_are_loaded_as_one(members: dict[str, Model], ecg: Ecg) -> None:
    loaded = load("one+./two")
    expected = ensemble({name: members[name] for name in ("one", "two")})
    assert loaded.predict(ecg) == expected.predict(ecg)
    assert digest("one+two") != digest("two+one") != digest("one")
    with pytest.raises(WrongRequest, match=r'the ensemble "one\+two\+one" names one twice'):
        load("one+two+one")
    for unnamed in ("one+", "+one", "one++two"):
        with pytest.raises(WrongRequest, match="has a member without a name; write one before and after each"):
            load(unnamed)
    with pytest.raises(WrongRequest, match="four holds no model"):
        load("one+four")


def test_a_folder_with_a_plus_in_its_name_is_one_model(saved: Path, members: dict[str, Model]) -> None:
    members["one"].save(saved / "one+two")
    assert load("one+two").recipe.network.name == "resnet18"
    assert load(saved / "one+two").recipe.network.name == "resnet18"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (lambda model: model.for_task("form"), "other answers form, one superdiagnostic"),
        (lambda model: replace(model, classes=(*CLASSES[:-1], "form:QWAVE")), "members answer alike"),
        (
            lambda model: replace(model, recipe=model.recipe.with_changes(["signal.rate=250"])),
            "other has another signal than one",
        ),
        (
            lambda model: replace(model, normaliser=Normaliser("scale", scale=torch.full((12,), 0.3))),
            "other normalises otherwise than one",
        ),
    ],
)
def test_members_that_do_not_go_together_are_refused(
    members: dict[str, Model], changed: Callable[[Model], Model], sentence: str
) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        ensemble({"one": members["one"], "other": changed(members["two"])})


def test_it_is_neither_saved_nor_carried_over(members: dict[str, Model], tiny: Recipe, tmp_path: Path) -> None:
    together = ensemble(members)
    with pytest.raises(WrongRequest, match="an ensemble is not saved"):
        together.save(tmp_path / "together")
    assert not (tmp_path / "together").exists()
    with pytest.raises(WrongRequest, match="an ensemble is not carried over"):
        runs.recipe_for_transfer(together, tiny)


def test_it_is_exported_as_any_model(members: dict[str, Model], ecg: Ecg, tmp_path: Path) -> None:
    together = ensemble({name: members[name] for name in ("one", "two")})
    exported = export_onnx(together, tmp_path / "together.onnx")
    np.testing.assert_allclose(exported.predict(ecg).probabilities, together.predict(ecg).probabilities, atol=1e-5)
    assert exported.card["network"] == "ensemble"


def test_its_explanation_adds_up_and_grad_cam_is_refused(members: dict[str, Model], ecg: Ecg) -> None:
    together = ensemble({name: members[name] for name in ("one", "two")})
    found = explain(together, ecg, CLASSES[1])
    assert found.attribution.sum() == pytest.approx(found.logit - found.silence, abs=0.02)
    with pytest.raises(WrongRequest, match="no course over time to show by grad-cam"):
        explain(together, ecg, CLASSES[1], "grad-cam")


@pytest.mark.usefixtures("saved")
def test_carrying_it_over_by_its_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ecgenough", "transfer", "one+two", "my.csv", "--out", "carried"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code
    assert "an ensemble is not carried over" in capsys.readouterr().err
    assert not Path("carried").exists()


@pytest.mark.usefixtures("saved")
def test_it_is_evaluated_by_its_name(
    stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tiny: Recipe
) -> None:
    for name, seed in (("first", 0), ("second", 1)):
        runs.train(stores["superclasses"], tiny.with_changes([f"seed={seed}", "training.epochs=1"]), Path(name), "cpu")
    store = str(stores["superclasses"].path)
    monkeypatch.setattr(sys, "argv", ["ecgenough", "evaluate", "first+second", store, "--out", "scored"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "macro" in capsys.readouterr().out
    assert Path("scored/metrics.json").is_file()


@pytest.mark.parametrize(
    ("asked", "called"),
    [("ptbxl-base", "ptbxl-base"), ("runs/first/", "first"), ("runs/first+ptbxl-small", "first+ptbxl-small")],
)
def test_it_is_called_by_all_its_members_wherever_they_lie(asked: str, called: str) -> None:
    assert short_name(asked) == called
    assert short_name(Path(asked)) == Path(asked).name  # a path is one folder


def test_the_folder_one_stands_in_is_called_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert short_name(".") == tmp_path.name
