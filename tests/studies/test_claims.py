"""Claims: one holder at a time, told apart by work, and nothing held by the dead."""

import os
import signal
import time
from pathlib import Path

from ecgenough.studies.claims import LOCKS, claimed


def test_a_claim_is_one_s_own_until_it_ends(tmp_path: Path) -> None:
    with claimed(tmp_path, "a") as mine:
        assert mine
        assert (tmp_path / LOCKS / "a").read_text().split()[0] == str(os.getpid())
        with claimed(tmp_path, "a") as twice, claimed(tmp_path, "b") as other:
            assert not twice
            assert other
    with claimed(tmp_path, "a") as again:
        assert again


def test_a_dead_process_holds_nothing(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        with claimed(tmp_path, "a"):
            (tmp_path / "held").touch()
            time.sleep(60)
        os._exit(0)
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    with claimed(tmp_path, "a") as mine:
        assert not mine
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with claimed(tmp_path, "a") as mine:
        assert mine
