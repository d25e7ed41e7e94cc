"""What models make of shorter recordings: the first seconds of each, as if no more had been taken.

Macro means over the classes of one task, on the chosen folds of a store, at the models' thresholds; and the calls that a
record gets beside the classes that it has. What follows those seconds is zero, as `Model.predict` pads a short recording.
"""

import argparse
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.ending import end_with_a_sentence
from ecgenough import ensembles
from ecgenough.files import write_text
from ecgenough.model import Model
from ecgenough.scoring import auc
from ecgenough.signals.store import Store

SECONDS = (10.0, 8.0, 6.0, 5.0, 3.0)
PAGE = """# Shorter recordings

- Command: `{command}`; ecgenough {ecgenough}, torch {torch}
- {records:,} records of {store}, folds {folds}, which chose the thresholds; task {task}

| model | seconds | macro AUC | sensitivity | specificity | sensitivity of {first} | calls a record | classes a record |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""


def main() -> None:
    asked = _arguments()
    store = Store.open(asked.store)
    models = {name: ensembles.load(name).for_task(asked.task) for name in asked.models}
    rows = store.rows(asked.task, tuple(asked.folds))
    lines = [line for name, model in models.items() for line in _lines(name, model, store, rows)]
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.lengths", *sys.argv[1:]]),
        ecgenough=version("ecgenough"),
        torch=version("torch"),
        records=len(rows),
        store=store.name,
        folds=", ".join(map(str, asked.folds)),
        task=asked.task,
        first=store.task(asked.task).classes[0],
        rows="\n".join(lines),
    )
    print(page)
    if asked.out:
        write_text(asked.out, page)


def _lines(name: str, model: Model, store: Store, rows: np.ndarray) -> list[str]:
    counts, truth = store.read(rows), store.task(model.task).labels[rows] > 0.5
    valid = store.valid[rows].astype(np.int64)
    lines = []
    for seconds in SECONDS:
        shown = np.minimum(valid, round(seconds * store.rate))
        cut = np.where(np.arange(counts.shape[-1]) < shown[:, None, None], counts, np.int16(0))
        probabilities = model.probabilities(model.logits_of(cut, shown))
        calls = probabilities >= np.array(model.thresholds)
        right, wrong = (np.nanmean(np.where(of, calls == truth, np.nan), axis=0) for of in (truth, ~truth))
        figures = (np.nanmean(auc(truth, probabilities)), right.mean(), wrong.mean(), right[0])
        shares = " | ".join(f"{figure:.3f}" for figure in figures)
        counted = f"{calls.sum(axis=1).mean():.2f} | {truth.sum(axis=1).mean():.2f}"
        lines.append(f"| {name} | {seconds:g} | {shares} | {counted} |")
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lengths", description=__doc__)
    parser.add_argument("models", nargs="+", help="names or folders of models, or several joined by +")
    parser.add_argument("--store", type=Path, required=True, help="the folder of a prepared store")
    parser.add_argument("--task", default="superdiagnostic")
    parser.add_argument("--folds", type=int, nargs="+", default=[9])
    parser.add_argument("--out", type=Path, help="a Markdown file to write the table to")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
