"""Reading a run's folder as train, transfer, evaluate and baseline left it."""

import json
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ecgenough.errors import WrongRequest, doubled
from ecgenough.recipe import Recipe
from ecgenough.reports.run import (
    Baseline,
    ClassScores,
    Data,
    Estimate,
    Examples,
    Metrics,
    Predictions,
    Run,
    TransferNote,
)

LOG_COLUMNS = ("epoch", "train_loss", "validation_loss")
RANKING = "validation_macro_auc"  # not in the log of a pretraining, which has no labels


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read run folders, test figures before validation figures.

    Raises WrongRequest for a folder that is no run, naming what is missing, and for one that is given twice.
    """
    places = [folder.resolve() for folder in folders]
    if not places:
        raise WrongRequest("a report needs at least one run's folder.")
    if (twice := doubled(places)) is not None:
        raise WrongRequest(f"{folders[places.index(twice)]} is given twice; name each run once.")
    return [read_run(place, name) for place, name in zip(places, _names(places), strict=True)]


def read_run(folder: Path, name: str | None = None) -> Run:
    """Read one run's folder. Raises WrongRequest naming the file that is missing or broken."""
    if not folder.is_dir():
        raise WrongRequest(f"{folder} is not a folder; give the folder that train, transfer or baseline wrote.")
    for needed in (("recipe.yaml", "baseline.json"), ("data.json",)):
        if not any((folder / name).is_file() for name in needed):
            missing = " and ".join(needed) + (" are" if len(needed) > 1 else " is")
            raise WrongRequest(
                f"{folder} is not a run: {missing} missing. Give the --out of train, transfer or baseline."
            )
    shown: Literal["test", "validation"] = "test" if (folder / "test" / "metrics.json").is_file() else "validation"
    if not (folder / shown / "metrics.json").is_file():
        raise WrongRequest(_without_figures(folder))
    data = read_data(folder / "data.json")
    if (folder / "tasks").is_dir():
        raise WrongRequest(f"{folder} answers several tasks; report one of them, such as {_first(folder / 'tasks')}.")
    return Run(
        name=name or folder.name,
        folder=folder,
        method=_read_method(folder),
        data=data,
        shown=shown,
        metrics=_read_metrics(folder / shown / "metrics.json", data.classes),
        predictions=_read_predictions(folder / shown / "predictions.csv", data.classes),
        examples=_read_examples(folder / shown / "examples.npz"),
        log=_read_log(folder / "log.csv"),
        rejected=_read_rejected(folder / "rejected.csv"),
        transfer=_read_transfer(folder / "transfer.json"),
        model=_read_json(folder / "model" / "model.json") if (folder / "model" / "model.json").is_file() else {},
    )


def _without_figures(folder: Path) -> str:
    method = _read_method(folder)
    if isinstance(method, Recipe) and method.pretraining:
        return (
            f"{folder} is a pretraining: it has a model to carry over and its losses in log.csv, but no labels and so no "
            "figures. Carry it over with ecgenough transfer and report that run."
        )
    return f"{folder} has no figures: test/metrics.json and validation/metrics.json are missing. Evaluate it first."


def _first(folder: Path) -> Path:
    return min(place for place in folder.iterdir() if place.is_dir())


def _names(places: list[Path]) -> list[str]:
    """The shortest tails of the paths that tell every folder from the others."""
    for parts in range(1, max(len(place.parts) for place in places) + 1):
        names = ["/".join(place.parts[-parts:]) for place in places]
        if len(set(names)) == len(names):
            return names
    return [str(place) for place in places]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WrongRequest(f"{path} is not JSON: {error}. Write the run again.") from None
    if not isinstance(content, dict):
        raise WrongRequest(f"{path} must hold a JSON object. Write the run again.")
    return content


def _read_method(folder: Path) -> Recipe | Baseline:
    path = folder / "recipe.yaml"
    if path.is_file():
        return Recipe.from_yaml(path.read_text(encoding="utf-8", errors="replace"), str(path))
    path = folder / "baseline.json"
    try:
        return Baseline.model_validate(_read_json(path))
    except ValidationError as error:
        raise WrongRequest(_complaint(path, error)) from None


def read_data(path: Path) -> Data:
    """Read a data.json. Raises WrongRequest naming what is wrong with it."""
    try:
        return Data.model_validate(_read_json(path))
    except ValidationError as error:
        raise WrongRequest(_complaint(path, error)) from None


