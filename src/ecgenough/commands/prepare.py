"""`ecgenough prepare`."""

import typer

from ecgenough.commands.arguments import Address, Changes, Dataset, From, On, RecipeName, Stores, Workers, on_ray
from ecgenough.recipe import load_recipe
from ecgenough.sentences import counted
from ecgenough.signals.on_ray import OnRay
from ecgenough.studies.stores import open_store


def prepare(
    dataset: Dataset,
    root: From = None,
    store: Stores = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    workers: Workers = None,
    on: On = "local",
    address: Address = None,
) -> None:
    """Condition every recording once, for fast training; where that is done, look whether the store is still whole."""
    distributed = on_ray(on, address)
    settings = load_recipe(recipe, changes or ()).signal
    cluster = OnRay(workers, address) if distributed else None
    try:
        prepared = open_store(dataset, root, settings, folder=store, workers=workers, conditioner=cluster)
    finally:
        if cluster is not None:
            cluster.close()
    prepared.check()
    typer.echo(f"{counted(len(prepared.records), 'record')}, {len(prepared.rejected):,} rejected: {prepared.path}")
