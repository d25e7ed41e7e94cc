"""A store written by hand to its description, and every way in which one can be wrong."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgenough.datasets.table import Task
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.recipe import Recipe, Signal
from ecgenough.signals import store as store_module
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store, forget_pages, pack_table, read_rows, to_microvolts, waveform_hash

SIGNALS = np.arange(4 * 2 * 150, dtype="<i2").reshape(4, 2, 150)
KINDS = Task(
    "kinds",
    ("a", "b"),
    np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32),
    np.array([True, True, False, True]),
    np.array([[0.5, 0], [0, 1], [1, 0.15], [0, 0]], np.float32),
    ("Aa", "Bb"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records of two leads and 1.5 s at 100 Hz, as the module's description says."""
    SIGNALS.tofile(tmp_path / "signals.i16")
    columns = {
        "records": np.array(["r0", "r1", "r2", "r3"]),
        "patients": np.array(["p0", "p0", "p1", "p2"]),
        "sexes": np.array(["female", "female", "", "male"]),
        "folds": np.array([1, 1, 2, 3]),
        "ages": np.array([60, 61, np.nan, 40], np.float32),
        "listing": np.array([0, 1, 3, 4]),
        "valid": np.array([150, 150, 100, 150], np.int32),
        "hashes": np.array([1, 2, 3, 2**64 - 1], np.uint64),
        "clipped": np.zeros(4, np.int32),
    }
    binary = Task("binary", ("a",), KINDS.labels[:, :1], np.ones(4, bool))
    table = pack_table(columns, [KINDS, binary], np.arange(4))
    (tmp_path / "table.npz").write_bytes(table)
    about = {
        "format": 1,
        "name": "by hand",
        "fingerprint": "0123456789abcdef",
        "rate": 100,
        "leads": ["I", "II"],
        "samples": 150,
        "records": 4,
        "signal": Signal(leads=("I", "II"), rate=100, duration=1.5).model_dump(mode="json"),
        "tasks": ["kinds", "binary"],
        "default_task": "kinds",
        "train_folds": [1],
        "validation_folds": [2],
        "test_folds": [3],
        "table": hashlib.blake2b(table, digest_size=16).hexdigest(),
        "rejected": [["r-broken", "why"]],
    }
    (tmp_path / "store.json").write_text(json.dumps(about))
    return tmp_path


def change(folder: Path, **changes: Any) -> None:
    about = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**about, **changes}))


def test_a_store_gives_back_what_was_written(folder: Path) -> None:
    store = Store.open(folder)
    np.testing.assert_array_equal(store.signals, SIGNALS)
    assert not store.signals.flags.writeable
    assert isinstance(store.signals, np.memmap)
    assert (store.rate, store.leads, store.samples) == (100.0, ("I", "II"), 150)
    assert store.records == ("r0", "r1", "r2", "r3")
    assert store.patients == ("p0", "p0", "p1", "p2")
    assert store.sexes == ("female", "female", "", "male")
    assert store.folds.tolist() == [1, 1, 2, 3]
    assert store.valid.tolist() == [150, 150, 100, 150]
    assert store.hashes.tolist() == [1, 2, 3, 2**64 - 1]
    assert store.rejected == (("r-broken", "why"),)
    assert (store.train_folds, store.validation_folds, store.test_folds) == ((1,), (2,), (3,))
    np.testing.assert_array_equal(store.ages, np.array([60, 61, np.nan, 40], np.float32))


def test_tasks_come_back_whole(folder: Path) -> None:
    store = Store.open(folder)
    kinds, binary = store.task("kinds"), store.task("binary")
    assert (kinds.name, kinds.classes, kinds.titles) == ("kinds", ("a", "b"), ("Aa", "Bb"))
    np.testing.assert_array_equal(kinds.labels, KINDS.labels)
    np.testing.assert_array_equal(kinds.listed, KINDS.listed)
    assert kinds.likelihoods is not None
    np.testing.assert_array_equal(kinds.likelihoods, KINDS.likelihoods)
    assert binary.likelihoods is None
    assert binary.titles == ()
    assert store.task() is kinds
    with pytest.raises(WrongRequest, match='by hand has no task "kind"\\. Nearest: "kinds"'):
        store.task("kind")


def test_rows_take_part_in_the_task_and_lie_in_the_folds(folder: Path) -> None:
    store = Store.open(folder)
    assert store.rows("kinds", (1, 2)).tolist() == [0, 1]  # row 2 is not listed
    assert store.rows("binary", (1, 2)).tolist() == [0, 1, 2]
    assert store.rows(None, [3]).tolist() == [3]
    assert store.rows("binary", ()).tolist() == store.rows("binary", (10,)).tolist() == []


