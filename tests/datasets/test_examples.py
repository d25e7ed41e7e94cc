"""The manifest builders in examples/, run as a user runs them, on the real collections."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets import open_dataset
from ecgenough.formats import read

DATA = os.environ.get("ECGENOUGH_DATA")
EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.skipif(DATA is None, reason="needs ECGENOUGH_DATA")


def run(script: str, folder: Path, manifest: Path) -> str:
    command = [sys.executable, str(EXAMPLES / script), str(folder), str(manifest)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_cinc_2011(tmp_path: Path) -> None:
    folder = Path(str(DATA)) / "cinc-2011"
    run("cinc2011_manifest.py", folder, tmp_path / "cinc2011.csv")
    dataset = open_dataset(str(tmp_path / "cinc2011.csv"), folder)
    task = dataset.task(None)
    assert (task.name, task.classes) == ("quality", ("unacceptable",))
    assert len(dataset.records) == 600
    assert task.labels.sum() == 92
    assert dataset.layout is not None
    assert (dataset.layout.unit, dataset.layout.skip_columns, len(dataset.layout.leads)) == ("200/mV", 1, 12)
    ecg = read(folder / "set-a" / "1009856.txt", dataset.layout)
    lead = {name: ecg.signal[ecg.leads.index(name)] for name in ("I", "II", "aVL", "aVF")}
    np.testing.assert_allclose(lead["aVF"], lead["II"] - lead["I"] / 2, atol=0.0051)  # Goldberger; a step is 0.005 mV
    np.testing.assert_allclose(lead["aVL"], lead["I"] - lead["II"] / 2, atol=0.0051)


def test_challenge_2021(tmp_path: Path) -> None:
    folder = Path(str(DATA)) / "challenge-2021"
    run("challenge2021_manifest.py", folder, tmp_path / "challenge.csv")
    dataset = open_dataset(str(tmp_path / "challenge.csv"), folder)
    headers = [path.read_text() for path in folder.rglob("*.hea")]
    assert len(dataset.records) + len(dataset.rejected) <= len(headers)
    task = dataset.task(None)
    assert "NSR" in task.classes
    having = sum("426783006" in text.split("#Dx:")[1].split("\n")[0] for text in headers)
    assert task.labels[:, task.classes.index("NSR")].sum() == having
