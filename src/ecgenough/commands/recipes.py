"""`ecgenough recipes`."""

from typing import Annotated

import typer

from ecgenough.commands.tables import print_table
from ecgenough.recipe import Recipe, load_recipe, shipped

FITTED_AT_ONCE = "caliper_trees"  # of networks.FITTED, told by name: networks are slow to import


def recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe in full.")] = None) -> None:
    """Show the shipped recipes, or print one as YAML."""
    if name is not None:
        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    print_table(
        ("name", "network", "learns by", "epochs", "rate"), [_row(name, load_recipe(name)) for name in shipped()]
    )


def _row(name: str, recipe: Recipe) -> tuple[str, ...]:
    how: str = recipe.loss.kind if recipe.pretraining is None else recipe.pretraining.objective
    fitted = recipe.network.name == FITTED_AT_ONCE
    learns = ("fit", "-") if fitted else (how, str(recipe.training.epochs))
    return (name, recipe.network.name, *learns, f"{recipe.signal.rate:g} Hz")
