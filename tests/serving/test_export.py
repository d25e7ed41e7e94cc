"""An exported model answers as the model does: every network, every normalisation, every filter, any length."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgenough import networks
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.formats import read
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.networks.contract import with_outputs
from ecgenough.recipe import Signal
from ecgenough.serving import export as export_module
from ecgenough.serving.export import as_onnx, export_onnx, onnx_card
from ecgenough.serving.graph import RawEcgNetwork
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.serving.quantisation import quantise, simulated_ecgs
from ecgenough.simulation import Case, simulate

Make = Callable[..., Model]
FILTERS = {
    "none": "{kind: none}",
    "zero-phase": "{kind: band-pass, low: 0.5, high: 40}",
    "causal": "{kind: band-pass, low: 1, high: 40, zero_phase: false}",
    "wavelet": "{kind: low-pass-wavelet, high: 40}",
    "beyond half the rate": "{kind: band-pass, low: 1, high: 60}",
}
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "lightning_fabric", "onnx", "captum"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from ecgenough.cli import main
main()
"""


def noise(seconds: float, rate: float = 257.0, seed: int = 0) -> Ecg:
    """Random voltages on a slow wave: no ECG, but any number may come out of it."""
    random = np.random.default_rng(seed)
    slow = np.sin(np.arange(round(seconds * rate)) / rate + np.arange(12)[:, None])
    return Ecg(0.4 * random.standard_normal(slow.shape) + slow, rate, STANDARD_LEADS)


def exported(model: Model) -> OnnxModel:
    return OnnxModel.of(as_onnx(model, onnx_card(model)), "model.onnx", threads=1)


