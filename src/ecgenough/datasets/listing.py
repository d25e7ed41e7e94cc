"""Which of the listed files are there: one look at each folder instead of one at each file."""

import os
from collections.abc import Iterable
from pathlib import Path


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


def missing_wfdb(root: Path, headers: Iterable[str]) -> list[str | None]:
    """For each header relative to `root`: the first of it and its .dat that is not there, or None if both are."""
    listing = Listing(root)
    return [listing.missing((header, f"{header.removesuffix('.hea')}.dat")) for header in headers]


def _names(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a zero byte
        return frozenset()
