"""What a search leaves for people: best.yaml, trials.csv, and importance.csv once there are trials enough."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from ecgenough.errors import EcgenoughError
from ecgenough.files import write_text
from ecgenough.progress import say
from ecgenough.sentences import counted
from ecgenough.studies.search import Search
from ecgenough.studies.trials import REASON, folder_number, trials_that_count
from ecgenough.studies.with_optuna import FrozenTrial, Study, TrialState, optuna

ENOUGH = 20  # complete trials for importance, which compares the best tenth with all
_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def write_findings(study: Study, search: Search, out: Path) -> None:
    """Write trials.csv and, as soon as a trial is complete, best.yaml; importance.csv from ENOUGH complete ones on."""
    trials = trials_that_count(study)
    table = pd.DataFrame([_row(number, trial, search) for number, trial in enumerate(trials, 1)])
    table = table.astype({"epoch": "Int64"})  # empty where there is none
    write_text(out / "trials.csv", table.to_csv(index=False))
    complete = sum(trial.state is TrialState.COMPLETE for trial in trials)
    if complete:
        write_text(out / "best.yaml", _best(study, search, len(trials)))
    if complete >= ENOUGH:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
        rows = pd.DataFrame(list(shares.items()), columns=["key", "importance"])
        write_text(out / "importance.csv", rows.to_csv(index=False, float_format="%.4f"))


def say_best(study: Study, search: Search, out: Path) -> None:
    """The best trial, in a sentence. Raises EcgenoughError where none is complete."""
    trials = trials_that_count(study)
    if not (out / "best.yaml").is_file():
        reasons = [str(trial.user_attrs[REASON]) for trial in trials if REASON in trial.user_attrs]
        why = f"The first failed: {reasons[0]}" if reasons else "All were given up early; try --pruner none."
        raise EcgenoughError(f"{out} has no complete trial among {len(trials)}. {why}")
    best, running = study.best_trial, sum(trial.state is TrialState.RUNNING for trial in trials)
    told = ", ".join(f"{key} {value}" for key, value in best.params.items())
    say(f"\nthe best of {counted(len(trials), 'trial')}: {search.figure} {best.value:.4f} with {told}")
    if running:
        say(f"{running} of them still run in other workers; the last of these writes the final tables.")
    say(
        f"Its recipe is {out / 'best.yaml'}, for --recipe. The figure was chosen for being the best and is too good by "
        "that: judge the recipe on the test folds, which this search has not read."
    )


def kept_row(folder: Path, epoch: int) -> dict[str, float]:
    """The row of a run's log.csv of that epoch."""
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return next(row for row in rows if row["epoch"] == epoch)


def _row(number: int, trial: FrozenTrial, search: Search) -> dict[str, Any]:
    return {
        "trial": number,
        "folder": f"trials/{folder_number(trial):04d}",
        "state": _STATES[trial.state],
        search.figure: trial.value if trial.state is TrialState.COMPLETE else None,
        "epoch": trial.user_attrs.get("epoch"),
        "epochs": len(trial.intermediate_values),
        "seconds": trial.user_attrs.get("seconds"),
        **{key: trial.params.get(key) for key in search.space.keys},
        "reason": trial.user_attrs.get(REASON, ""),
    }


def _best(study: Study, search: Search, trials: int) -> str:
    best = study.best_trial
    recipe = search.space.recipe(search.recipe, best.params)
    return (
        f"# The best of {counted(trials, 'trial')} by {search.figure}: {best.value:.6g}, "
        f"in trials/{folder_number(best):04d}.\n{recipe.to_yaml()}"
    )
