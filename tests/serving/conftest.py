"""Models with fresh weights, small enough to export, explain and run in a moment, and one that is trained."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import uvicorn

from ecgenough import networks
from ecgenough.baselines.forest import as_network
from ecgenough.model import Model
from ecgenough.networks import alexnet, vgg
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.serving.door import Door
from ecgenough.serving.export import as_onnx, onnx_card
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs

SMALLER: dict[str, dict[str, Any]] = {
    "rnn": {"hidden": 8},
    "lstm": {"hidden": 8},
    "gru": {"hidden": 8},
    "transformer": {"width": 16},
    "patch_transformer": {"width": 24, "layers": 2},
    "net1d": {"size": "small"},
    "s4d": {"width": 8, "layers": 2},
}
CLASSES = ("NORM", "MI", "STTC")
ModelMaker = Callable[..., Model]


def make(name: str = "resnet18", *changes: str, seed: int = 0, **options: Any) -> Model:
    """A model of any network, narrow, with a calibration that moves two of its three classes."""
    known = networks.options(name)
    narrow = SMALLER.get(name, {"width": 8} if "width" in known else {}) | options
    recipe = Recipe.of({"signal": {"rate": 100}, "network": {"name": name, "options": narrow}})
    recipe = recipe.with_changes(["crop={seconds: 2.56, evaluation: mean, crops: 3}", *changes])
    torch.manual_seed(seed)
    leads = recipe.signal.leads
    kind, across = recipe.normalisation.kind, recipe.normalisation.across
    return Model(
        network=networks.build(name, leads=len(leads), classes=len(CLASSES), **narrow).eval(),
        recipe=recipe,
        task="superdiagnostic",
        classes=CLASSES,
        titles=("normal ECG", "myocardial infarction", "ST-T change"),
        thresholds=(0.5, 0.3, 0.2),
        normaliser=Normaliser(kind, across, torch.linspace(0.1, 0.4, len(leads)) if kind == "scale" else None),
        calibration=Calibration((1.3, 1.0, 0.7), (-0.2, 0.0, 0.4)),
    )


def make_trees() -> Model:
    """The same of trees on measurements, without a branch: what they answer is each class's share."""
    recipe = load_recipe("calipers")
    normaliser = Normaliser("scale", "lead", torch.linspace(0.1, 0.4, len(recipe.signal.leads)))
    network = as_network([0.5, 0.2, 0.3], recipe.signal.leads, recipe.signal.rate, normaliser)
    return replace(make(), network=network, recipe=recipe, normaliser=normaliser)


@contextmanager
def served(door: Door) -> Iterator[str]:
    """Answer on a free port, from a thread."""
    server = uvicorn.Server(uvicorn.Config(door, log_level="warning", access_log=False, lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as here:
        thread = threading.Thread(target=asyncio.run, args=(server.serve([here]),), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{here.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def make_model(monkeypatch: pytest.MonkeyPatch) -> ModelMaker:
    """What makes models; of the 30 million weights of AlexNet and VGG nearly all are in hidden layers: few here."""
    for module in (alexnet, vgg):
        monkeypatch.setattr(module, "HIDDEN", 16)
    return make


@pytest.fixture(scope="session")
def narrow() -> tuple[Model, OnnxModel]:
    """A filtering model and its exported twin."""
    model = make("resnet18", "signal.filter={kind: band-pass}")
    return model, OnnxModel.of(as_onnx(model, onnx_card(model)), "model.onnx", threads=1)


@pytest.fixture(scope="session")
def trained(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny recipe on the simulated superclasses."""
    return runs.train(stores["superclasses"], tiny, tmp_path_factory.mktemp("runs") / "tiny")
