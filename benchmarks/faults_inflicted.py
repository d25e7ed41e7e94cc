"""One disturbed run: a command in a forked process, and what befalls it at one of its file operations.

A forked process has all imports done, so that a run of a second is not preceded by seconds of imports. Operations are
counted by an audit hook: every opening, renaming, removal and truncation of a file below the run's folder, by any of the
run's processes. What happens at the n-th one happens just before it.
"""

import mmap
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecgenough import cli
from ecgenough.commands import study
from ecgenough.reports.study import write_study_report
from ecgenough.signals import building
from ecgenough.studies import engines

DISK = 256 << 20  # bytes
LONGEST = 300.0  # seconds; a run that takes longer hangs
_WATCHED = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir", "os.rmdir")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Act = Callable[["Operations", str, Any], None]


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status, negative for a signal; what it said last; whether it left processes behind."""

    status: int
    said: str
    hung: bool = False

    @property
    def last(self) -> str:
        return self.said.strip().rpartition("\n")[2]


class Operations:
    """Counts the file operations of a run and of the processes it forks, and acts from the `at`-th one on."""

    def __init__(self, place: Path, at: int = 0, act: Act | None = None) -> None:
        self.place, self.at, self.act = str(place), at, act
        self.main = 0
        self._count = mmap.mmap(-1, 16)  # shared with forked processes: how many there were, and whether it happened
        self._busy = threading.local()

    @property
    def count(self) -> int:
        return int(struct.unpack_from("q", self._count, 0)[0])

    @property
    def happened(self) -> bool:
        return bool(self._count[8])

    def begin(self) -> None:
        """In the run's process: from here on, count."""
        self.main = os.getpid()
        sys.addaudithook(self._hear)

    def happen_once(self) -> bool:
        """Whether it has not happened before in any of the processes; from now on it has."""
        first = not self._count[8]
        self._count[8] = 1
        return first

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _WATCHED or getattr(self._busy, "now", False):
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.fsdecode(path)
        if name.startswith("/") and not name.startswith(self.place):
            return
        count = self.count + 1
        struct.pack_into("q", self._count, 0, count)
        if self.act is not None and count >= self.at:
            self._busy.now = True
            try:
                self.act(self, event, arguments)
            finally:
                self._busy.now = False


def killed(delay: float, group: bool) -> Act:
    """SIGKILL to the main process or to all of them, `delay` seconds after the operation."""

    def act(operations: Operations, _event: str, _arguments: Any) -> None:
        if not operations.happen_once():
            return

        def kill() -> None:
            (os.killpg if group else os.kill)(operations.main, signal.SIGKILL)

        if delay:
            threading.Timer(delay, kill).start()
        else:
            kill()
            time.sleep(5)  # a worker that has killed the main process goes on until it hears of it

    return act


def worker_killed(operations: Operations, _event: str, _arguments: Any) -> None:
    """SIGKILL to the worker that does the operation, as by the system when memory runs out."""
    if os.getpid() != operations.main and operations.happen_once():
        os.kill(os.getpid(), signal.SIGKILL)


def memory_refused(operations: Operations, _event: str, _arguments: Any) -> None:
    """A MemoryError, once."""
    if operations.happen_once():
        raise MemoryError


def memory_limited(spare: int) -> Act:
    """`spare` bytes more of address space than the process has at the operation, and no more."""

    def act(operations: Operations, _event: str, _arguments: Any) -> None:
        if operations.happen_once():
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + spare
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    return act


def writing_refused(code: int) -> Act:
    """From the operation on, no file can be opened to be written: `code` is EROFS or ENOSPC."""

    def act(operations: Operations, event: str, arguments: Any) -> None:
        if event != "open" or (arguments[2] or 0) & _WRITING:
            operations.happen_once()
            raise OSError(code, os.strerror(code), os.fsdecode(arguments[0]))

    return act


def done_to(path: Path, what: Callable[[Path], None]) -> Act:
    """`what`, once, to a file."""

    def act(operations: Operations, _event: str, _arguments: Any) -> None:
        if operations.happen_once() and path.exists():
            what(path)

    return act


def run(arguments: tuple[str, ...], place: Path, operations: Operations, clock: float = 0.0) -> Ended:
    """Run a command in folder `place`, with the clock `clock` seconds off."""
    said = place.with_name(f"{place.name}.said")
    process = os.fork()
    if process == 0:
        _be_the_command(arguments, place, operations, clock, said)
    status, hung = _wait(process)
    return Ended(status, said.read_text(encoding="utf-8", errors="replace"), hung)


def _be_the_command(arguments: tuple[str, ...], place: Path, operations: Operations, clock: float, said: Path) -> None:
    status = 70
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _shorten()
        if clock:
            true = time.time
            time.time = lambda: true() + clock
        sys.argv = ["ecgenough", *arguments]
        operations.begin()
        cli.main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _shorten() -> None:
    """Blocks for a small collection to have several, workers by fork and not a fresh interpreter each, short bootstraps."""
    building.BLOCK = 8
    engines.get_reusable_executor = _forking  # type: ignore[attr-defined]
    study.write_study_report = partial(write_study_report, resamples=20)  # type: ignore[attr-defined]


class _Forking(ProcessPoolExecutor):
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False, kill_workers: bool = False) -> None:
        if kill_workers:
            for process in list((self._processes or {}).values()):
                process.kill()
        super().shutdown(wait=wait, cancel_futures=cancel_futures)


def _forking(max_workers: int, initializer: Any, initargs: Any, **_: Any) -> ProcessPoolExecutor:
    return _Forking(max_workers, mp_context=get_context("fork"), initializer=initializer, initargs=initargs)


def _wait(process: int) -> tuple[int, bool]:
    """The exit status, and whether the run, or a process that it had started, did not end by itself."""
    end = time.monotonic() + LONGEST
    status = None
    while time.monotonic() < end:
        if status is None:
            ended, raw = os.waitpid(process, os.WNOHANG)
            status = os.waitstatus_to_exitcode(raw) if ended else None
        if status is not None and not _alive(process):
            return status, False
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    if status is None:
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return status, True


def _alive(group: int) -> bool:
    """Whether a process of the group runs; one that has ended and nobody has asked about does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            about = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(about[2]) == group and about[0] not in "ZX":
            return True
    return False


def flipped(path: Path, random: random.Random) -> None:
    """Turn one bit of a file over, where it is."""
    size = path.stat().st_size
    if not size:
        return
    place, bit = random.randrange(size), 1 << random.randrange(8)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ bit]))


@contextmanager
def disk(place: Path) -> Iterator[Callable[[str], None] | None]:
    """A small file system of its own at `place`; gives what changes its options.

    None, and a plain folder, where mounting is not allowed.
    """
    place.mkdir()

    def mount(options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "faults", str(place)]
        return subprocess.run(command, capture_output=True).returncode == 0

    mounted = mount(f"size={DISK}")
    try:
        yield (lambda options: _must(["mount", "-o", f"remount,{options}", str(place)])) if mounted else None
    finally:
        if mounted:
            _must(["umount", "-l", str(place)])


def _must(command: list[str]) -> None:
    subprocess.run(command, check=True)


def may_mount() -> bool:
    with TemporaryDirectory() as name, disk(Path(name) / "disk") as mount:
        return mount is not None
