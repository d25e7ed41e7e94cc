"""`export`, `explain` and `predict` on an exported model, as typed."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.diagnosticreport import DiagnosticReport

from ecgenough.cli import main
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.simulation import Case, simulate

Make = Callable[..., Model]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def typed(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ecgenough", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return typed


@pytest.fixture
def folder(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and two recordings, to work in."""
    make_model().save(tmp_path / "model")
    made = simulate([Case(record=1), Case(frozenset({"LVH"}), record=2, patient=2)])
    for row in range(2):
        write_wfdb(tmp_path, f"ecg{row}", made.ecg(row))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_export_then_predict_gives_what_the_model_says(
    folder: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", "model", "--to", "onnx", "--out", "out/model.onnx") == 0
    told = capsys.readouterr().out
    assert "Goes in: I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5, V6 in mV at 100 Hz" in told
    assert "Comes out: probabilities of NORM, MI, STTC." in told
    assert [path.name for path in (folder / "out").iterdir()] == ["model.onnx"]
    answers = []
    for model in ("model", "out/model.onnx"):
        assert run("predict", "ecg0.hea", "ecg1.hea", "--model", model, "--json") == 0
        answers.append(json.loads(capsys.readouterr().out))
    shares = [[[row["probability"] for row in file["classes"]] for file in answer] for answer in answers]
    np.testing.assert_allclose(*shares, rtol=0, atol=1e-4)
    assert run("export", "model", "--int8", "--calibration", "ecg0.hea", "--out", "small.onnx") == 0
    assert "int8" in capsys.readouterr().out
    assert run("predict", "ecg0.hea", "--model", "small.onnx") == 0


@pytest.mark.usefixtures("folder")
def test_predict_prints_fhir(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "ecg0.hea", "--model", "model", "--fhir") == 0
    report = json.loads(capsys.readouterr().out)
    assert DiagnosticReport.model_validate(report).status == "preliminary"
    assert len(report["result"]) == 4  # the impression and three classes
    assert run("predict", "ecg0.hea", "ecg1.hea", "--model", "model", "--fhir") == 0
    assert len(Bundle.model_validate_json(capsys.readouterr().out).entry) == 2


def test_explain_draws_and_tells(folder: Path, run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    words = ("explain", "ecg1.hea", "--model", "model", "--class", "MI", "--method", "grad-cam", "--out", "why.svg")
    assert run(*words) == 0
    assert "MI (myocardial infarction): probability " in capsys.readouterr().out
    assert (folder / "why.svg").read_text(encoding="utf-8").startswith("<svg")
    assert json.loads((folder / "why.json").read_text())["method"] == "grad-cam"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["export", "ptbxl-calipers", "--out", "m"], "ecgenough: this model measures ECGs by a program"),
        (
            ["explain", "ecg0.hea", "--model", "ptbxl-calipers", "--out", "a.svg"],
            "; for this model choose the method",
        ),
    ],
)
def test_what_calipers_cannot_do_is_said_without_the_path_of_their_weights(
    words: list[str], sentence: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    assert sentence in capsys.readouterr().err


def test_a_class_of_one_of_several_tasks_needs_the_task(
    folder: Path, make_model: Make, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    classes = ("all:NORM", "superdiagnostic:NORM", "superdiagnostic:MI")
    replace(make_model(), task="all+superdiagnostic", classes=classes).save(folder / "joint")
    for label, sentence in (
        ("NORM", "It is one of the tasks all and superdiagnostic; say which, as with --task all."),
        ("MI", "It is one of the task superdiagnostic; say which, as with --task superdiagnostic."),
        ("superdiagnostic:MII", 'Nearest: "superdiagnostic:MI".'),
    ):
        assert run("explain", "ecg0.hea", "--model", "joint", "--class", label, "--out", "a.svg") == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["export", "model", "--to", "tflite", "--out", "m"], 'export to "tflite" is unknown. Known: onnx.'),
        (["export", "model", "--calibration", "ecg0.hea", "--out", "m"], "--calibration is for --int8"),
        (["export", "nothing", "--out", "m"], "nothing holds no model"),
        (["predict", "ecg0.hea", "--model", "model", "--json", "--fhir"], "choose one"),
        (["predict", "ecg0.hea", "--model", "ecg0.hea"], "ecg0.hea is not an ONNX file, or is broken."),
        (["explain", "ecg0.hea", "--model", "model", "--task", "rhythm", "--out", "a.png"], 'no task "rhythm"'),
        (["predict", "ecg0.hea", "--model", "gone.onnx"], "gone.onnx is not there; name an ONNX file"),
        (["explain", "ecg0.hea", "--model", "ecg0.hea", "--out", "a.png"], "needs the model's folder"),
        (["explain", "ecg0.hea", "--model", "model", "--out", "a.pdf"], 'cannot be written as ".pdf"'),
        (["explain", "ecg0.hea", "--model", "model", "--class", "MII", "--out", "a.svg"], 'Nearest: "MI".'),
    ],
)
def test_wrong_requests_get_one_sentence(
    words: list[str], sentence: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) in (1, 2)
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.count("\n") == 1
