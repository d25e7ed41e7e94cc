"""Lock files: held by one process at a time, and by no dead one."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecgenough.locks import alone, claimed, held, was_left

Work = Callable[[], Any]


def in_a_process(work: Work) -> Any:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def hold(path: Path) -> None:
    with held(path):
        path.with_name("in").touch()
        time.sleep(60)


@contextmanager
def another_holding(path: Path) -> Iterator[None]:
    """A process that holds `path` meanwhile, and is killed at the end."""
    process = in_a_process(lambda: hold(path))
    while not path.with_name("in").exists():
        time.sleep(0.01)
    yield
    process.kill()
    process.join()


def test_a_lock_is_held_and_then_left(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not was_left(lock)
    with held(lock):
        assert not was_left(lock)
    assert was_left(lock)


def test_a_claim_is_one_s_own_until_it_ends_and_says_whose_it_is(tmp_path: Path) -> None:
    with claimed(tmp_path / "a") as mine:
        assert mine
        assert (tmp_path / "a").read_text().split()[0] == str(os.getpid())
        with claimed(tmp_path / "a") as twice, claimed(tmp_path / "b") as other:
            assert not twice
            assert other
    with claimed(tmp_path / "a") as again:
        assert again


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with another_holding(tmp_path / "lock"):
        assert not was_left(tmp_path / "lock")
        with claimed(tmp_path / "lock") as mine:
            assert not mine
    assert was_left(tmp_path / "lock")
    with claimed(tmp_path / "lock") as mine:
        assert mine


def test_a_lock_ends_with_its_block_though_a_forked_process_has_a_copy_of_it(tmp_path: Path) -> None:
    with held(tmp_path / "lock"):
        child = in_a_process(lambda: time.sleep(60))
    assert was_left(tmp_path / "lock")
    child.kill()


def test_alone_lets_one_in_at_a_time_and_dies_with_its_holder(tmp_path: Path) -> None:
    lock, log = tmp_path / "a.lock", tmp_path / "log"

    def enter(seconds: float) -> None:
        with alone(lock, "it waits"):
            with log.open("a") as lines:
                lines.write("in ")
            time.sleep(seconds)
            with log.open("a") as lines:
                lines.write("out ")

    processes = [in_a_process(lambda: enter(0.05)) for _ in range(5)]
    for process in processes:
        process.join()
    assert log.read_text() == "in out " * 5
    assert not lock.exists()
    holder = in_a_process(lambda: enter(60))
    while not log.read_text().endswith("in "):
        time.sleep(0.01)
    holder.kill()
    started = time.monotonic()
    enter(0)
    assert time.monotonic() - started < 5
