"""The Python, YAML, JSON and CSV of the docs: Python runs as it stands, the rest is what it is given out for."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tests.docs.pages import COMMANDS, EVERY_BLOCK, ROOT, Block, blocks, pages

from ecgenough.datasets.sidecar import Sidecar
from ecgenough.model import Model, weights_digest
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.serving.export import export_onnx
from ecgenough.simulation import simulate_collection
from ecgenough.studies import runs
from ecgenough.studies.search_space import read_space
from ecgenough.studies.study import Study

LANGUAGES = {"", "bash", "csv", "json", "python", "sh", "text", "yaml"}
ELSEWHERE = {"docs/extending.md": "test_extending.py makes the edits it shows"}


def _names_for_formats(_: Path) -> dict[str, Any]:
    return {"numpy": np, "signal": np.zeros((3, 5000))}


def _names_for_export(folder: Path) -> dict[str, Any]:
    model = Model.load(folder / "run")
    export_onnx(model, folder / "super.onnx", weights_digest(folder / "run"))
    return {"millivolts": np.zeros((2, 12, 1000), dtype=np.float32)}


# What the blocks of a page take for given, beside a folder `ecgs` of simulated ECGs and a trained model in `run`.
GIVEN: dict[str, Callable[[Path], dict[str, Any]]] = {
    "docs/formats.md": _names_for_formats,
    "docs/export.md": _names_for_export,
}
PYTHON = sorted({block.page for block in EVERY_BLOCK if block.language == "python"} - ELSEWHERE.keys())


@pytest.fixture(scope="module")
def given(tiny: Recipe, stores: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with simulated ECGs and a trained model."""
    folder = tmp_path_factory.mktemp("given")
    simulate_collection(folder / "ecgs", "superclasses", 200, seed=0, rate=100)
    runs.train(stores["superclasses"], tiny.with_changes(["training.epochs=1"]), folder / "run", "cpu")
    return folder


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_runs_from_top_to_bottom(
    page: str, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ecgs", "run"):
        (tmp_path / name).symlink_to(given / name)
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    names = GIVEN.get(page, lambda _: {})(tmp_path)
    for block in blocks(ROOT / page):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
    if page == "docs/python.md":
        _check_the_python_page(tmp_path, capsys.readouterr().out)


def _check_the_python_page(folder: Path, printed: str) -> None:
    assert "'value'" in printed  # the macro AUC with its interval
    assert "NORM: 0." in printed
    assert "were among those the source model learned from" in printed
    assert (folder / "ecg.svg").read_text().startswith("<svg")
    assert (folder / "models" / "mine" / "model.json").exists()


def _is_what_it_says(text: str) -> bool:
    """YAML of the docs is a recipe, a study, what stands beside a manifest, or a search space."""
    settings = yaml.safe_load(text)
    if any("." in key for key in settings):
        return set(read_space(text, load_recipe("paper-crnn_gru")).keys) == set(settings)
    kind: Any = (
        Study if "targets" in settings else Sidecar if settings.keys() <= Sidecar.model_fields.keys() else Recipe
    )
    return bool(kind.model_validate(settings) if kind is Sidecar else kind.of(settings))


CHECKS: dict[str, Callable[[str], Any]] = {
    "csv": lambda text: len({len(row) for row in csv.reader(io.StringIO(text))}) == 1,
    "json": lambda text: json.loads(text) is not None,
    "yaml": _is_what_it_says,
}


@pytest.mark.parametrize("block", [block for block in EVERY_BLOCK if block.language in CHECKS], ids=str)
def test_a_block_is_what_it_is_given_out_for(block: Block) -> None:
    assert CHECKS[block.language](block.text)


def test_every_block_is_tested() -> None:
    """A block without a language is commands; one that is neither of these nor words is not known here."""
    assert {block.language for block in EVERY_BLOCK} <= LANGUAGES
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_fences_are_closed(page: Path) -> None:
    assert page.read_text(encoding="utf-8").count("```") == 2 * len(blocks(page))
