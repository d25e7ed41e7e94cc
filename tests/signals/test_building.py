"""A store under construction: killed at any moment, on a full disk, and with another process at the same work."""

import errno
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError
from ecgenough.recipe import Signal
from ecgenough.signals import building
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store

WANTED = Signal(leads=("I", "II"), duration=2.0)
FLAT, ABSENT = (0, 17, 130, 131), (64, 299)
fork = multiprocessing.get_context("fork")


def contents(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.iterdir()}


def in_a_process(work: Callable[[], Any]) -> Any:
    process = fork.Process(target=work)
    process.start()
    return process


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def all_have_ended(pids: list[int]) -> bool:
    return all(map(has_ended, pids))


def wait_until(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.01)


def names_in(folder: Path) -> set[str]:
    """What lies in a folder of stores; the lock of a process that was killed last of all is no harm."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


@pytest.fixture
def listed(collection: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """300 tiny records, and blocks so small that there are many moments to die in."""
    monkeypatch.setattr(building, "BLOCK", 5)
    return collection(300, flat=FLAT, absent=ABSENT)


@pytest.fixture
def unbroken(listed: Dataset, tmp_path: Path) -> Store:
    return prepare(listed, WANTED, tmp_path / "unbroken", workers=1)


def test_killed_at_random_moments_it_ends_in_the_same_bytes(listed: Dataset, unbroken: Store, tmp_path: Path) -> None:
    chance, folder, kills = random.Random(3), tmp_path / "stores", 0
    started = time.monotonic()
    in_a_process(lambda: prepare(listed, WANTED, tmp_path / "timed", workers=2)).join()
    takes = time.monotonic() - started
    while kills < 40 and not (folder / unbroken.path.name).exists():
        process = in_a_process(lambda: prepare(listed, WANTED, folder, workers=2))
        process.join(chance.uniform(0, takes / 3))
        workers = workers_of(process.pid)
        process.kill()
        process.join()
        kills += 1
        wait_until(partial(all_have_ended, workers), "the workers of a killed process live on")
    store = prepare(listed, WANTED, folder, workers=2)
    assert contents(store.path) == contents(unbroken.path)
    assert names_in(folder) == {store.path.name}


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half_a_write_then_die(descriptor: int, rows: memoryview, offset: int, real: Callable[..., int] = os.pwrite) -> int:
    if offset > 2000:
        real(descriptor, rows[: len(rows) // 2], offset)
        die()
    return real(descriptor, rows, offset)


@pytest.mark.parametrize(
    ("place", "name", "instead"),
    [
        ("ecgenough.signals.building.os", "pwrite", half_a_write_then_die),
        ("ecgenough.signals.building.os", "posix_fallocate", die),
        ("ecgenough.signals.building.os", "ftruncate", die),
        ("ecgenough.signals.preparation", "written_aside", die),
        ("ecgenough.signals.preparation", "write_text", die),
        ("pathlib.Path", "rename", die),
        ("pathlib.Path", "replace", die),
        ("ecgenough.signals.preparation", "sync", die),
    ],
)
def test_killed_at_this_very_step_it_ends_in_the_same_bytes(
    listed: Dataset, unbroken: Store, tmp_path: Path, place: str, name: str, instead: Callable[..., Any]
) -> None:
    folder = tmp_path / "stores"

    def dying() -> None:
        pytest.MonkeyPatch().setattr(f"{place}.{name}", instead)
        prepare(listed, WANTED, folder, workers=1)

    process = in_a_process(dying)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store = prepare(listed, WANTED, folder, workers=1)
    assert contents(store.path) == contents(unbroken.path)
    assert names_in(folder) == {store.path.name}


def interrupted(listed: Dataset, folder: Path) -> Path:
    """A part folder as a run leaves it that was killed when all signals were written."""

    def dying() -> None:
        pytest.MonkeyPatch().setattr("ecgenough.signals.building.os.ftruncate", die)
        prepare(listed, WANTED, folder, workers=1)

    process = in_a_process(dying)
    process.join()
    return next(folder.glob("*.part"))


def test_what_is_done_is_not_done_again(listed: Dataset, tmp_path: Path) -> None:
    part = interrupted(listed, tmp_path / "stores")
    assert len((part / "journal").read_bytes().splitlines()) == 60
    shutil.rmtree(listed.root / "0")  # nothing is left to read from: what the journal says must do
    building.build_signals(part, listed, WANTED, workers=1)


@pytest.mark.parametrize("tear", ["last line", "garbage", "lost rows"])
def test_a_torn_journal_and_lost_rows_are_made_again(
    listed: Dataset, unbroken: Store, tmp_path: Path, tear: str
) -> None:
    folder = tmp_path / "stores"
    part = interrupted(listed, folder)
    journal = (part / "journal").read_bytes()
    if tear == "last line":
        (part / "journal").write_bytes(journal[:-30])
    elif tear == "garbage":
        (part / "journal").write_bytes(journal[:5000] + b"\0" * 200 + b"\n" + journal[5201:])
    else:
        with open(part / "signals.i16", "r+b") as signals:
            signals.seek(100 * 800)
            signals.write(bytes(4096))
    store = prepare(listed, WANTED, folder, workers=1)
    assert contents(store.path) == contents(unbroken.path)


def full(*_: Any) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_after_20_000_bytes(
    descriptor: int, rows: memoryview, offset: int, real: Callable[..., int] = os.pwrite
) -> int:
    return full() if offset > 20_000 else real(descriptor, rows[:1000], offset)


@pytest.mark.parametrize(
    ("place", "instead"),
    [
        ("ecgenough.signals.building.os.posix_fallocate", full),
        ("ecgenough.signals.building.os.pwrite", full_after_20_000_bytes),
        ("ecgenough.signals.building.os.fsync", full),
        ("pathlib.Path.write_bytes", full),
        ("ecgenough.signals.preparation.write_text", full),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_leaves_a_sentence_and_nothing_else(
    listed: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    instead: Callable[..., Any],
    workers: int,
) -> None:
    folder = tmp_path / "stores"
    monkeypatch.setattr(place, instead)
    with pytest.raises(EcgenoughError, match=r"the disk of .*stores is full; nothing half-made .* Free some space"):
        prepare(listed, WANTED, folder, workers)
    assert list(folder.iterdir()) == []


def test_a_disk_too_small_is_known_before_the_work(
    listed: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 9 * 10**5, 10**5))
    monkeypatch.setattr(building, "conditioned_blocks", None)
    with pytest.raises(EcgenoughError, match=r"has 0\.1 MB free, and the store needs 0\.2 MB"):
        prepare(listed, WANTED, tmp_path / "stores")
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(listed: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EcgenoughError, match="cannot be written: Not a directory"):
        prepare(listed, WANTED, tmp_path / "file" / "stores")


def test_two_processes_at_once_make_one_store(listed: Dataset, unbroken: Store, tmp_path: Path) -> None:
    folder = tmp_path / "stores"
    processes = [in_a_process(lambda: prepare(listed, WANTED, folder, workers=2)) for _ in range(3)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [path.name for path in folder.iterdir()] == [unbroken.path.name]
    assert contents(folder / unbroken.path.name) == contents(unbroken.path)


def test_no_process_waits_long_for_the_last_block() -> None:
    for records, workers, first, blocks in (
        (128, 2, 0, [128]),  # fewer than 32 a block are not worth a process
        (400, 2, 0, [32] * 12 + [16]),
        (1700, 2, 100, [100] * 16),
        (10_000, 2, 9_000, [63] * 15 + [55]),
        (3000, 2, 0, [128] * 23 + [56]),
    ):
        some: Any = SimpleNamespace(root=Path(), records=("x",) * records, paths=("x",) * records, layout=None)
        requests = building._requests(some, WANTED, first, workers)
        assert [len(request.paths) for request in requests] == blocks
        assert requests[0].first == first
