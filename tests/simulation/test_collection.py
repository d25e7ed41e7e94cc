import ast
import errno
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wfdb

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.simulation import collection, embolism_ceiling, planted, simulate_collection
from ecgenough.simulation.layout import STATEMENTS


@pytest.fixture(scope="module")
def superclasses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_collection(tmp_path_factory.mktemp("made") / "superclasses", "superclasses", records=40, seed=3)


@pytest.fixture(scope="module")
def embolism(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_collection(tmp_path_factory.mktemp("made") / "embolism", "embolism", records=40, seed=3, rate=250)


def test_superclasses_lie_as_ptb_xl_does(superclasses: Path) -> None:
    table = pd.read_csv(superclasses / "ptbxl_database.csv", index_col="ecg_id")
    assert list(table.index) == list(range(1, 41))
    assert set(table.sex) == {0, 1}
    assert table.strat_fold.between(1, 10).all()
    assert table.filename_hr[1] == "records500/00000/00001_hr"
    assert table.filename_lr.isna().all()
    for path in table.filename_hr:
        assert (superclasses / f"{path}.hea").is_file()
        assert (superclasses / f"{path}.dat").stat().st_size == 12 * 5000 * 2


def test_statements_lead_to_superclasses(superclasses: Path) -> None:
    """Every statement is in scp_statements.csv, and the superclasses follow as PTB-XL's readers derive them."""
    table = pd.read_csv(superclasses / "ptbxl_database.csv", index_col="ecg_id")
    statements = pd.read_csv(superclasses / "scp_statements.csv", index_col=0)
    diagnostic = statements[statements.diagnostic == 1].diagnostic_class
    found = [{diagnostic[code] for code in ast.literal_eval(codes) if code in diagnostic} for codes in table.scp_codes]
    assert all(found)
    assert {code for codes in table.scp_codes for code in ast.literal_eval(codes)} <= set(statements.index)
    about = json.loads((superclasses / "simulated.json").read_text())
    counts = {name: sum(name in classes for classes in found) for name in about["positives"]}
    assert counts == about["positives"]
    assert (about["kind"], about["records"], about["seed"], about["rate"]) == ("superclasses", 40, 3, 500)


def test_statements_keep_ptb_xl_s_classes() -> None:
    """Spot checks against PTB-XL 1.0.3's own table."""
    assert STATEMENTS["ASMI"][4:] == ("MI", "AMI")
    assert STATEMENTS["1AVB"][4:] == ("CD", "_AVB")
    assert STATEMENTS["ISCAN"][4:] == ("STTC", "ISCA")
    assert STATEMENTS["SR"][1:4] == (0, 0, 1)


def test_records_read_with_the_wfdb_package(superclasses: Path) -> None:
    record = wfdb.rdrecord(str(superclasses / "records500/00000/00007_hr"))
    assert record.fs == 500
    assert record.p_signal.shape == (5000, 12)
    assert [name.upper() for name in record.sig_name] == [lead.upper() for lead in STANDARD_LEADS]
    again = planted(superclasses, 7)
    np.testing.assert_allclose(record.p_signal.T, again.signal[0], atol=0.00051)


def test_embolism_has_its_table(embolism: Path) -> None:
    table = pd.read_csv(embolism / "labels.csv", dtype={"record": str})
    assert list(table.columns) == ["record", "path", "patient", "age", "sex", "embolism", "fold"]
    assert set(table.sex) == {"female", "male"}
    assert set(table.embolism) == {0, 1}
    record = wfdb.rdrecord(str(embolism / table.path[4]))
    assert (record.fs, record.sig_len) == (250, 2500)
    about = json.loads((embolism / "simulated.json").read_text())
    assert about["ceiling"]["auc"] == pytest.approx(embolism_ceiling(), abs=1e-4)


def test_default_sizes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(collection, "_write_block", lambda _plan, cases, _paths: len(cases))
    simulate_collection(tmp_path / "out", "embolism")
    table = pd.read_csv(tmp_path / "out" / "labels.csv")
    assert len(table) == 927
    assert table.embolism.mean() == pytest.approx(0.23, abs=0.03)


@pytest.mark.parametrize("kind", ["superclasses", "embolism"])
def test_files_do_not_depend_on_workers_or_blocks(tmp_path: Path, kind: str) -> None:
    made = [
        fingerprint(
            simulate_collection(
                tmp_path / f"{workers}-{block}", kind, 23, seed=9, rate=100, workers=workers, block=block
            )
        )
        for workers, block in ((1, 64), (2, 5), (3, 1))
    ]
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 2 * 23 + (4 if kind == "superclasses" else 3)
    other = fingerprint(simulate_collection(tmp_path / "other", kind, 23, seed=10, rate=100))
    assert not {name for name, digest in other.items() if name.endswith(".dat") and made[0][name] == digest}


def test_a_hundred_hertz_goes_where_ptb_xl_keeps_it(tmp_path: Path) -> None:
    made = simulate_collection(tmp_path / "lr", "superclasses", 3, rate=100)
    table = pd.read_csv(made / "ptbxl_database.csv")
    assert table.filename_lr[0] == "records100/00000/00001_lr"
    assert (made / "records100/00000/00001_lr.dat").stat().st_size == 12 * 1000 * 2


def test_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r'kind "superclass" cannot be simulated\. Nearest: "superclasses"'):
        simulate_collection(tmp_path / "out", "superclass")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"records": 0}, "ask for one or more"),
        ({"seed": -1}, "negative"),
        ({"rate": 250}, "500 and 100 Hz"),
        ({"duration": 0.1}, "cannot simulate"),
    ],
)
def test_impossible_requests(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongRequest, match=sentence):
        simulate_collection(tmp_path / "out", "superclasses", **changes)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(WrongRequest, match="not an empty folder"):
        simulate_collection(tmp_path, "embolism", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert (simulate_collection(tmp_path / "out", "embolism", 2, rate=100) / "labels.csv").is_file()


def test_nothing_is_left_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(collection, "write_wfdb", full)
    with pytest.raises(EcgenoughError, match="could not be written: No space left on device"):
        simulate_collection(tmp_path / "out", "embolism", 5, rate=100)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_goes_and_what_a_running_one_writes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(*_arguments: object) -> None:
        time.sleep(60)

    fork, processes = multiprocessing.get_context("fork"), []
    for ending in (die, hang):
        monkeypatch.setattr(collection, "write_wfdb", ending)
        process = fork.Process(target=simulate_collection, args=(tmp_path / "out", "embolism", 2), kwargs={"rate": 100})
        process.start()
        processes.append(process)
    killed, running = processes
    killed.join()
    monkeypatch.undo()
    here = tmp_path / f".out.{running.pid}@{socket.gethostname()}.part"
    while not (here / "records").exists():
        assert running.is_alive()
        time.sleep(0.01)
    simulate_collection(tmp_path / "out", "embolism", 2, rate=100)
    assert {path.name for path in tmp_path.iterdir()} == {"out", here.name}
    running.kill()
    running.join()


def test_planted_refuses_what_is_not_there(superclasses: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="holds no simulated collection"):
        planted(tmp_path, 1)
    with pytest.raises(WrongRequest, match="record 41 is not in"):
        planted(superclasses, 41)


def fingerprint(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
