"""`ecgenough evaluate`."""

from typing import Annotated, Any

import typer

from ecgenough import ensembles
from ecgenough.commands.arguments import Dataset, Device, From, OneOrMoreModels, Out, Stores, Task
from ecgenough.commands.tables import print_table
from ecgenough.errors import WrongRequest
from ecgenough.sentences import counted
from ecgenough.studies import runs
from ecgenough.studies.beginning import check_out_of_evaluation
from ecgenough.studies.outcome import interval_text
from ecgenough.studies.stores import open_store

_SHOWN = {
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}


def evaluate(
    model: OneOrMoreModels,
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    folds: Annotated[str, typer.Option("--folds", help="Such as 10 or 9,10; the test folds unless told.")] = "",
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Score a model on folds it has not seen: metrics.json, predictions.csv and a table."""
    check_out_of_evaluation(out)
    loaded = ensembles.load(model)
    records = open_store(dataset, root, loaded.recipe.signal, folder=store)
    metrics = runs.evaluate(loaded, records, out, task_name=task, folds=_fold_numbers(folds), device=device)
    # Of one task the classes follow the mean over them, of several the tasks do.
    named = (
        {task: figures["macro"] for task, figures in metrics["tasks"].items()}
        if "tasks" in metrics
        else metrics["classes"]
    )
    rows = [
        (label, *(interval_text(figures[name]) for name in _SHOWN))
        for label, figures in {"macro": metrics["macro"], **named}.items()
    ]
    print_table((counted(metrics["records"], "record"), *_SHOWN.values()), rows)
    for task, absent in _absent(metrics).items():
        typer.echo(f"{task}: without a positive or without a negative here, so not scored: {', '.join(absent)}")


def _absent(metrics: dict[str, Any]) -> dict[str, list[str]]:
    tasks = metrics.get("tasks", {metrics["task"]: metrics})
    return {task: figures["absent"] for task, figures in tasks.items() if figures["absent"]}


def _fold_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(fold) for fold in text.split(",") if fold.strip())
    except ValueError:
        raise WrongRequest(f'--folds "{text}" is not a list of fold numbers such as 9,10.') from None
