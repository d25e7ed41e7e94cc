"""An exported model at work: predictions from an ONNX file, without PyTorch."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.special import expit

from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, check_format
from ecgenough.extras import needed
from ecgenough.prediction import Prediction, check_no_nan
from ecgenough.recipe import Signal
from ecgenough.scoring.calibration import log_odds
from ecgenough.serving.onnx_file import CARD, CARD_FORMAT, check_self_contained, read_onnx
from ecgenough.signals.conditioning import Conditioned, condition_batch, resampled, usable
from ecgenough.signals.limits import limits
from ecgenough.signals.plausibility import beat_height, notes
from ecgenough.signals.store import to_microvolts
from ecgenough.signals.windows import over_windows


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A network as ONNX with what its file says of it: `card`, as `serving.export.onnx_card` describes it."""

    session: Any
    card: dict[str, Any]
    signal: Signal
    name: str = "the model"

    @classmethod
    def load(cls, path: str | Path, threads: int = 0) -> "OnnxModel":
        """Read an exported model; `threads` of a prediction, 0 for as many as there are cores.

        Raises WrongRequest where the file is not there or onnxruntime is not installed, EcgenoughError where it is
        broken, refers to other files, or was not exported by ecgenough.
        """
        return cls.of(read_onnx(Path(path)), str(path), threads)

    @classmethod
    def of(cls, content: bytes, name: str, threads: int = 0) -> "OnnxModel":
        """The model in the bytes of a file that errors call `name`; raises as `load` does."""
        onnxruntime = needed("onnxruntime", "onnx", "an ONNX model")
        check_self_contained(content, name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base of their own
            reason = " ".join(str(error).split())[:200]
            raise EcgenoughError(f"{name} cannot be loaded as ONNX: {reason}") from None
        card = _card(session, name)
        return cls(session, card, _signal(card, session, name), name)

    def predict(self, ecg: Ecg) -> Prediction:
        """What `Model.predict` says, within 1e-4. Raises BrokenRecord where the recording cannot be used."""
        shown = over_windows(ecg, self.signal, self._answer)
        # Calibration is a line in logits, so the mean may as well be taken after it.
        chances = expit(np.mean([log_odds(answer.probabilities) for answer in shown], axis=0))
        bridged, clipped = sum(answer.bridged for answer in shown), sum(answer.clipped for answer in shown)
        doubts = notes(bridged, clipped, float(np.median([answer.height for answer in shown])))
        said = (*limits(ecg, self.signal, len(shown)), *doubts)
        return replace(self.prediction(shown[0].probabilities if len(shown) == 1 else np.asarray(chances)), notes=said)

    def _answer(self, window: Ecg) -> "_Answer":
        found = usable(window, self.signal)
        ready = self._ready(found.signal, window.rate)
        _, clipped = to_microvolts(ready.conditioned.signal)
        height = float(beat_height(found.signal, found.rate))
        return _Answer(self.run(ready.input)[0][0].astype(np.float64), found.bridged, int(clipped[0]), height)

    def prediction(self, probabilities: NDArray[np.floating[Any]]) -> Prediction:
        """The answer that probabilities `[classes]` of the graph stand for."""
        return Prediction(
            classes=tuple(self.card["classes"]),
            titles=tuple(self.card["titles"]),
            probabilities=tuple(map(float, probabilities)),
            thresholds=tuple(map(float, self.card["thresholds"])),
        )

    def conditioned(self, ecg: Ecg) -> NDArray[np.float32]:
        """What goes into the graph: mV `[leads, samples]` at the model's rate, its leads, gaps bridged.

        Filtered where the file says that its filter is the caller's.
        """
        ready: NDArray[np.float32] = self._ready(usable(ecg, self.signal).signal, ecg.rate).input[0]
        return ready

    def _ready(self, signal: NDArray[np.float32], rate: float) -> "_Ready":
        """A usable signal `[leads, samples]` at `rate` Hz, before the graph and as it will be inside."""
        conditioned = condition_batch(signal[None], rate, self.signal)
        if self.card["filter_inside"]:
            return _Ready(resampled(signal[None], rate, self.signal.rate), conditioned)
        return _Ready(np.ascontiguousarray(conditioned.signal[..., : conditioned.valid]), conditioned)

    def run(self, ecgs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities and logits `[batch, classes]` of `conditioned` ECGs of one length, `[batch, leads, samples]`.

        Raises EcgenoughError where the graph cannot be run, BrokenModel where it gives NaN.
        """
        try:
            probabilities, logits = self.session.run(["probabilities", "logits"], {"ecg": ecgs})
        except Exception as error:  # onnxruntime's errors share no base of their own
            reason = " ".join(str(error).split())[:200]
            raise EcgenoughError(f"{self.name} cannot be run: {reason}") from None
        check_no_nan(self.name, probabilities)
        return probabilities, logits


@dataclass(frozen=True, eq=False)
class _Answer:
    """Probabilities `[classes]` of one window, and what makes one doubt them."""

    probabilities: NDArray[np.float64]
    bridged: int
    clipped: int
    height: float


@dataclass(frozen=True, eq=False)
class _Ready:
    """`input` `[1, leads, samples]` of the graph, and the signal as conditioning in whole makes it."""

    input: NDArray[np.float32]
    conditioned: Conditioned


def _card(session: Any, name: str) -> dict[str, Any]:
    written = session.get_modelmeta().custom_metadata_map.get(CARD)
    if written is None:
        raise EcgenoughError(f"{name} does not say what its classes and leads are; it was not exported by ecgenough.")
    try:
        card = dict(json.loads(written))
        version = card["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise EcgenoughError(f"{name} is damaged: its description cannot be read. Export it again.") from None
    check_format(version, CARD_FORMAT, f"{name} is", "Export it again.")
    return card


def _signal(card: dict[str, Any], session: Any, name: str) -> Signal:
    """The section `signal` of the recipe, once it is sure that card and graph fit each other."""
    try:
        signal = Signal.model_validate(card["signal"])
        lengths = {len(card[key]) for key in ("classes", "titles", "thresholds")}
        shapes = {put.name: put.shape for put in (*session.get_inputs(), *session.get_outputs())}
        fits = lengths == {shapes["probabilities"][1]} and shapes["ecg"][1] == len(signal.leads)
        fits = fits and all(0 <= threshold <= 1 for threshold in card["thresholds"])  # of NaN nothing would be called
        fits = fits and isinstance(card["filter_inside"], bool) and shapes.keys() == {"ecg", "probabilities", "logits"}
    except (KeyError, TypeError, IndexError, ValidationError):
        fits = False
    if not fits:
        raise EcgenoughError(f"{name} is damaged: its description does not fit its graph. Export it again.")
    return signal
