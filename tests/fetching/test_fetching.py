"""Fetching from a publisher that fails, stalls, cuts off, ignores ranges, changes files and serves wrong bytes."""

import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ecgenough import fetching
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.fetching import Patience, fetch
from ecgenough.fetching.downloading import Failed
from ecgenough.fetching.fetching import GIVE_UP, _watched
from ecgenough.fetching.listings import Remote


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


faulty = _beside("faulty_server")
PATIENT = Patience(attempts=3, wait=0.01, connect=20, silence=20)  # a busy machine is no fault of the server
SOON = Patience(attempts=6, wait=0.01, connect=20, silence=0.8, least=64)  # where the server is to be silent
LARGE = "records100/00000/00001_lr.dat"
SMALL = "records100/00000/00001_lr.hea"
FILES = {
    "ptbxl_database.csv": b"ecg_id,patient_id\n1,2\n",
    LARGE: np.random.default_rng(0).bytes(3_000_000),
    SMALL: b"00001_lr 12 100 1000\n",
    "records500/00000/00001_hr.hea": b"not asked for",
}


@pytest.fixture
def server() -> Iterator[object]:
    """A publisher of FILES."""
    publisher = faulty.FaultyServer(FILES)
    yield publisher
    publisher.close()


def _held(folder: Path) -> dict[str, bytes]:
    """What a fetch left, but for its own marks."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".fetch.lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _wanted() -> dict[str, bytes]:
    return {path: content for path, content in FILES.items() if not path.startswith("records500")}


@pytest.mark.parametrize(
    ("path", "faults"),
    [
        (LARGE, [""]),
        (LARGE, ["500", "503", ""]),
        (LARGE, ["stall", ""]),
        (LARGE, ["drip", ""]),
        (LARGE, ["truncate", ""]),
        (LARGE, ["truncate", "truncate", ""]),
        (LARGE, ["truncate", "ignore-range"]),
        (LARGE, ["truncate", "other-part", ""]),
        (SMALL, ["wrong", ""]),
        (SMALL, ["truncate", "stall", ""]),
    ],
)
def test_every_fault_that_passes_is_overcome(server: Any, tmp_path: Path, path: str, faults: list[str]) -> None:
    server.faults[path] = list(faults)
    assert (
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=SOON if {"stall", "drip"} & set(faults) else PATIENT) == 3
    )
    assert _held(tmp_path) == _wanted()


def test_the_rest_is_asked_for_where_a_large_file_broke_off(server: Any, tmp_path: Path) -> None:
    server.faults[LARGE] = ["truncate", ""]
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert server.asked[LARGE] == ["", "bytes=1500000-"]


def test_a_file_that_changed_meanwhile_is_started_again(server: Any, tmp_path: Path) -> None:
    server.faults[LARGE] = ["stall"]
    with pytest.raises(EcgenoughError, match="1 of 3 files failed"):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=Patience(1, 0.01, 20, 0.8))
    server.faults.clear()
    server.version, server.files[LARGE] = "2", bytes(2_000_000)
    server.files["SHA256SUMS.txt"] = faulty.sums({k: v for k, v in server.files.items() if k != "SHA256SUMS.txt"})
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert server.asked[LARGE] == ["", "bytes=1500000-"]  # the version it names is gone, so all of it comes
    assert _held(tmp_path) == _wanted() | {LARGE: bytes(2_000_000)}


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(server: Any, tmp_path: Path) -> None:
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    (tmp_path / SMALL).write_bytes(b"00001_lr 12 100 1001\n")
    server.asked.clear()
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert dict(server.asked) == {"SHA256SUMS.txt": [""], SMALL: [""]}
    assert _held(tmp_path) == _wanted()


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("wrong", "its SHA256 is not the one the publisher states"),
        ("404", "the server answered 404"),
        ("500", "the server answered 500"),
        ("stall", "the server was silent for 0.8 s"),
        ("truncate", "the connection broke"),
    ],
)
def test_what_fails_for_good_is_named_and_the_rest_is_kept(server: Any, tmp_path: Path, fault: str, why: str) -> None:
    server.faults[SMALL] = [fault]
    patience = Patience(2, 0.01, 20, 0.8) if fault == "stall" else PATIENT
    with pytest.raises(EcgenoughError, match=r"1 of 3 files failed .*fetch-failed.txt"):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=patience)
    left = _held(tmp_path)
    assert left.pop("fetch-failed.txt").decode() == f"{SMALL}: {why}\n"
    assert {path: content for path, content in left.items() if "/." not in path} == {
        path: content for path, content in _wanted().items() if path != SMALL
    }
    server.faults.clear()
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert _held(tmp_path) == _wanted()


def test_a_large_file_that_is_wrong_at_the_publisher_is_not_fetched_over_and_over(server: Any, tmp_path: Path) -> None:
    server.faults[LARGE] = ["wrong"]
    with pytest.raises(EcgenoughError, match="1 of 3 files failed"):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert server.asked[LARGE] == [""]


def test_a_publisher_that_is_gone_is_given_up(tmp_path: Path) -> None:
    names = [f"records100/00000/{i:05}_lr.hea" for i in range(200)]
    publisher = faulty.FaultyServer(dict.fromkeys(names, b"x"))
    publisher.faults = {name: ["404"] for name in names}
    with pytest.raises(EcgenoughError, match="200 of 200 files failed"):
        fetch("ptb-xl", tmp_path, mirror=publisher.url, connections=2, patience=PATIENT)
    publisher.close()
    assert GIVE_UP <= sum(map(len, publisher.asked.values())) < 150
    assert "not tried" in (tmp_path / "fetch-failed.txt").read_text()


def test_a_file_that_failed_as_the_others_were_given_up_is_among_the_failures(tmp_path: Path) -> None:
    futures: dict[Future[None], Remote] = {
        Future(): Remote(f"{number}", "", "sha256", "") for number in range(GIVE_UP + 2)
    }
    events: SimpleQueue[int | Future[None]] = SimpleQueue()
    for number, future in enumerate(futures):
        if number <= GIVE_UP:  # the last of these is done, and its event has not come yet
            future.set_exception(Failed("gone"))
        if number < GIVE_UP:
            events.put(future)
    failures: dict[str, str] = {}
    assert list(_watched(futures, events, tmp_path, failures)) == []
    assert failures == {str(number): "gone" for number in range(GIVE_UP + 1)} | {f"{GIVE_UP + 1}": "not tried"}


def test_killed_and_run_again_it_goes_on_where_it_was(server: Any, tmp_path: Path) -> None:
    server.faults[LARGE] = ["stall", ""]  # half of it, then nothing, so that the kill comes in the middle
    command = [sys.executable, "-m", "ecgenough", "fetch", "ptb-xl", str(tmp_path), "--from", server.url]
    environment = {**os.environ, "PYTHONPATH": str(Path(fetching.__file__).parents[2])}
    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    part = tmp_path / "records100/00000/.00001_lr.dat.part"
    end = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 500_000) and time.monotonic() < end:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    held = part.stat().st_size
    assert 500_000 < held < 3_000_000
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (second.returncode, second.stdout.split(" in ")[0]) == (0, "3 files of ptb-xl"), second.stderr
    assert server.asked[LARGE] == ["", f"bytes={held}-"]
    assert _held(tmp_path) == _wanted()


def test_the_command_names_what_failed_and_ends_with_1(server: Any, tmp_path: Path) -> None:
    server.faults[SMALL] = ["404"]
    command = [sys.executable, "-m", "ecgenough", "fetch", "ptb-xl", str(tmp_path), "--from", server.url]
    environment = {**os.environ, "PYTHONPATH": str(Path(fetching.__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"failed: {SMALL}: the server answered 404" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_fetch_keeps_out_of_the_folder(server: Any, tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / ".fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EcgenoughError, match="another fetch is writing"):
            fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    server: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ecgenough.fetching.fetching.free_bytes", lambda _: 70_000_000)
    with pytest.raises(EcgenoughError, match=r"3 files of ptb-xl need about 0.01 GB; .* has 0.00 GB free"):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert list(server.asked) == ["SHA256SUMS.txt"]


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/x", "a//b", "a/./b", "c:/x", "a\\b", "a/\x07", "a/ /b", ".."]
)
def test_a_listing_that_leads_out_of_the_folder_is_refused_whole(server: Any, tmp_path: Path, path: str) -> None:
    server.files["SHA256SUMS.txt"] += f"{'0' * 64} {path}\n".encode()
    with pytest.raises(EcgenoughError, match=r"leads out of the folder|is no checksum and path"):
        fetch("ptb-xl", tmp_path / "out", mirror=server.url, patience=PATIENT)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        (b"<html>Please log in</html>", "line 1 of .*SHA256SUMS.txt is no checksum and path. It looks like a web page"),
        (b"", "lists no file of ptb-xl"),
        (b"\xff\xfe\x00", "is no text"),
    ],
)
def test_what_is_no_listing_is_said_to_be_none(server: Any, tmp_path: Path, sums: bytes, message: str) -> None:
    server.files["SHA256SUMS.txt"] = sums
    with pytest.raises(EcgenoughError, match=message):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)


@pytest.mark.parametrize(
    ("name", "rate", "mirror", "message"),
    [
        ("ptbxl", None, None, 'Nearest: "ptb-xl"'),
        ("ptb-xl", 250, None, "ptb-xl comes at 100 or 500 Hz only"),
        ("cpsc-2018", 100, None, "has one rate only"),
        ("ptb-xl", None, "file:///etc/", "no address of the web"),
        ("ptb-xl", None, "ftp://x/", "no address of the web"),
        ("ptb-xl", None, "http://[/", "no address of the web"),
    ],
)
def test_wrong_requests_say_what_to_ask_for(tmp_path: Path, name: str, rate: int, mirror: str, message: str) -> None:
    with pytest.raises(WrongRequest, match=message):
        fetch(name, tmp_path, rate, mirror)


@pytest.mark.parametrize(
    ("name", "rate", "path", "belongs"),
    [
        ("ptb-xl", None, "records100/00000/00001_lr.dat", True),
        ("ptb-xl", None, "records500/00000/00001_hr.dat", False),
        ("ptb-xl", 500, "records500/21000/21837_hr.hea", True),
        ("ptb-xl", 500, "ptbxl_database.csv", True),
        ("ptb-xl", None, "example_physionet.py", False),
        ("cpsc-2018", None, "training/cpsc_2018/g1/A0001.mat", True),
        ("cpsc-2018", None, "training/cpsc_2018_extra/g1/Q0001.mat", False),
        ("challenge-2020", None, "training/georgia/g1/E00001.hea", True),
        ("challenge-2021", None, "training/ningbo/g1/JS10647.hea", True),
        ("cinc-2011", None, "set-a/1002603.dat", True),
        ("cinc-2011", None, "set-a/RECORDS-acceptable", True),
        ("cinc-2011", None, "sources/x.c", False),
        ("medalcare-xl", None, "MedalCare-XL.zip", True),
    ],
)
def test_which_files_belong_to_a_collection(name: str, rate: int | None, path: str, belongs: bool) -> None:
    assert bool(fetching.COLLECTIONS[name].pattern(rate).fullmatch(path)) == belongs


def _zip(members: dict[str, bytes], link: str = "") -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name == link else 0o100644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _zenodo(archive: bytes) -> Any:
    import hashlib

    publisher = faulty.FaultyServer({"MedalCare-XL.zip": archive})
    described = {
        "key": "MedalCare-XL.zip",
        "size": len(archive),
        "checksum": f"md5:{hashlib.md5(archive).hexdigest()}",
        "links": {"self": f"{publisher.url}MedalCare-XL.zip"},
    }
    publisher.files["records/1"] = json.dumps({"files": [described]}).encode()
    return publisher


def test_a_record_of_zenodo_is_fetched_and_unpacked(tmp_path: Path) -> None:
    members = {"WP2/mi/train/run_S1/1_raw.csv": b"1,2\n" * 400_000, "WP2/readme.txt": b"read me"}
    publisher = _zenodo(_zip(members))
    publisher.faults["MedalCare-XL.zip"] = ["truncate", ""]
    assert fetch("medalcare-xl", tmp_path, mirror=f"{publisher.url}records/1", patience=PATIENT) == 1
    assert members.items() <= _held(tmp_path).items()
    (tmp_path / "WP2/readme.txt").unlink()
    fetch("medalcare-xl", tmp_path, mirror=f"{publisher.url}records/1", patience=PATIENT)
    assert members.items() <= _held(tmp_path).items()
    assert len(publisher.asked["MedalCare-XL.zip"]) == 2
    publisher.close()


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (_zip({"../x": b"1"}), "leads out of the folder"),
        (_zip({"/tmp/x": b"1"}), "leads out of the folder"),
        (_zip({"x": b"/etc/passwd"}, link="x"), "holds a link"),
        (b"PK\x05\x06 no archive", "is no whole zip archive"),
        (_zip({"x": b"123456"}).replace(b"x", b"y", 1), "cannot be unpacked"),
    ],
)
def test_an_archive_that_does_harm_is_refused(tmp_path: Path, archive: bytes, message: str) -> None:
    publisher = _zenodo(archive)
    with pytest.raises(EcgenoughError, match=message):
        fetch("medalcare-xl", tmp_path / "out", mirror=f"{publisher.url}records/1", patience=PATIENT)
    publisher.close()
    assert {path.name for path in tmp_path.rglob("*")} <= {"out", "MedalCare-XL.zip", ".fetch.lock"}


def test_a_disk_that_is_full_ends_the_fetch_with_one_sentence(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ecgenough.fetching.downloading.Downloader._receive", full)
    with pytest.raises(EcgenoughError, match=r"No space left on device\. Make room and run the same"):
        fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    monkeypatch.undo()
    fetch("ptb-xl", tmp_path, mirror=server.url, patience=PATIENT)
    assert _held(tmp_path) == _wanted()
