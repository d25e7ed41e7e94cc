"""The trials of a search: which of them count, which were killed and are tried again, and how their values are drawn.

A trial counts when it runs, is done, was pruned, or failed and says why. One that was killed, or that came too many,
fails without a reason: for the search it never was. So the trials that count, in the order of their numbers, are those of a
search that nothing interrupted, and a trial's place among them decides what is drawn for it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ecgenough.errors import WrongRequest
from ecgenough.locks import held, was_left
from ecgenough.studies.search_space import Choices, Plain, Range, SearchSpace
from ecgenough.studies.with_optuna import (
    BaseDistribution,
    BaseSampler,
    FrozenTrial,
    Study,
    Trial,
    TrialState,
    optuna,
)

LOCK = "tune.lock"  # of a search's folder: who looks after killed trials or makes the tables
RUNNING = ".running"  # in a trial's folder: the lock of the process that trains it
MOST_KILLS = 3
REASON, FOLDER, KILLS = "reason", "folder", "kills"


def counts(trial: FrozenTrial) -> bool:
    """Whether the trial is one of those that were asked for."""
    if trial.state is TrialState.FAIL:
        return REASON in trial.user_attrs
    return trial.state is not TrialState.WAITING


def trials_that_count(study: Study) -> list[FrozenTrial]:
    """The trials that count, in order."""
    return [trial for trial in study.get_trials(deepcopy=False) if counts(trial)]


def place(study: Study, number: int) -> int:
    """How many of the trials that count have a lower number."""
    return sum(trial.number < number for trial in trials_that_count(study))


def folder_number(trial: FrozenTrial | Trial) -> int:
    """The number of a trial's folder: its own, or that of the killed one that it goes on with."""
    return int(trial.user_attrs.get(FOLDER, trial.number))


def trial_folder(out: Path, trial: FrozenTrial | Trial) -> Path:
    """The run's folder of a trial."""
    return out / "trials" / f"{folder_number(trial):04d}"


def try_killed_again(study: Study, out: Path) -> None:
    """Queue the values of trials whose process in `out` has died, so that the next one goes on with their checkpoint.

    Those of processes that write elsewhere are told by their heartbeat, which the storage follows.
    """
    with held(out / LOCK):
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if was_left(trial_folder(out, trial) / RUNNING):
                (trial_folder(out, trial) / RUNNING).unlink()
                study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
                queue_again(study, trial)


def queue_again(study: Study, trial: FrozenTrial) -> None:
    """Have the values of a killed trial tried by the next one, in its folder."""
    if trial.params:
        about = {FOLDER: folder_number(trial), KILLS: trial.user_attrs.get(KILLS, 0) + 1}
        study.enqueue_trial(trial.params, user_attrs=about)


def draw(trial: Trial, space: SearchSpace) -> dict[str, Plain]:
    """A value for each key of the space."""
    return {key: _drawn(trial, key, values) for key, values in space.keys.items()}


def _drawn(trial: Trial, key: str, values: Choices | Range) -> Plain:
    if isinstance(values, Choices):
        chosen: Plain = trial.suggest_categorical(key, values.choices)
        return chosen
    if values.whole:
        return trial.suggest_int(key, int(values.low), int(values.high), step=int(values.step or 1), log=values.log)
    return trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)


class ByPlace(BaseSampler):
    """A sampler that is made anew for each trial, from the search's seed and the trial's place.

    So a search that goes on draws what an unbroken one would have drawn, and no two workers draw the same.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._own = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        entropy = np.random.SeedSequence([self._seed, place(study, trial.number)])
        self._own = self._make(int(entropy.generate_state(1)[0]))
        self._own.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._own.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        self._own.after_trial(study, trial, state, values)


Direction = Literal["minimize", "maximize"]
SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def open_study(url: str, name: str, direction: Direction, sampler: BaseSampler, pruner: Any, out: Path) -> Study:
    """The search `name` in the database at `url`, made where there is none.

    Raises WrongRequest where the database cannot be opened.
    """
    try:
        with held(out / LOCK):  # two workers that make the tables at once would trip over each other
            storage = optuna.storages.RDBStorage(
                url,
                engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
                heartbeat_interval=60,
                heartbeat_stale_trial_callback=queue_again,
            )
            return optuna.create_study(
                storage=storage,
                study_name=name,
                direction=direction,
                sampler=sampler,
                pruner=pruner,
                load_if_exists=True,
            )
    except Exception as error:  # drivers and databases have as many ways to refuse as there are of them
        reason = " ".join(str(error).split())[:200]
        raise WrongRequest(f"the storage {_without_password(url)} cannot be opened: {reason}") from None


def _without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
