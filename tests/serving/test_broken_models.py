"""A model whose weights are so large that it answers NaN is named by every path that uses it, and says nothing else."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from starlette.testclient import TestClient
from tests.serving.conftest import ModelMaker

from ecgenough.cli import main
from ecgenough.datasets.table import Task
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import BrokenModel, EcgenoughError
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.serving.export import as_onnx, onnx_card
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app
from ecgenough.signals.in_memory import conditioned_counts, store_of
from ecgenough.signals.store import Store
from ecgenough.simulation import Case, Simulated, simulate
from ecgenough.studies import runs

WEIGHTS = str(Path("broken", "model.safetensors"))


@pytest.fixture(scope="module")
def ecgs() -> Simulated:
    return simulate([Case(record=row, patient=row) for row in range(8)], rate=100, seed=1)


@pytest.fixture
def broken(make_model: ModelMaker, ecgs: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The model of the folder `broken` in the working folder, where there is an ECG, too."""
    monkeypatch.chdir(tmp_path)
    made = make_model("eegnet")
    with torch.no_grad():
        for weight in made.network.parameters():
            weight.mul_(1e30)
    made.save(Path("broken"))
    write_wfdb(Path(), "ecg", ecgs.ecg(0))
    return Model.load("broken")


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ecgenough", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "words",
    [
        ("predict", "ecg.hea", "--model", "broken"),
        ("explain", "ecg.hea", "--model", "broken", "--out", "new.png"),
        ("export", "broken", "--to", "onnx", "--out", "new.onnx"),
    ],
)
def test_a_command_names_the_weights_and_says_what_to_do(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(monkeypatch, *words) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert said.splitlines()[-1].startswith(f"ecgenough: {WEIGHTS} answers NaN: ")
    assert "Copy the model again, or train it again" in said
    assert not list(Path().glob("new.*"))


def test_an_exported_one_is_named_by_its_file(
    broken: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.onnx").write_bytes(as_onnx(broken, onnx_card(broken)))
    assert typed(monkeypatch, "predict", "ecg.hea", "--model", "broken.onnx") == 1
    out, said = capsys.readouterr()
    assert out == ""  # not a table of classes that are none of them called
    assert said.splitlines()[-1].startswith("ecgenough: broken.onnx answers NaN: ")


def test_an_evaluation_names_the_weights(broken: Model, ecgs: Simulated, tmp_path: Path) -> None:
    store = stored(broken, ecgs, np.ones(8, dtype=np.int64))
    with pytest.raises(BrokenModel, match=r"^broken.model\.safetensors answers NaN"):
        runs.evaluate(broken, store, tmp_path / "out", folds=(1,), device="cpu")
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_a_transfer_names_the_weights_it_begins_as_and_not_its_own_learning_rate(
    broken: Model, ecgs: Simulated, tmp_path: Path
) -> None:
    store = stored(broken, ecgs, np.repeat([1, 2], 4))
    recipe = broken.recipe.with_changes(["task=null", "training.epochs=1", "transfer={mode: frozen}"])
    with pytest.raises(BrokenModel, match=r"^broken.model\.safetensors answers NaN"):
        runs.transfer("broken", store, recipe, tmp_path / "out", "cpu")
    assert not (tmp_path / "out").exists()


def stored(model: Model, ecgs: Simulated, folds: NDArray[np.int64]) -> Store:
    """The ECGs labelled with the model's classes; fold 1 trains, fold 2 chooses."""
    counts, valid = conditioned_counts(ecgs.signal, 100, STANDARD_LEADS, model.recipe.signal)
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2, 0, 1]]
    task = Task(name=model.task, classes=model.classes, labels=labels, listed=np.ones(8, bool), titles=model.titles)
    return store_of(counts, valid, model.recipe.signal, task, list("abcdefgh"), folds)


def test_the_service_blames_itself_and_hides_where_the_model_lies(broken: Model) -> None:
    door, _ = build_app(broken, "mine", Limits(readers=1))
    with TestClient(door) as client:
        files = [("files", (name, Path(name).read_bytes())) for name in ("ecg.hea", "ecg.dat")]
        answer = client.post("/v1/predict", files=files)
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("ecg.hea: mine answers NaN: ")


def test_infinite_weights_are_refused_when_they_are_loaded(make_model: ModelMaker, tmp_path: Path) -> None:
    made = make_model("eegnet")
    with torch.no_grad():
        next(made.network.parameters()).view(-1)[0] = torch.inf
    made.save(tmp_path)
    with pytest.raises(Exception, match=r"model\.json does not fit its weights: .* infinite; copy the model again"):
        Model.load(tmp_path)


@pytest.mark.parametrize("threshold", ["NaN", "1.5", "-0.1"])
def test_a_threshold_that_is_no_probability_is_refused(make_model: ModelMaker, tmp_path: Path, threshold: str) -> None:
    """JSON knows NaN in Python, and of a threshold that is one nothing is ever called."""
    make_model("eegnet").save(tmp_path)
    card = tmp_path / "model.json"
    card.write_text(re.sub(r'("thresholds": \[\s*)[\d.]+', rf"\g<1>{threshold}", card.read_text()))
    with pytest.raises(
        EcgenoughError, match=r"model\.json does not fit its weights: its thresholds are not all from 0"
    ):
        Model.load(tmp_path)


@pytest.mark.parametrize(
    ("section", "wrong", "sentence"),
    [
        ("signal", {"rate": 1}, "signal.rate is 1 Hz; an ECG needs at least 20"),
        ("crop", {"seconds": 1.0}, "its recipe shows the network fewer than 128 samples"),
    ],
)
def test_a_card_whose_recipe_no_ecg_can_follow_is_refused(
    make_model: ModelMaker, tmp_path: Path, section: str, wrong: dict[str, float], sentence: str
) -> None:
    make_model("eegnet").save(tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    card["recipe"][section] |= wrong
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(EcgenoughError, match=rf"model\.json does not fit its weights: {re.escape(sentence)}"):
        Model.load(tmp_path)
