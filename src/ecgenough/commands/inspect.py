"""`ecgenough inspect`."""

from pathlib import Path

import typer

from ecgenough.commands.arguments import Dataset, From, Out, Task, Workers
from ecgenough.datasets import open_dataset
from ecgenough.errors import WrongRequest
from ecgenough.inspection import inspect_dataset
from ecgenough.inspection.suspicions import KINDS
from ecgenough.reports import write_inspection
from ecgenough.sentences import counted
from ecgenough.signals.store import DESCRIPTION


def inspect(dataset: Dataset, out: Out, root: From = None, task: Task = None, workers: Workers = None) -> None:
    """Look through a collection: what it holds, and what to doubt in it. Nothing of it is changed."""
    if (Path(dataset) / DESCRIPTION).is_file():
        raise WrongRequest(
            f"{dataset} is a store, whose signals are conditioned already; name the data set it was made of."
        )
    if out.exists() and not out.is_dir():
        raise WrongRequest(f"{out} is a file; give a folder with --out.")
    found = inspect_dataset(open_dataset(dataset, root, to_train_on=False), task, workers)
    page = write_inspection(found, out)
    typer.echo(f"{counted(len(found.read), 'record')} read, {found.listed - len(found.read):,} absent or broken.")
    if found.labels is not None and found.labels.sameness:
        typer.echo(f"{found.labels.task}: {found.labels.sameness}")
    for kind in KINDS:
        if doubted := found.of_kind(kind):
            typer.echo(f"{kind}: {counted(len(doubted), 'record')}, first {doubted[0].record}: {doubted[0].evidence}")
    if found.copies:
        first = found.copies[0]
        names = found.dataset.records
        typer.echo(
            f"one waveform: {counted(len(found.copies), 'pair')}, first {names[first.first]} and {names[first.second]}."
        )
    if found.torn:
        patient, folds = next(iter(found.torn.items()))
        typer.echo(
            f"in several folds: {counted(len(found.torn), 'patient')}, first {patient} (folds {', '.join(map(str, folds))})."
        )
    typer.echo(f"The page: {page}")
