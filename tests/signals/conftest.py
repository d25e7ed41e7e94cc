"""Small collections on disk, written byte by byte so that the tests of this room need no other room's writer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgenough.datasets.table import Dataset, Task

Collection = Callable[..., Dataset]


def write_record(folder: Path, name: str, counts: np.ndarray, rate: float = 100.0) -> None:
    """A WFDB record of leads I and II: counts [samples, 2] of 1 µV, int16 little-endian."""
    folder.mkdir(parents=True, exist_ok=True)
    counts.astype("<i2").tofile(folder / f"{name}.dat")
    lines = [f"{name} 2 {rate:g} {len(counts)}"]
    for lead, title in zip(counts.astype(np.int64).T, ("I", "II"), strict=True):
        checksum = (int(lead.sum()) + 2**15) % 2**16 - 2**15
        lines.append(f"{name}.dat 16 1000/mV 16 0 {lead[0]} {checksum} 0 {title}")
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Makes a collection of `records` records, 1.2 to 2.4 s long, in two folders; some flat, some absent."""

    def make(records: int, flat: tuple[int, ...] = (), absent: tuple[int, ...] = (), name: str = "tiny") -> Dataset:
        rng, root = np.random.default_rng(7), tmp_path / "data"
        paths = [f"{place % 2}/r{place:04}" for place in range(records)]
        for place, path in enumerate(paths):
            counts = rng.integers(-2000, 2000, (120 + 10 * (place % 13), 2))
            if place in flat:
                counts[:] = 5
            if place not in absent:
                write_record(root / path[0], path[2:], counts)
        labels = rng.integers(0, 2, (records, 3)).astype(np.float32)
        listed = rng.random(records) < 0.9
        likelihoods = labels * np.float32(0.35)
        kinds = Task("kinds", ("a", "b", "c"), labels, listed, likelihoods, ("Aa", "Bb", "Cc"))
        binary = Task("binary", ("a",), labels[:, :1], np.ones(records, bool))
        return Dataset(
            name=name,
            root=root,
            records=tuple(f"id-{place}" for place in range(records)),
            paths=tuple(paths),
            patients=tuple(f"patient {place // 2}" for place in range(records)),
            folds=np.arange(records) // 2 % 5 + 1,
            ages=np.where(np.arange(records) % 3 == 0, np.nan, 50.0).astype(np.float32),
            sexes=tuple(("female", "male", "")[place % 3] for place in range(records)),
            tasks={"kinds": kinds, "binary": binary},
            train_folds=(1, 2, 3),
            validation_folds=(4,),
            test_folds=(5,),
            default_task="kinds",
            rejected=(("id-lost", "listed without a file."),),
        )

    return make
