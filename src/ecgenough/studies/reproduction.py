"""A finished run once more, from its own recipe and origin, and how far the second is from the first."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ecgenough import baselines, networks
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.learning.training import open_fabric
from ecgenough.model import PRETRAINED, Model, weights_digest
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.sentences import agreed, counted
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.environment import DECIDING, environment
from ecgenough.studies.folders import data_flow
from ecgenough.studies.splits import divide

VALIDATION = "validation/predictions.csv"
_TIMES = ("ecgs_per_second", "seconds")


@dataclass(frozen=True)
class Original:
    """A finished run: its folder, its model, and the folder of the model it was carried over from, if it was."""

    folder: Path
    model: Model
    source: Path | None

    @classmethod
    def open(cls, folder: Path, source: Path | None = None) -> "Original":
        """Raises WrongRequest where the folder holds no run that can be repeated, or its source is not the one it had."""
        model = Model.load(folder)
        if model.task == PRETRAINED or not (folder / "data.json").is_file():
            raise WrongRequest(
                f"{folder} is no run of ecgenough train or transfer, nor a study's cell, which are what can be reproduced."
            )
        _check_teachers(folder, model)
        began_as = model.origin.get("source_weights")
        if began_as is None:
            if source is not None:
                raise WrongRequest(f"{folder} was trained from scratch; leave --source out.")
            return cls(folder, model, None)
        place = source or Path(str(model.origin["source"]))
        try:
            there = weights_digest(place)
        except WrongRequest:
            raise WrongRequest(
                f"{folder} was carried over from {place}, which is not there. Say where it is now with --source."
            ) from None
        if there != began_as:
            raise WrongRequest(f"{place} has other weights than the model that {folder} was carried over from.")
        return cls(folder, model, place)


def reproduce(
    original: Original, store: Store, out: Path, device: str = "auto", *, anyway: bool = False
) -> dict[str, Any]:
    """Run it again into `out` and compare; returns what reproduction.json holds.

    `figures` has the largest deviation of each: 0 where all of it is the same, bit by bit as written. `environment` has
    what differs of versions, device and code, as [then, now]. Raises WrongRequest where the data are others, or the
    versions are and `anyway` does not say to go on, or `out` holds another run.
    """
    model = original.model
    if out.resolve() == original.folder.resolve():
        raise WrongRequest(f"{out} is the run itself; choose another --out.")
    _check_data(original, store)
    use_as_many_threads(model.origin.get("environment", {}))
    fabric = open_fabric(model.recipe.training.precision, device)
    changed = differences(model.origin.get("environment", {}), environment(fabric.device, baselines.names()))
    check_versions(original.folder, changed, anyway)
    if original.source is None:
        runs.train(store, _asked(model.recipe), out, device)
    else:
        runs.transfer(original.source, store, model.recipe, out, device)
    figures = deviations(original.folder, out)
    found = {
        "run": str(original.folder),
        "identical": not any(figures.values()),
        "figures": figures,
        "environment": {name: list(pair) for name, pair in changed.items()},
    }
    write_text(out / "reproduction.json", json.dumps(found, indent=2) + "\n")
    return found


def _asked(recipe: Recipe) -> Recipe:
    """A model's recipe as its training was told it: the options of trees were found by their fit."""
    if recipe.network.name not in networks.FITTED:
        return recipe
    return recipe.model_copy(update={"network": recipe.network.model_copy(update={"options": {}})})


def deviations(first: Path, second: Path) -> dict[str, float]:
    """The largest absolute difference of each figure of two runs: log, validation metrics, predictions, weights.

    Infinite where one of them lacks it. `weights` is the largest difference of any weight or statistic.
    """
    found = {
        **_deviations("log", *(log_of(run / "log.csv") for run in (first, second))),
        **_deviations("predictions", *(predictions_of(run / VALIDATION) for run in (first, second))),
        **_deviations("metrics", *(_metrics(run) for run in (first, second))),
    }
    weights = [Model.load(run).network.state_dict() for run in (first, second)]
    found["weights"] = max(
        (_largest(one.double().numpy(), weights[1][name].double().numpy()) for name, one in weights[0].items()),
        default=0.0,
    )
    return found


def table_deviations(first: Path, second: Path) -> dict[str, float]:
    """As `deviations`, of folders that hold a log.csv, perhaps, and the predictions.csv of a test."""
    logs = [log_of(folder / "log.csv") if (folder / "log.csv").is_file() else {} for folder in (first, second)]
    tables = [predictions_of(folder / "predictions.csv") for folder in (first, second)]
    return {**_deviations("log", *logs), **_deviations("predictions", *tables)}


