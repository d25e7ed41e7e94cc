"""An exported model with 8-bit weights and activations: a quarter of the size, and faster where processors allow.

Static quantisation: the range of every activation is measured once on calibration ECGs. Only convolutions and products
with fixed weights are quantised; conditioning, normalisation, recurrent layers, attention scores and calibration stay
float32.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg
from ecgenough.errors import WrongRequest
from ecgenough.extras import needed
from ecgenough.files import written_aside
from ecgenough.sentences import counted
from ecgenough.serving.onnx_file import CARD
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.simulation import FINDINGS, Case, simulate

QUANTISED = ("Conv", "Gemm", "MatMul")
SIMULATED = 64  # ECGs that ranges are measured on where none are given


def quantise(exported: OnnxModel, source: Path, path: Path, ecgs: Sequence[Ecg] = ()) -> OnnxModel:
    """Write the exported model of the file `source` to `path` in 8 bits and give it as read back from there.

    Ranges are measured on `ecgs`, simulated ones with every finding where there are none. Raises WrongRequest without
    the extra `onnx`, and for a network with nothing to quantise.
    """
    onnx, quantization = (needed(module, "onnx", "quantising") for module in ("onnx", "onnxruntime.quantization"))
    graph = onnx.load_model(source, load_external_data=False)
    inside = [node.name for node in graph.graph.node if node.op_type in QUANTISED and node.name.startswith("/network/")]
    if not inside:
        raise WrongRequest(
            f"{exported.card['network']} has no convolution or fixed matrix product to quantise; export it without --int8."
        )
    with TemporaryDirectory(prefix="ecgenough-int8-") as folder:
        written = Path(folder) / "int8.onnx"
        with _without_warnings():
            quantization.quantize_static(
                source,
                written,
                _Readings(exported, ecgs or simulated_ecgs()),
                nodes_to_quantize=inside,
                op_types_to_quantize=list(QUANTISED),
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        content = _with_card(written, {**exported.card, "precision": "int8", "calibrated_on": _named(ecgs)})
    quantised = OnnxModel.of(content, str(path))
    with written_aside(path) as aside:
        aside.write_bytes(content)
    return quantised


def simulated_ecgs(count: int = SIMULATED) -> list[Ecg]:
    """Simulated ECGs at 500 Hz, each finding in turn and, every so often, none."""
    names = ["", *FINDINGS]
    cases = [Case(frozenset({names[place % len(names)]} - {""}), record=place, patient=place) for place in range(count)]
    made = simulate(cases, seed=1)
    return [made.ecg(row) for row in range(count)]


class _Readings:
    """What onnxruntime calls a CalibrationDataReader: conditioned ECGs, one by one."""

    def __init__(self, exported: OnnxModel, ecgs: Sequence[Ecg]) -> None:
        self._coming: Iterator[NDArray[np.float32]] = (exported.conditioned(ecg)[None] for ecg in ecgs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next ECG by the name of its input, None after the last."""
        ecg = next(self._coming, None)
        return None if ecg is None else {"ecg": ecg}


def _with_card(path: Path, card: dict[str, Any]) -> bytes:
    onnx = needed("onnx", "onnx", "quantising")
    graph = onnx.load_model(path, load_external_data=False)
    onnx.helper.set_model_props(graph, {CARD: json.dumps(card)})
    return bytes(graph.SerializeToString())


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The quantiser advises, through the root logger, to prepare graphs in ways that the exporter already did."""
    before = logging.root.level
    logging.root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.root.setLevel(before)


def _named(ecgs: Sequence[Ecg]) -> str:
    return counted(len(ecgs), "ECG") if ecgs else f"{SIMULATED} simulated ECGs"