def test_packing_takes_the_rows_asked_for_and_gives_the_same_bytes_every_time() -> None:
    rows = np.array([3, 0])
    assert pack_table({}, [KINDS], rows) == pack_table({}, [KINDS], rows)
    assert pack_table({}, [KINDS], rows) != pack_table({}, [KINDS], rows[::-1])


def test_a_folder_without_a_store_is_a_wrong_request(tmp_path: Path) -> None:
    for absent in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(WrongRequest, match=r"is not a store: it has no store\.json"):
            Store.open(absent)


def test_another_format_version_is_refused(folder: Path) -> None:
    for version, advice in ((2, "update ecgenough"), (0, "Prepare it again"), ("1", "Prepare it again")):
        change(folder, format=version)
        with pytest.raises(EcgenoughError, match=f"is a store of format {version}; .* reads format 1. .*{advice}"):
            Store.open(folder)


def test_signals_of_another_size_are_refused(folder: Path) -> None:
    with open(folder / "signals.i16", "ab") as signals:
        signals.write(b"\0")
    with pytest.raises(EcgenoughError, match=r"signals.i16 has 2,401 bytes; 4 x 2 x 150 samples take 2,400"):
        Store.open(folder)
    (folder / "signals.i16").unlink()
    with pytest.raises(EcgenoughError, match=r"signals.i16 is absent"):
        Store.open(folder)


def test_a_table_that_is_not_the_store_s_is_refused(folder: Path) -> None:
    (folder / "table.npz").write_bytes(pack_table({}, [KINDS], np.arange(4)))
    with pytest.raises(EcgenoughError, match=r"table.npz does not belong to store.json"):
        Store.open(folder)
    (folder / "table.npz").unlink()
    with pytest.raises(EcgenoughError, match=r"table.npz cannot be read"):
        Store.open(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '"x"', "null"])
def test_a_description_that_cannot_be_read_is_refused(folder: Path, text: str) -> None:
    (folder / "store.json").write_text(text)
    with pytest.raises(EcgenoughError, match=r"store.json cannot be read"):
        Store.open(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        {"signal": {"rate": "fast"}},
        {"records": None},
        {"records": float("inf")},
        {"rejected": [["only a record"]]},
        {"tasks": ["a", "b", "c"]},
        {"tasks": 5},
        {"train_folds": 5},
        {"default_task": "kind"},
    ],
)
def test_a_description_with_a_wrong_value_is_refused(folder: Path, wrong: dict[str, Any]) -> None:
    change(folder, **wrong)
    with pytest.raises(EcgenoughError, match=r"store\.json does not hold what it should"):
        Store.open(folder)


def test_a_column_that_is_too_short_is_named(folder: Path) -> None:
    """As another program may write it, with the digest that fits."""
    with np.load(folder / "table.npz") as table:
        np.savez(folder / "table.npz", **{**table, "ages": table["ages"][:3]})
    change(folder, table=hashlib.blake2b((folder / "table.npz").read_bytes(), digest_size=16).hexdigest())
    with pytest.raises(EcgenoughError, match=r"store\.json does not hold .*ages has 3 values for 4 records"):
        Store.open(folder)


def test_a_pickled_table_is_never_unpickled(folder: Path) -> None:
    np.savez(folder / "table.npz", records=np.array([{"a": 1}], dtype=object))
    table = (folder / "table.npz").read_bytes()
    change(folder, table=hashlib.blake2b(table, digest_size=16).hexdigest())
    with pytest.raises(EcgenoughError, match=r"table.npz cannot be read"):
        Store.open(folder)


def test_millivolts_become_counts_of_a_microvolt_and_what_does_not_fit_is_counted() -> None:
    signal = np.array([[[0.0, 0.0014, -0.0016, 32.767], [32.768, -32.767, -40, 1e6]]], np.float32)
    counts, clipped = to_microvolts(signal)
    assert counts.dtype == np.dtype("<i2")
    assert counts.tolist() == [[[0, 1, -2, 32767], [32767, -32767, -32767, 32767]]]
    assert clipped.tolist() == [3]


def test_every_count_survives_the_way_through_millivolts() -> None:
    counts = np.arange(-32767, 32768, dtype=np.int16).reshape(1, 1, -1)
    back, clipped = to_microvolts((counts / 1000).astype(np.float32))
    np.testing.assert_array_equal(back, counts)
    assert clipped.tolist() == [0]


def test_the_hash_is_64_bits_of_blake2b_in_little_endian() -> None:
    row = b"\x01\x00\x02\x00"
    assert waveform_hash(row) == int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little")
    assert waveform_hash(row) != waveform_hash(b"\x01\x00\x03\x00")


