"""A model -> one ONNX file that says what it is, checked against the model before it is left on disk."""

import io
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.extras import needed
from ecgenough.files import written_aside
from ecgenough.model import Model
from ecgenough.serving.graph import RawEcgNetwork, filter_inside
from ecgenough.serving.onnx_file import CARD, CARD_FORMAT
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.signals.conditioning import samples_of
from ecgenough.simulation import Case, simulate

OPSET = 17
TOLERANCE = 1e-4  # by which probabilities of the file may differ from the model's
TOLERANCE_OF_LOGITS = 1e-3  # relative: a microvolt that is rounded the other way moves a logit as well
LENGTHS = (10.0, 4.3, 23.0)  # seconds of the simulated ECGs on which they are compared


def export_onnx(model: Model, path: Path, weights_sha256: str = "") -> OnnxModel:
    """Write `model` to `path` as ONNX and give it as read back from there.

    The graph is `RawEcgNetwork`; the model's card is embedded (see `onnx_card`). What was written is run beside the
    model first: where probabilities differ by more than 1e-4, EcgenoughError is raised and nothing is left at `path`.
    Raises WrongRequest without the extra `onnx`, and for a model that knows no classes or reads by calipers.
    """
    model.check_it_answers()
    if not model.network.by_gradients:
        raise WrongRequest(
            "this model measures ECGs by a program that is no ONNX graph; export another, or an ensemble's other members."
        )
    graph = as_onnx(model, onnx_card(model, weights_sha256))
    exported = OnnxModel.of(graph, str(path))
    check_equal(model, exported)
    with written_aside(path) as aside:
        aside.write_bytes(graph)
    return exported


def as_onnx(model: Model, card: dict[str, Any]) -> bytes:
    """The graph with `card` in its metadata. Its inputs and outputs are named `ecg`, `probabilities` and `logits`."""
    onnx = needed("onnx", "onnx", "exporting")
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every shape that it takes for fixed: here all but batch and samples are.
        warnings.simplefilter("ignore")
        written = io.BytesIO()
        torch.onnx.export(
            RawEcgNetwork(model).eval(),
            (torch.zeros(2, len(model.recipe.signal.leads), samples_of(model.recipe.signal)),),
            written,  # type: ignore[arg-type]  # a path or a file: its annotation forgets the file
            dynamo=False,  # the newer exporter unrolls recurrent layers, minutes and megabytes for ten seconds of ECG
            opset_version=OPSET,
            input_names=["ecg"],
            output_names=["probabilities", "logits"],
            dynamic_axes={
                "ecg": {0: "batch", 2: "samples"},
                "probabilities": {0: "batch"},
                "logits": {0: "batch"},
            },
        )
    proto = onnx.load_model_from_string(written.getvalue())
    for answer in proto.graph.output:  # of one class the exporter does not know that it is one
        answer.type.tensor_type.shape.dim[1].dim_value = len(card["classes"])
    proto.producer_name, proto.producer_version = "ecgenough", str(card["version"])
    proto.doc_string = f"{card['network']}: {', '.join(card['classes'])}. Research software, not a medical device."
    onnx.helper.set_model_props(proto, {CARD: json.dumps(card)})
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString())


def onnx_card(model: Model, weights_sha256: str = "") -> dict[str, Any]:
    """What an exported file says of itself, plain values: what goes in, what was done before, what comes out."""
    inside = filter_inside(model.recipe.signal)
    filters = [] if model.recipe.signal.filter.kind == "none" else ["filter"]
    return {
        "format": CARD_FORMAT,
        "version": version("ecgenough"),
        "network": model.recipe.network.name,
        "task": model.task,
        "classes": list(model.classes),
        "titles": list(model.titles),
        "thresholds": list(model.thresholds),
        "leads": list(model.recipe.signal.leads),
        "rate": model.recipe.signal.rate,
        "unit": "mV",
        "signal": model.recipe.signal.model_dump(mode="json"),
        "filter_inside": inside,
        "before": ["leads", "gaps", "resampling", *([] if inside else filters)],
        "inside": [*(filters if inside else []), "length", "crops", "normalisation", "network", "calibration"],
        "precision": "float32",
        "weights_sha256": weights_sha256,
    }


def check_equal(model: Model, exported: OnnxModel) -> None:
    """Raise EcgenoughError where an exported model and its source differ on simulated ECGs by more than 1e-4.

    Probabilities may be so near to 0 or 1 that they hide a difference, so logits are compared, too, by their size.
    """
    for ecg in _samples():
        expected = model.logits(ecg)
        chances = model.probabilities(expected[None])  # raises where they are NaN, before a file is blamed for it
        probabilities, logits = exported.run(exported.conditioned(ecg)[None])
        apart = np.abs(chances - probabilities).max()
        of_logits = (np.abs(expected - logits[0]) / (1 + np.abs(expected))).max()
        if not (apart <= TOLERANCE and of_logits <= TOLERANCE_OF_LOGITS):
            raise EcgenoughError(
                f"the exported {model.recipe.network.name} answers otherwise than the model, by {max(apart, of_logits):.2g}; "
                "nothing was written. Please report this network and its options."
            )


def _samples() -> list[Ecg]:
    """ECGs of other rates and lengths than models have: longer, shorter, and about as long."""
    cases = [Case(record=record, patient=record) for record in range(len(LENGTHS))]
    return [simulate([case], rate=360.0, duration=seconds).ecg(0) for case, seconds in zip(cases, LENGTHS, strict=True)]
