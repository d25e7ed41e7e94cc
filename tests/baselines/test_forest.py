"""Trees as a network: they answer as scikit-learn's do, are kept, joined, and refused where gradients are needed."""

import hashlib
import json
import re
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import expit, logit
from starlette.testclient import TestClient

from ecgenough import ensembles, networks
from ecgenough.baselines import intervals
from ecgenough.baselines.classifiers import OneAClass, boosted_trees
from ecgenough.baselines.forest import as_network
from ecgenough.baselines.intervals import Intervals, measurements
from ecgenough.commands.choosing import chosen_recipe
from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.estimator import ECGClassifier
from ecgenough.files import write_text
from ecgenough.formats import read
from ecgenough.model import CARD, WEIGHTS, Model, weights_digest
from ecgenough.networks import caliper_trees
from ecgenough.networks.caliper_trees import CaliperTrees
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.reports.figures import learning_figures
from ecgenough.reports.methods import method_sentences
from ecgenough.reports.page import write_report
from ecgenough.reports.reading import read_run
from ecgenough.serving.explanation import explain, methods_of
from ecgenough.serving.export import export_onnx
from ecgenough.serving.service import build_app
from ecgenough.signals.measurements import measure, measures
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.reproduction import Original, reproduce

NONE_MEASURED = "Fewer than three beats were found: the answer of trees rests on no measurements, do not rely on it."
LEADS = ("I", "II", "aVF")
UNCHANGED = Normaliser("none")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("calipers")


