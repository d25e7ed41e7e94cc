"""Preparing a collection: what a store holds, when it is made again, and what is said about it."""

import csv
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets.table import Dataset, Task
from ecgenough.errors import EcgenoughError, Obstacle, WrongRequest
from ecgenough.formats import read
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import BandPass, LowPassWavelet, Signal
from ecgenough.signals import blocks
from ecgenough.signals.blocks import Block, condition_block
from ecgenough.signals.conditioning import condition
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store, waveform_hash
from ecgenough.signals.store_identity import store_fingerprint

Collection = Callable[..., Dataset]
WANTED = Signal(leads=("I", "II"), duration=2.0)
KEPT = [place for place in range(150) if place not in (5, 140)]


@pytest.fixture
def listed(collection: Collection) -> Dataset:
    return collection(150, flat=(5,), absent=(140,))


@pytest.mark.parametrize("wanted", [WANTED, WANTED.model_copy(update={"filter": LowPassWavelet(), "rate": 50.0})])
def test_a_store_holds_every_usable_record_conditioned(listed: Dataset, tmp_path: Path, wanted: Signal) -> None:
    store = prepare(listed, wanted, tmp_path / "stores", workers=2)
    assert store.records == tuple(listed.records[place] for place in KEPT)
    assert store.listing.tolist() == KEPT
    assert store.signal == wanted
    for row, place in enumerate(KEPT):
        alone = condition(read(listed.root / listed.paths[place]), wanted)
        np.testing.assert_array_equal(store.signals[row], np.rint(alone.signal * np.float32(1000)))
        assert store.valid[row] == alone.valid
        assert store.hashes[row] == waveform_hash(store.signals[row].tobytes())


def test_a_store_holds_what_the_collection_says_of_its_records(listed: Dataset, tmp_path: Path) -> None:
    store = prepare(listed, WANTED, tmp_path / "stores")
    assert (store.name, store.fingerprint) == ("tiny", store_fingerprint(listed, WANTED))
    assert store.path == tmp_path / "stores" / f"tiny-{store.fingerprint}"
    assert store.patients == tuple(listed.patients[place] for place in KEPT)
    assert store.sexes == tuple(listed.sexes[place] for place in KEPT)
    np.testing.assert_array_equal(store.folds, listed.folds[KEPT])
    np.testing.assert_array_equal(store.ages, listed.ages[KEPT])
    assert (store.train_folds, store.validation_folds, store.test_folds) == ((1, 2, 3), (4,), (5,))
    assert (list(store.tasks), store.default_task) == (["kinds", "binary"], "kinds")
    for name, task in listed.tasks.items():
        np.testing.assert_array_equal(store.task(name).labels, task.labels[KEPT])
        np.testing.assert_array_equal(store.task(name).listed, task.listed[KEPT])
    np.testing.assert_array_equal(store.task("kinds").likelihoods, listed.tasks["kinds"].likelihoods[KEPT])  # type: ignore[index]


