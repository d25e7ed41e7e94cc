"""Does a baseline know what a network does not? Both alone on fold 9, and the mean of their log-odds."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks.ptbxl.figures import Measured, measured
from ecgenough import ensembles
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.scoring import auc
from ecgenough.signals.store import Store

Floats = NDArray[np.float64]
NEAREST = 1e-6  # to 0 and 1 that a probability counts as


def compare(name: str, baseline_runs: Sequence[Path], store: Store, fold: int, table: Path) -> None:
    """Write the macro AUC of a model, of each baseline's run (a task each), and of both together, as Markdown."""
    tasks = measured(ensembles.load(name), store, fold)
    lines = [f"Macro AUC on fold {fold}.", "", f"| task | {name} | baseline | both |", "| --- | --- | --- | --- |"]
    for run in baseline_runs:
        card = json.loads((run / "baseline.json").read_text(encoding="utf-8"))
        if card["task"] not in tasks:
            raise WrongRequest(f"{run} answers {card['task']}; {name} has the tasks {', '.join(tasks)}.")
        figures = _figures(tasks[card["task"]], run / "validation" / "predictions.csv", store)
        lines.append(f"| {card['task']}, {card['baseline']} | {' | '.join(f'{figure:.4f}' for figure in figures)} |")
        write_text(table, "\n".join(lines) + "\n")
    print("\n".join(lines))


def _figures(task: Measured, predictions: Path, store: Store) -> tuple[float, float, float]:
    """Of the network, of the baseline, and of both."""
    with predictions.open(encoding="utf-8", newline="") as file:
        by_record = {
            line["record"]: [float(line[f"p_{label}"]) for label in task.classes] for line in csv.DictReader(file)
        }
    of_baseline = np.array([by_record[store.records[row]] for row in task.answers.rows])
    both = expit((_log_odds(task.probabilities) + _log_odds(of_baseline)) / 2)
    return _macro(task, task.probabilities), _macro(task, of_baseline), _macro(task, both)


def _log_odds(probabilities: Floats) -> Floats:
    return np.asarray(logit(probabilities.clip(NEAREST, 1 - NEAREST)), dtype=np.float64)


def _macro(task: Measured, probabilities: Floats) -> float:
    return float(np.nanmean(auc(task.labels, probabilities)))
