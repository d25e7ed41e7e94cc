"""One piece of a study's work, in whichever process: a source to be learned, or a cell to be trained and tested."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ecgenough import networks
from ecgenough.errors import EcgenoughError
from ecgenough.learning.watching import Watcher
from ecgenough.locks import claimed
from ecgenough.model import Model
from ecgenough.networks.contract import parameter_count
from ecgenough.signals.crops import crop_samples
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import CARD as BASELINE_CARD
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.cell_folders import (
    DONE,
    FAILED,
    FAILURE,
    PREDICTIONS,
    SAID,
    SOURCES,
    failure_of,
    finish_cell,
    finished_folder,
    lock_of,
    note_failure,
    working_folder,
    write_predictions,
)
from ecgenough.studies.handful import sides
from ecgenough.studies.plan import BASELINE, Cell, Pretraining, described
from ecgenough.studies.resampling import divided
from ecgenough.studies.splits import split_rows
from ecgenough.studies.tracking import Under, open_trackers

TRACKED = "tracked"  # below a study's folder
ELSEWHERE = "elsewhere"  # another process has it now
Figures = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """What every process of a study must know: where it is written, where the stores are, on what it computes.

    `began` is when the engine started, in seconds of the epoch: what failed since is not tried again. `threads` bounds
    a process on the CPU, 0 leaves PyTorch's own choice. `track` names what else shows the trainings.
    """

    out: Path
    stores: dict[str, Path]
    device: str
    threads: int
    began: float
    keep_models: bool
    track: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a source or cell: done, failed with a reason, or elsewhere: with another process."""

    fingerprint: str
    status: str
    reason: str = ""


def carry_out(work: Cell | Pretraining, place: Place) -> Outcome:
    """Do the work if it is neither done nor another process's; whatever goes wrong with it becomes its outcome."""
    if place.threads:
        torch.set_num_threads(place.threads)
    with claimed(lock_of(place.out, work.fingerprint)) as mine:
        if not mine:
            return Outcome(work.fingerprint, ELSEWHERE)
        if is_done(work, place.out):
            return Outcome(work.fingerprint, DONE)
        folder = folder_of(work, place.out)
        failed = failure_of(folder / FAILURE)
        if failed is not None and failed["at"] >= place.began:
            return Outcome(work.fingerprint, FAILED, failed["reason"])
        (folder / FAILURE).unlink(missing_ok=True)
        try:
            with _said_aside(folder):
                _learn(work, place) if isinstance(work, Pretraining) else _run(work, place)
        except Exception as error:
            return Outcome(work.fingerprint, FAILED, note_failure(folder / FAILURE, error))
        finally:
            torch.cuda.empty_cache()  # other processes share the GPU; without one this does nothing
    return Outcome(work.fingerprint, DONE)


def is_done(work: Cell | Pretraining, out: Path) -> bool:
    """Whether the work's folder is finished."""
    if isinstance(work, Pretraining):
        return _is_learned(source_folder(out, work.fingerprint))
    return finished_folder(out, work.fingerprint).is_dir()


def folder_of(work: Cell | Pretraining, out: Path) -> Path:
    """Where the work is done, and a failure of it noted."""
    if isinstance(work, Pretraining):
        return source_folder(out, work.fingerprint)
    return working_folder(out, work.fingerprint)


def source_folder(out: Path, fingerprint: str) -> Path:
    """The run's folder of a source, by fingerprint, under way or done."""
    return out / SOURCES / fingerprint


@contextmanager
def _said_aside(folder: Path) -> Iterator[None]:
    """Keep what the work says in its own folder: many at once would talk over each other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / SAID).open("a", encoding="utf-8") as said, redirect_stderr(said):
        yield


_opened = lru_cache(maxsize=8)(Store.open)  # once a process
_trackers = lru_cache(maxsize=1)(open_trackers)


def _shown(work: Cell | Pretraining, place: Place) -> list[Watcher]:
    """The study's trackers, told of this work under its own name; what they write stays when its folder is cleared."""
    folder = place.out / TRACKED / f"{_as_name(described(work))}-{work.fingerprint[:6]}"
    return [Under(tracker, folder, place.out.name) for tracker in _trackers(place.track)]


