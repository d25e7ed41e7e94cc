"""Every command of README and docs is one that exists and takes these options; those of most pages are run as they stand."""

import ast
import csv
import importlib.util
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import COMMANDS, ROOT, Block, blocks, commands
from typer.main import get_command

from ecgenough.cli import COMMANDS as NAMES
from ecgenough.cli import app, main
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

# Run from top to bottom on simulated ECGs laid out as the page says; what trains is made small. README.md is run by
# tests/test_cli.py, extending.md by test_extending.py, the service's by tests/serving, the lean install of export.md by
# .ci/wheel. What is left is parsed by the command line and not run: it needs real data, a long time, or another package.
RUN = ("first-hour.md", "own-data.md", "transfer.md", "paper.md")
RUN_ON_A_MODEL = ("explain.md", "export.md", "fhir.md", "tuning.md")  # which take runs/super and my-ecg.hea for given
SMALL = {
    "simulate": ["--records", "20"],
    "train": ["--set", "network.options={width: 4}", "--set", "training.epochs=1"],
    "transfer": ["--set", "training.epochs=1"],
    "tune": ["--trials", "1", "--set", "training.epochs=1", "--set", "network.options.width=8"],
}
NOT_RUN = {
    "demo": "make demo runs it, and CI does",
    "fetch": "needs the internet; tests/fetching runs it against a local server",
    "study": "tests/commands/test_study.py runs studies",
    "serve": "tests/serving/test_commands.py starts it",
    "tuned/best.yaml": "made small it would not be what the search found",
    "runs/tuned": "the run of the line before",
    "right-heart-strain": "every simulated patient is in that task, so that leaving them out leaves nobody",
}
NOT_OURS = {"cd", "curl", "docker", "source", "schemathesis", "git", "kill", "python3", "torchrun"}


@pytest.mark.parametrize(("block", "line"), COMMANDS, ids=[f"{block} {line}"[:90] for block, line in COMMANDS])
def test_a_command_can_be_given_as_it_is_written(block: Block, line: str) -> None:
    words = shlex.split(re.sub(r"\$\([^)]*\)", "x", line), comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if words[0] in NOT_OURS or block.page == "docs/commands.md":
        return
    check = _CHECKS.get(words[0])
    assert check is not None, f"{block}: what is {words[0]}?"
    check(words[1:])


def _ecgenough(words: list[str]) -> None:
    """Parse with the command line's own parser, up to where it would call the command."""
    group: Any = get_command(app)
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version")
        return
    assert words[0] in NAMES
    shown = [word for word in words[1:] if word not in ("...", "[...]")]
    group.get_command(None, words[0]).make_context(words[0], shown)


def _pip(words: list[str]) -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert words[0] == "install"
    for asked in re.findall(r"ecgenough\[([\w,]+)\]", " ".join(words)):
        assert set(asked.split(",")) <= extras


def _make(words: list[str]) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {word for word in words if "=" not in word} <= set(targets)


def _python(words: list[str]) -> None:
    """A module or a script that is there, with options that its source, or that of what it imports, names."""
    if words[0] != "-m":
        ast.parse((ROOT / words[0]).read_text(encoding="utf-8"))
        return
    found = importlib.util.find_spec(words[1])
    assert found is not None
    if not words[1].startswith("benchmarks"):
        return
    assert found.origin is not None
    package = Path(found.origin).parent if Path(found.origin).stem == "__init__" else None
    source = "\n".join(path.read_text() for path in (package.glob("*.py") if package else [Path(found.origin)]))
    for name in re.findall(r"^ *from benchmarks import ([\w, ]+)$", source, flags=re.MULTILINE):
        source += "\n".join((ROOT / "benchmarks" / f"{one}.py").read_text() for one in name.split(", "))
    for word in words[2:]:
        assert not word.startswith("--") or f'"{word}"' in source, word


_CHECKS: dict[str, Callable[[list[str]], None]] = {
    "ecgenough": _ecgenough,
    "make": _make,
    "pip": _pip,
    "python": _python,
}


@pytest.fixture
def folder(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data/ptb-xl, my-ecgs and my.csv, as the pages say; all of it simulated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGENOUGH_STORE", str(tmp_path / "stores"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ptb-xl").symlink_to(simulated / "superclasses")
    (tmp_path / "my-ecgs").symlink_to(simulated / "embolism")
    with (simulated / "embolism" / "labels.csv").open() as file, (tmp_path / "my.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "patient", "age", "sex", "embolism"])
        rows.writerows(
            [row[name] for name in ("path", "patient", "age", "sex", "embolism")] for row in csv.DictReader(file)
        )
    return tmp_path


@pytest.fixture(scope="module")
def trained(tiny: Recipe, stores: dict[str, Store], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages call runs/super."""
    run = tmp_path_factory.mktemp("trained") / "super"
    return runs.train(stores["superclasses"], tiny.with_changes(["training.epochs=1"]), run, "cpu")


@pytest.mark.parametrize("page", [*RUN, *RUN_ON_A_MODEL])
def test_the_commands_of_a_page_run_one_after_the_other(
    page: str, folder: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if page in RUN_ON_A_MODEL:
        (folder / "runs").mkdir()
        (folder / "runs" / "super").symlink_to(trained)
        for kind in ("hea", "dat"):
            (one,) = (folder / "data" / "ptb-xl").rglob(f"00001_lr.{kind}")
            shutil.copy(one, folder)
        (folder / "00001_lr.hea").rename(folder / "my-ecg.hea")
    lines = [line for block in blocks(ROOT / "docs" / page) if block.language == "" for line in commands(block)]
    for line in lines:
        name, *words = shlex.split(line)[1:]
        if not line.startswith("ecgenough") or NOT_RUN.keys() & {name, *words}:
            continue
        monkeypatch.setattr(sys, "argv", ["ecgenough", name, *words, *SMALL.get(name, [])])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, (line, capsys.readouterr().err)
    shutil.rmtree(folder / "stores", ignore_errors=True)
