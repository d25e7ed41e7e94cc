"""The command line: the README's commands as written, wrong requests in one sentence, exit statuses."""

import csv
import errno
import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ecgenough import cli, networks
from ecgenough.cli import COMMANDS, main
from ecgenough.recipe import load_recipe

README = Path(__file__).parent.parent / "README.md"
SMALL = ["--set", "network.name=resnet18", "--set", "network.options={width: 4}", "--set", "training.epochs=1"]


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ecgenough", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def _readme_commands() -> list[list[str]]:
    blocks = re.findall(r"```\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("ecgenough ")]
    return [shlex.split(line)[1:] for line in lines]


def _my_own_set(folder: Path, collection: Path) -> None:
    """my.csv and my-ecgs/ as the README tells to make them."""
    (folder / "my-ecgs").symlink_to(collection)
    with (collection / "labels.csv").open() as file, (folder / "my.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "patient", "embolism"])
        rows.writerows([row["path"], row["patient"], row["embolism"]] for row in csv.DictReader(file))


def test_the_readme_s_commands_run_as_written(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder laid out as the README says, with simulated ECGs for PTB-XL and, in training, a small network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGENOUGH_STORE", str(tmp_path / "stores"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ptb-xl").symlink_to(simulated / "superclasses")
    _my_own_set(tmp_path, simulated / "embolism")
    commands = _readme_commands()
    assert {command[0] for command in commands} >= {"prepare", "train", "evaluate", "predict", "report", "transfer"}
    for command in commands:
        small = {"train": SMALL, "transfer": ["--set", "training.epochs=1"], "study": ["--dry-run"]}.get(command[0], [])
        assert _run(monkeypatch, *command, *small) == 0, (command, capsys.readouterr().err)
    assert "macro" in capsys.readouterr().out
    assert (tmp_path / "super.html").stat().st_size > 10_000
    metrics = json.loads((tmp_path / "runs" / "super" / "fold-9" / "metrics.json").read_text())
    assert metrics["folds"] == [9]
    assert set(metrics["classes"]) | set(metrics["absent"]) == {"NORM", "MI", "STTC", "CD", "HYP"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_table_is_there_and_says_what_it_does(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, command, "--help") == 0
    said = capsys.readouterr().out
    assert f"ecgenough {command}" in said
    assert "--help" in said


def test_a_package_that_is_not_installed_is_named_in_a_sentence() -> None:
    """As where the lean install of docs/export.md is asked for what needs PyTorch."""
    code = "import sys; sys.modules['torch'] = None; sys.argv = ['ecgenough', 'networks']; import ecgenough.cli as cli; cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "ecgenough: the package torch is not installed, which this needs: pip install ecgenough.\n"


def test_help_names_every_command_and_loads_none() -> None:
    code = "import sys, ecgenough.cli as cli; sys.argv = ['ecgenough', '--help']; cli.main()"
    watched = f"try:\n    {code.replace('; ', chr(10) + '    ')}\nfinally:\n    print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True).stdout
    text, loaded = said.rstrip().rsplit("\n", 1)
    assert all(f"  {command} " in text for command in COMMANDS)
    assert not {"torch", "pandas", "scipy", "wfdb", "ecgenough.commands.train"} & set(loaded.split())


def test_ctrl_c_is_one_sentence(simulated: Path, tmp_path: Path) -> None:
    asked = ["train", "simulated", "--from", str(simulated / "superclasses"), "--store", str(tmp_path / "stores")]
    endless = [*SMALL[:-1], "training.epochs=5000", "--set", "crop.seconds=2", "--out", str(tmp_path / "run")]
    command = [sys.executable, "-m", "ecgenough", *asked, *endless]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while running.poll() is None and not (tmp_path / "run" / "log.csv").exists():
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert said.endswith("ecgenough: stopped. What was finished is kept; the same command goes on from there.\n")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "out/a"),
            r"out/a: Read-only file system\. Make it accessible, or choose",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            r"No space left on device\. Free some space, or choose another",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a"),
            r"a: No such .*\. Put it right, and give the same",
        ),
        (MemoryError(), r"memory ran out\. .* smaller training\.batch, .*; the same command goes on from there\."),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), r"memory ran out\."),
    ],
)
def test_what_the_system_refuses_is_one_sentence_that_says_what_to_do(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    assert _run(monkeypatch, "train") == 1
    said = capsys.readouterr().err
    assert re.fullmatch(f"ecgenough: {sentence}.*\n", said)


def test_a_thread_that_lacks_memory_leaves_the_saying_to_the_main_thread(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: Exception) -> str:
        cli._thread_failed(threading.ExceptHookArgs((type(error), error, None, threading.current_thread())))
        return capsys.readouterr().err

    assert fail(RuntimeError("can't start new thread")) == fail(MemoryError()) == ""
    assert "KeyError: 'lead'" in fail(KeyError("lead"))


def test_a_fault_of_the_program_is_no_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def app() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(RuntimeError, match="mat1"):
        main()


def test_only_what_goes_on_says_so_when_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(cli.RESUMED) <= set(COMMANDS)
    for command, goes_on in (("train", True), ("predict", False)):
        monkeypatch.setattr(sys, "argv", ["ecgenough", command, "train"])
        assert ("goes on" in cli._stopped()) == goes_on


@pytest.mark.parametrize("command", ["datasets", "networks", "recipes"])
def test_lists_name_what_there_is(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch, command) == 0
    printed = capsys.readouterr().out
    for name in {"datasets": ["ptb-xl", "medalcare-xl"], "networks": ["crnn_gru", "3.85 M"], "recipes": ["default"]}[
        command
    ]:
        assert name in printed


def test_recipes_say_how_they_learn_and_no_epochs_of_what_is_fitted_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(monkeypatch, "recipes")
    rows = {cells[0]: cells[1:4] for cells in map(str.split, capsys.readouterr().out.splitlines()[1:])}
    for name, (network, how, epochs) in rows.items():
        recipe = load_recipe(name)
        assert (epochs == "-") == (network in networks.FITTED) == (how == "fit"), name
        if recipe.pretraining is not None:
            assert how == recipe.pretraining.objective


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["train", "ptb-xxl", "--from", ".", "--out", "o"], 2, "ptb-xl"),
        (
            ["train", "ptb-xl", "--from", "{superclasses}", "--task", "superdiagnostik", "--out", "o"],
            2,
            "superdiagnostic",
        ),
        (["train", "ptb-xl", "--from", "{superclasses}", "--set", "network.name=resnet19", "--out", "o"], 2, "resnet1"),
        (
            ["train", "ptb-xl", "--from", "{superclasses}", "--set", "network.options={widt: 3}", "--out", "o"],
            2,
            "width",
        ),
        (["train", "ptb-xl", "--from", "{superclasses}", "--leave-out", "rythm", "--out", "o"], 2, 'Nearest: "rhythm"'),
        (["pretrain", "ptb-xl", "--from", "{superclasses}", "--leave-out", "rythm", "--out", "o"], 2, '"rhythm"'),
        (["train", "ptb-xl", "--from", "{superclasses}", "--recipe", "defualt", "--out", "o"], 2, '"default"'),
        (["train", "ptb-xl", "--from", "{empty}", "--out", "o"], 2, "ptbxl_database.csv is not in"),
        (["train", "ptb-xl", "--from", "{superclasses}", "--device", "cuda", "--out", "o"], 2, "cuda"),
        (["prepare", "my.csv"], 2, "my.csv"),
        (["predict", "{superclasses}/ptbxl_database.csv", "--model", "{empty}"], 2, "holds no model"),
        (["predict", "{empty}/a.hea"], 2, "a.hea is not there"),
        (["report", "{empty}", "--out", "r.html"], 2, "empty"),
        (["simulate", "o", "--kind", "embolisms"], 2, "embolism"),
        (["train", "ptb-xl"], 2, "--out"),
        (["trian", "ptb-xl"], 2, 'Nearest: "train"'),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    arguments: list[str], status: int, sentence: str,
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGENOUGH_STORE", str(tmp_path / "stores"))
    (tmp_path / "empty").mkdir()
    places = {"superclasses": simulated / "superclasses", "empty": tmp_path / "empty"}
    filled = [re.sub(r"\{(superclasses|empty)\}", lambda name: str(places[name[1]]), word) for word in arguments]
    assert _run(monkeypatch, *filled) == status
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert "Traceback" not in complaint


def test_a_store_of_another_conditioning_is_refused(
    stores: dict[str, object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = str(stores["superclasses"].path)  # type: ignore[attr-defined]
    arguments = ["train", store, "--set", "signal.filter.kind=band-pass", "--out", str(tmp_path / "o")]
    assert _run(monkeypatch, *arguments) == 2
    assert "was conditioned otherwise than the recipe asks for" in capsys.readouterr().err
