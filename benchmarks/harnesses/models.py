"""Models, weights, stores and archives: folders and files that others made."""

import hashlib
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.broken import broken_files
from benchmarks.harnesses.harness import Harness, fits
from ecgenough import networks
from ecgenough.ecg import Ecg
from ecgenough.fetching.unpacking import unpack
from ecgenough.learning.imported_weights import read_weights
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.serving.export import as_onnx, onnx_card
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import DESCRIPTION, TABLE, Store, table_digest
from ecgenough.simulation import Case, simulate, simulate_collection
from ecgenough.studies.stores import open_store


@cache
def _models() -> dict[str, tuple[bytes, bytes]]:
    """Small models of three networks with fresh weights: card and weights of each."""
    found = {}
    for name, options in (("eegnet", {}), ("s4d", {"width": 8, "layers": 2}), ("resnet18", {"width": 4})):
        with TemporaryDirectory() as place:
            small_model(name, options).save(Path(place))
            found[name] = (Path(place, "model.json").read_bytes(), Path(place, "model.safetensors").read_bytes())
    return found


def small_model(name: str, options: dict[str, Any]) -> Any:
    """A model of three classes with fresh weights."""

    recipe = Recipe.of(
        {
            "signal": {"rate": 100, "duration": 2.56},
            "normalisation": {"kind": "none"},
            "network": {"name": name, "options": options},
        }
    )
    torch.manual_seed(0)
    network = networks.build(name, leads=12, classes=3, **options).eval()
    classes = ("NORM", "MI", "STTC")
    return Model(network, recipe, "t", classes, classes, (0.5, 0.3, 0.2), Normaliser("none"), Calibration.none(3))


@cache
def _ecg() -> Ecg:
    return simulate([Case()], rate=100).ecg(0)


def _answer(folder: Path) -> str:
    return str(Model.load(folder).predict(_ecg()).probabilities)


def card(folder: Path) -> Harness:
    """model.json; the weights beside it are those of the smallest model."""
    (folder / "model.safetensors").write_bytes(_models()["eegnet"][1])
    place = folder / "model.json"
    seeds = [card.replace(b'"weights_sha256": "', b'"weights_sha256": "') for card, _ in _models().values()]
    digest = hashlib.sha256(_models()["eegnet"][1]).hexdigest()

    def put(content: bytes) -> None:
        place.write_bytes(content)

    seeds = [_with_digest(card, digest) for card in seeds]
    return Harness("model-card", tuple(seeds), put, lambda: _answer(folder), names=("model.json", "model.safetensors"))


def _with_digest(card: bytes, digest: str) -> bytes:
    return json.dumps({**json.loads(card), "weights_sha256": digest}).encode()


def weights(folder: Path) -> Harness:
    """model.safetensors, nine times of ten with the card that its digest asks for; else it must be refused."""
    card, whole = _models()["eegnet"]
    place = folder / "model.safetensors"

    def put(content: bytes) -> None:
        place.write_bytes(content)
        digest = hashlib.sha256(content if fits(content) else whole).hexdigest()
        (folder / "model.json").write_bytes(_with_digest(card, digest))

    def use() -> str:
        said = _answer(folder)
        content = place.read_bytes()
        assert fits(content) or content == whole, "weights that are not the card's were loaded"
        return said

    return Harness("model-weights", (whole,), put, use, names=("model.json", "model.safetensors"))


def onnx(folder: Path) -> Harness:
    model = small_model("eegnet", {})
    place = folder / "damaged.onnx"
    whole = as_onnx(model, onnx_card(model))
    use = lambda: str(OnnxModel.load(place, threads=1).predict(_ecg()).probabilities)  # noqa: E731
    return Harness("onnx", (whole,), place.write_bytes, use)


def checkpoint(folder: Path) -> Harness:
    """A .pth of others, as import-weights reads it."""
    place, buffer, old = folder / "damaged.pth", io.BytesIO(), io.BytesIO()
    content = {
        "state_dict": {"a.weight": torch.zeros(3, 2), "b": torch.ones(4)},
        "config": {"n": 1},
        "loss": np.float64(1),
    }
    torch.save(content, buffer)
    torch.save(content, old, _use_new_zipfile_serialization=False)
    seeds = (buffer.getvalue(), old.getvalue(), broken_files()["code.pkl"])
    return Harness("checkpoint", seeds, place.write_bytes, lambda: str(read_weights(place))[:60])


def store(folder: Path, file: str) -> Harness:
    """One of a store's two descriptions; nine tables of ten get the digest that store.json asks for."""
    simulate_collection(folder / "from", "superclasses", 20, seed=1, rate=100)
    signal = Recipe.of({"signal": {"rate": 100, "duration": 2.56}}).signal
    store = open_store("simulated", folder / "from", signal, folder=folder / "stores")
    about = json.loads((store.path / DESCRIPTION).read_bytes())

    def put(content: bytes) -> None:
        (store.path / file).write_bytes(content)
        if file == TABLE and fits(content):
            (store.path / DESCRIPTION).write_text(json.dumps({**about, "table": table_digest(content)}))

    def use() -> str:
        opened = Store.open(store.path)
        rows = opened.rows(None, opened.train_folds)
        opened.patient_hashes(rows)
        opened.duplicates()
        return f"{opened.signals[rows].shape} {opened.task().labels[rows].shape} {opened.ages[rows].shape}"

    whole = (store.path / file).read_bytes()
    return Harness("store-table" if file == TABLE else "store-json", (whole,), put, use, names=(str(store.path),))


def archive(folder: Path) -> Harness:
    """A zip archive from a publisher, unpacked into a folder of its own."""
    place, out = folder / "damaged.zip", folder / "out"
    out.mkdir()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.hea", "b 1 500 2\n" * 20)
        archive.writestr("../../outside", "x")
    safe = io.BytesIO()
    with zipfile.ZipFile(safe, "w") as archive:
        archive.writestr("a/b.hea", "b 1 500 2\n")
        archive.writestr("c.dat", bytes(40))
    use = lambda: f"{sum(unpack(place, out))} unpacked"  # noqa: E731
    return Harness("archive", (buffer.getvalue(), safe.getvalue()), place.write_bytes, use, writing=True)
