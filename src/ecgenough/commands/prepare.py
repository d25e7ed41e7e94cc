"""`ecgenough prepare`."""

from typing import Annotated

import typer

from ecgenough.commands.arguments import Changes, Dataset, From, RecipeName, Stores, Workers
from ecgenough.errors import WrongRequest, nearest
from ecgenough.recipe import load_recipe
from ecgenough.signals.on_ray import OnRay
from ecgenough.studies.stores import open_store

ENGINES = ("local", "ray")


def prepare(
    dataset: Dataset,
    root: From = None,
    store: Stores = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    workers: Workers = None,
    on: Annotated[str, typer.Option("--on", help="local processes, or ray.")] = "local",
    address: Annotated[
        str | None, typer.Option("--address", help="The Ray cluster to join; one is started here unless told.")
    ] = None,
) -> None:
    """Condition every recording once, for fast training; where that is done, look whether the store is still whole."""
    if on not in ENGINES:
        raise WrongRequest(f'--on "{on}" is unknown. {nearest(on, ENGINES)}')
    settings = load_recipe(recipe, changes or ()).signal
    cluster = OnRay(workers, address) if on == "ray" else None
    try:
        prepared = open_store(dataset, root, settings, folder=store, workers=workers, conditioner=cluster)
    finally:
        if cluster is not None:
            cluster.close()
    prepared.check()
    typer.echo(f"{len(prepared.records):,} records, {len(prepared.rejected):,} rejected: {prepared.path}")
