"""Which of the listed files are there: one look at each folder instead of one at each file."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Listing:
    """The names in the folders under `root`, each folder read once, when first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[str, frozenset[str]] = {}

    def has(self, path: str) -> bool:
        """Whether there is something at `path`, relative to the root, with / between folders."""
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            self._names[folder] = _names(self.root / folder)
        return name in self._names[folder]

    def missing(self, paths: Iterable[str]) -> str | None:
        """The first of `paths` that is not there."""
        return next((path for path in paths if not self.has(path)), None)


class Present(NamedTuple):
    """Which of some records are there, bool `[records]`, the paths of those, and the others with the reason."""

    kept: NDArray[np.bool_]
    paths: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]


def present_wfdb(root: Path, records: Sequence[str], headers: Sequence[str]) -> Present:
    """The records whose header, relative to `root`, and .dat are both there."""
    listing = Listing(root)
    missing = [listing.missing((header, f"{header.removesuffix('.hea')}.dat")) for header in headers]
    return Present(
        np.array([lost is None for lost in missing], dtype=np.bool_),
        tuple(header for header, lost in zip(headers, missing, strict=True) if lost is None),
        tuple((record, f"{lost} is not there.") for record, lost in zip(records, missing, strict=True) if lost),
    )


def _names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a zero byte
        return frozenset()