def assert_alike(model: Model, twin: OnnxModel, *ecgs: Ecg) -> None:
    """Probabilities within 1e-4, and logits within a thousandth of what they differ by from ECG to ECG."""
    expected = np.stack([model.logits(ecg) for ecg in ecgs])
    size = np.ptp(expected, axis=0).max() if len(ecgs) > 1 else np.abs(expected).max()
    for ecg, logits in zip(ecgs, expected, strict=True):
        probabilities, given_logits = twin.run(twin.conditioned(ecg)[None])
        np.testing.assert_allclose(given_logits[0], logits, rtol=0, atol=1e-3 * size + 1e-6)
        np.testing.assert_allclose(probabilities[0], model.probabilities(logits[None])[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", networks.names())
def test_every_network_answers_alike_on_ecgs_of_any_length(name: str, make_model: Make) -> None:
    model = make_model(name)
    twin = exported(model)
    assert_alike(model, twin, noise(1.9), noise(10.0), noise(31.0, rate=100.0), simulate([Case()]).ecg(0))


def test_a_short_recording_is_repeated_in_the_graph_as_it_is_outside(make_model: Make) -> None:
    model = make_model("s4d_hybrid", "network.options.short=repeated")
    assert_alike(model, exported(model), *(noise(seconds) for seconds in (1.0, 1.9, 4.7, 9.99, 10.0, 31.0)))


@pytest.mark.parametrize("name", ["s4d_hybrid", "resnet18", "crnn_gru"])
def test_a_model_of_one_class_is_exported(name: str, make_model: Make) -> None:
    """The graph must say that it gives one probability: a file that does not is taken for damaged."""
    several = make_model(name)
    one = dataclasses.replace(
        several,
        network=with_outputs(several.network, [1]),
        classes=several.classes[1:2],
        titles=several.titles[1:2],
        thresholds=several.thresholds[1:2],
        calibration=several.calibration.of([1]),
    )
    assert_alike(one, exported(one), noise(10.0), simulate([Case()]).ecg(0))


@pytest.mark.parametrize("kind", ["none", "scale", "min-max", "z-score", "robust", "log", "signed-log", "l2"])
@pytest.mark.parametrize("across", ["lead", "record"])
def test_every_normalisation_is_inside(kind: str, across: str, make_model: Make) -> None:
    model = make_model("resnet18", f"normalisation={{kind: {kind}, across: {across}}}")
    flat = Ecg(np.vstack([np.zeros((3, 700)), noise(7.0, 100.0).signal[3:]]), 100.0, STANDARD_LEADS)
    assert_alike(model, exported(model), noise(1.4), noise(7.3), noise(12.0), flat)


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("crop", ["{seconds: null}", "{seconds: 2.5}", "{seconds: 4, evaluation: mean, crops: 4}"])
def test_every_filter_and_crop_is_inside_or_done_before(kind: str, crop: str, make_model: Make) -> None:
    model = make_model("resnet18", f"signal.filter={FILTERS[kind]}", f"crop={crop}")
    twin = exported(model)
    assert twin.card["filter_inside"] == (kind in ("none", "zero-phase", "causal"))
    assert ("filter" in twin.card["inside"], "filter" in twin.card["before"]) == (
        kind in ("zero-phase", "causal"),
        kind in ("wavelet", "beyond half the rate"),
    )
    assert_alike(model, twin, noise(1.0, rate=100.0), noise(3.1), noise(10.0, rate=500.0), noise(25.0))


def test_a_batch_is_answered_as_its_ecgs_one_by_one_and_probabilities_are_the_calibrated_logits(
    make_model: Make,
) -> None:
    model = make_model("crnn_gru")
    twin = exported(model)
    ecgs = np.stack([twin.conditioned(noise(6.0, seed=seed)) for seed in range(5)])
    probabilities, logits = twin.run(ecgs)
    alone = np.concatenate([twin.run(ecg[None])[0] for ecg in ecgs])
    np.testing.assert_allclose(probabilities, alone, rtol=0, atol=1e-6)
    np.testing.assert_allclose(probabilities, model.probabilities(logits.astype(np.float64)), rtol=0, atol=1e-6)
    with torch.inference_mode():
        eager = RawEcgNetwork(model)(torch.from_numpy(ecgs))
    np.testing.assert_allclose(logits, eager[1].numpy(), rtol=0, atol=1e-5)


def test_fewer_leads_gaps_and_broken_recordings_are_treated_as_the_model_treats_them(make_model: Make) -> None:
    model = make_model("resnet18", "signal.leads=[V5, II, aVF]")
    twin = exported(model)
    whole = noise(10.0)
    gaps = whole.signal.copy()
    gaps[:, 100:300] = np.nan
    assert_alike(model, twin, whole, Ecg(gaps, whole.rate, whole.leads), whole.select(["I", "II", "V5"]))
    with pytest.raises(BrokenRecord, match="lead V5 is absent"):
        twin.predict(whole.select(["I", "II"]))
    with pytest.raises(BrokenRecord, match="flat"):
        twin.predict(Ecg(np.zeros((12, 1000)), 100.0, STANDARD_LEADS))


def test_the_file_tells_what_goes_in_and_what_comes_out(make_model: Make, tmp_path: Path) -> None:
    model = make_model("resnet18", "signal.filter={kind: band-pass}")
    export_onnx(model, tmp_path / "model.onnx", "ab12")
    graph = onnx.load(tmp_path / "model.onnx")
    card = json.loads({prop.key: prop.value for prop in graph.metadata_props}["ecgenough"])
    assert card["classes"] == ["NORM", "MI", "STTC"]
    assert card["titles"][1] == "myocardial infarction"
    assert card["thresholds"] == [0.5, 0.3, 0.2]
    assert (card["leads"], card["rate"], card["unit"]) == (list(STANDARD_LEADS), 100.0, "mV")
    assert Signal.model_validate(card["signal"]) == model.recipe.signal
    assert (card["network"], card["weights_sha256"], card["precision"]) == ("resnet18", "ab12", "float32")
    [given_shape] = graph.graph.input
    assert [axis.dim_param or axis.dim_value for axis in given_shape.type.tensor_type.shape.dim] == [
        "batch", 12, "samples",
    ]  # fmt: skip
    assert [output.name for output in graph.graph.output] == ["probabilities", "logits"]
    assert OnnxModel.load(tmp_path / "model.onnx").predict(noise(5.0)).titles == model.titles


def test_a_graph_that_answers_otherwise_is_not_left_on_disk(
    make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, other = make_model(), as_onnx(make_model(seed=7), onnx_card(make_model()))
    monkeypatch.setattr(export_module, "as_onnx", lambda *_: other)
    with pytest.raises(
        EcgenoughError, match=r"resnet18 answers otherwise than the model, by \d+\.\d+; nothing was written"
    ):
        export_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_pretrained_model_without_classes_is_refused(make_model: Make, tmp_path: Path) -> None:
    model = make_model()
    blank = Model(model.network, model.recipe, "pretrained", (), (), (), model.normaliser, model.calibration)
    with pytest.raises(WrongRequest, match="knows no classes yet"):
        export_onnx(blank, tmp_path / "model.onnx")


def test_missing_packages_are_named(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    whole = export_onnx(model, tmp_path / "whole.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    with pytest.raises(
        WrongRequest, match=r"quantising needs the package onnxruntime: pip install 'ecgenough\[onnx\]'"
    ):
        quantise(whole, tmp_path / "whole.onnx", tmp_path / "int8.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WrongRequest, match="an ONNX model needs the package onnxruntime"):
        OnnxModel.load(tmp_path / "whole.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(WrongRequest, match="exporting needs the package onnx"):
        export_onnx(model, tmp_path / "other.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["whole.onnx"]


def test_int8_is_smaller_and_stays_near(make_model: Make, tmp_path: Path) -> None:
    model = make_model("resnet18", width=32)
    whole = export_onnx(model, tmp_path / "whole.onnx", "ab12")
    small = quantise(whole, tmp_path / "whole.onnx", tmp_path / "int8.onnx", simulated_ecgs(8))
    assert (tmp_path / "int8.onnx").stat().st_size < 0.4 * (tmp_path / "whole.onnx").stat().st_size
    assert small.card == whole.card | {"precision": "int8", "calibrated_on": "8 ECGs"}
    ecg = simulate([Case(record=90)]).ecg(0)
    apart = np.abs(np.subtract(small.predict(ecg).probabilities, model.predict(ecg).probabilities)).max()
    assert 0 < apart < 0.05


def test_what_cannot_be_quantised_is_said(make_model: Make, tmp_path: Path) -> None:
    whole = export_onnx(make_model("gru"), tmp_path / "whole.onnx")
    graph = onnx.load(tmp_path / "whole.onnx")
    for node in graph.graph.node:
        node.name = f"elsewhere{node.name}"
    onnx.save(graph, tmp_path / "renamed.onnx")
    with pytest.raises(WrongRequest, match="gru has no convolution or fixed matrix product"):
        quantise(whole, tmp_path / "renamed.onnx", tmp_path / "int8.onnx")


def test_predict_with_an_exported_model_needs_no_pytorch(make_model: Make, tmp_path: Path) -> None:
    model = make_model("s4d_hybrid", "signal.filter={kind: band-pass}")
    export_onnx(model, tmp_path / "model.onnx")
    ecg = simulate([Case()]).ecg(0)
    write_wfdb(tmp_path, "ecg", ecg)
    command = [sys.executable, "-c", WITHOUT, "predict", "ecg.hea", "--model", "model.onnx", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)
    expected = model.predict(read(tmp_path / "ecg.hea")).probabilities
    np.testing.assert_allclose([row["probability"] for row in answer["classes"]], expected, rtol=0, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    seconds=st.floats(1.0, 24.0),
    rate=st.sampled_from([100.0, 128.0, 250.0, 1000.0]),
    scale=st.sampled_from([1e-2, 1, 40]),
)
def test_any_recording_is_answered_alike(
    narrow: tuple[Model, OnnxModel], seconds: float, rate: float, scale: float
) -> None:
    ecg = noise(seconds, rate, seed=round(seconds * 10))
    assert_alike(*narrow, Ecg(ecg.signal * np.float32(scale), rate, ecg.leads))


def test_real_ecgs_are_answered_alike(real_data: Path, make_model: Make) -> None:
    paths = sorted((real_data / "ptb-xl-500hz" / "records500").rglob("*.hea"))[:5]
    paths += sorted((real_data / "cpsc-2018").rglob("*.hea"))[:15]
    assert len(paths) == 20
    model = make_model("s4d_hybrid", "signal.filter={kind: band-pass}")
    assert_alike(model, exported(model), *[read(path) for path in paths])


def test_a_long_recording_gets_the_same_mean_over_windows(make_model: Make) -> None:
    model = make_model("s4d_hybrid")
    ecg = simulate([Case()], duration=31.0).ecg(0)
    expected, given_answer = model.predict(ecg), exported(model).predict(ecg)
    assert given_answer.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert given_answer.notes == expected.notes
