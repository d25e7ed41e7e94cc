"""Using a file under guard: what came of it, how long it took, and what it made the process do elsewhere."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import ecgenough
from ecgenough.errors import EcgenoughError
from ecgenough.formats import TableLayout, read

# Events of sys.addaudithook that using a stranger's file has no reason for, whatever their target.
_NEVER = (
    "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
    "ctypes.dlopen", "urllib.Request",
)  # fmt: skip
# Those that only what may write is allowed to cause, inside the folder: the service, which also takes what its own
# reading processes send.
_WRITING = (
    "pickle.find_class", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "shutil.rmtree",
)  # fmt: skip
_SENT = ("Ecg", "BrokenRecord", "WrongRequest", "_reconstruct", "ndarray", "dtype", "_frombuffer", "datetime")
_PACKAGE = os.path.dirname(ecgenough.__file__)  # the files that ship with it


class TooSlow(BaseException):
    """Raised inside whatever is still at work when a guard's patience ends; nothing that catches errors stops it."""


@dataclass(frozen=True)
class Outcome:
    """`kind`: read, refused (in one sentence that names the file), or crashed (anything else, with its reason)."""

    kind: str
    what: str
    seconds: float
    elsewhere: tuple[str, ...]


class Guard:
    """Watches what a process opens outside one folder, and how long it takes. Packages must have been imported before.

    What takes longer than `patience` seconds is given up, where Python gets a word in; 0 waits for ever.
    """

    def __init__(self, folder: Path, patience: float = 0.0) -> None:
        self.folder = os.fspath(folder.resolve())
        self.patience = patience
        self.armed = self.writing = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)
        if patience:
            signal.signal(signal.SIGALRM, _stop)

    def read(self, place: Path, layout: TableLayout | None = None) -> Outcome:
        """Read a recording and say what came of it."""

        def use() -> str:
            ecg = read(place, layout)
            return f"{ecg.signal.shape} at {ecg.rate:g} Hz"

        return self.watch(use, (place.stem,))

    def watch(self, use: Callable[[], str], names: Sequence[str], writing: bool = False) -> Outcome:
        """Call `use` and say what came of it; a refusal must hold one of `names`, and `writing` allows files inside."""
        self.seen.clear()
        start = time.perf_counter()
        self.armed, self.writing = True, writing
        if self.patience:
            signal.setitimer(signal.ITIMER_REAL, self.patience)
        try:
            kind, what = "read", use()
        except EcgenoughError as error:
            said = str(error)
            sound = any(name in said for name in names) and "\n" not in said and len(said) <= 800
            kind, what = ("refused" if sound else "crashed"), said
        except (Exception, TooSlow) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind, what = "crashed", f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"
        finally:
            if self.patience:
                signal.setitimer(signal.ITIMER_REAL, 0)
            self.armed = False
        return Outcome(kind, what, time.perf_counter() - start, tuple(self.seen))

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event in _NEVER:
            self.seen.append(f"{event} {str(arguments)[:100]}")
        elif event in _WRITING:
            if not self.writing or not self._allowed(event, arguments):
                self.seen.append(f"{event} {str(arguments)[:100]}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path = os.fsdecode(arguments[0])
            if not self._inside(path) and not path.startswith((_PACKAGE, "/proc", "/dev", sys.prefix, sys.base_prefix)):
                self.seen.append(f"open {path}")

    def _allowed(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "pickle.find_class":
            return str(arguments[0]).startswith(("ecgenough.", "numpy", "datetime")) and arguments[1] in _SENT
        # rmtree gives a name in a folder that is open
        opened = isinstance(arguments[-1], int) and arguments[-1] >= 0
        return os.sep not in os.fsdecode(arguments[0]) if opened else self._inside(arguments[0])

    def _inside(self, path: str | bytes | os.PathLike[str]) -> bool:
        return os.path.realpath(os.fsdecode(path)).startswith(self.folder)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise TooSlow("its time was up")
