"""Reading a study's folder: every cell with what became of it, and the test answers of those that are done."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from ecgenough.errors import EcgenoughError, WrongRequest, doubled
from ecgenough.studies.handful import Sides

STUDY, CELLS = "study.yaml", "cells.csv"
TEXTS = ("cell", "kind", "arm", "target", "task", "network", "recipe", "mode", "source", "status", "reason")
NUMBERS = (
    "seed", "repeat", "fold", "size", "seconds", "parameters", "operations",
    "train_records", "validation_records", "test_records",
)  # fmt: skip
AGAIN = "Run the study again; what is done is kept."


@dataclass(frozen=True)
class Cell:
    """A row of cells.csv: one training, or one fit of a baseline. `size` None means all training records.

    What a cell that is not done cannot know is None, and its classes are empty.
    """

    cell: str
    kind: Literal["network", "baseline"]
    arm: str
    target: str
    task: str
    network: str
    recipe: str
    mode: str
    source: str
    seed: int
    repeat: int
    fold: int
    size: int | None
    status: Literal["done", "failed", "waiting"]
    reason: str
    seconds: float | None
    parameters: float | None
    operations: float | None
    train_records: float | None
    validation_records: float | None
    test_records: float | None
    classes: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    trained_parameters: int | None = None
    validation_sides: tuple[Sides, ...] = ()  # of each class; none where the cell is of before they were kept


@dataclass(frozen=True, eq=False)
class Answers:
    """predictions.csv of one cell: probabilities and labels `[records, classes]`, and who the records are of.

    `sex` is female, male or nothing; `age` in years, NaN where it is not known. A record of nobody known is its own patient.
    """

    records: NDArray[np.str_]
    patients: NDArray[np.str_]
    sex: NDArray[np.str_]
    age: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.bool_]

    def taken(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Answers":
        """The answers of these rows, by their numbers in this order or by a mask."""
        return Answers(*(part[rows] for part in vars(self).values()))


@dataclass(frozen=True, eq=False)
class Results:
    """A study's folder: what was asked, as plain values, and the cells in the order of their file."""

    folder: Path
    study: Mapping[str, Any]
    cells: tuple[Cell, ...]

    def answers(self, cell: Cell) -> Answers:
        """The test answers of a cell that is done. Raises EcgenoughError for a file that is absent or broken."""
        return _read_answers(self.folder / "cells" / cell.cell / "predictions.csv", cell)

    @property
    def title(self) -> str:
        """What the study calls itself; its folder's name where it does not."""
        named = next(
            (self.study[key] for key in ("title", "name", "question") if self.study.get(key)), self.folder.name
        )
        return str(named)