def _deviations(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, float]:
    return {f"{what} {name}": _largest(one.get(name), other.get(name)) for name in {**one, **other}}


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What both environments state, and state differently."""
    return {name: (then[name], now[name]) for name in then if name in now and then[name] != now[name]}


def _check_data(original: Original, store: Store) -> None:
    model, folder = original.model, original.folder
    division = divide(store, model.task, model.recipe.leave_out)
    rows = np.concatenate([division.rows["train"], division.rows["validation"]])
    known = store.hashes[rows]
    for earlier in (*([original.source] if original.source else []), *model.origin.get("teachers", {})):
        known = np.union1d(known, Model.load(earlier).seen)
    others = int(np.setxor1d(known, model.seen).size)
    if others:
        raise WrongRequest(
            f"the data are not those of {folder}: {counted(others, 'waveform')} of the training and validation folds "
            f"{agreed(others, 'differs', 'differ')} "
            f"(then {len(model.seen):,}, now {len(np.unique(known)):,})."
        )
    try:
        then = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        told = {key: dict(_leaves(then[key])) for key in ("records", "patients", "positives", "folds")}
    except (ValueError, KeyError, TypeError):
        raise EcgenoughError(f"{folder / 'data.json'} cannot be read; copy the run again.") from None
    now = data_flow(store, model.task, division)
    for key, values in told.items():
        for name, value in _leaves(now[key]):
            if values.get(name) != value:
                raise WrongRequest(
                    f"the data are not those of {folder}: {key} {name} was {values.get(name)} and is {value}."
                )


def _check_teachers(folder: Path, model: Model) -> None:
    """Raise WrongRequest where a model that taught this one is not there any more, or another one."""
    for name, weights in model.origin.get("teachers", {}).items():
        try:
            there = weights_digest(name)
        except WrongRequest:
            raise WrongRequest(
                f"{folder} was taught by {name}, which is not there. Put it there again, or run the command from the "
                "folder that this path starts from."
            ) from None
        if there != weights:
            raise WrongRequest(
                f"{name} has other weights than the model that taught {folder}. Put that one there again."
            )


def check_versions(folder: Path, changed: Mapping[str, tuple[str, str]], anyway: bool) -> None:
    """Say what differs. Raises WrongRequest where it is a version or the code, unless told to go on `anyway`."""
    for name in DECIDING:
        if name in changed and not anyway:
            then, now = changed[name]
            what = "code" if name == "git" else name
            raise WrongRequest(
                f"{folder} was made with {what} {then}, and this is {now}: another version may give other "
                "figures. Go back to that one, or compare all the same with --anyway."
            )
    for name, (then, now) in changed.items():
        say(f"{name} was {then} and is {now} now.")


def use_as_many_threads(then: Mapping[str, str]) -> None:
    """Sums over more or fewer threads round otherwise, so a run on the CPU is repeated with as many as it had."""
    threads = re.fullmatch(r"cpu, (\d+) threads", then.get("device", ""))
    if threads:
        torch.set_num_threads(int(threads[1]))


def log_of(path: Path) -> dict[str, Any]:
    """The columns of a log.csv, without times."""
    log = pd.read_csv(path)
    return {str(name): log[name].to_numpy(dtype=float) for name in log if name not in _TIMES}


def predictions_of(path: Path) -> dict[str, Any]:
    """The probabilities of a predictions.csv, by column; records in the order of their names."""
    table = pd.read_csv(path, dtype={"record": str}).sort_values("record")
    return {str(name): table[name].to_numpy(dtype=float) for name in table if str(name).startswith("p_")}


def _metrics(run: Path) -> dict[str, Any]:
    """By the name of a figure, such as auc: its values and ends of intervals, overall and of every class."""
    metrics = json.loads((run / "validation" / "metrics.json").read_text(encoding="utf-8"))
    by_name: dict[str, list[float]] = {}
    for part in ("macro", "overall"):
        for name, figure in metrics.get(part, {}).items():
            by_name.setdefault(name, []).extend(number for _, number in _leaves(figure))
    for figures in metrics["classes"].values():
        for name, figure in figures.items():
            by_name.setdefault(name, []).extend(number for _, number in _leaves(figure))
    return {name: np.asarray(values, dtype=float) for name, values in by_name.items()}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} {key}".strip())
    else:
        yield name, value


def _largest(one: Any, other: Any) -> float:
    if one is None or other is None or one.shape != other.shape:
        return float("inf")
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return float(np.where(same, 0, np.abs(one - other)).max(initial=0))
