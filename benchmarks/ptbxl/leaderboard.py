"""What one afternoon with a GPU should try: members of an ensemble, their mean, and networks they teach.

Each run goes on where it was and is done once, so the command can be repeated; the table is written after each.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ptbxl.figures import measured
from ecgenough.ensembles import ensemble
from ecgenough.files import write_text
from ecgenough.model import Model
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.scoring import auc
from ecgenough.signals.store import Store
from ecgenough.studies import runs

FOLD = 9
# What did best in searches.md, each with a seed of its own, so that they err differently.
MEMBERS: Mapping[str, tuple[str, ...]] = {
    "as-shipped": ("seed=0",),
    "another-seed": ("seed=1",),
    "higher-rate": ("seed=2", "optimizer.learning_rate=0.008"),
    "gentler-weights": ("seed=3", "loss.power=0.25", "optimizer.weight_decay=0.1"),
    "wider": ("seed=4", "network.options.width=384"),
}
SHARES = (0.5, 0.8)  # of a pupil's targets that the teachers give


@dataclass(frozen=True)
class Row:
    """One line of the table: a run or an average of runs, and its macro AUC on the validation fold by task."""

    name: str
    changes: str
    fold: int
    epochs: int
    seconds: float
    aucs: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Over the tasks."""
        return float(np.mean(list(self.aucs.values())))

    def cells(self) -> list[str]:
        figures = [*self.aucs.values(), self.mean]
        where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
        about = [self.name, self.changes, str(self.fold), where, str(self.epochs), f"{self.seconds:.0f}"]
        return [*about, *(f"{figure:.4f}" for figure in figures)]


def write_leaderboard(store: Store, recipe: Recipe, out: Path, table: Path, *, members: Sequence[str] = ()) -> None:
    """Train the members (all unless named), average them, and teach pupils by them."""
    rows: list[Row] = []
    for row in _rows(store, recipe, out, members or tuple(MEMBERS)):
        rows.append(row)
        say(f"{row.name}, fold {row.fold}: " + ", ".join(f"{task} {value:.4f}" for task, value in row.aucs.items()))
        write_text(table, table_of(rows))


def _rows(store: Store, recipe: Recipe, out: Path, members: Sequence[str]) -> Iterator[Row]:
    teachers = [out / name for name in members]
    for name, folder in zip(members, teachers, strict=True):
        yield trained(store, recipe, name, MEMBERS[name], folder)
    aucs = _mean_aucs(teachers, store)
    yield Row(f"mean of these {len(teachers)}", "", FOLD, recipe.training.epochs, 0.0, aucs)
    for share in SHARES:
        changes = (f"distillation.teachers={[str(folder) for folder in teachers]}", f"distillation.weight={share}")
        yield trained(store, recipe, f"taught, share {share}", changes, out / f"taught-{share}")


def trained(store: Store, recipe: Recipe, name: str, changes: Sequence[str], folder: Path) -> Row:
    """Train the recipe with these changes into `folder`, if that is not done: its line of the table."""
    run = runs.train(store, recipe.with_changes(changes), folder)
    figures: dict[str, Any] = json.loads((run / "validation" / "metrics.json").read_text(encoding="utf-8"))
    with (run / "log.csv").open(encoding="utf-8", newline="") as file:
        epochs = list(csv.DictReader(file))
    aucs = {task: float(of_task["macro"]["auc"]["value"]) for task, of_task in figures["tasks"].items()}
    seconds = sum(float(epoch["seconds"]) for epoch in epochs)
    return Row(name, " ".join(changes), store.validation_folds[0], len(epochs), seconds, aucs)


def _mean_aucs(teachers: Sequence[Path], store: Store) -> dict[str, float]:
    mean = ensemble({folder.name: Model.load(folder) for folder in teachers})
    tasks = measured(mean, store, FOLD).items()
    return {task: float(np.nanmean(auc(answers.labels, answers.probabilities))) for task, answers in tasks}


def table_of(rows: Sequence[Row]) -> str:
    """The lines as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "changes", "fold", "machine", "epochs", "seconds", *rows[0].aucs, "mean"])
    writer.writerows(row.cells() for row in rows)
    return text.getvalue()