def _read_transfer(path: Path) -> TransferNote | None:
    if not path.is_file():
        return None
    content = _read_json(path)
    try:
        return TransferNote.model_validate({"source": content.get("from"), **content})
    except ValidationError as error:
        raise WrongRequest(_complaint(path, error)) from None


def _complaint(path: Path, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f'{path}: key "{key}": {message[0].lower()}{message[1:]}. Write the run again.'


def _read_metrics(path: Path, classes: tuple[str, ...]) -> Metrics:
    content = _read_json(path)
    try:
        absent = tuple(str(name) for name in content.get("absent", []))
        return Metrics(
            dataset=str(content["dataset"]),
            task=str(content["task"]),
            records=int(content["records"]),
            patients=None if content.get("patients") is None else int(content["patients"]),
            macro=_estimates(content["macro"]),
            overall=_estimates(content.get("overall", {})),
            classes={name: _class_scores(content["classes"][name]) for name in classes if name not in absent},
            absent=absent,
            folds=tuple(int(fold) for fold in content.get("folds", [])),
            seen=int(content.get("seen", 0)),
        )
    except KeyError as error:
        raise WrongRequest(f"{path} lacks {error}. Evaluate the run again.") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise WrongRequest(f"{path} is not laid out as an evaluation writes it: {error}. Evaluate it again.") from None


def _class_scores(content: dict[str, Any]) -> ClassScores:
    return ClassScores(_estimates(content), int(content["positives"]), _number(content.get("threshold")))


def _estimates(content: dict[str, Any]) -> dict[str, Estimate]:
    return {
        str(name): Estimate(_number(figure.get("value")), _number(figure.get("low")), _number(figure.get("high")))
        for name, figure in content.items()
        if isinstance(figure, dict)
    }


def _number(value: Any) -> float | None:
    """JSON has null and NaN for what is not defined; both are None here."""
    return float(value) if value is not None and isfinite(float(value)) else None


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"record": str, "patient": str, "reason": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise WrongRequest(f"{path} is not CSV: {' '.join(str(error).split())}. Evaluate the run again.") from None


def _read_predictions(path: Path, classes: tuple[str, ...]) -> Predictions | None:
    if not path.is_file():
        return None
    table = _read_table(path)
    wanted = ["record", *(f"{kind}_{name}" for kind in "py" for name in classes)]
    if missing := [column for column in wanted if column not in table]:
        raise WrongRequest(f'{path} has no column "{missing[0]}". Evaluate the run again.')
    try:
        probabilities = table[[f"p_{name}" for name in classes]].to_numpy(np.float64)
        labels = table[[f"y_{name}" for name in classes]].to_numpy(np.float64) > 0.5
    except ValueError as error:
        raise WrongRequest(f"{path} holds something that is no number: {error}. Evaluate the run again.") from None
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise WrongRequest(f"{path} holds probabilities that are not in 0..1. Evaluate the run again.")
    patients = tuple(table["patient"]) if "patient" in table else ("",) * len(table)
    return Predictions(tuple(table["record"]), patients, probabilities, labels)


def _read_examples(path: Path) -> Examples | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as content:
            records = tuple(str(record) for record in content["records"])
            signals = np.asarray(content["signals"], dtype=np.float32)
            rate, leads = float(content["rate"]), tuple(str(lead) for lead in content["leads"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise WrongRequest(f"{path} does not hold example ECGs: {error}. Evaluate the run again.") from None
    if signals.ndim != 3 or signals.shape[:2] != (len(records), len(leads)):
        raise WrongRequest(f"{path}: signals must be [records, leads, samples]. Evaluate the run again.")
    return Examples(records, signals, rate, leads)


def _read_log(path: Path) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    table = _read_table(path)
    if missing := [column for column in LOG_COLUMNS if column not in table]:
        raise WrongRequest(f'{path} has no column "{missing[0]}". Write the run again.')
    drawn = [column for column in (*LOG_COLUMNS, RANKING) if column in table]
    table = table[drawn].apply(pd.to_numeric, errors="coerce")
    return table if len(table) else None


def _read_rejected(path: Path) -> tuple[tuple[str, str], ...]:
    if not path.is_file():
        return ()
    table = _read_table(path)
    if not {"record", "reason"} <= set(table):
        raise WrongRequest(f'{path} must have the columns "record" and "reason". Write the run again.')
    return tuple(zip(table["record"], table["reason"], strict=True))
