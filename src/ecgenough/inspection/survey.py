"""Every recording of a collection looked at, on all cores."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError
from ecgenough.formats.table import TableLayout
from ecgenough.inspection.record import Look, look
from ecgenough.progress import track
from ecgenough.signals.processes import worked

BLOCK = 64  # records handed to a process at once


@dataclass(frozen=True)
class Request:
    """Records to look at: their paths below `root`."""

    root: Path
    paths: tuple[str, ...]
    layout: TableLayout | None = None


def survey(dataset: Dataset, workers: int | None = None) -> list[Look | str]:
    """For each listed record what was found, or in a sentence why it cannot be read.

    `workers` is the number of processes, by default one a core. Raises EcgenoughError where one of them dies.
    """
    paths = dataset.paths
    starts = range(0, len(paths), BLOCK)
    requests = [Request(dataset.root, paths[start : start + BLOCK], dataset.layout) for start in starts]
    blocks = worked(looks, requests, workers or os.cpu_count() or 1, "looked at records")
    found: list[Look | str] = []
    for _ in track(_gathered(blocks, found), f"inspecting {dataset.name}", total=len(paths), unit="records"):
        pass
    return found


def _gathered(blocks: Iterable[list[Look | str]], found: list[Look | str]) -> Iterator[int]:
    """Add the blocks to `found`; yields how many records each has."""
    for block in blocks:
        found.extend(block)
        yield len(block)


def looks(request: Request) -> list[Look | str]:
    """What one process finds in its records."""
    return [_look(request, path) for path in request.paths]


def _look(request: Request, path: str) -> Look | str:
    try:
        return look(request.root / path, request.layout)
    except EcgenoughError as error:
        return str(error)
    except OSError as error:
        return f"{path}: {error.strerror or error}."
