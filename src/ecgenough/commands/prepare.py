"""`ecgenough prepare`."""

import typer

from ecgenough.commands.arguments import Changes, Dataset, From, RecipeName, Stores, Workers
from ecgenough.recipe import load_recipe
from ecgenough.studies.stores import open_store


def prepare(
    dataset: Dataset,
    root: From = None,
    store: Stores = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    workers: Workers = None,
) -> None:
    """Condition every recording once, for fast training; where that is done, look whether the store is still whole."""
    settings = load_recipe(recipe, changes or ()).signal
    prepared = open_store(dataset, root, settings, folder=store, workers=workers)
    prepared.check()
    typer.echo(f"{len(prepared.records):,} records, {len(prepared.rejected):,} rejected: {prepared.path}")