@pytest.fixture(scope="module")
def run(stores: dict[str, Store], recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return runs.train(stores["superclasses"], recipe, tmp_path_factory.mktemp("calipers") / "run", "cpu")


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return Model.load(run)


@pytest.fixture(scope="module")
def ecg(simulated: Path) -> Ecg:
    return read(next((simulated / "superclasses").rglob("*.hea")))


def test_the_arrays_answer_as_scikit_learn_s_trees() -> None:
    draw = np.random.default_rng(0)
    table = draw.normal(size=(400, len(measures(LEADS)))).astype(np.float32)
    table[draw.random(table.shape) < 0.2] = np.nan
    labels = np.stack([table[:, 0] > 0.3, np.isnan(table[:, 5]), np.zeros(400), table[:, 2] * table[:, 9] > 0], axis=1)
    fitted = OneAClass.fit(table.astype(np.float64), labels.astype(np.float32), lambda: boosted_trees(0))
    network = as_network(fitted.fitted, LEADS, 100, UNCHANGED)
    assert bool(network.number.isfinite().all())  # where a tree asks for no more than whether a value is there, too
    others = draw.normal(size=(300, table.shape[1])).astype(np.float32)
    others[draw.random(others.shape) < 0.2] = np.nan
    for known in (table, others):
        said = expit(network.log_odds(torch.from_numpy(known)).numpy())
        np.testing.assert_allclose(said.clip(1e-6, 1 - 1e-6), fitted.probabilities(known.astype(np.float64)), atol=1e-5)


def test_a_class_of_one_outcome_alone_is_its_share() -> None:
    network = as_network([0.25, 0.5], LEADS, 100, UNCHANGED)
    said = network.log_odds(torch.zeros(2, len(measures(LEADS))))
    np.testing.assert_allclose(expit(said.numpy()), [[0.25, 0.5]] * 2, atol=1e-6)


def test_a_trained_model_answers_as_the_baseline(stores: dict[str, Store], model: Model) -> None:
    store = stores["superclasses"]
    train, test = (store.rows("superdiagnostic", folds) for folds in (store.train_folds, store.validation_folds))
    expected = Intervals.fit(store, "superdiagnostic", train, seed=0).probabilities(store, test)
    found = model.logits_of(store.read(test), store.valid[test].astype(np.int64))
    # Voltages pass through float32 in other units on their way: a threshold may fall on the other side now and then.
    assert np.median(np.abs(expit(found) - expected)) < 1e-5
    assert np.mean(np.abs(expit(found) - expected) > 0.01) < 0.02


def test_padding_is_not_measured(model: Model, stores: dict[str, Store]) -> None:
    counts = stores["superclasses"].read(np.array([0])).copy()
    counts[..., 700:] = 0
    short = model.network(model.normaliser(torch.from_numpy(counts / 1000).float(), torch.ones(1, 1, 1000)))
    cut = model.network(model.normaliser(torch.from_numpy(counts[..., :700] / 1000).float(), torch.ones(1, 1, 700)))
    assert torch.equal(short, cut)


def test_the_run_is_reported_as_any(run: Path, stores: dict[str, Store]) -> None:
    told = read_run(run)
    assert told.metrics.macro["auc"].value > 0.6
    assert len(told.log) == 1
    said = dict(method_sentences(told))
    assert said["Weights"].startswith("fitted at once: boosted trees on rhythm, ")
    assert "Learning" not in said
    assert "Augmentation" not in said
    assert learning_figures([told]) == []
    page = run.parent / "report.html"
    write_report([run], page)
    assert "Baselines and trees are fitted in one step" in page.read_text()
    assert "The epoch that was kept" not in page.read_text()
    store, scored = stores["superclasses"], run / "test"
    runs.evaluate(Model.load(run), store, scored, device="cpu")
    assert json.loads((scored / "metrics.json").read_text())["macro"]["auc"]["value"] > 0.6


def test_a_model_is_kept_and_read_again(model: Model, ecg: Ecg, tmp_path: Path) -> None:
    model.save(tmp_path / "again")
    assert Model.load(tmp_path / "again").predict(ecg) == model.predict(ecg)


def test_one_class_of_it_answers_alone(stores: dict[str, Store], recipe: Recipe, ecg: Ecg, tmp_path: Path) -> None:
    joint = recipe.with_changes(["task=superdiagnostic+form"])
    both = Model.load(runs.train(stores["superclasses"], joint, tmp_path / "both", "cpu"))
    whole, alone = both.predict(ecg), both.for_task("form").predict(ecg)
    assert alone.probabilities == pytest.approx(whole.probabilities[-len(alone.classes) :])


def test_it_is_joined_with_a_network(model: Model, stores: dict[str, Store], ecg: Ecg, tmp_path: Path) -> None:
    shown = load_recipe("fast", ["network.name=eegnet", "network.options={}", "training.epochs=1"]).model_copy(
        update={name: getattr(model.recipe, name) for name in ("signal", "crop", "normalisation")}
    )
    other = Model.load(runs.train(stores["superclasses"], shown, tmp_path / "other", "cpu"))
    together = ensembles.ensemble({"network": other, "calipers": model})
    log_odds = [logit(one.predict(ecg).probabilities) for one in (other, model)]
    np.testing.assert_allclose(logit(together.predict(ecg).probabilities), np.mean(log_odds, axis=0), atol=1e-4)
    with pytest.raises(WrongRequest, match="choose the method occlusion"):
        explain(together, ecg)
    assert methods_of(together) == ("occlusion",)
    assert methods_of(ensembles.ensemble({"one": other, "two": other})) == ("integrated-gradients", "occlusion")


def test_what_needs_gradients_refuses_it(model: Model, ecg: Ecg, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="does not learn by gradients, so it is not carried over"):
        runs.recipe_for_transfer(model, recipe)
    with pytest.raises(WrongRequest, match="no ONNX graph"):
        export_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    for method in ("integrated-gradients", "grad-cam"):
        with pytest.raises(WrongRequest, match="choose the method occlusion"):
            explain(model, ecg, method=method)
    door, _ = build_app(model, "calipers")
    with TestClient(door) as client:
        assert client.get("/v1/model").json()["explains"] == ["occlusion"]
    assert set(explain(model, ecg, method="occlusion").lead_losses) == set(model.recipe.signal.leads)


def test_an_answer_that_rests_on_no_measurements_says_so(model: Model, ecg: Ecg, tmp_path: Path) -> None:
    still = np.zeros((12, 1000), dtype=np.float32)
    still[1, [100, 180]] = 1.5  # two beats
    silent, short = replace(ecg, signal=still), replace(ecg, signal=ecg.signal[:, : round(1.5 * ecg.rate)])
    for unread in (silent, short):
        assert np.isnan(measure(unread.signal, unread.rate, unread.leads)).all()
        assert [note for note in model.predict(unread).notes if "measurements" in note] == [NONE_MEASURED]
        together = ensembles.ensemble({"one": model, "two": model})
        assert [note for note in together.predict(unread).notes if "measurements" in note] == [NONE_MEASURED]
    assert not any("measurements" in note for note in model.predict(ecg).notes)
    half = replace(ecg, signal=np.concatenate([ecg.signal, np.tile(still, 2), ecg.signal], axis=1))
    assert model.predict(half).notes[-1] == (
        "Fewer than three beats were found in 2 of its 4 windows: what trees answer there rests on no measurements, do not "
        "rely on it."
    )
    door, _ = build_app(model, "calipers")
    np.savez(tmp_path / "one.npz", signal=still, rate=100, unit="mV", leads=ecg.leads)
    with TestClient(door) as client:
        sent = [("files", ("one.npz", (tmp_path / "one.npz").read_bytes()))]
        assert NONE_MEASURED in client.post("/v1/predict", files=sent).json()["records"][0]["notes"]
        as_fhir = client.post("/v1/predict", files=sent, headers={"accept": "application/fhir+json"})
        assert NONE_MEASURED in as_fhir.json()["conclusion"]


def test_beats_in_too_short_a_piece_before_silence_are_measured_by_nobody(model: Model) -> None:
    """What trails in every lead is taken for padding: 1.9 s of three beats are too short, whatever lies behind them."""
    counts = np.zeros((12, 1000), dtype=np.int16)
    counts[1, [30, 90, 150, 189]] = 1500
    volts = torch.from_numpy(counts / np.float32(1000)).unsqueeze(0)
    network = model.network
    assert isinstance(network, CaliperTrees)
    missing = network.log_odds(torch.full((1, len(measures(network.lead_names))), float("nan")))
    assert torch.equal(network.features(volts / network.scale[:, None]).squeeze(-1), missing)
    assert network.doubts([counts]) == (NONE_MEASURED,)


@pytest.fixture
def chest(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in whose records no axis is found, as in those of chest leads alone."""
    store = stores["superclasses"]
    table = measurements(store).copy()
    table[:, measures(store.leads).index("axis")] = np.nan
    monkeypatch.setattr(intervals, "measurements", lambda _: table)
    return store


def test_what_is_found_in_no_record_is_left_out(chest: Store) -> None:
    train = chest.rows("superdiagnostic", chest.train_folds)
    fitted = Intervals.fit(chest, "superdiagnostic", train, seed=0)
    network = as_network(fitted.classifiers.fitted, chest.leads, chest.rate, UNCHANGED)
    assert isinstance(network, CaliperTrees)
    said = network.log_odds(torch.from_numpy(intervals.measurements(chest)[:20].astype(np.float32)))
    np.testing.assert_allclose(expit(said.numpy()), fitted.probabilities(chest, np.arange(20)), atol=1e-5)


def test_records_that_cannot_be_measured_are_refused(
    stores: dict[str, Store], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        intervals, "measurements", lambda store: np.full((len(store.records), len(measures(store.leads))), np.nan)
    )
    with pytest.raises(WrongRequest, match=r"none of the \d+ training records of simulated can be measured"):
        runs.train(stores["superclasses"], recipe, tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("normalisation.kind=z-score", "normalisation.kind"),
        ("network.options.trees=5", "network.options"),
        ("network.options.width=8", "network.options"),
        ("crop.seconds=2.5", "crop.seconds"),
        ("labels=likelihood", "labels"),
        ("distillation={baselines: [intervals]}", "distillation"),
        ("augmentation.of=[{kind: lead-dropout}]", "augmentation.of"),
        ("loss={kind: focal}", "loss.kind"),
        ("loss.label_smoothing=0.1", "loss.label_smoothing"),
        ("optimizer.learning_rate=0.01", "optimizer.learning_rate"),
        ("schedule={kind: cosine}", "schedule.kind"),
        ("training.epochs=5", "training.epochs"),
        ("training.batch=64", "training.batch"),
        ("training.clip=null", "training.clip"),
        ("training.ema=0.99", "training.ema"),
        ("training.patience=3", "training.patience"),
        ("training.sampling=class-balanced", "training.sampling"),
    ],
)
def test_what_their_fit_does_not_do_is_refused(
    stores: dict[str, Store], recipe: Recipe, tmp_path: Path, change: str, key: str
) -> None:
    asked = recipe.with_changes([change])
    with pytest.raises(WrongRequest, match=f'"{re.escape(key)}" is not for caliper_trees'):
        runs.train(stores["superclasses"], asked, tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())
    with pytest.raises(WrongRequest, match="is not for caliper_trees"):
        chosen_recipe("calipers", [change])  # before anything is prepared


@pytest.mark.parametrize("name", ["calipers", "ptbxl-calipers"])
def test_their_recipes_are_taken_and_so_is_what_is_always_so(name: str) -> None:
    asked = ["training.epochs=20", "training.clip=1", "training.select=loss", "training.precision=float32"]
    assert chosen_recipe(name, asked) == load_recipe(name, asked)


def test_without_scikit_learn_nothing_is_begun(
    stores: dict[str, Store], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(
        WrongRequest, match=r"caliper_trees needs the package sklearn: pip install 'ecgenough\[baselines\]'"
    ):
        runs.train(stores["superclasses"], recipe, tmp_path / "run", "cpu")
    assert not list(tmp_path.iterdir())
    with pytest.raises(WrongRequest, match="needs the package sklearn"):
        chosen_recipe("calipers", [])


def test_the_run_says_which_scikit_learn_fitted_it(model: Model) -> None:
    assert model.origin["environment"]["scikit-learn"] == version("scikit-learn")


def test_trees_are_not_pretrained() -> None:
    with pytest.raises(WrongRequest, match='"pretraining" is not for caliper_trees'):
        chosen_recipe("pretrain-masked", ["network={name: caliper_trees}"])


def test_arrays_have_no_place_for_measurements() -> None:
    classifier = ECGClassifier("caliper_trees", rate=100, device="cpu")
    with pytest.raises(WrongRequest, match="beside a prepared store, and X has none"):
        classifier.fit(np.zeros((20, 12, 1000)), np.arange(20) % 2)


def test_a_run_is_reproduced(stores: dict[str, Store], run: Path, tmp_path: Path) -> None:
    assert reproduce(Original.open(run), stores["superclasses"], tmp_path / "again", "cpu", anyway=True)["identical"]
    assert (tmp_path / "again" / "recipe.yaml").read_text() == (run / "recipe.yaml").read_text()


def test_it_is_built_by_its_fit_alone() -> None:
    assert "caliper_trees" not in networks.names()
    with pytest.raises(WrongRequest, match="are fitted by ecgenough train; nothing else makes"):
        networks.build("caliper_trees", leads=12, classes=2)(torch.zeros(1, 12, 1000))
    with pytest.raises(WrongRequest, match="names 1; they read 12 leads"):
        networks.build("caliper_trees", leads=12, classes=2, lead_names="II")
    with pytest.raises(WrongRequest, match="nodes"):
        networks.build("caliper_trees", leads=1, classes=1, lead_names="II", nodes=400)


@pytest.mark.parametrize(("name", "number"), [("right", 255), ("feature", 20_000), ("feature", -1)])
def test_trees_that_lead_nowhere_are_refused(model: Model, tmp_path: Path, name: str, number: int) -> None:
    model.save(tmp_path)
    tensors = load_file(tmp_path / WEIGHTS)
    tensors[name].view(-1)[3] = number
    save_file(tensors, tmp_path / WEIGHTS)
    card = json.loads((tmp_path / CARD).read_text())
    card["weights_sha256"] = hashlib.sha256((tmp_path / WEIGHTS).read_bytes()).hexdigest()
    write_text(tmp_path / CARD, json.dumps(card))
    assert weights_digest(tmp_path) == card["weights_sha256"]
    with pytest.raises(EcgenoughError, match="name nodes or measurements that there are not"):
        Model.load(tmp_path)


def test_trees_that_are_not_laid_out_depth_first_are_refused() -> None:
    draw = np.random.default_rng(0)
    table = draw.normal(size=(400, len(measures(LEADS))))
    fitted = boosted_trees(0).fit(table, table[:, 0] > 0)
    nodes = fitted._predictors[0][0].nodes
    nodes["left"][0], nodes["right"][0] = nodes["right"][0], nodes["left"][0]
    with pytest.raises(RuntimeError, match="does not lay its trees out depth first"):
        as_network([fitted], LEADS, 100, UNCHANGED)


def test_trees_on_other_measurements_are_refused() -> None:
    network = as_network([0.25], LEADS, 100, UNCHANGED)
    state = network.state_dict()
    network.load_state_dict(state)
    with pytest.raises(ValueError, match="measurements of an earlier version"):
        network.load_state_dict({**state, "feature": state["feature"].to(torch.uint8)})


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("depth", 10**9, "depth"),  # would be gone down for ever
        ("rate", 0.01, "other leads or at another rate"),  # would be resampled to an hour and more
        ("lead_names", " ".join(["II"] * 12), "other leads or at another rate"),  # would have fewer measurements
        ("trees", 10**6, "larger than its weights"),
    ],
)
def test_an_altered_card_is_refused(model: Model, tmp_path: Path, option: str, value: object, complaint: str) -> None:
    model.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    card["recipe"]["network"]["options"][option] = value
    write_text(tmp_path / CARD, json.dumps(card))
    with pytest.raises(EcgenoughError, match=complaint):
        Model.load(tmp_path)


def test_trees_may_go_round_but_not_for_ever() -> None:
    network = as_network([0.25], LEADS, 100, UNCHANGED)
    assert isinstance(network, CaliperTrees)
    with torch.no_grad():
        network.right[...] = 0
    assert network.log_odds(torch.zeros(1, len(measures(LEADS)))).isfinite().all()


def test_a_second_run_is_the_same(
    stores: dict[str, Store], recipe: Recipe, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = runs.train(stores["superclasses"], recipe, tmp_path / "again", "cpu")
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("trees fitted; validation macro AUC 0.")  # there is no epoch to keep
    assert weights_digest(again) == weights_digest(run)
    assert Model.load(again).recipe == Model.load(run).recipe


def test_many_records_are_gone_through_in_blocks(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    network, count = model.network, len(measures(model.recipe.signal.leads))
    assert isinstance(network, CaliperTrees)
    table = torch.randn(50, count, generator=torch.Generator().manual_seed(0))
    whole = network.log_odds(table)
    monkeypatch.setattr(caliper_trees, "MOST_AT_ONCE", 3 * network.number.shape[0] * network.number.shape[1])
    assert torch.equal(network.log_odds(table), whole)
    assert networks.operations(network, 12, 1000) == 0
