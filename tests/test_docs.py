"""The Python of the docs and docstrings runs as it stands; the commands of the docs are commands, with options that exist."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from typer.main import get_command

import ecgenough
from ecgenough.cli import app
from ecgenough.errors import EcgenoughError
from ecgenough.recipe import load_recipe
from ecgenough.simulation import simulate_collection
from ecgenough.studies.search_space import read_space

DOCS = Path(__file__).parent.parent / "docs"


def _blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_python_page_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    simulate_collection(tmp_path / "ecgs", "superclasses", 200, seed=0, rate=100)
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    names: dict[str, object] = {}
    blocks = _blocks("python.md", "python")
    assert len(blocks) == 5
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "'value'" in printed  # the macro AUC with its interval
    assert "NORM: 0." in printed
    assert "were among those the source model learned from" in printed
    assert (tmp_path / "ecg.svg").read_text().startswith("<svg")
    assert (tmp_path / "models" / "mine" / "model.json").exists()


@pytest.mark.parametrize("page", ["tuning.md"])
def test_the_commands_of_a_page_have_the_options_they_show(page: str) -> None:
    """Each gets as far as its help, past the parsing of its arguments."""
    commands = [line for block in _blocks(page, "") for line in block.splitlines() if line.startswith("ecgenough ")]
    assert commands
    for command in commands:
        answer = CliRunner().invoke(get_command(app), [*shlex.split(command)[1:], "--help"])
        assert answer.exit_code == 0, (command, answer.output)


def test_the_search_space_of_the_docs_fits_a_recipe() -> None:
    (block,) = _blocks("tuning.md", "yaml")
    assert set(read_space(block, load_recipe("paper-crnn_gru")).keys) == set(yaml.safe_load(block))


NAMES = ["read", "Ecg", "plot", "load_recipe", "Recipe", "open_store", "train", "load_model", "evaluate", "transfer"]
NAMES += ["Model", "ECGClassifier"]


def test_every_name_of_the_package_has_an_example_that_runs(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with two simulated collections, in the order in which one meets the names."""
    (tmp_path / "ecgs").symlink_to(simulated / "superclasses")
    (tmp_path / "embolism").symlink_to(simulated / "embolism")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECGENOUGH_STORE", str(tmp_path / "stores"))
    said: list[str] = []
    runner = doctest.DocTestRunner()
    for name in NAMES:
        about = getattr(ecgenough, name)
        (example,) = doctest.DocTestFinder(recurse=False).find(
            about, name, globs={"ecgenough": ecgenough, "Path": Path}
        )
        assert example.examples, f"{name} has no example"
        runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)
    others = {getattr(ecgenough, name) for name in set(ecgenough.__all__) - {*NAMES, "__version__"}}
    assert all(issubclass(other, EcgenoughError) for other in others)
