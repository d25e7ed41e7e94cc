"""What a study leaves on disk of each cell, and the table of all cells.

cells.csv                  a row a cell: what it is, whether it is done, what it took
cells/<cell>/cell.json     the same row with the classes and what was decided on the validation records
cells/<cell>/predictions.csv, recipe.yaml, log.csv; model/ where the study keeps models
cells/.<cell>.part/        a cell under way, or one that failed: failed.json and said.txt say why
.locks/<cell>              held by the process that is at work on it
"""

import json
import math
import shutil
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ecgenough.errors import EcgenoughError
from ecgenough.files import csv_text, sync, write_text
from ecgenough.signals.store import Store
from ecgenough.studies.plan import Cell

CELLS, SOURCES, LOCKS, TABLE = "cells", "sources", ".locks", "cells.csv"
CARD, PREDICTIONS, FAILURE, SAID = "cell.json", "predictions.csv", "failed.json", "said.txt"
DONE, FAILED, WAITING = "done", "failed", "waiting"
COLUMNS = (
    "cell", "kind", "arm", "target", "task", "network", "recipe", "mode", "source", "seed", "repeat", "fold", "size",
    "status", "reason", "seconds", "parameters", "operations", "train_records", "validation_records", "test_records",
)  # fmt: skip

Row = dict[str, Any]


def finished_folder(out: Path, cell: str) -> Path:
    """The folder of a finished cell, by fingerprint; it is there whole or not at all."""
    return out / CELLS / cell


def working_folder(out: Path, cell: str) -> Path:
    """The folder of a cell under way, or of one that failed, by fingerprint."""
    return out / CELLS / f".{cell}.part"


def lock_of(out: Path, work: str) -> Path:
    """The lock file of a cell or source, by fingerprint: whoever holds it is the only process to do it."""
    return out / LOCKS / work


def planned_row(cell: Cell) -> Row:
    """A cell's row before anything is known of it; all columns are there."""
    known = {
        "cell": cell.fingerprint, "kind": cell.kind, "arm": cell.arm, "target": cell.target, "task": cell.task,
        "network": cell.network, "recipe": cell.learner, "mode": cell.mode, "source": cell.source,
        "seed": cell.recipe.seed, "repeat": cell.split.repeat, "fold": cell.split.fold, "size": cell.split.size,
        "status": WAITING,
    }  # fmt: skip
    return {column: known.get(column) for column in COLUMNS}


def row_of(out: Path, cell: Cell) -> Row:
    """A cell's row as the disk has it now. Raises EcgenoughError for a finished cell whose card cannot be read."""
    card, failure = finished_folder(out, cell.fingerprint) / CARD, working_folder(out, cell.fingerprint) / FAILURE
    planned = planned_row(cell)
    try:
        done = json.loads(card.read_text(encoding="utf-8"))
    except FileNotFoundError:
        reason = failure_of(failure)
        return planned if reason is None else {**planned, "status": FAILED, "reason": reason["reason"]}
    except ValueError:
        raise EcgenoughError(f"{card} cannot be read; delete {card.parent} to do this cell again.") from None
    measured = ("status", "reason", "seconds", "parameters", "operations")
    counted = ("train_records", "validation_records", "test_records")
    return {**planned, **{column: done.get(column) for column in (*measured, *counted)}}


def write_table(out: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """cells.csv: what is not known is empty."""
    write_text(out / TABLE, csv_text(COLUMNS, ([row[column] for column in COLUMNS] for row in rows)))


def write_predictions(path: Path, store: Store, evaluated: Path) -> None:
    """An evaluation's predictions.csv, with sex and age instead of the fold, which is the cell's own."""
    table = pd.read_csv(evaluated, dtype={"record": str, "patient": str}, keep_default_na=False)
    place = {record: row for row, record in enumerate(store.records)}
    rows = [place[record] for record in table["record"]]
    about = pd.DataFrame(
        {
            "record": table["record"],
            "patient": table["patient"],
            "sex": [store.sexes[row] for row in rows],
            "age": ["" if math.isnan(age) else f"{age:g}" for age in store.ages[rows].tolist()],
        }
    )
    answers = table[[column for column in table.columns if column.startswith(("p_", "y_"))]]
    write_text(path, pd.concat([about, answers], axis=1).to_csv(index=False, float_format="%.9g"))


def finish_cell(out: Path, cell: Cell, kept: Iterable[Path], card: Mapping[str, Any]) -> None:
    """Gather a cell's files and folders aside, give them its final name at once, and clear the rest away.

    They are copied: a process killed half way finds everything again where the run left it.
    """
    folder = working_folder(out, cell.fingerprint)
    aside = folder / "finished"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for path in kept:
        copied = shutil.copytree if path.is_dir() else shutil.copyfile
        copied(path, aside / path.name)
    write_text(aside / CARD, json.dumps({**planned_row(cell), "status": DONE, **card}, indent=2) + "\n")
    for path in (*aside.rglob("*"), aside):
        sync(path)
    aside.replace(finished_folder(out, cell.fingerprint))
    sync(out / CELLS)
    shutil.rmtree(folder, ignore_errors=True)


def note_failure(path: Path, error: BaseException | str) -> str:
    """Write down why a cell or a source failed, and when; returns the reason in a sentence."""
    if isinstance(error, str | EcgenoughError):
        reason = str(error)
    else:
        reason = _reason(error)
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / SAID).open("a", encoding="utf-8") as said:
            traceback.print_exception(error, file=said)
    write_text(path, json.dumps({"reason": reason, "at": time.time()}) + "\n")
    return reason


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, MemoryError):
        return "memory ran out; try fewer --jobs."
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}."


def failure_of(path: Path) -> Row | None:
    """What `note_failure` wrote; None where nothing failed, or it was torn."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return {"reason": str(note["reason"]), "at": float(note["at"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None
