"""`ecgenough transfer`."""

from typing import Annotated

import typer

from ecgenough import ensembles
from ecgenough.commands.arguments import (
    Changes,
    Dataset,
    Device,
    From,
    ModelFolder,
    Out,
    RecipeName,
    Stores,
    Task,
    Track,
)
from ecgenough.commands.choosing import chosen_recipe
from ecgenough.studies import runs
from ecgenough.studies.beginning import check_out_of_run
from ecgenough.studies.stores import open_target
from ecgenough.studies.tracking import open_trackers

Mode = Annotated[str | None, typer.Option("--mode", help="frozen, full, lp-ft, gradual, layerwise or lora.")]


def transfer(
    model: ModelFolder,
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    mode: Mode = None,
    recipe: RecipeName = "transfer",
    changes: Changes = None,
    store: Stores = None,
    device: Device = "auto",
    track: Track = None,
) -> None:
    """Carry a trained model over to another data set or task."""
    chosen = chosen_recipe(recipe, [*([f"transfer.mode={mode}"] if mode else []), *(changes or ())], task)
    chosen = runs.recipe_for_transfer(ensembles.load(model), chosen)
    check_out_of_run(out, chosen)
    trackers = open_trackers(track or ())
    records = open_target(dataset, root, chosen.signal, folder=store)
    chosen = chosen.model_copy(update={"signal": records.signal})
    runs.transfer(model, records, chosen, out, device, trackers)