def test_rejected_records_are_told_by_name_and_counted(
    listed: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = prepare(listed, WANTED, tmp_path / "stores")
    assert [record for record, _ in store.rejected] == ["id-lost", "id-5", "id-140"]
    assert "flat" in store.rejected[1][1]
    said = " ".join(capsys.readouterr().err.split())
    assert "tiny: 148 records prepared, 3 rejected. The first is id-lost: listed without a file. All are in" in said
    with (store.path / "rejected.csv").open(newline="") as file:
        assert [tuple(row) for row in csv.reader(file)] == [("record", "reason"), *store.rejected]


@pytest.mark.parametrize("comes_back", ["at once", "later"])
def test_a_file_that_is_gone_meanwhile_is_not_left_out_for_good(
    listed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes_back: str
) -> None:
    """Nothing is kept of a store that would lack the record, and the next call makes the whole one."""
    whole = prepare(listed, WANTED, tmp_path / "whole", workers=1)
    path, hidden, reads = listed.root / f"{listed.paths[7]}.dat", tmp_path / "hidden", []

    def vanishing(*arguments: object) -> Block:
        reads.append(arguments)
        if len(reads) == 1:
            path.rename(hidden)
        made = condition_block(*arguments)  # type: ignore[arg-type]
        if len(reads) == 1 and comes_back == "at once":
            hidden.rename(path)
        return made

    with monkeypatch.context() as patched:
        patched.setattr(blocks, "condition_block", vanishing)
        told = f"\\({listed.paths[7]} among them\\) of tiny" if comes_back == "at once" else "files of tiny"
        with pytest.raises(Obstacle, match=f"{told} changed while .* Give the same command again"):
            prepare(listed, WANTED, tmp_path / "stores", workers=1)
    assert list((tmp_path / "stores").iterdir()) == []
    if comes_back == "later":
        hidden.rename(path)
    again = prepare(listed, WANTED, tmp_path / "stores", workers=1)
    assert again.records == whole.records
    assert again.hashes.tolist() == whole.hashes.tolist()


def test_a_collection_without_a_usable_record_is_refused(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(EcgenoughError, match=r"no record of tiny can be used; the first because: .*flat"):
        prepare(collection(3, flat=(0, 1, 2)), WANTED, tmp_path / "stores")
    assert list((tmp_path / "stores").iterdir()) == []


def test_clipped_samples_are_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Volts taken for millivolts: 40 of 200 samples lie beyond what int16 holds."""
    root = tmp_path / "data"
    root.mkdir()
    signal = np.tile(np.arange(200) % 5 * 10.0 - 2.0, (2, 1))  # -2 8 18 28 38 mV
    np.save(root / "high.npy", signal)
    np.save(root / "low.npy", signal / 10)
    listed = Dataset(
        "clip", root, ("high", "low"), ("high.npy", "low.npy"), ("a", "b"), np.array([1, 2]), np.zeros(2, np.float32),
        ("", ""), {"t": Task("t", ("c",), np.eye(2, 1, dtype=np.float32), np.ones(2, bool))}, (1,), (2,), (), "t",
        layout=TableLayout(100.0, "mV", ("I", "II"), "leads-by-samples"),
    )  # fmt: skip
    store = prepare(listed, WANTED, tmp_path / "stores")
    assert store.clipped.tolist() == [80, 0]
    assert store.signals.max() == 32767
    said = " ".join(capsys.readouterr().err.split())
    assert "records beyond ±32.767 mV, clipped there: 1, 80 samples in all, first high" in said


def test_a_second_call_takes_what_is_there(listed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = prepare(listed, WANTED, tmp_path / "stores")
    before = {path.name: path.stat().st_mtime_ns for path in store.path.iterdir()}
    monkeypatch.setattr("ecgenough.signals.preparation.build_signals", None)
    again = prepare(listed, WANTED, tmp_path / "stores")
    assert again.path == store.path
    assert {path.name: path.stat().st_mtime_ns for path in store.path.iterdir()} == before
    assert [path.name for path in (tmp_path / "stores").iterdir()] == [store.path.name]


def test_new_labels_change_the_table_and_leave_the_signals(
    listed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = prepare(listed, WANTED, tmp_path / "stores")
    signals = (store.path / "signals.i16").stat()
    labels = 1 - listed.tasks["kinds"].labels
    new = Task("new", ("x", "y", "z"), labels, np.ones(150, bool))
    monkeypatch.setattr("ecgenough.signals.preparation.build_signals", None)
    changed = replace(listed, tasks={"new": new}, default_task="new", rejected=(), test_folds=())
    again = prepare(changed, WANTED, tmp_path / "stores")
    assert again.path == store.path
    assert (store.path / "signals.i16").stat() == signals
    assert list(again.tasks) == ["new"]
    np.testing.assert_array_equal(again.task().labels, labels[KEPT])
    assert [record for record, _ in again.rejected] == ["id-5", "id-140"]
    assert again.hashes.tolist() == store.hashes.tolist()
    assert "labels" in capsys.readouterr().err
    back = prepare(listed, WANTED, tmp_path / "stores")
    assert back.rejected == store.rejected


def test_new_labels_found_while_taking_up_a_killed_run_are_the_ones_stored(
    listed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare(listed, WANTED, tmp_path / "stores")
    changed = replace(listed, tasks={"binary": listed.tasks["binary"]}, default_task="binary")
    assert list(prepare(changed, WANTED, tmp_path / "stores").tasks) == ["binary"]


def test_the_fingerprint_changes_with_all_that_decides_the_signals_and_with_nothing_else(listed: Dataset) -> None:
    first = store_fingerprint(listed, WANTED)
    assert store_fingerprint(replace(listed, tasks={"kinds": listed.tasks["kinds"]}, rejected=()), WANTED) == first
    assert store_fingerprint(listed, Signal(leads=("II", "I"), duration=2.0)) != first
    assert store_fingerprint(listed, WANTED.model_copy(update={"filter": BandPass()})) != first
    assert store_fingerprint(replace(listed, paths=listed.paths[::-1]), WANTED) != first
    layout = TableLayout(100.0, "mV", ("I", "II"), "leads-by-samples")
    assert store_fingerprint(replace(listed, layout=layout), WANTED) != first
    (listed.root / "0" / "r0002.txt").write_text("of the record's name")
    (listed.root / "0" / "notes.txt").write_text("of no record")
    named = store_fingerprint(listed, WANTED)
    assert named != first
    (listed.root / "0" / "notes.txt").unlink()
    assert store_fingerprint(listed, WANTED) == named
    os.utime(listed.root / "1" / "r0003.dat", ns=(1, 1))
    assert store_fingerprint(listed, WANTED) != named


def test_a_moved_collection_keeps_its_fingerprint(listed: Dataset, tmp_path: Path) -> None:
    first = store_fingerprint(listed, WANTED)
    moved = shutil.move(listed.root, tmp_path / "elsewhere")
    assert store_fingerprint(replace(listed, root=Path(moved)), WANTED) == first


def test_a_file_that_turns_up_makes_a_new_store(listed: Dataset, tmp_path: Path) -> None:
    first = prepare(listed, WANTED, tmp_path / "stores")
    for kind in (".hea", ".dat"):
        text = (listed.root / "0" / f"r0138{kind}").read_bytes().replace(b"r0138", b"r0140")
        (listed.root / "0" / f"r0140{kind}").write_bytes(text)
    second = prepare(listed, WANTED, tmp_path / "stores")
    assert second.path != first.path
    assert len(second.records) == 149
    assert second.hashes[second.records.index("id-138")] == second.hashes[second.records.index("id-140")]


@pytest.mark.parametrize("file", ["signals.i16", "table.npz", "store.json"])
def test_a_damaged_store_is_made_again_and_said_to_be(
    listed: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    store = prepare(listed, WANTED, tmp_path / "stores")
    whole = {path.name: path.read_bytes() for path in store.path.iterdir()}
    (store.path / file).write_bytes(whole[file][:-10])
    prepare(listed, WANTED, tmp_path / "stores")
    assert {path.name: path.read_bytes() for path in store.path.iterdir()} == whole
    assert "damaged and is made again" in capsys.readouterr().err.replace("\n", " ")


def test_a_wrong_request_leaves_no_folder(listed: Dataset, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="raise the rate"):
        prepare(listed, WANTED.model_copy(update={"filter": BandPass(low=60, high=70)}), tmp_path / "stores")
    with pytest.raises(WrongRequest, match="0 workers"):
        prepare(listed, WANTED, tmp_path / "stores", workers=0)
    assert not (tmp_path / "stores").exists()


def test_an_odd_name_makes_a_plain_folder(collection: Collection, tmp_path: Path) -> None:
    store = prepare(collection(3, name="../my data: ä/x"), WANTED, tmp_path / "stores")
    assert store.path.parent == tmp_path / "stores"
    assert store.path.name.startswith("my-data-ä-x-")
    assert Store.open(store.path).name == "../my data: ä/x"


def test_all_of_ptb_xl_at_100_hz_is_known_by_its_files_in_under_two_seconds(real_data: Path) -> None:
    """19,601 records in 39,202 files: what every later command waits for."""
    from ecgenough.datasets import open_dataset

    listed = open_dataset("ptb-xl", real_data / "ptb-xl", rate=100)
    started = time.process_time()
    store_fingerprint(listed, Signal())
    assert time.process_time() - started < 2
