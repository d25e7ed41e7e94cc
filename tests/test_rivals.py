"""The turns with other packages, with a stand-in that does nothing: no package is installed here."""

import re
import sys
from pathlib import Path

import pytest
from benchmarks.rivals import __main__ as rivals
from benchmarks.rivals.turns import size
from torch import nn

from ecgenough.errors import EcgenoughError
from ecgenough.simulation import simulate_collection

STAND_IN = """\
import json, sys
print("what it prints is no answer")
about = {"version": "1", "records": RECORDS, "network": "a stand-in", "parameters": 100, "operations": 10**6}
for line in sys.stdin:
    if line.strip() == "epoch" and EPOCHS == 0:
        sys.exit("no epoch today")
    print("answer: " + json.dumps(about if line.strip() == "about" else None), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rivals, "environment", lambda folder, package: Path(sys.executable))  # noqa: ARG005
    monkeypatch.setattr(rivals, "WIDTHS", (4, 8))
    script = tmp_path / "stand_in.py"
    rival = rivals.Rival("stand-in==1", str(script), "signal.filter={kind: none}", "read")
    monkeypatch.setattr(rivals, "RIVALS", {"stand-in": rival})
    words = ["--venvs", str(tmp_path), "--records", "20", "--repeats", "1", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["rivals", *words])
    return script


def test_both_works_are_timed_beside_a_rival(stand_in: Path, tmp_path: Path) -> None:
    stand_in.write_text(STAND_IN.replace("RECORDS", "20").replace("EPOCHS", "1"))
    rivals.main()
    page = (tmp_path / "rivals.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if " | theirs / ours | " in line]
    assert [row[1] for row in rows] == ["20 records"] * 2
    assert re.search(r"^\| stand-in 1 \| a stand-in \| 0.00 M \| 1 M \| resnet18 of width [48] \|", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("records", "epochs", "said"),
    [("19", "1", "stand-in has 19 records, ours 20; do not time them"), ("20", "0", "ended at epoch: no epoch today")],
)
def test_what_cannot_be_compared_is_not(stand_in: Path, records: str, epochs: str, said: str) -> None:
    stand_in.write_text(STAND_IN.replace("RECORDS", records).replace("EPOCHS", epochs))
    with pytest.raises(EcgenoughError, match=said):
        rivals.main()


def test_a_rival_sees_the_records_that_are_asked_for(tmp_path: Path) -> None:
    data = simulate_collection(tmp_path / "all", "superclasses", 12, rate=100.0)
    some = rivals.some_records(data, 3, tmp_path / "some")
    names = [line.split(",")[0] for line in (some / "ptbxl_database.csv").read_text().splitlines()]
    assert names == ["ecg_id", "1", "6", "12"]
    assert len(list((some / "records100").rglob("*.hea"))) == 12


def test_operations_are_counted_for_an_ecg() -> None:
    assert size(nn.Sequential(nn.Flatten(), nn.Linear(12_000, 2))) == {"parameters": 24_002, "operations": 48_000}
