"""`ecgenough recipes`."""

from typing import Annotated

import typer

from ecgenough.commands.tables import print_table
from ecgenough.recipe import load_recipe, shipped


def recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe in full.")] = None) -> None:
    """Show the shipped recipes, or print one as YAML."""
    if name is not None:
        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    known = [(name, load_recipe(name)) for name in shipped()]
    rows = [(name, r.network.name, r.loss.kind, str(r.training.epochs), f"{r.signal.rate:g} Hz") for name, r in known]
    print_table(("name", "network", "loss", "epochs", "rate"), rows)
