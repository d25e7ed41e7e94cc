"""The recipe that the options of a command ask for."""

from collections.abc import Sequence

from ecgenough import baselines, networks
from ecgenough.recipe import Recipe, load_recipe


def chosen_recipe(
    name: str, changes: Sequence[str] | None, task: str | None = None, leave_out: str | None = None
) -> Recipe:
    """The recipe after `--set`, `--task` and `--leave-out`. Raises WrongRequest where it is none, or its network,
    or a baseline that is to be fitted."""
    recipe = load_recipe(name, changes or ())
    told = {key: value for key, value in (("task", task), ("leave_out", leave_out)) if value}
    networks.check_recipe(recipe)
    for baseline in baselines.fitted_by(recipe):
        baselines.check(baseline)
    return recipe.model_copy(update=told)
