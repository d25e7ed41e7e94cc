"""`ecgenough train`."""

from ecgenough.commands.arguments import Changes, Dataset, Device, From, LeaveOut, Out, RecipeName, Stores, Task, Track
from ecgenough.commands.choosing import chosen_recipe
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
    chosen = chosen_recipe(recipe, changes, task, leave_out)
    check_out_of_run(out, chosen)
    trackers = open_trackers(track or ())
    runs.train(open_store(dataset, root, chosen.signal, folder=store), chosen, out, device, trackers)
