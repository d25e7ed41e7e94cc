"""Reading a file under guard: what came of it, how long it took, and what it made the readers do elsewhere."""

import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import TableLayout, read

# Events of sys.addaudithook that reading a recording has no reason for, whatever their target.
_NEVER = (
    "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
    "pickle.find_class", "ctypes.dlopen", "urllib.Request", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link",
    "os.symlink", "os.truncate", "os.chmod", "shutil.rmtree",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """`kind`: read, refused (in one sentence that names the file), or crashed (anything else, with its reason)."""

    kind: str
    what: str
    seconds: float
    elsewhere: tuple[str, ...]


class Guard:
    """Watches what a process opens outside one folder. Packages must have been imported before."""

    def __init__(self, folder: Path) -> None:
        self.folder = os.fspath(folder.resolve())
        self.armed = False
        self.seen: list[str] = []
        sys.addaudithook(self._hook)

    def read(self, place: Path, layout: TableLayout | None = None) -> Outcome:
        """Read a recording and say what came of it."""
        self.seen.clear()
        start = time.perf_counter()
        self.armed = True
        try:
            ecg = read(place, layout)
            kind, what = "read", f"{ecg.signal.shape} at {ecg.rate:g} Hz"
        except (BrokenRecord, WrongRequest) as error:
            sound = place.stem in str(error) and "\n" not in str(error) and len(str(error)) < 600
            kind, what = ("refused" if sound else "crashed"), str(error)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            kind, what = "crashed", f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"
        finally:
            self.armed = False
        return Outcome(kind, what, time.perf_counter() - start, tuple(self.seen))

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event in _NEVER:
            self.seen.append(f"{event} {str(arguments)[:100]}")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path = os.fsdecode(arguments[0])
            if not os.path.realpath(path).startswith(self.folder) and not path.startswith(
                ("/proc", sys.prefix, sys.base_prefix)
            ):
                self.seen.append(f"open {path}")
