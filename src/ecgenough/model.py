"""The Model value: trained weights and everything needed to use them. One folder, `predict(ecg)`, no pickle."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from torch.nn.modules.module import register_module_parameter_registration_hook

from ecgenough import networks, shipped
from ecgenough.datasets.joint import columns_by_task, joint_name, own_class, part_names
from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, WrongRequest, check_format, nearest
from ecgenough.files import write_text, written_aside
from ecgenough.networks.caliper_trees import CaliperTrees
from ecgenough.networks.contract import SHORTEST, Network, crop_mean, with_outputs
from ecgenough.networks.ensemble import Ensemble
from ecgenough.prediction import Prediction, check_no_nan
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.conditioning import check_settings, samples_of
from ecgenough.signals.crops import crop_samples, evaluation_crops
from ecgenough.signals.limits import limits
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.plausibility import notes
from ecgenough.signals.store import MICROVOLTS
from ecgenough.signals.windows import Window, windows

FORMAT = 1
WEIGHTS, CARD = "model.safetensors", "model.json"
PRETRAINED = "pretrained"  # the task of a model that knows no classes yet
AT_ONCE = 64  # records or windows
_SEEN, _PATIENTS = "origin.waveform_hashes", "origin.patient_hashes"
__all__ = ["Model", "Prediction", "weights_digest"]


@dataclass(frozen=True)
class Model:
    """A trained network with its recipe, class names, normalisation, calibration, thresholds and origin.

    `origin` tells where it came from: data set, task, folds, store, versions. `seen` holds the waveform hashes of the
    records it was trained and chosen on, and `seen_patients` those of their patients (`Store.patient_hashes`), so that
    they are never taken for new ones. A model pretrained without labels
    has no classes and the task PRETRAINED; its network's head, of one output, stands for the one to come. `name` is what
    errors call it: the file of its weights, where it was loaded.

    >>> model = ecgenough.Model.load("ptbxl-base").for_task("superdiagnostic")
    >>> answer = model.predict(ecgenough.read("ecgs/records100/00000/00001_lr.hea"))
    >>> answer.classes, len(answer.probabilities), len(answer.calls)
    (('NORM', 'MI', 'STTC', 'CD', 'HYP'), 5, 5)
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
    seen_patients: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    name: str = "this model"

    @property
    def untuned(self) -> tuple[str, ...]:
        """Classes without a positive or a negative validation record: not calibrated, and called from 0.5 on."""
        return tuple(self.classes[column] for column in self.calibration.absent)

    @property
    def parts(self) -> dict[str, slice]:
        """The columns of each task that the model's task is made of: of one alone, all of them."""
        return columns_by_task(self.task, self.classes)

    @property
    def is_joint(self) -> bool:
        """Whether this model answers several tasks."""
        return len(self.parts) > 1

    def for_task(self, task: str) -> "Model":
        """The model of one of its tasks, or of several joined; its own whole task gives the model itself.

        Raises WrongRequest where the model knows no such task.
        """
        wanted, parts = part_names(task), self.parts
        if joint_name(wanted) == self.task:
            return self
        for place, name in enumerate(wanted):
            if name not in parts:
                raise WrongRequest(f'this model has no task "{name}". {nearest(name, parts)}')
            if name in wanted[:place]:
                raise WrongRequest(f'task "{task}" names "{name}" twice; name each task once.')
        columns = np.concatenate([np.arange(len(self.classes))[parts[name]] for name in wanted]).tolist()
        classes = tuple(self.classes[column] for column in columns)
        return dataclasses.replace(
            self,
            network=with_outputs(self.network, columns),
            task=joint_name(wanted),
            classes=classes if len(wanted) > 1 else tuple(own_class(task, label) for label in classes),
            titles=tuple(self.titles[column] for column in columns),
            thresholds=tuple(self.thresholds[column] for column in columns),
            calibration=self.calibration.of(columns),
        )

    def predict(self, ecg: Ecg) -> Prediction:
        """Probabilities of every class for one recording of any rate and length, in any order of leads.

        Of one longer than the network was shown in training, the answer is the mean of its logits over windows spaced
        evenly from start to end. Raises BrokenRecord where leads are missing beyond derivation or the signal cannot be
        used, and what `probabilities` raises.
        """
        return self.predict_many([ecg])[0]

    def predict_many(self, ecgs: Sequence[Ecg]) -> list[Prediction]:
        """The same for several recordings, which the network is shown together."""
        shown = [windows(ecg, self.recipe.signal) for ecg in ecgs]
        logits = iter(self._logits([window for of_one in shown for window in of_one]))
        means = [np.mean([next(logits) for _ in of_one], axis=0) for of_one in shown]
        told = [self._doubts(ecg, of_one) for ecg, of_one in zip(ecgs, shown, strict=True)]
        return [
            dataclasses.replace(self.prediction(mean), notes=doubts) for mean, doubts in zip(means, told, strict=True)
        ]

    def logits(self, ecg: Ecg) -> NDArray[np.float64]:
        """What the network gives for the first window of a recording, before calibration: `[classes]`.

        Raises as `predict` does.
        """
        return np.asarray(self._logits(windows(ecg, self.recipe.signal)[:1])[0])

    def _doubts(self, ecg: Ecg, shown: Sequence[Window]) -> tuple[str, ...]:
        bridged, clipped = (sum(getattr(window, lost) for window in shown) for lost in ("bridged", "clipped"))
        height = float(np.median([window.height for window in shown]))
        own = self.network.doubts([window.counts[:, : window.valid] for window in shown])
        return (*limits(ecg, self.recipe.signal, len(shown)), *notes(bridged, clipped, height), *own)

    def _logits(self, shown: Sequence[Window]) -> NDArray[np.float64]:
        """Logits `[windows, classes]`."""
        parts = (shown[first : first + AT_ONCE] for first in range(0, len(shown), AT_ONCE))
        told = ((np.stack([w.counts for w in part]), np.array([w.valid for w in part])) for part in parts)
        return np.concatenate([self.logits_of(counts, valid) for counts, valid in told])

    def logits_of(self, counts: NDArray[np.int16], valid: NDArray[np.int64]) -> NDArray[np.float64]:
        """Logits `[records, classes]` of conditioned counts of 1 µV `[records, leads, samples]`, means over crops.

        `valid` `[records]` says how many samples of each are signal.
        """
        device, found = next(self.network.parameters()).device, []
        with torch.inference_mode():
            for first in range(0, len(counts), AT_ONCE):
                part = slice(first, first + AT_ONCE)
                signals = torch.from_numpy(counts[part].astype(np.float32) / MICROVOLTS).to(device)
                crops = evaluation_crops(
                    signals, torch.from_numpy(valid[part]).to(device), self.recipe, self.normaliser
                )
                found.append(crop_mean(self.network, crops).double().cpu().numpy())
        return np.concatenate(found)

    def prediction(self, logits: NDArray[np.float64]) -> Prediction:
        """The answer that logits `[classes]` of this model's network stand for."""
        probabilities = self.probabilities(logits[None])[0]
        return Prediction(self.classes, self.titles, tuple(map(float, probabilities)), self.thresholds)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of logits `[records, classes]`.

        Raises WrongRequest where the model knows no classes, BrokenModel where logits are NaN.
        """
        self.check_it_answers()
        check_no_nan(self.name, logits)
        return self.calibration.apply(expit(logits))

    def check_it_answers(self) -> None:
        """Raise WrongRequest for a model that was pretrained without labels: its head is a placeholder."""
        if not self.classes:
            raise WrongRequest(
                "this model knows no classes yet: it was pretrained to be carried over. "
                "Teach it a task with ecgenough transfer, then use the model that gives."
            )

    def save(self, folder: Path) -> None:
        """Write the model's two files to `folder`; the weights first, so that a card never stands alone.

        Raises WrongRequest for an ensemble.
        """
        if isinstance(self.network, Ensemble):
            raise WrongRequest("an ensemble is not saved; keep its members, and name them joined by + again.")
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        for name, hashes in ((_SEEN, self.seen), (_PATIENTS, self.seen_patients)):
            tensors[name] = torch.from_numpy(hashes.view(np.int64).copy())
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
            "untuned": self.untuned,
            "leads": self.recipe.signal.leads,
            "rate": self.recipe.signal.rate,
            "calibration": self.calibration.to_numbers(),
            "normalisation": self.normaliser.to_settings(),
            "recipe": self.recipe.model_dump(mode="json"),
            "origin": dict(self.origin),
            "weights_sha256": weights_sha256,
        }

    @classmethod
    def load(cls, name_or_folder: str | Path, device: str | torch.device = "cpu") -> "Model":
        """Read a shipped model by its name, or any by its folder; `Path` and "./name" are always folders.

        Raises WrongRequest where there is none, EcgenoughError where it was altered.
        """
        folder = _model_folder(name_or_folder)
        card = _read_card(folder / CARD)
        weights = (folder / WEIGHTS).read_bytes()
        if hashlib.sha256(weights).hexdigest() != card["weights_sha256"]:
            raise EcgenoughError(f"{folder / WEIGHTS} is not the file that {CARD} describes; copy the model again.")
        try:
            model = cls._of(card, load_tensors(weights), torch.device(device))
        except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200].removesuffix(".")
            raise EcgenoughError(f"{folder / CARD} does not fit its weights: {reason}; copy the model again.") from None
        return dataclasses.replace(model, name=str(folder / WEIGHTS))

    @classmethod
    def _of(cls, card: dict[str, Any], tensors: dict[str, torch.Tensor], device: torch.device) -> "Model":
        recipe = Recipe.of(card["recipe"], CARD)
        signal = recipe.signal
        try:
            check_settings(signal)
        except WrongRequest as error:
            raise ValueError(str(error)) from None
        if crop_samples(recipe, samples_of(signal)) < SHORTEST:
            raise ValueError(f"its recipe shows the network fewer than {SHORTEST} samples")
        seen = tensors.pop(_SEEN).numpy().view(np.uint64)
        none = torch.zeros(0, dtype=torch.int64)  # models of before 2026-11-23 did not keep their patients
        seen_patients = tensors.pop(_PATIENTS, none).numpy().view(np.uint64)
        classes = tuple(card["classes"])
        if {len(card[name]) for name in ("titles", "thresholds")} != {len(classes)}:
            raise ValueError("it needs one title and one threshold for each class")
        thresholds = tuple(float(threshold) for threshold in card["thresholds"])
        if not all(0 <= threshold <= 1 for threshold in thresholds):  # of NaN nothing would ever be called
            raise ValueError("its thresholds are not all from 0 to 1")
        if any(tensor.is_floating_point() and not bool(tensor.isfinite().all()) for tensor in tensors.values()):
            raise ValueError("some of its weights are NaN or infinite")
        with _no_larger_than(tensors):
            network = networks.build(
                recipe.network.name,
                leads=len(signal.leads),
                classes=max(len(classes), 1),
                **recipe.network.options,
            )
        network.load_state_dict(tensors)
        if isinstance(network, CaliperTrees) and (network.lead_names, network.rate) != (signal.leads, signal.rate):
            raise ValueError("its trees measure other leads or at another rate than its recipe's")
        return cls(
            network=network.to(device).eval(),
            recipe=recipe,
            task=str(card["task"]),
            classes=classes,
            titles=tuple(card["titles"]),
            thresholds=thresholds,
            normaliser=Normaliser.from_settings(card["normalisation"]).to(device),
            calibration=Calibration.from_numbers(card["calibration"]),
            origin=card["origin"],
            seen=seen,
            seen_patients=seen_patients,
        )


@contextmanager
def _no_larger_than(tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """Stop what is built meanwhile once it holds far more than `tensors`: a card can ask for any width and depth.

    Raises ValueError. Twice as much is allowed, since building may make weights that it then replaces.
    """
    most, built = 2 * sum(tensor.numel() for tensor in tensors.values()) + (1 << 16), 0

    def count(_: torch.nn.Module, name: str, weights: torch.Tensor | None) -> None:
        nonlocal built
        built += 64 if weights is None else weights.numel() + 64  # a module takes room, however few its weights
        if built > most + 128 * len(tensors):
            raise ValueError(f"its recipe's network is larger than its weights (at {name})")

    removable = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        removable.remove()


def weights_digest(name_or_folder: str | Path) -> str:
    """The SHA-256 of a model's weights, as its card gives it."""
    return str(_read_card(_model_folder(name_or_folder) / CARD)["weights_sha256"])


def _model_folder(name_or_folder: str | Path) -> Path:
    """A shipped model's folder, the folder itself, or `model/` inside a run's folder."""
    folder = Path(name_or_folder)
    known = shipped.folder(name_or_folder) if isinstance(name_or_folder, str) else None
    if known is not None:
        if folder.is_dir():
            say(f"{folder} is the model that comes with ecgenough; write ./{folder} for the folder of that name here.")
        return known
    for place in (folder, folder / "model"):
        if (place / CARD).is_file() and (place / WEIGHTS).is_file():
            return place
    raise WrongRequest(
        f"{folder} holds no model: {CARD} and {WEIGHTS} are not there. Name a model's or a run's folder, or a model that "
        f"comes with ecgenough. {nearest(str(folder), shipped.names())}"
    )


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        version, _ = card["format"], card["weights_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EcgenoughError(f"{path} is not a model's description; copy the model again.") from None
    check_format(
        version, FORMAT, f"{path} is", "Train it again, or read it with the version of ecgenough that made it."
    )
    return dict(card)
