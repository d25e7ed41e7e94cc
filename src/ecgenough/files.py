"""Writing so that nothing is ever half there: aside first, then renamed."""

import csv
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` on success, remove it on any error.

    An OSError of the writing names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
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


def remove_litter(folder: Path) -> None:
    """Remove what killed processes left aside in `folder` and the folders in it; a living process keeps its own."""
    for stray in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
        process = stray.suffixes[-2].removeprefix(".") if len(stray.suffixes) > 1 else ""
        if process.isdecimal() and not _alive(int(process)):
            stray.unlink(missing_ok=True)


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
