"""What tells one store from another: how it is conditioned, and the state of every file that it is made of."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ecgenough.datasets.table import Dataset
from ecgenough.recipe import Signal, fingerprint
from ecgenough.signals.store import FORMAT


def store_fingerprint(dataset: Dataset, signal: Signal) -> str:
    """Sixteen hex digits over all that decides the signals: format, conditioning, layout, and each record's files.

    A file is known by its size and time of change; a record's files share its name up to the last dot.
    """
    files = hashlib.blake2b(digest_size=16)
    for path, state in zip(dataset.paths, _states(dataset), strict=True):
        files.update(f"{path}\0{state}\n".encode(errors="surrogateescape"))
    return fingerprint(
        {
            "format": FORMAT,
            "signal": signal.model_dump(mode="json"),
            "layout": asdict(dataset.layout) if dataset.layout else None,
            "files": files.hexdigest(),
        }
    )


def _states(dataset: Dataset) -> Iterator[str]:
    """For each record the name, size and time of change of its files; nothing for a file that is not there."""
    places = [os.path.split(path) for path in dataset.paths]
    wanted: dict[str, set[str]] = defaultdict(set)
    for folder, name in places:
        wanted[folder].update((name, _stem(name)))
    found = {folder: _files(dataset.root / folder, names) for folder, names in wanted.items()}
    for folder, name in places:
        states = {state for key in (name, _stem(name)) for state in found[folder].get(key, ())}
        yield " ".join(sorted(states))


def _files(folder: Path, stems: set[str]) -> dict[str, list[str]]:
    """Name, size and time of change of the files in `folder` whose name up to the last dot is one of `stems`."""
    states: dict[str, list[str]] = defaultdict(list)
    if not folder.is_dir():
        return states
    with os.scandir(folder) as entries:
        for entry in entries:
            stem = entry.name.rpartition(".")[0] or entry.name  # as _stem, ten thousands of times
            if stem in stems and entry.is_file():  # a link that leads nowhere is none
                about = entry.stat()
                states[stem].append(f"{entry.name}:{about.st_size}:{about.st_mtime_ns}")
    return states


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name