def read_results(folder: Path) -> Results:
    """Read the folder that `study` wrote, finished or not.

    Raises WrongRequest where it is none, EcgenoughError naming the file where one is damaged.
    """
    for name in (STUDY, CELLS):
        if not (folder / name).is_file():
            raise WrongRequest(f"{folder} is not a study: {name} is missing. Give the --out of study.")
    try:
        study = yaml.safe_load((folder / STUDY).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise EcgenoughError(f"{folder / STUDY} is not YAML: {' '.join(str(error).split())}. {AGAIN}") from None
    if not isinstance(study, dict):
        raise EcgenoughError(f"{folder / STUDY} must hold keys and values. {AGAIN}")
    return Results(folder, study, _read_cells(folder))


def _read_cells(folder: Path) -> tuple[Cell, ...]:
    path = folder / CELLS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise EcgenoughError(f"{path} is not CSV: {error}. {AGAIN}") from None
    if missing := [name for name in (*TEXTS, *NUMBERS) if name not in columns]:
        raise EcgenoughError(f'{path} has no column "{missing[0]}". {AGAIN}')
    cells = tuple(_cell(folder, row, f"{path}, row {number}") for number, row in enumerate(rows, 2))
    if (twice := doubled(cell.cell for cell in cells)) is not None:
        raise EcgenoughError(f"{path} lists cell {twice} twice. {AGAIN}")
    return cells


def _cell(folder: Path, row: Mapping[str, str | None], where: str) -> Cell:
    texts = {name: row[name] or "" for name in TEXTS}
    for name, known in (("kind", ("network", "baseline")), ("status", ("done", "failed", "waiting"))):
        if texts[name] not in known:
            raise EcgenoughError(f'{where}: {name} "{texts[name]}" is none of {", ".join(known)}. {AGAIN}')
    if not texts["cell"].isalnum() or not texts["arm"]:
        raise EcgenoughError(f"{where}: the cell has no name, or its arm has none. {AGAIN}")
    numbers = {name: _number(row[name] or "", f"{where}: {name}") for name in NUMBERS}
    if absent := next((name for name in ("seed", "repeat", "fold") if numbers[name] is None), None):
        raise EcgenoughError(f"{where}: {absent} is empty. {AGAIN}")
    whole = {name: None if numbers[name] is None else int(cast(float, numbers[name])) for name in NUMBERS[:4]}
    values: dict[str, Any] = {**texts, **numbers, **whole}
    card = _read_card(folder / "cells" / texts["cell"] / "cell.json") if texts["status"] == "done" else {}
    return Cell(**values, **card)


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise EcgenoughError(f'{where} is "{text}", which is no number. {AGAIN}') from None


def _read_card(path: Path) -> dict[str, Any]:
    """What cell.json says beyond the cell's row."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classes = tuple(str(name) for name in content["classes"])
        titles = tuple(str(name) for name in content.get("titles") or classes)
        thresholds = tuple(float(value) for value in content["thresholds"])
        trained = content.get("trained_parameters")
        deciding = _sides(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EcgenoughError(f"{path} does not describe its cell: {error}. Delete its folder and go on.") from None
    lengths = {len(titles), len(thresholds), len(deciding or classes)}
    if not classes or lengths != {len(classes)}:
        raise EcgenoughError(
            f"{path}: classes, titles, thresholds and validation patients differ in number. Delete its folder and go on."
        )
    number = None if trained is None else int(trained)
    found = {"classes": classes, "titles": titles, "thresholds": thresholds, "trained_parameters": number}
    return {**found, "validation_sides": deciding}


def _sides(card: Mapping[str, Any]) -> tuple[Sides, ...]:
    """Who decided each class; of cells from before patients were counted, their ECGs."""
    if stated := card.get("validation_patients"):
        return tuple(Sides(int(positives), int(negatives)) for positives, negatives in stated)
    known = [int(number) for number in card.get("validation_positives") or ()]
    return tuple(Sides(number, int(card["validation_records"]) - number, "ECG") for number in known)


def _read_answers(path: Path, cell: Cell) -> Answers:
    texts = {"record": str, "patient": str, "sex": str}
    try:
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={"age": [""]})
    except (OSError, ValueError) as error:
        raise EcgenoughError(f"{path} cannot be read: {' '.join(str(error).split())}. {AGAIN}") from None
    wanted = [*texts, "age", *(f"{kind}_{name}" for kind in "py" for name in cell.classes)]
    if missing := [column for column in wanted if column not in table]:
        raise EcgenoughError(f'{path} has no column "{missing[0]}". Delete its folder and go on.')
    try:
        age = table["age"].to_numpy(np.float64)
        probabilities = table[[f"p_{name}" for name in cell.classes]].to_numpy(np.float64)
        labels = table[[f"y_{name}" for name in cell.classes]].to_numpy(np.float64)
    except ValueError as error:
        raise EcgenoughError(
            f"{path} holds something that is no number: {error}. Delete its folder and go on."
        ) from None
    if not ((probabilities >= 0) & (probabilities <= 1)).all() or not np.isin(labels, (0, 1)).all():
        raise EcgenoughError(
            f"{path} holds probabilities not in 0..1 or labels not 0 or 1. Delete its folder and go on."
        )
    records = table["record"].to_numpy(dtype=np.str_)
    if not len(records) or len(set(records.tolist())) != len(records):
        raise EcgenoughError(f"{path} lists no record, or one twice. Delete its folder and go on.")
    patients = np.where(table["patient"] == "", table["record"], table["patient"]).astype(np.str_)
    return Answers(records, patients, table["sex"].to_numpy(dtype=np.str_), age, probabilities, labels > 0.5)
