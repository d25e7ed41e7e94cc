"""`ecgenough reproduce`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from ecgenough.commands.arguments import Device, From, Stores
from ecgenough.commands.tables import print_table
from ecgenough.errors import WrongRequest
from ecgenough.studies.cell_folders import CARD
from ecgenough.studies.cell_reproduction import reproduce_cell
from ecgenough.studies.reproduction import Original
from ecgenough.studies.reproduction import reproduce as repeat
from ecgenough.studies.stores import open_store

RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a finished train, transfer or cell of a study.")
]
Again = Annotated[Path | None, typer.Option("--out", help="The folder to write to; RUN-reproduced unless told.")]
DatasetName = Annotated[
    str | None,
    typer.Option("--dataset", help="The data set's name or manifest, where it is not the one the run states."),
]
Source = Annotated[Path | None, typer.Option("--source", help="Where the model that a transfer began with is now.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Compare in spite of other versions.")]


def reproduce(
    run: RunFolder,
    root: From = None,
    out: Again = None,
    dataset: DatasetName = None,
    source: Source = None,
    anyway: Anyway = False,
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Rerun a finished run from its saved recipe and say how far each figure is from the first."""
    again = out or run.resolve().with_name(f"{run.resolve().name}-reproduced")
    if (run / CARD).is_file():
        if any(told is not None for told in (root, dataset, source)):
            raise WrongRequest(
                f"{run} is a study's cell: the study says its data; leave out --from, --dataset and --source."
            )
        again = out or run.resolve().parents[1] / "reproduced" / run.resolve().name
        found = reproduce_cell(run, again, device, stores=store, anyway=anyway)
    else:
        original = Original.open(run, source)
        name = dataset or str(original.model.origin["dataset"])
        records = open_store(name, root, original.model.recipe.signal, folder=store)
        found = repeat(original, records, again, device, anyway=anyway)
    print_table(("figure", "largest deviation"), [(name, _told(value)) for name, value in found["figures"].items()])
    verdict = "identical" if found["identical"] else f"not identical; the largest deviations are above, and in {again}"
    typer.echo(f"{run} and {again}: {verdict}")


def _told(deviation: float) -> str:
    if math.isinf(deviation):
        return "not in both"
    return "identical" if deviation == 0 else f"{deviation:.3g}"
