"""What a run or an evaluation of a joint task leaves on disk: each task's figures in a folder of its own, and a summary."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecgenough.files import write_text
from ecgenough.learning.evaluation import Answers
from ecgenough.model import Model
from ecgenough.scoring.intervals import Part, score_together
from ecgenough.signals.store import Store
from ecgenough.studies.folders import write_data_flow, write_evaluation
from ecgenough.studies.splits import Division, seen_rows

Place = Callable[[str], Path]


def write_task_runs(out: Path, store: Store, division: Division, model: Model) -> None:
    """Make out/tasks/NAME a run's folder for each task, which a report can be made of: data.json, recipe, log."""
    for name in model.parts:
        folder, listed = out / "tasks" / name, store.task(name).listed
        own = {part: rows[listed[rows]] for part, rows in division.rows.items()}
        write_data_flow(folder, store, name, dataclasses.replace(division, rows=own), model.for_task(name).untuned)
        for file in ("recipe.yaml", "log.csv"):
            shutil.copyfile(out / file, folder / file)


def write_joint_evaluation(
    summary: Path, place: Place, store: Store, model: Model, answers: Answers, folds: tuple[int, ...]
) -> dict[str, Any]:
    """Score each task of a joint model on its own records, into the folder `place` gives it; returns the summary.

    The summary, `metrics.json` in its folder, holds the macro figures of every task and their mean over the tasks.
    """
    tasks: dict[str, Any] = {}
    for name, columns in model.parts.items():
        own = answers.of(columns)
        seen = len(seen_rows(model, store, own.rows))
        tasks[name] = write_evaluation(place(name), store, model.for_task(name), own, folds, seen)
    patients = [store.patients[row] for row in answers.rows]
    metrics = {
        "dataset": store.name,
        "task": model.task,
        "folds": list(folds),
        "seen": len(seen_rows(model, store, answers.rows)),
        "records": len(answers.rows),
        "patients": len(set(patients)),
        "macro": score_together(_parts(model, answers), patients),
        "tasks": {name: {key: figures[key] for key in _KEPT} for name, figures in tasks.items()},
    }
    write_text(summary / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


_KEPT = ("records", "patients", "macro", "absent")


def _parts(model: Model, answers: Answers) -> list[Part]:
    probabilities, thresholds = model.probabilities(answers.logits), np.asarray(model.thresholds)
    counted = {name: ~np.isnan(answers.labels[:, columns]).any(axis=1) for name, columns in model.parts.items()}
    return [
        Part(
            rows=np.flatnonzero(counted[name]),
            labels=answers.labels[counted[name], columns] > 0.5,
            probabilities=probabilities[counted[name], columns],
            thresholds=thresholds[columns],
        )
        for name, columns in model.parts.items()
    ]
