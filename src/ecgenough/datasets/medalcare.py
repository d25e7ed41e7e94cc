"""MedalCare-XL (Gillette et al. 2023, doi:10.1038/s41597-023-02416-4): 16,842 simulated ECGs in eight classes.

The release (doi:10.5281/zenodo.8068944) has no table: class, split and heart model are folders,

    WP2_largeDataset_Noise/CLASS/[INFARCTION/]SPLIT/run_MODEL/NUMBER_VARIANT.csv

with INFARCTION only below mi (LAD_0.3, LCX_1.0_ant, ...), SPLIT one of train, validation and test, and three variants
of each ECG: raw, noise (noise added) and filtered (noise, then a Butterworth band-pass of 0.5-150 Hz, as a recorder
shows it). Files are 12 lines, one a lead in standard order, of 5,000 voltages in mV at 500 Hz, without a header.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ecgenough.datasets.table import Dataset, Task
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest
from ecgenough.formats.table import TableLayout
from ecgenough.progress import say

TITLES = {
    "avblock": "first-degree atrioventricular block",
    "fam": "fibrotic atrial cardiomyopathy",
    "iab": "interatrial conduction block",
    "lae": "left atrial enlargement",
    "lbbb": "left bundle branch block",
    "mi": "myocardial infarction",
    "rbbb": "right bundle branch block",
    "sinus": "normal sinus rhythm",
}
CLASSES = tuple(TITLES)
FOLDS = {"train": 1, "validation": 2, "test": 3}
SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
VARIANTS = ("raw", "noise", "filtered")
LAYOUT = TableLayout(rate=500.0, unit="mV", leads=STANDARD_LEADS, orientation="leads-by-samples", delimiter=",")


@dataclass(frozen=True)
class _Entry:
    record: str
    label: str
    split: str
    model: str


def open_medalcare(root: Path, variant: Literal["raw", "noise", "filtered"] = "filtered") -> Dataset:
    """List one variant of every ECG below `root`, which may be the release's folder or any folder around it.

    Folds are the publisher's: 1 train, 2 validation, 3 test. The patient is the heart model, of which there are about a
    dozen. The publisher kept a model to one split within a class, but not across classes (S64 tests some and trains
    others); such a model becomes one patient a split, "S64 (test)" and "S64 (train)", and a line says so.
    Files outside a split folder, such as the illustrations in mi/examples, are no records.
    Raises WrongRequest if there are none.
    """
    variants = _variants(root)
    rejected = [
        (entry.record, f"its {variant} variant is not there.") for entry in variants if variant not in variants[entry]
    ]
    entries = [entry for entry in variants if variant in variants[entry]]
    if not entries:
        raise WrongRequest(
            f"{root} holds no {variant} ECGs of MedalCare-XL, such as sinus/train/run_S62/000001_{variant}.csv. Give "
            f"the folder that holds them with --from, or fetch it: ecgenough fetch medalcare-xl {root}"
        )
    labels = np.array([[entry.label == name for name in CLASSES] for entry in entries], dtype=np.float32)
    task = Task("all", CLASSES, labels, np.ones(len(entries), dtype=np.bool_), titles=tuple(TITLES.values()))
    return Dataset(
        name="medalcare-xl",
        root=root,
        records=tuple(entry.record for entry in entries),
        paths=tuple(f"{entry.record}_{variant}.csv" for entry in entries),
        patients=_patients(entries),
        folds=np.array([FOLDS[entry.split] for entry in entries], dtype=np.int64),
        ages=np.full(len(entries), np.nan, dtype=np.float32),
        sexes=("",) * len(entries),
        tasks={"all": task},
        train_folds=(FOLDS["train"],),
        validation_folds=(FOLDS["validation"],),
        test_folds=(FOLDS["test"],),
        default_task="all",
        rejected=tuple(rejected),
        layout=LAYOUT,
    )


def _variants(root: Path) -> dict[_Entry, set[str]]:
    """Every simulated ECG below `root` with the variants that are there, in the order of their paths."""
    variants: dict[_Entry, set[str]] = defaultdict(set)
    for path in sorted(_tables(root)):
        stem, _, variant = path.removesuffix(".csv").rpartition("_")
        entry = _entry(stem)
        if entry is not None and variant in VARIANTS:
            variants[entry].add(variant)
    return variants


def _tables(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        below = Path(folder).relative_to(root)
        yield from ((below / name).as_posix() for name in names if name.endswith(".csv") and not name.startswith("."))


def _entry(stem: str) -> _Entry | None:
    """What the folders of an ECG say, or None if they are not CLASS/.../SPLIT/run_MODEL."""
    *folders, split, run, _ = ["", "", "", *stem.split("/")]
    label = next((folder for folder in reversed(folders) if folder in TITLES), None)
    if label is None or split not in SPLITS or not run.startswith("run_"):
        return None
    return _Entry(stem, label, SPLITS[split], run.removeprefix("run_"))


def _patients(entries: list[_Entry]) -> tuple[str, ...]:
    sides = Counter(model for model, _ in {(entry.model, entry.split) for entry in entries})
    shared = sorted(model for model, count in sides.items() if count > 1)
    if shared:
        say(
            f"medalcare-xl: the publisher's split has heart model {', '.join(shared)} on more than one side, under "
            "different classes; figures on its test set are not those of unseen hearts alone."
        )
    return tuple(f"{entry.model} ({entry.split})" if entry.model in shared else entry.model for entry in entries)
