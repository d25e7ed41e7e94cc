"""Lock files: held while a process lives, left when it dies."""

import signal
import subprocess
import sys
from pathlib import Path

from ecgenough.locks import held, was_left

HOLD = """
import sys, time
from pathlib import Path
from ecgenough.locks import held
with held(Path(sys.argv[1])):
    print(1, flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_and_then_left(tmp_path: Path) -> None:
    assert not was_left(tmp_path / "lock")
    with held(tmp_path / "lock"):
        assert not was_left(tmp_path / "lock")
    assert was_left(tmp_path / "lock")


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert not was_left(tmp_path / "lock")
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert was_left(tmp_path / "lock")
