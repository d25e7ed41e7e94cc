"""What a store keeps of what was noticed: bridged and clipped samples, doubtful units, equal waveforms."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets.table import Dataset, Task
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import Signal
from ecgenough.signals.noticed import Duplicate, Notice, duplicates, noticed
from ecgenough.signals.preparation import prepare
from ecgenough.simulation import Case, simulate

WANTED = Signal(leads=("I", "II"), duration=6.0)


def listed(root: Path, signals: dict[str, np.ndarray], patients: Sequence[str], folds: Sequence[int]) -> Dataset:
    root.mkdir()
    for name, signal in signals.items():
        np.save(root / f"{name}.npy", signal)
    count = len(signals)
    task = Task("t", ("c",), np.eye(count, 1, dtype=np.float32), np.ones(count, bool))
    return Dataset(
        "made", root, tuple(signals), tuple(f"{name}.npy" for name in signals), tuple(patients), np.array(folds),
        np.zeros(count, np.float32), ("",) * count, {"t": task}, (1,), (2,), (), "t",
        layout=TableLayout(100.0, "mV", ("I", "II"), "leads-by-samples"),
    )  # fmt: skip


@pytest.fixture
def ecg() -> np.ndarray:
    return simulate([Case()], rate=100, duration=6).signal[0, :2].astype(np.float64)


def test_every_doubt_is_kept_by_record_and_told(
    ecg: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holed, spiked = ecg.copy(), ecg.copy()
    holed[0, 100:250], spiked[1, 7] = np.nan, 50.0
    signals = {"fine": ecg, "holed": holed, "spiked": spiked, "micro": ecg * 1000, "tiny": ecg / 100}
    store = prepare(listed(tmp_path / "data", signals, "abcde", [1, 1, 1, 2, 2]), WANTED, tmp_path / "stores")
    clipped = int((np.abs(np.rint((ecg * 1000).astype(np.float32) * 1000)) > 32767).sum())
    kept = {(notice.record, notice.what): notice.amount for notice in noticed(store)}
    assert kept.pop(("micro", "beat too high, mV")) > 100
    assert kept.pop(("tiny", "beat too low, mV")) < 0.02
    assert kept == {
        ("holed", "bridged samples"): 150,
        ("spiked", "clipped samples"): 1,
        ("micro", "clipped samples"): clipped,
    }
    said = " ".join(capsys.readouterr().err.split())
    assert "records with lost samples, bridged by straight lines: 1, 150 samples in all, first holed" in said
    assert f"beyond ±32.767 mV, clipped there: 2, {clipped + 1:,} samples in all, first spiked" in said
    assert "records whose beats span over 10 mV: 1, first micro (" in said
    assert "records whose beats span under 0.02 mV: 1, first tiny (" in said


def test_equal_waveforms_are_listed_with_their_patients_and_folds(
    ecg: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = {"a": ecg, "b": ecg * 1.5, "c": ecg, "d": ecg * 1.5, "e": ecg, "f": ecg * 2}
    made = listed(tmp_path / "data", signals, ["p", "q", "p", "r", "s", "t"], [1, 1, 1, 2, 2, 2])
    store = prepare(made, WANTED, tmp_path / "stores")
    assert store.duplicates() == [[0, 2, 4], [1, 3]]
    pairs = (Duplicate("a", "c", True, 1, 1), Duplicate("a", "e", False, 1, 2), Duplicate("b", "d", False, 1, 2))
    assert duplicates(store) == pairs
    with (store.path / "duplicates.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"record": "a", "twin": "e", "same_patient": "no", "fold": "1", "twin_fold": "2"}
    assert [row["same_patient"] for row in rows] == ["yes", "no", "no"]
    said = " ".join(capsys.readouterr().err.split())
    assert "pairs of records with the same waveform: 3, first a and c; 2 under two patients, 2 in two folds" in said
    again = prepare(
        replace(made, patients=tuple("pqprps"), folds=np.array([1, 1, 1, 2, 1, 2])), WANTED, tmp_path / "stores"
    )
    assert duplicates(again)[1] == Duplicate("a", "e", True, 1, 1)
    assert "a,e,yes,1,1" in (store.path / "duplicates.csv").read_text()


def test_a_store_from_before_has_nothing_noticed(ecg: np.ndarray, tmp_path: Path) -> None:
    store = prepare(listed(tmp_path / "data", {"a": ecg, "b": ecg * 2}, "pq", [1, 2]), WANTED, tmp_path / "stores")
    assert (store.path / "noticed.csv").read_text() == ",".join(Notice._fields) + "\n"
    (store.path / "noticed.csv").unlink()
    assert noticed(store) == ()


def test_a_recording_that_is_flat_only_by_its_unit_is_said_to_be(ecg: np.ndarray, tmp_path: Path) -> None:
    signals = {"flat": np.zeros_like(ecg), "faint": ecg / 1e4, "fine": ecg}
    store = prepare(listed(tmp_path / "data", signals, "pqr", [1, 2, 2]), WANTED, tmp_path / "stores")
    reasons = dict(store.rejected)
    assert reasons["flat"] == "the recording is flat: no lead varies by 1 µV in 6 s."
    assert reasons["faint"].endswith("in 6 s, or its unit is not the one that is stated.")
