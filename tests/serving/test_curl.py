"""The curl lines of docs/service.md, run as they stand against a running service."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.docs.pages import ROOT, blocks, commands
from tests.serving.conftest import make, served

from ecgenough.formats import read
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app

TOKEN = "a-long-enough-secret"
LINES = [
    line
    for block in blocks(ROOT / "docs" / "service.md")
    for line in commands(block)
    if line.startswith("curl") and "localhost:8000" in line
]
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    door, _ = build_app(make(), "small", Limits(readers=1))
    with served(door) as address:
        yield address.removeprefix("http://").rstrip("/")


@pytest.fixture(scope="module")
def folder(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the lines name."""
    folder = tmp_path_factory.mktemp("curl")
    ecg = read(sorted((simulated / "superclasses").rglob("*.hea"))[0])
    write_wfdb(folder, "00001_lr", ecg)
    np.savetxt(folder / "ecg.csv", 1000 * ecg.signal.T, delimiter=",")
    numbered = np.column_stack([np.arange(ecg.samples), 1000 * ecg.signal.T])
    np.savetxt(folder / "headed.csv", numbered, delimiter=",", header="sample,I,II and so on")
    return folder


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_answered(line: str, address: str, folder: Path) -> None:
    words = shlex.split(os.path.expandvars(line).replace("$ECGENOUGH_TOKEN", TOKEN).replace("localhost:8000", address))
    done = subprocess.run([*words, "--silent", "--fail-with-body"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    said = (folder / "why.svg").read_text(encoding="utf-8") if "why.svg" in words else done.stdout
    assert any(
        word in said for word in ("probability", "resourceType", "microvolts", "<svg", "threshold", "ready", "# HELP")
    )


def test_all_routes_have_a_line() -> None:
    routes = {
        route
        for line in LINES
        for route in ("predict", "ecg", "explain", "model", "metrics", "readyz")
        if route in line
    }
    assert routes == {"predict", "ecg", "explain", "model", "metrics", "readyz"}