def test_a_store_opens_where_nothing_that_reads_recordings_is_installed() -> None:
    absent = ("pandas", "wfdb", "pywt", "scipy", "torch", "matplotlib")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent})); import ecgenough.signals.store"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_rows_read_from_a_map_are_copies_and_its_pages_can_go(tmp_path: Path) -> None:
    signals = np.random.default_rng(0).integers(-99, 99, (30, 2, 500), dtype=np.int16)
    np.save(tmp_path / "signals.npy", signals)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    copied = read_rows(mapped, np.array([29, 0, 29]))
    forget_pages(mapped[1:, :, 3:])
    assert np.array_equal(copied, signals[[29, 0, 29]])
    assert np.array_equal(mapped, signals)
    writable = np.load(tmp_path / "signals.npy", mmap_mode="c")
    writable[0] = 5
    forget_pages(writable)
    assert (writable[0] == 5).all()


@pytest.fixture
def bent(stores: dict[str, Store], tmp_path: Path) -> tuple[Store, int]:
    """A real store with one bit of one row's last lead turned over, opened, and the row."""
    folder = shutil.copytree(stores["superclasses"].path, tmp_path / "bent")
    store = Store.open(folder)
    row = 17
    with (folder / "signals.i16").open("r+b") as file:
        file.seek((row + 1) * store.signals[0].nbytes - 1)
        last = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([last ^ 64]))
    return store, row


@pytest.mark.parametrize("seconds", [2.56, 10])
def test_a_damaged_row_is_named_when_it_is_read_and_the_others_are_read(
    bent: tuple[Store, int], tiny: Recipe, seconds: float
) -> None:
    store, row = bent
    recipe = tiny.with_changes([f"crop.seconds={seconds}"])
    named = (
        f"store .*bent is damaged: signals.i16 .*record {re.escape(store.records[row])} .*Remove .* prepare it again"
    )

    def batches(rows: np.ndarray[Any, np.dtype[np.int64]]) -> Batches:
        return Batches(store, rows, store.default_task, recipe, Normaliser("z-score"), torch.device("cpu"))

    whole = np.setdiff1d(np.arange(len(store.records)), [row])
    assert sum(len(batch.rows) for batch in batches(whole).training(0)) == len(whole)
    for way in (
        lambda: batches(np.arange(40)).training(0),
        lambda: batches(np.arange(40)).evaluation(),
    ):
        with pytest.raises(EcgenoughError, match=named):
            list(way())
    with pytest.raises(EcgenoughError, match=named):
        store.check()


def test_each_row_of_a_file_is_hashed_once_a_process(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store, hashed = Store.open(stores["embolism"].path), []
    monkeypatch.setattr(store_module, "waveform_hash", lambda row: hashed.append(row) or waveform_hash(row))
    store.read(np.array([3, 1, 3]))
    replace(store, name="another").read(np.array([1, 2]))
    store.check()
    assert len(hashed) == len(store.records)


READ_AFTER_A_CUT = """
import os, sys
import numpy as np
import torch
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
folder, seconds, way = sys.argv[1:]
torch.set_num_threads(1)
store = Store.open(folder)
store.check()
recipe = Recipe.of({"signal": store.signal.model_dump(mode="json"), "crop": {"seconds": float(seconds)}})
rows = np.arange(40)
batches = Batches(store, rows, store.default_task, recipe, Normaliser("none"), torch.device("cpu"))
os.truncate(f"{folder}/signals.i16", 4096)
try:
    list(batches.training(0) if way == "training" else batches.evaluation())
except Exception as error:
    print(error)
"""


@pytest.mark.parametrize(("seconds", "way"), [(2.56, "training"), (10, "training"), (2.56, "evaluation")])
def test_a_file_that_is_cut_while_it_is_open_is_noticed_by_the_next_batch(
    stores: dict[str, Store], tmp_path: Path, seconds: float, way: str
) -> None:
    """In a process of its own: what reads beyond the end of a map's file is ended by SIGBUS."""
    folder, whole = tmp_path / "cut", stores["superclasses"].signals.nbytes
    shutil.copytree(stores["superclasses"].path, folder)
    done = subprocess.run(
        [sys.executable, "-c", READ_AFTER_A_CUT, str(folder), str(seconds), way], capture_output=True, text=True
    )
    assert done.stdout == (
        f"the store {folder} is damaged: signals.i16 has 4,096 bytes of the {whole:,} it was opened with. "
        "Remove the folder and prepare it again.\n"
    ), (done.returncode, done.stderr)
