"""CPSC-2018 (Liu et al. 2018, doi:10.1166/jmihi.2018.2442): 6,877 ECGs of 6 to 60 s at 500 Hz in nine classes.

Two layouts are read: that of the PhysioNet/CinC Challenges 2020 and 2021, headers A0001.hea and on with the diagnosis
in a comment as text or SNOMED CT code; and the original one, REFERENCE.csv with classes 1 to 9 beside A0001.mat and on.
No patients are published, so each record is a patient of its own.
"""

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.folds import make_folds
from ecgenough.datasets.listing import Listing
from ecgenough.datasets.sheet import Sheet, read_sheet
from ecgenough.datasets.statements import CPSC_2018, written_diagnoses
from ecgenough.datasets.table import Dataset, Task
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats.wfdb import read_header

CLASSES = tuple(CPSC_2018)
FOLDS = 10
REFERENCE = "REFERENCE.csv"
REFERENCE_LABELS = ("First_label", "Second_label", "Third_label")

_RECORD = re.compile(r"A\d{4,}")


@dataclass(frozen=True)
class _Entry:
    record: str
    path: str
    classes: frozenset[str]
    age: float = math.nan
    sex: str = ""


def open_cpsc2018(root: Path, seed: int = 0) -> Dataset:
    """List the records A0001 and on anywhere below `root`; files of other names are not of this collection.

    A record of none of the nine classes is kept but not listed in the task. Ten folds are dealt by record, stratified
    over the classes and drawn from `seed`: 1-8 to train, 9 to validate, 10 to test. Headers are read, signals are not.
    Raises WrongRequest if there is neither a header nor REFERENCE.csv.
    """
    found = _files(root)
    headers = [path for path in found if path.endswith(".hea") and _RECORD.fullmatch(_stem(path))]
    references = [path for path in found if PurePosixPath(path).name == REFERENCE]
    if not headers and not references:
        raise WrongRequest(
            f"{root} holds no CPSC-2018: neither headers such as A0001.hea nor {REFERENCE}. Give the folder that holds "
            f"them with --from, or fetch it: ecgenough fetch cpsc-2018 {root}"
        )
    entries, rejected = _from_headers(root, headers) if headers else _from_reference(root / references[0], found)
    labels = np.array([[name in entry.classes for name in CLASSES] for entry in entries], dtype=np.float32)
    return Dataset(
        name="cpsc-2018",
        root=root,
        records=tuple(entry.record for entry in entries),
        paths=tuple(entry.path for entry in entries),
        patients=tuple(entry.record for entry in entries),
        folds=_folds(entries, labels, seed),
        ages=np.array([entry.age for entry in entries], dtype=np.float32),
        sexes=tuple(entry.sex for entry in entries),
        tasks={"all": _task(labels)} if entries else {},
        train_folds=tuple(range(1, FOLDS - 1)),
        validation_folds=(FOLDS - 1,),
        test_folds=(FOLDS,),
        default_task="all",
        rejected=tuple(rejected),
    )


def _files(root: Path) -> list[str]:
    """Every file below `root`, relative to it, in the order of its path."""
    found = []
    for folder, _, names in os.walk(root):
        below = Path(folder).relative_to(root)
        found += [(below / name).as_posix() for name in names]
    return sorted(found)


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _from_headers(root: Path, headers: Iterable[str]) -> tuple[list[_Entry], list[tuple[str, str]]]:
    entries, rejected, listing = [], [], Listing(root)
    for path in headers:
        try:
            header = read_header(root / path)
        except BrokenRecord as broken:
            rejected.append((_stem(path), str(broken)))
            continue
        folder = PurePosixPath(path).parent
        if lost := listing.missing((folder / name).as_posix() for name in header.files):
            rejected.append((_stem(path), f"{lost} is not there."))
            continue
        written = written_diagnoses(header.comments)
        classes = frozenset(name for name, diagnosis in CPSC_2018.items() if diagnosis.is_among(written))
        age = math.nan if header.age is None else header.age
        entries.append(_Entry(_stem(path), path, classes, age, header.sex or ""))
    return entries, rejected


def _from_reference(reference: Path, found: Iterable[str]) -> tuple[list[_Entry], list[tuple[str, str]]]:
    sheet = read_sheet(reference)
    signals = {_stem(path): path for path in found if path.endswith(".mat")}
    entries, rejected = [], []
    for row, record in enumerate(sheet.column("Recording")):
        if record not in signals:
            rejected.append((record, f"{record}.mat is not there."))
            continue
        classes = frozenset(name for column in REFERENCE_LABELS for name in _classes(sheet, column, row))
        entries.append(_Entry(record, signals[record], classes))
    return entries, rejected


def _classes(sheet: Sheet, column: str, row: int) -> list[str]:
    """No class or one, from a number 1 to 9."""
    text = sheet.column(column)[row].removesuffix(".0")
    if not text:
        return []
    if text not in {str(number + 1) for number in range(len(CLASSES))}:
        raise sheet.complaint(column, row, f'"{text}" is not a class from 1 to {len(CLASSES)}')
    return [CLASSES[int(text) - 1]]


def _folds(entries: list[_Entry], labels: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    if not entries:
        return np.zeros(0, dtype=np.int64)
    return make_folds([entry.record for entry in entries], labels, FOLDS, seed)


def _task(labels: NDArray[np.float32]) -> Task:
    titles = tuple(diagnosis.title for diagnosis in CPSC_2018.values())
    return Task("all", CLASSES, labels, np.any(labels > 0, axis=1), titles=titles)
