"""The three worked examples: the edits of the page are made to a copy of the package, which then does what it says."""

import ast
import csv
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.docs.pages import ROOT, Block, blocks, commands

import ecgenough
from ecgenough.signals.store import Store

PAGE = blocks(ROOT / "docs" / "extending.md")
EDITS = [block for block in PAGE if block.language == "python"]
RECORDS = 60


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of the package after the page's edits."""
    shutil.copytree(
        Path(ecgenough.__file__).parent,
        tmp_path / "src" / "ecgenough",
        ignore=shutil.ignore_patterns("models", "__pycache__"),
    )
    for block in EDITS:
        _edit(tmp_path, block)
    return tmp_path / "src"


def _edit(root: Path, block: Block) -> None:
    """Write the block as the file that its first line names, or put it behind the line that begins as it says."""
    first, _, text = block.text.partition("\n")
    name, _, begins = first.removeprefix("# ").partition(", after: ")
    if not begins:
        ast.parse(text)
        assert not (root / name).exists()
        (root / name).write_text(text, encoding="utf-8")
        return
    lines = (root / name).read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = [number for number, line in enumerate(lines) if line.startswith(begins)]
    (root / name).write_text("".join([*lines[: at + 1], text, *lines[at + 1 :]]), encoding="utf-8")


def _clinic(folder: Path, store: Store) -> None:
    """Simulated ECGs as files of the second example, listed as the third asks."""
    folder.mkdir(parents=True)
    with (folder / "list.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "patient", "fold", "af"])
        for row in range(RECORDS):
            counts = np.ascontiguousarray(store.signals[row].T).astype("<i2")
            head = struct.pack("<8sHI", b"TINYECG1", int(store.rate), len(counts))
            (folder / f"{row}.tiny").write_bytes(head + counts.tobytes())
            rows.writerow([f"{row}.tiny", f"p{row}", row % 10 + 1, row // 10 % 2])


def test_a_network_a_format_and_a_data_set_of_one_s_own_work_together(
    package: Path, stores: dict[str, Store], tmp_path: Path
) -> None:
    _clinic(tmp_path / "data" / "clinic", stores["superclasses"])
    (command,) = [line for block in PAGE if block.language == "" for line in commands(block)]
    words = [*shlex.split(command)[1:], "--set", "training.epochs=1", "--store", str(tmp_path / "stores")]
    environment = {**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ecgenough", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "runs" / "clinic" / "model" / "model.json").read_text())
    assert (card["recipe"]["network"]["name"], card["classes"]) == ("two_convolutions", ["AF"])
    assert card["origin"]["dataset"] == "clinic"
    (prepared,) = (tmp_path / "stores").iterdir()
    store = Store.open(prepared)
    assert not store.rejected
    np.testing.assert_array_equal(store.signals, stores["superclasses"].signals[:RECORDS])
