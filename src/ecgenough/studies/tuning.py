"""Searching for a recipe: trials on the training and validation folds, in a study that any number of workers share."""

import json
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ecgenough.errors import EcgenoughError, Obstacle, WrongRequest
from ecgenough.files import remove_litter, write_text
from ecgenough.learning.checkpoints import CHECKPOINT
from ecgenough.learning.watching import Beginning, Figures, Watcher
from ecgenough.locks import held
from ecgenough.model import Model
from ecgenough.progress import say
from ecgenough.recipe import Signal, fingerprint
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.search import Search, pruner
from ecgenough.studies.search_space import Plain
from ecgenough.studies.splits import divide
from ecgenough.studies.trial_tables import kept_row, say_best, write_findings
from ecgenough.studies.trials import (
    KILLS,
    LOCK,
    MOST_KILLS,
    REASON,
    RUNNING,
    SAMPLERS,
    ByPlace,
    draw,
    open_study,
    place,
    trial_folder,
    trials_that_count,
    try_killed_again,
)
from ecgenough.studies.with_optuna import Study, Trial, optuna

NOTE = "tune.json"


def tune(
    search: Search,
    stores: Callable[[Signal], Store],
    out: Path,
    trials: int,
    *,
    storage: str | None = None,
    device: str = "auto",
    watchers: Sequence[Watcher] = (),
) -> Path:
    """Search until the study has `trials` trials; writes best.yaml, trials.csv, and a folder a trial, to `out`.

    `stores` gives the records conditioned as a recipe asks. `storage` is a database's URL, for workers that share one;
    a SQLite file in `out` unless given. The same call joins a search that runs, and goes on with one that was killed:
    a trial that was running then is taken up from its checkpoint. `watchers` hear of every trial. Returns the path of best.yaml.

    Raises WrongRequest where `out` holds another search, and EcgenoughError where no trial has succeeded.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise WrongRequest("a trial trains in one process. Start the same command several times instead of torchrun.")
    store = stores(search.recipe.signal)
    task = store.task(search.recipe.task).name
    search = replace(search, recipe=search.recipe.model_copy(update={"task": task}))
    name = _claim(search, divide(store, task, search.recipe.leave_out).digest(store, search.recipe), out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = ByPlace(SAMPLERS[search.sampler], search.seed)
        url = storage or f"sqlite:///{(out / 'tune.db').resolve()}"
        study = open_study(url, name, search.direction, sampler, pruner(search), out)
        worker = Worker(search, stores, out, trials, device, watchers)
        _work(study, worker)
    write_findings(study, search, out)
    say_best(study, search, out)
    return out / "best.yaml"


def _work(study: Study, worker: "Worker") -> None:
    while True:
        try_killed_again(study, worker.out)
        if len(trials_that_count(study)) >= worker.trials:
            return
        with ExitStack() as running:  # held until the storage knows how the trial ended
            study.optimize(partial(worker.try_one, running), n_trials=1, catch=(TrialFailed,))
        write_findings(study, worker.search, worker.out)


class TrialFailed(Exception):
    """A trial came to nothing; the search goes on."""


@dataclass(frozen=True)
class Worker:
    """One process of a search: where it writes and what it trains on."""

    search: Search
    stores: Callable[[Signal], Store]
    out: Path
    trials: int
    device: str
    watchers: Sequence[Watcher]

    def try_one(self, running: ExitStack, trial: Trial) -> float:
        """Train one recipe of the space; the figure of its kept epoch, on the validation folds."""
        number = place(trial.study, trial.number)
        if number >= self.trials:  # another worker was quicker to take the last one
            raise TrialFailed
        folder = trial_folder(self.out, trial)
        with held(self.out / LOCK):  # so that no other worker finds the file before it is locked
            running.enter_context(held(folder / RUNNING))
        values = draw(trial, self.search.space)
        told = ", ".join(f"{key} {value}" for key, value in values.items())
        say(f"\ntrial {number + 1} of {self.trials}: {told}")
        return self._figure_of(trial, values, folder)

    def _figure_of(self, trial: Trial, values: dict[str, Plain], folder: Path) -> float:
        try:
            if trial.user_attrs.get(KILLS, 0) >= MOST_KILLS:
                raise EcgenoughError(f"its process was killed {MOST_KILLS} times, perhaps for want of memory.")
            recipe = self.search.space.recipe(self.search.recipe, values)
            watchers = [Pruning(trial, self.search.figure), *self.watchers]
            started = time.monotonic()
            store = without_test(self.stores(recipe.signal), recipe.task)
            runs.train(store, recipe, folder, self.device, watchers)
            trial.set_user_attr("seconds", round(time.monotonic() - started, 1))
            return self._judged(trial, folder)
        except optuna.TrialPruned:
            (folder / CHECKPOINT).unlink(missing_ok=True)
            raise
        except Obstacle:  # no fault of this recipe: the search ends, and goes on once it is out of the way
            raise
        except (EcgenoughError, RuntimeError) as error:  # PyTorch's way to say that memory ran out is a RuntimeError
            reason = " ".join(str(error).split())[:300]
            trial.set_user_attr(REASON, reason)
            say(f"this trial has failed, the search goes on: {reason}")
            (folder / CHECKPOINT).unlink(missing_ok=True)
            raise TrialFailed from error

    def _judged(self, trial: Trial, folder: Path) -> float:
        row = kept_row(folder, int(Model.load(folder).origin["epoch"]))
        figure = row[self.search.figure]
        if not math.isfinite(figure):
            raise EcgenoughError(f"{self.search.figure} is {figure} in the epoch that was kept.")
        trial.set_user_attr("epoch", int(row["epoch"]))
        return figure


class Pruning:
    """A watcher that ends a trial whose figure lies behind those of the others at the same epoch."""

    def __init__(self, trial: Trial, figure: str) -> None:
        self.trial, self.figure = trial, figure

    def begin(self, beginning: Beginning) -> None: ...

    def epoch(self, figures: Figures) -> None:
        epoch, value = int(figures["epoch"]), figures[self.figure]
        if math.isfinite(value):
            self.trial.report(value, epoch)
            if self.trial.should_prune():
                say(f"epoch {epoch}: {self.figure} {value:.4f} is behind the other trials'; this one ends here.")
                raise optuna.TrialPruned

    def end(self, metrics: Any) -> None: ...

    def broken_off(self, reason: str) -> None: ...


def without_test(store: Store, task: str | None) -> Store:
    """The same store, in which no record of the test folds takes part in the task, nor a copy of one elsewhere."""
    about = store.task(task)
    tested = store.hashes[store.rows(about.name, store.test_folds)]
    listed = about.listed & ~np.isin(store.folds, store.test_folds) & ~np.isin(store.hashes, tested)
    return replace(store, tasks={**store.tasks, about.name: replace(about, listed=listed)})


def _claim(search: Search, data: str, out: Path) -> str:
    """The study's name. Raises WrongRequest where `out` holds another search."""
    settings = search.to_settings()
    name = f"ecgenough-{fingerprint({**settings, 'data': data})}"
    remove_litter(out)
    note = out / NOTE
    if note.is_file():
        try:
            earlier = str(json.loads(note.read_text(encoding="utf-8"))["study"])
        except (ValueError, KeyError, TypeError):
            raise EcgenoughError(f"{note} cannot be read; delete {out}, or choose another --out.") from None
        if earlier != name:
            raise WrongRequest(
                f"{out} holds another search: its recipe, space, metric, sampler, pruner, seed or data differ. "
                "Choose another --out, or delete that folder."
            )
        return name
    if (out / "model").exists() or (out / "recipe.yaml").exists():
        raise WrongRequest(f"{out} holds a run. Choose another --out.")
    write_text(note, json.dumps({"study": name, "data": data, **settings}, indent=2) + "\n")
    return name
