"""A run's folder is looked at before any long work: is it one, can it be written to, is it another run's."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ecgenough.cli import main
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.beginning import begin, check_out, check_out_of_evaluation, check_out_of_run

COMMANDS = {
    "train": ["train", "simulated"],
    "pretrain": ["pretrain", "simulated"],
    "transfer": ["transfer", "{model}", "simulated"],
    "evaluate": ["evaluate", "{model}", "simulated"],
    "baseline": ["baseline", "prevalence", "simulated"],
}


@pytest.fixture(scope="module")
def model(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    quick = tiny.with_changes(["training.epochs=1", "training.select=last"])
    return runs.train(stores["superclasses"], quick, tmp_path_factory.mktemp("runs") / "model", "cpu")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_cannot_be_is_refused_before_anything_is_prepared(
    command: str, model: Path, simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "file").write_text("mine")
    words = [word.format(model=model) for word in COMMANDS[command]]
    stores = tmp_path / "stores"
    asked = [*words, "--from", str(simulated / "embolism"), "--store", str(stores), "--out", str(tmp_path / "file/run")]
    monkeypatch.setattr(sys, "argv", ["ecgenough", *asked])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert f"{tmp_path / 'file'} is not a folder" in capsys.readouterr().err
    assert not stores.exists()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    check_out(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    with pytest.raises(WrongRequest, match=r"nothing can be written to /proc"):  # nobody can, not even root
        check_out(Path("/proc/run"))
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    with pytest.raises(WrongRequest, match="nowhere is not a folder"):
        check_out(tmp_path / "nowhere" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(WrongRequest, match="nothing can be written to"):
        check_out(tmp_path / "run")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("state", ["checkpoint.pt", "model/model.json"])
def test_another_recipe_s_run_is_refused_before_its_data_are_read(tmp_path: Path, tiny: Recipe, state: str) -> None:
    begin(tmp_path, tiny.with_changes(["task=superdiagnostic"]))
    check_out_of_run(tmp_path, tiny.with_changes(["seed=3"]))  # nothing of the other one is done yet
    write_text(tmp_path / state, "")
    check_out_of_run(tmp_path, tiny)  # the task is the data's to say
    with pytest.raises(WrongRequest, match="holds another run"):
        check_out_of_run(tmp_path, tiny.with_changes(["seed=3"]))
    with pytest.raises(WrongRequest, match="holds another run"):
        check_out_of_run(tmp_path, tiny.with_changes(["task=rhythm"]))
    (tmp_path / state).unlink()
    write_text(tmp_path / "baseline.json", "{}")
    with pytest.raises(WrongRequest, match="holds another run"):
        check_out_of_run(tmp_path, tiny)


def test_an_evaluation_does_not_go_into_a_run_s_own_folder(model: Path) -> None:
    for folder in (model, model / "model"):
        with pytest.raises(WrongRequest, match="is the folder of a run or a model"):
            check_out_of_evaluation(folder)
    check_out_of_evaluation(model / "test")


def test_the_next_start_removes_what_a_killed_one_left_aside(
    model: Path, stores: dict[str, Store], tiny: Recipe
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    stray = model / "model" / f".model.safetensors.{process.pid}@{socket.gethostname()}.part"
    stray.write_text("half")
    quick = tiny.with_changes(["training.epochs=1", "training.select=last"])
    assert runs.train(stores["superclasses"], quick, model, "cpu") == model
    assert not stray.exists()
