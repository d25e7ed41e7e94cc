"""`ecgenough train`."""

from ecgenough import networks
from ecgenough.commands.arguments import Changes, Dataset, Device, From, LeaveOut, Out, RecipeName, Stores, Task, Track
from ecgenough.recipe import load_recipe
from ecgenough.studies import runs
from ecgenough.studies.beginning import check_out_of_run
from ecgenough.studies.stores import open_store
from ecgenough.studies.tracking import open_trackers


def train(
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    leave_out: LeaveOut = None,
    store: Stores = None,
    device: Device = "auto",
    track: Track = None,
) -> None:
    """Train a network on the training folds and choose its epoch on the validation folds."""
    chosen = load_recipe(recipe, changes or ())
    if task:
        chosen = chosen.model_copy(update={"task": task})
    if leave_out:
        chosen = chosen.model_copy(update={"leave_out": leave_out})
    networks.check(chosen.network.name, chosen.network.options)
    check_out_of_run(out, chosen)
    trackers = open_trackers(track or ())
    runs.train(open_store(dataset, root, chosen.signal, folder=store), chosen, out, device, trackers)
