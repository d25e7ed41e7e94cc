"""Nothing half-written stays: neither after an error nor, from the next start on, after a kill."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgenough.files import LITTER_AFTER, remove_litter, write_text, written_aside


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "figures.json", "old")
    with pytest.raises(UnicodeEncodeError), written_aside(tmp_path / "figures.json") as aside:
        aside.write_text("half, then a character that ASCII lacks: µ", encoding="ascii")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"figures.json": "old"}


def test_what_killed_processes_left_aside_goes_and_everything_else_stays(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    dead, alive = f"{_ended()}@{socket.gethostname()}", f"{os.getpid()}@{socket.gethostname()}"
    gone = [f".checkpoint.pt.{dead}.part", f"model/.model.safetensors.{dead}.part"]
    kept = [f".checkpoint.pt.{alive}.part", "checkpoint.pt", ".mine.part", "notes.12.part", ".notes.draft.part"]
    for name in (*gone, *kept):
        (tmp_path / name).write_text("x")
    remove_litter(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model", *kept}
    assert not list((tmp_path / "model").iterdir())


def test_another_host_s_files_are_judged_by_their_age_whatever_has_that_number_here(tmp_path: Path) -> None:
    """On a shared folder a number says nothing of a process elsewhere; names without a host are an earlier version's."""
    young = [f".log.csv.{_ended()}@elsewhere.part", f".log.csv.{_ended()}.part"]
    old = [f".log.csv.{os.getpid()}@elsewhere.local.part", f".log.csv.{os.getpid()}.part"]
    for name in (*young, *old):
        (tmp_path / name).write_text("x")
    for name in old:
        os.utime(tmp_path / name, (time.time() - LITTER_AFTER - 60,) * 2)
    remove_litter(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(young)


def test_what_is_written_aside_says_which_process_of_which_host_writes_it(tmp_path: Path) -> None:
    with written_aside(tmp_path / "log.csv") as aside:
        aside.write_text("x")
        assert aside.name == f".log.csv.{os.getpid()}@{socket.gethostname()}.part"
        remove_litter(tmp_path)  # its own process lives
    assert (tmp_path / "log.csv").read_text() == "x"


def _ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
