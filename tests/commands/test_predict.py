"""`ecgenough predict`: what is asked wrongly, what is doubted, and what JSON says of it."""

import json
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgenough import networks, progress
from ecgenough.cli import main
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.formats import read
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.normalisation import Normaliser
from ecgenough.simulation import Case, simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model, and one ECG as a WFDB record, as a table in mV, and with a gap."""
    place = tmp_path_factory.mktemp("predict")
    torch.manual_seed(0)
    recipe = Recipe.from_yaml("normalisation: {kind: none}\nnetwork: {name: resnet18, options: {width: 4}}")
    network = networks.build("resnet18", leads=12, classes=1, width=4).eval()
    Model(network, recipe, "t", ("c",), ("C",), (0.5,), Normaliser("none"), Calibration.none(1)).save(place / "model")
    signal = simulate([Case()], rate=100).signal[0]
    write_wfdb(place, "a", Ecg(signal, 100, STANDARD_LEADS))
    np.savetxt(place / "a.csv", signal.T, delimiter=",", fmt="%.4f")
    signal[3, 200:500] = np.nan
    write_wfdb(place, "gap", Ecg(signal, 100, STANDARD_LEADS))
    return place


def _predict(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["ecgenough", "predict", "--model", "model", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _table(unit: str) -> list[str]:
    leads = ",".join(STANDARD_LEADS)
    return ["--rate", "100", "--unit", unit, "--leads", leads, "--orientation", "samples-by-leads"]


def test_an_ecg_without_a_doubt_has_no_notes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(monkeypatch, folder, "a.hea", "--json") == 0
    said = capsys.readouterr()
    (answer,) = json.loads(said.out)
    assert answer["notes"] == []
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["a.csv", *_table("V")], "µV or counts that are called mV"),
        (["a.csv", *_table("uV")], "mV that are called µV"),
        (["gap"], "300 of its samples are absent and were bridged"),
    ],
)
def test_a_doubt_is_said_and_noted(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    note: str,
) -> None:
    assert _predict(monkeypatch, folder, *arguments, "--json") == 0
    said = capsys.readouterr()
    assert note in " ".join(json.loads(said.out)[0]["notes"])
    assert f"{arguments[0]}: " in said.err
    assert note in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.hea"], "nowhere.hea is not there."),
        (["model"], "model is a folder, not a recording. Name the files in it: ecgenough predict model/*"),
        (["."], ". is a folder, not a recording. Name the files in it: ecgenough predict ./*.hea"),
        (["a.hea", *_table("mV")], "a.hea states its rate, unit and leads itself; leave out --rate"),
        (["a.csv"], "a.csv is a table of numbers; state its rate, unit, leads and orientation"),
        (["a.csv", "--skip-columns", "1"], "a table needs all of rate, unit, leads and orientation"),
        (["a.csv", *_table("mm")], 'unit "mm" is not a voltage'),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_2(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    assert _predict(monkeypatch, folder, *arguments) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def test_headings_of_a_table_are_left_out_when_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(monkeypatch, folder, "a.csv", *_table("mV"), "--json") == 0
    plain = json.loads(capsys.readouterr().out)[0]
    (folder / "headed.csv").write_text("any,heading\n" + (folder / "a.csv").read_text())
    assert _predict(monkeypatch, folder, "headed.csv", *_table("mV"), "--json") == 1
    assert "or --skip-rows 1" in capsys.readouterr().err
    assert _predict(monkeypatch, folder, "headed.csv", *_table("mV"), "--skip-rows", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)[0] == plain | {"file": "headed.csv"}


def test_a_file_named_twice_is_answered_once_and_said_to_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(monkeypatch, folder, "a.hea", "gap.hea", "a.hea", "--json") == 0
    said = capsys.readouterr()
    assert [answer["file"] for answer in json.loads(said.out)] == ["a.hea", "gap.hea"]
    assert "a.hea is named 2 times and answered once." in said.err


def test_a_refused_file_is_named_and_spoils_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wfdb(folder, "few", Ecg(np.ones((2, 1000), np.float32).cumsum(axis=1) % 7, 100, ("I", "V1")))
    assert _predict(monkeypatch, folder, "few.hea", "a.hea", "--json") == 1
    said = capsys.readouterr()
    refused, answered = json.loads(said.out)
    assert (refused["file"], answered["file"]) == ("few.hea", "a.hea")
    assert refused["error"].startswith("few.hea: lead II is absent")
    assert len(answered["classes"]) == 1
    assert "1 of 2 files were refused; few.hea: lead II" in " ".join(said.err.split())
    assert _predict(monkeypatch, folder, "few.hea") == 1
    assert capsys.readouterr().err.startswith("ecgenough: few.hea: lead II is absent")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("README.txt", "README.txt is a table of numbers; state its rate"),
        ("model", "model is a folder, not a recording."),
        ("odd.bin", "odd.bin is none of WFDB"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--fhir"]])
def test_what_is_no_recording_among_several_is_skipped(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    sentence: str,
    form: list[str],
) -> None:
    (folder / "README.txt").write_text("These are ECGs.\n")
    (folder / "odd.bin").write_bytes(bytes(range(256)))
    assert _predict(monkeypatch, folder, file, "a.hea", *form) == 1
    said = capsys.readouterr()
    assert f"refused: {sentence}" in said.err
    assert "1 of 2 files were refused" in said.err
    if form == ["--json"]:
        assert [sorted(one) for one in json.loads(said.out)] == [["error", "file"], ["classes", "file", "notes"]]
    elif form == ["--fhir"]:
        (entry,) = json.loads(said.out)["entry"]
        assert entry["resource"]["resourceType"] == "DiagnosticReport"
    else:
        assert said.out.startswith("a.hea\n")


def test_of_several_files_none_of_which_can_be_used_fhir_says_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(monkeypatch, folder, "a.csv", "model", "--fhir") == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("form", ["--json", "--fhir"])
def test_each_answer_is_printed_before_the_next_file_is_read_and_no_recording_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    alive: list[weakref.ref[Ecg]] = []
    printed: list[str] = []

    def watched(*arguments: Any) -> Ecg:
        printed.append(capsys.readouterr().out)
        ecg = read(*arguments)
        alive.append(weakref.ref(ecg))
        assert sum(one() is not None for one in alive) <= 2  # this one, and at most the one before
        return ecg

    monkeypatch.setattr("ecgenough.commands.predict.read", watched)
    assert _predict(monkeypatch, folder, "a", "a.hea", "a.dat", "gap", form) == 0
    printed.append(capsys.readouterr().out)
    assert printed[0] == ""
    assert all(printed[1:])
    whole = json.loads("".join(printed))
    assert len(whole if form == "--json" else whole["entry"]) == 4
    assert "".join(printed) == json.dumps(whole, indent=2) + "\n"


def test_progress_over_several_files_is_said_where_answers_go_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    assert _predict(monkeypatch, folder, "a", "a.hea") == 0
    assert "predicting: 2 of 2 files" in capsys.readouterr().err
    assert _predict(monkeypatch, folder, "a") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert _predict(monkeypatch, folder, "a", "a.hea") == 0
    assert capsys.readouterr().err == ""


def test_the_table_carries_its_doubts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _predict(monkeypatch, folder, "gap") == 0
    assert "! gap: 300 of its samples are absent" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("exchanged arms", "RA-LA seem exchanged"),
        ("noise", "The limb leads do not add up"),
        ("one lead at another gain", "Beats span in V3"),
    ],
)
def test_what_is_no_ecg_of_twelve_leads_is_answered_with_a_doubt(
    what: str, note: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ecg = simulate([Case()], rate=100, seed=4).ecg(0)
    signal = ecg.signal.copy()
    if what == "exchanged arms":
        one, two, three, right, left, _ = signal[:6].copy()
        signal[:5] = -one, three, two, left, right
    elif what == "noise":
        signal = np.random.default_rng(0).normal(0, 0.3, signal.shape).astype(np.float32)
    else:
        signal[STANDARD_LEADS.index("V3")] *= 25
    write_wfdb(folder, "right", ecg)
    write_wfdb(folder, "wrong", replace(ecg, signal=signal))
    assert _predict(monkeypatch, folder, "right.hea", "wrong.hea", "--json") == 0
    right, wrong = (answer["notes"] for answer in json.loads(capsys.readouterr().out))
    assert not any(note in said for said in right)
    assert any(said.startswith(note) for said in wrong)


def test_of_many_classes_those_called_and_the_likeliest_are_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, names = Model.load(folder / "model"), tuple(f"class{number:02}" for number in range(20))
    model.network.reset_head(20)
    with torch.no_grad():  # the likeliest first, and the last far below a thousandth
        model.network.head.weight.zero_()
        model.network.head.bias.copy_(torch.linspace(3, -9, 20))
    thresholds = (0.99,) * 19 + (1e-5,)
    many = replace(model, classes=names, titles=names, thresholds=thresholds, calibration=Calibration.none(20))
    many.save(folder / "many")
    assert _predict(monkeypatch, folder, "a.hea", "--model", "many") == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[2:8]] == [*names[:5], names[19]]
    assert said[7].split()[2:] == ["<0.001", "<0.001", "yes"]
    assert said[8] == "14 more, none of them called; --all shows them"
    assert " ".join(said[9:]).startswith("1 of 1 calls has a probability below 0.5 and may well be false: ")
    assert _predict(monkeypatch, folder, "a.hea", "--model", "many", "--all") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:22]] == list(names)
    replace(many, thresholds=(0.5,) * 20).save(folder / "sure")
    assert _predict(monkeypatch, folder, "a.hea", "--model", "sure") == 0
    assert "may well be false" not in capsys.readouterr().out


def test_what_was_answered_before_a_failure_can_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*_: Any) -> tuple[str, ...]:
        if seen:
            raise KeyboardInterrupt
        seen.append(1)
        return ()

    seen: list[int] = []
    monkeypatch.setattr("ecgenough.commands.predict.doubts", failing)
    assert _predict(monkeypatch, folder, "a.hea", "gap.hea", "--json") != 0
    assert [answer["file"] for answer in json.loads(capsys.readouterr().out)] == ["a.hea"]
