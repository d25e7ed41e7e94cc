"""The notebooks run from top to bottom, print the kind of thing that they hold, and are shown in the site."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from website import notebooks

LARGEST = 100_000  # bytes that a notebook may hold, its drawings with it


def _kinds(notebook: Any) -> list[list[set[str]]]:
    """Of every cell, what its outputs are: text, a table, a drawing."""
    return [[set(output.get("data", {"text/plain"})) for output in cell.get("outputs", ())] for cell in notebook.cells]


@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_it_holds(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    held = nbformat.read(path, as_version=4)
    run = notebooks.executed(path, tmp_path)
    assert [cell.source for cell in run.cells] == [cell.source for cell in held.cells]
    assert _kinds(run) == _kinds(held)
    assert not list(tmp_path.iterdir())  # it writes nothing beside itself


@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_a_notebook_is_small_and_becomes_a_page(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    page = notebooks.page(path)
    assert page.startswith("# ")
    assert page.count("```") % 2 == 0
    assert ".ipynb)" not in page.partition("\n\n")[2].partition("\n\n")[2]  # but for its own, at the top


def test_there_are_three() -> None:
    assert len(notebooks.paths()) == 3
