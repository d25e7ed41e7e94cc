"""`ecgenough baseline`."""

from typing import Annotated

import typer

from ecgenough.commands.arguments import Changes, Dataset, From, Out, RecipeName, Stores, Task
from ecgenough.recipe import load_recipe
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.beginning import check_out_of_baseline
from ecgenough.studies.stores import open_store


def baseline(
    name: Annotated[str, typer.Argument(help="prevalence, demographics, intervals or minirocket.")],
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    store: Stores = None,
) -> None:
    """Fit and score a sober baseline to compare networks with; of the recipe, only signal and seed count."""
    chosen = load_recipe(recipe, changes or ())
    check_out_of_baseline(out)
    run_baseline(name, open_store(dataset, root, chosen.signal, folder=store), task, out, chosen.seed)
