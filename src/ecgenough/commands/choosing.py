"""The recipe that the options of a command ask for."""

from collections.abc import Sequence

from ecgenough import networks
from ecgenough.recipe import Recipe, load_recipe


def chosen_recipe(
    name: str, changes: Sequence[str] | None, task: str | None = None, leave_out: str | None = None
) -> Recipe:
    """The recipe after `--set`, `--task` and `--leave-out`. Raises WrongRequest where it, or its network, is none."""
    recipe = load_recipe(name, changes or ())
    told = {key: value for key, value in (("task", task), ("leave_out", leave_out)) if value}
    networks.check(recipe.network.name, recipe.network.options)
    return recipe.model_copy(update=told)
