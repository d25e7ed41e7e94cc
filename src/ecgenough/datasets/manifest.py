"""Your own data: one CSV or Parquet table with a row a record."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.labels import read_tasks
from ecgenough.datasets.listing import Listing
from ecgenough.datasets.people import ages, sexes
from ecgenough.datasets.sheet import Sheet, read_sheet
from ecgenough.datasets.sidecar import read_sidecar
from ecgenough.datasets.splits import make_split
from ecgenough.datasets.table import Dataset, torn_patients
from ecgenough.errors import WrongRequest, few
from ecgenough.formats.table import TableLayout
from ecgenough.progress import say
from ecgenough.sentences import counted

# What a column is for, and the names it may have, in any case; the first that is there counts.
ROLES = {
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "record"),
    "record": ("record", "record_id", "ecg_id"),
    "patient": ("patient", "patient_id", "patientid", "subject", "subject_id"),
    "fold": ("fold", "folds", "strat_fold", "split"),
    "age": ("age",),
    "sex": ("sex", "gender"),
}


def open_manifest(
    path: Path,
    root: Path | None = None,
    labels: Sequence[str] | None = None,
    seed: int = 0,
    layout: TableLayout | None = None,
    to_train_on: bool = True,
) -> Dataset:
    """List the records of a manifest.

    Columns, by name in any case: path (or file, filename, record), relative to `root`, which is the manifest's own
    folder unless given; optionally record, patient, fold, age and sex; all others may be `labels` (see
    `labels.read_tasks`; without any the data set has no task). `splits.make_split` says how folds are read or dealt.
    A row without a patient is a patient of its own. A WFDB record may be named with or without .hea. Files that are not
    there are left out by name. `layout` says how signals lie in plain tables; it and more may stand in a YAML file
    beside the manifest (`sidecar`). Without `to_train_on` a patient may be in several folds, and what cannot be trained
    on is listed all the same: too few patients, folds or classes.

    Raises WrongRequest naming the row and column for whatever cannot be read, and for a path outside the root.
    """
    sheet, sidecar = read_sheet(path), read_sidecar(path)
    root = path.parent if root is None else root
    if not root.is_dir():
        raise WrongRequest(f"{root} is not a folder. Give the one that holds the files of {path.name} with --from.")
    roles = _roles(sheet)
    paths, rejected = _paths(sheet, roles, root)
    kept = np.array([found is not None for found in paths])
    sheet = sheet.where(kept)
    records = tuple(sheet.column(roles.get("record", roles["path"])))
    patients = _patients(sheet, roles.get("patient"), records)
    wanted = sidecar.labels if labels is None else labels
    tasks = read_tasks(sheet, _others(sheet, roles), wanted, sidecar.positive, sidecar.task, to_train_on)
    labels_of_all = tasks[0].labels if tasks else np.zeros((len(sheet), 0), dtype=np.float32)
    known_ages, known_sexes = _ages(sheet, roles.get("age")), _sexes(sheet, roles.get("sex"))
    split = make_split(sheet, roles.get("fold"), patients, labels_of_all, seed, to_train_on)
    stated = sidecar.layout.table_layout() if sidecar.layout else None
    return Dataset(
        name=path.stem,
        root=root,
        records=records,
        paths=tuple(found for found in paths if found is not None),
        patients=patients,
        folds=split.folds,
        ages=known_ages,
        sexes=known_sexes,
        tasks={task.name: task for task in tasks},
        train_folds=split.train,
        validation_folds=split.validation,
        test_folds=split.test,
        default_task=tasks[0].name if tasks else "",
        rejected=rejected,
        layout=stated if layout is None else layout,
        torn=() if to_train_on else tuple(torn_patients(patients, split.folds.tolist())),
    )


def _roles(sheet: Sheet) -> dict[str, str]:
    """Which column plays which role; raises WrongRequest if none says where the files are."""
    spelled = {name.lower().replace(" ", "_").replace("-", "_"): name for name in sheet.columns}
    roles: dict[str, str] = {}
    for role, names in ROLES.items():
        for name in names:
            if name in spelled and spelled[name] not in roles.values():
                roles[role] = spelled[name]
                break
    if "path" not in roles:
        raise WrongRequest(
            f"{sheet.path.name} has no column that says where the files are. Name it path, file, filename or record; "
            f"its columns: {few(list(sheet.columns))}."
        )
    return roles


def _others(sheet: Sheet, roles: dict[str, str]) -> list[str]:
    """Columns that may be labels; one without a name is the index a data frame was saved with."""
    return [name for name in sheet.columns if name and name not in roles.values() and name != "Unnamed: 0"]


def _paths(sheet: Sheet, roles: dict[str, str], root: Path) -> tuple[list[str | None], tuple[tuple[str, str], ...]]:
    """Each row's file relative to the root, or None if it is not there; and those left out with the reason."""
    listing = Listing(root)
    names = sheet.column(roles.get("record", roles["path"]))
    paths: list[str | None] = []
    rejected, rows = [], dict[str, int]()
    for row, text in enumerate(sheet.column(roles["path"])):
        path = _inside(sheet, roles["path"], row, root)
        if (first := rows.setdefault(path, row)) != row:
            raise sheet.complaint(roles["path"], row, f'"{text}" is listed twice, first in row {sheet.lines[first]}')
        found = next((name for name in (path, f"{path}.hea") if listing.has(name)), None)
        paths.append(found)
        if found is None:
            rejected.append((names[row], f"{text} is not there."))
    if len(rejected) == len(sheet):
        raise WrongRequest(
            f"{sheet.path.name} lists {counted(len(sheet), 'file')}, none of them in {root}; the first is "
            f"{sheet.columns[roles['path']][0]}. Give the folder that the paths start from with --from."
        )
    return paths, tuple(rejected)


def _inside(sheet: Sheet, column: str, row: int, root: Path) -> str:
    """The path relative to the root. Links are followed only when reading: what counts is how the path is written."""
    text = sheet.columns[column][row].replace("\\", "/")
    if not text:
        raise sheet.complaint(column, row, "the path is empty")
    relative = os.path.relpath(text, os.path.abspath(root)) if os.path.isabs(text) else os.path.normpath(text)
    path = relative.replace(os.sep, "/")
    if path == ".." or path.startswith("../"):
        raise sheet.complaint(column, row, f'"{text}" lies outside {root}, the folder that paths start from')
    return path


def _patients(sheet: Sheet, column: str | None, records: Sequence[str]) -> tuple[str, ...]:
    if column is None:
        say(f"{sheet.path.name}: there is no column patient, so each record is taken for a patient of its own.")
        return tuple(records)
    named = zip(sheet.column(column), records, strict=True)
    return tuple(patient.removesuffix(".0") if patient else f"record {record}" for patient, record in named)


def _ages(sheet: Sheet, column: str | None) -> NDArray[np.float32]:
    return np.full(len(sheet), np.nan, dtype=np.float32) if column is None else ages(sheet, column)


def _sexes(sheet: Sheet, column: str | None) -> tuple[str, ...]:
    if column is not None and set(sheet.column(column)) <= {"0", "1", "0.0", "1.0", ""}:
        say(f'{sheet.path.name}: column "{column}" has codes, which may mean either; sexes stay unknown.')
        column = None
    return ("",) * len(sheet) if column is None else sexes(sheet, column)
