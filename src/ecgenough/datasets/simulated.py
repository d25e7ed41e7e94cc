"""Simulated collections, as `ecgenough simulate` writes them: superclasses in PTB-XL's layout, or embolism."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecgenough.datasets.listing import present_wfdb
from ecgenough.datasets.people import ages, sexes
from ecgenough.datasets.ptbxl import TEST_FOLDS, TRAIN_FOLDS, VALIDATION_FOLDS, open_ptbxl
from ecgenough.datasets.sheet import Sheet, read_sheet
from ecgenough.datasets.table import Dataset, Task
from ecgenough.errors import WrongRequest, nearest

ABOUT = "simulated.json"
LABELS = "labels.csv"
KINDS = ("superclasses", "embolism")


def open_simulated(root: Path, rate: float | None = None, seed: int = 0) -> Dataset:
    """List a simulated collection; simulated.json says of which kind it is.

    Raises WrongRequest if that file is absent or says nothing known.
    """
    about = _about(root)
    superclasses = about["kind"] == "superclasses"
    dataset = open_ptbxl(root, rate, seed, name="simulated") if superclasses else _open_embolism(root)
    # Patient 12 of another simulation is somebody else, though all simulated collections have one name.
    cohort = "-".join(str(about.get(part, 0)) for part in ("kind", "records", "seed"))
    return replace(dataset, patients=tuple(f"{cohort}-{patient}" for patient in dataset.patients))


def is_simulated(root: Path) -> bool:
    """Whether `root` is a folder that `ecgenough simulate` wrote."""
    return (root / ABOUT).is_file()


def _about(root: Path) -> dict[str, Any]:
    """What simulated.json says, of a known kind."""
    if not is_simulated(root):
        raise WrongRequest(
            f"{ABOUT} is not in {root}. Give a folder of simulated ECGs with --from, or make one: "
            f"ecgenough simulate {root} --records 1000 --kind superclasses --seed 0"
        )
    try:
        about = dict(json.loads((root / ABOUT).read_text(encoding="utf-8")))
        kind = str(about["kind"])
    except (ValueError, TypeError, KeyError):
        raise WrongRequest(f'{root / ABOUT} is not what simulate writes: it must be JSON with a "kind".') from None
    if kind not in KINDS:
        raise WrongRequest(f'{root / ABOUT} has kind "{kind}". {nearest(kind, KINDS)}')
    return about


def _open_embolism(root: Path) -> Dataset:
    sheet = read_sheet(root / LABELS)
    paths = [path if path.endswith(".hea") else f"{path}.hea" for path in sheet.column("path")]
    present = present_wfdb(root, sheet.column("record"), paths)
    sheet = sheet.where(present.kept)
    return Dataset(
        name="simulated",
        root=root,
        records=tuple(sheet.column("record")),
        paths=present.paths,
        patients=tuple(sheet.column("patient")),
        folds=sheet.whole_numbers("fold"),
        ages=ages(sheet, "age"),
        sexes=sexes(sheet, "sex"),
        tasks={"embolism": _task(sheet)},
        train_folds=TRAIN_FOLDS,
        validation_folds=VALIDATION_FOLDS,
        test_folds=TEST_FOLDS,
        default_task="embolism",
        rejected=present.rejected,
    )


def _task(sheet: Sheet) -> Task:
    labels = sheet.whole_numbers("embolism").astype(np.float32)
    listed = np.ones(len(sheet), dtype=np.bool_)
    return Task("embolism", ("embolism",), labels[:, None], listed, titles=("acute pulmonary embolism (simulated)",))
