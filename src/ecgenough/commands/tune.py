"""`ecgenough tune`."""

from functools import cache
from typing import Annotated

import typer

from ecgenough.commands.arguments import Changes, Dataset, Device, From, Out, RecipeName, Stores, Task, Track
from ecgenough.commands.choosing import chosen_recipe
from ecgenough.recipe import Recipe, Signal
from ecgenough.signals.store import Store
from ecgenough.studies import tuning
from ecgenough.studies.search import Search
from ecgenough.studies.search_space import load_space
from ecgenough.studies.stores import open_store
from ecgenough.studies.tracking import open_trackers

Space = Annotated[str, typer.Option("--space", help="A shipped search space (paper, default) or a YAML file.")]
Trials = Annotated[int, typer.Option("--trials", min=1, help="How many trials the search has in the end.")]
Storage = Annotated[str | None, typer.Option("--storage", help="A database's URL; tune.db in --out unless told.")]
Sampler = Annotated[str, typer.Option("--sampler", help="tpe or random.")]
Pruner = Annotated[str, typer.Option("--pruner", help="Give bad trials up early: median, hyperband or none.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="What the draws follow from.")]
Metric = Annotated[
    str | None,
    typer.Option("--metric", help="macro_auc, macro_average_precision or loss; what chooses the epoch unless told."),
]


def tune(
    dataset: Dataset,
    space: Space,
    trials: Trials,
    out: Out,
    root: From = None,
    task: Task = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    storage: Storage = None,
    sampler: Sampler = "tpe",
    pruner: Pruner = "median",
    seed: Seed = 0,
    metric: Metric = None,
    store: Stores = None,
    device: Device = "auto",
    track: Track = None,
) -> None:
    """Search for a better recipe on the training and validation folds; repeat the command to go on, or to help."""
    chosen = chosen_recipe(recipe, changes, task)
    trackers = open_trackers(track or ())
    search = Search(chosen, load_space(space, chosen), metric or _judge(chosen), sampler, pruner, seed)

    @cache
    def stores(signal: Signal) -> Store:
        return open_store(dataset, root, signal, folder=store)

    tuning.tune(search, stores, out, trials, storage=storage, device=device, watchers=trackers)


def _judge(recipe: Recipe) -> str:
    """What chooses the epoch also judges the recipe; macro AUC where the last epoch is kept whatever it is worth."""
    return "macro_auc" if recipe.training.select == "last" else recipe.training.select
