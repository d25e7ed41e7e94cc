"""Writing so that nothing is ever half there: aside first, then renamed."""

import csv
import io
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LITTER_AFTER = 24 * 3600  # seconds without a change; nothing is written aside for that long
_ASIDE = re.compile(r"\..+\.(?P<process>\d+)(@(?P<host>.+))?\.part")  # without the host: versions of before 2026-11-28


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on any error.

    An OSError of the writing names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        if error.filename in (None, str(aside), aside):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # as where nothing can be written: what has been raised says so
            aside.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """This process's temporary path beside `path`, which no other one takes: not of this host, nor of another."""
    return path.with_name(f".{path.name}.{os.getpid()}@{socket.gethostname()}.part")


def remove_litter(folder: Path) -> None:
    """Remove what killed processes left aside in `folder` and the folders in it.

    A process of this host that lives keeps its own. Of another host, which may share the folder, no process can be seen:
    its files go when they have not changed for a day.
    """
    for stray in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
        with suppress(FileNotFoundError):  # renamed by its process, or removed by another one, just now
            if (name := _ASIDE.fullmatch(stray.name)) and _is_litter(stray, int(name["process"]), name["host"]):
                stray.unlink()


def _is_litter(stray: Path, process: int, host: str | None) -> bool:
    if host == socket.gethostname():
        return not _alive(process)
    return time.time() - stray.stat().st_mtime > LITTER_AFTER


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # somebody else's, or no process number at all
        pass
    return True


def sync(path: Path) -> None:
    """Bring a file's content, or a folder's list of files, to the disk, so that what is renamed after it is whole."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_text(path: Path, text: str) -> None:
    """Replace the file at `path` by `text`, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV: a line of heads, then a line a row; None is empty."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    return text.getvalue()
