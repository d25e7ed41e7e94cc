"""Nothing half-written stays: neither after an error nor, from the next start on, after a kill."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecgenough.files import remove_litter, write_text, written_aside


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "figures.json", "old")
    with pytest.raises(UnicodeEncodeError), written_aside(tmp_path / "figures.json") as aside:
        aside.write_text("half, then a character that ASCII lacks: µ", encoding="ascii")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"figures.json": "old"}


def test_what_killed_processes_left_aside_goes_and_everything_else_stays(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()  # its number is nobody's now
    (tmp_path / "model").mkdir()
    gone = [f".checkpoint.pt.{process.pid}.part", f"model/.model.safetensors.{process.pid}.part"]
    kept = [f".checkpoint.pt.{os.getpid()}.part", "checkpoint.pt", ".mine.part", "notes.12.part", ".notes.draft.part"]
    for name in (*gone, *kept):
        (tmp_path / name).write_text("x")
    remove_litter(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model", *kept}
    assert not list((tmp_path / "model").iterdir())