def _as_name(words: str) -> str:
    return re.sub(r"[^\w.=+]+", "-", words)


def _learn(work: Pretraining, place: Place) -> None:
    out, watchers = source_folder(place.out, work.fingerprint), _shown(work, place)
    runs.train(_opened(place.stores[work.store]), work.recipe, out, place.device, watchers)


def _run(cell: Cell, place: Place) -> None:
    store = divided(_opened(place.stores[cell.store]), cell.task, cell.resampling, cell.split)
    how: Callable[[Cell, Store, Place], tuple[list[Path], Figures]]
    how = _run_baseline if cell.kind == BASELINE else _run_network
    kept, figures = how(cell, store, place)
    folder = working_folder(place.out, cell.fingerprint)
    write_predictions(folder / PREDICTIONS, store, folder / "run" / "test" / "predictions.csv")
    task = store.task(cell.task)
    rows = split_rows(store, cell.task)
    counts = {f"{part}_records": len(of_part) for part, of_part in rows.items()}
    deciding = sides(task.labels[rows["validation"]], [store.patients[row] for row in rows["validation"]])
    card = {
        **figures,
        **counts,
        "validation_patients": [[one.positives, one.negatives] for one in deciding],
        "classes": task.classes,
        "titles": task.titles or task.classes,
    }
    finish_cell(place.out, cell, [folder / PREDICTIONS, *kept], card)


def _run_network(cell: Cell, store: Store, place: Place) -> tuple[list[Path], Figures]:
    run = working_folder(place.out, cell.fingerprint) / "run"
    watchers = _shown(cell, place)
    if cell.model:
        runs.transfer(cell.model, store, cell.recipe, run, place.device, watchers)
    elif cell.pretrained:
        source = source_folder(place.out, cell.pretrained)
        if not _is_learned(source):
            failed = failure_of(source / FAILURE) or {"reason": "it has not been learned."}
            raise EcgenoughError(f"its source {cell.source} is not there: {failed['reason']}")
        runs.transfer(source, store, cell.recipe, run, place.device, watchers)
    else:
        runs.train(store, cell.recipe, run, place.device, watchers)
    model = Model.load(run)
    runs.evaluate(model, store, run / "test", task_name=cell.task, device=place.device)
    parameters = parameter_count(model.network)
    about = run / "transfer.json"
    trained = json.loads(about.read_text(encoding="utf-8"))["trained_parameters"] if about.exists() else parameters
    figures = {
        "seconds": round(float(pd.read_csv(run / "log.csv")["seconds"].sum()), 2),
        "parameters": parameters,
        "operations": networks.operations(model.network, len(store.leads), crop_samples(cell.recipe, store.samples)),
        "trained_parameters": trained,
        "thresholds": model.thresholds,
        "origin": {key: model.origin[key] for key in ("dataset", "store", "source_weights", "environment")},
    }
    kept = [run / "recipe.yaml", run / "log.csv", *([run / "model"] if place.keep_models else [])]
    return kept, figures


def _is_learned(source: Path) -> bool:
    return (source / "model" / "model.json").is_file()


def _run_baseline(cell: Cell, store: Store, place: Place) -> tuple[list[Path], Figures]:
    run = working_folder(place.out, cell.fingerprint) / "run"
    run_baseline(cell.arm, store, cell.task, run, cell.recipe.seed)
    about = json.loads((run / BASELINE_CARD).read_text(encoding="utf-8"))
    figures = {"seconds": about["seconds"]["fit"], "thresholds": about["thresholds"], "about": about["about"]}
    return [], {**figures, "origin": {**about["origin"], "environment": about["environment"]}}
