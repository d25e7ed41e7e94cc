"""The Model value: trained weights and everything needed to use them. One folder, `predict(ecg)`, no pickle."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from scipy.special import expit

from ecgenough import networks
from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text, written_aside
from ecgenough.networks.contract import Network, crop_mean
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.batches import evaluation_crops
from ecgenough.signals.conditioning import condition
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import MICROVOLTS, to_microvolts

FORMAT = 1
WEIGHTS, CARD = "model.safetensors", "model.json"
PRETRAINED = "pretrained"  # the task of a model that knows no classes yet
_SEEN = "origin.waveform_hashes"


@dataclass(frozen=True)
class Prediction:
    """What a model says of one ECG, a number a class in the order of `classes`."""

    classes: tuple[str, ...]
    titles: tuple[str, ...]
    probabilities: tuple[float, ...]
    thresholds: tuple[float, ...]

    @property
    def calls(self) -> tuple[bool, ...]:
        """Which classes reach their threshold."""
        return tuple(p >= t for p, t in zip(self.probabilities, self.thresholds, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: a row a class."""
        rows = zip(self.classes, self.titles, self.probabilities, self.thresholds, self.calls, strict=True)
        names = ("class", "title", "probability", "threshold", "call")
        return {"classes": [dict(zip(names, row, strict=True)) for row in rows]}


@dataclass(frozen=True)
class Model:
    """A trained network with its recipe, class names, normalisation, calibration, thresholds and origin.

    `origin` tells where it came from: data set, task, folds, store, versions. `seen` holds the waveform hashes of the
    records it was trained and chosen on, so that they are never taken for new ones. A model pretrained without labels
    has no classes and the task PRETRAINED; its network's head, of one output, stands for the one to come.
    """

    network: Network
    recipe: Recipe
    task: str
    classes: tuple[str, ...]
    titles: tuple[str, ...]
    thresholds: tuple[float, ...]
    normaliser: Normaliser
    calibration: Calibration
    origin: Mapping[str, Any] = field(default_factory=dict)
    seen: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    def predict(self, ecg: Ecg) -> Prediction:
        """Probabilities of every class for one recording of any rate, in any order of leads.

        Raises BrokenRecord where leads are missing beyond derivation or the signal cannot be used.
        """
        return self.predict_many([ecg])[0]

    def predict_many(self, ecgs: Sequence[Ecg]) -> list[Prediction]:
        """The same for several recordings, which the network is shown together."""
        conditioned = [condition(ecg, self.recipe.signal) for ecg in ecgs]
        device = next(self.network.parameters()).device
        # As a store keeps it, so that both give the same answer.
        counts = np.stack([to_microvolts(one.signal)[0] for one in conditioned])
        signals = torch.from_numpy(counts.astype(np.float32) / MICROVOLTS).to(device)
        valid = torch.tensor([one.valid for one in conditioned], device=device)
        with torch.inference_mode():
            crops = evaluation_crops(signals, valid, self.recipe, self.normaliser)
            logits = crop_mean(self.network, crops).double().cpu().numpy()
        return [self.prediction(row) for row in logits]

    def prediction(self, logits: NDArray[np.float64]) -> Prediction:
        """The answer that logits `[classes]` of this model's network stand for."""
        probabilities = self.probabilities(logits[None])[0]
        return Prediction(self.classes, self.titles, tuple(map(float, probabilities)), self.thresholds)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of logits `[records, classes]`.

        Raises WrongRequest where the model knows no classes.
        """
        self.check_it_answers()
        return self.calibration.apply(expit(logits))

    def check_it_answers(self) -> None:
        """Raise WrongRequest for a model that was pretrained without labels: its head is a placeholder."""
        if not self.classes:
            raise WrongRequest(
                "this model knows no classes yet: it was pretrained to be carried over. "
                "Teach it a task with ecgenough transfer, then use the model that gives."
            )

    def save(self, folder: Path) -> None:
        """Write the model's two files to `folder`; the weights first, so that a card never stands alone."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        tensors[_SEEN] = torch.from_numpy(self.seen.view(np.int64).copy())
        weights = save_tensors(tensors)
        with written_aside(folder / WEIGHTS) as aside:
            aside.write_bytes(weights)
        write_text(folder / CARD, json.dumps(self._card(hashlib.sha256(weights).hexdigest()), indent=2) + "\n")

    def _card(self, weights_sha256: str) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "task": self.task,
            "classes": self.classes,
            "titles": self.titles,
            "thresholds": self.thresholds,
            "leads": self.recipe.signal.leads,
            "rate": self.recipe.signal.rate,
            "calibration": self.calibration.to_numbers(),
            "normalisation": self.normaliser.to_settings(),
            "recipe": self.recipe.model_dump(mode="json"),
            "origin": dict(self.origin),
            "weights_sha256": weights_sha256,
        }

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "Model":
        """Read a model's folder. Raises WrongRequest where it is none, EcgenoughError where it was altered."""
        folder = _model_folder(Path(folder))
        card = _read_card(folder / CARD)
        weights = (folder / WEIGHTS).read_bytes()
        if hashlib.sha256(weights).hexdigest() != card["weights_sha256"]:
            raise EcgenoughError(f"{folder / WEIGHTS} is not the file that {CARD} describes; copy the model again.")
        try:
            return cls._of(card, load_tensors(weights), torch.device(device))
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EcgenoughError(f"{folder / CARD} does not fit its weights: {reason}") from None

    @classmethod
    def _of(cls, card: dict[str, Any], tensors: dict[str, torch.Tensor], device: torch.device) -> "Model":
        recipe = Recipe.of(card["recipe"], CARD)
        seen = tensors.pop(_SEEN).numpy().view(np.uint64)
        classes = tuple(card["classes"])
        if {len(card[name]) for name in ("titles", "thresholds")} != {len(classes)}:
            raise ValueError("it needs one title and one threshold for each class")
        network = networks.build(
            recipe.network.name, leads=len(recipe.signal.leads), classes=max(len(classes), 1), **recipe.network.options
        )
        network.load_state_dict(tensors)
        return cls(
            network=network.to(device).eval(),
            recipe=recipe,
            task=str(card["task"]),
            classes=classes,
            titles=tuple(card["titles"]),
            thresholds=tuple(float(threshold) for threshold in card["thresholds"]),
            normaliser=Normaliser.from_settings(card["normalisation"]).to(device),
            calibration=Calibration.from_numbers(card["calibration"]),
            origin=card["origin"],
            seen=seen,
        )


def weights_digest(folder: str | Path) -> str:
    """The SHA-256 of a model's weights, as its card gives it."""
    return str(_read_card(_model_folder(Path(folder)) / CARD)["weights_sha256"])


def _model_folder(folder: Path) -> Path:
    """The folder itself, or `model/` inside a run's folder."""
    for place in (folder, folder / "model"):
        if (place / CARD).is_file() and (place / WEIGHTS).is_file():
            return place
    raise WrongRequest(
        f"{folder} holds no model: {CARD} and {WEIGHTS} are not there. Name a model's or a run's folder."
    )


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        version, _ = card["format"], card["weights_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EcgenoughError(f"{path} is not a model's description; copy the model again.") from None
    if version != FORMAT:
        raise EcgenoughError(f"{path} is of format {version}; this version of ecgenough reads format {FORMAT}.")
    return dict(card)
