"""`ecgenough pretrain`."""

from ecgenough.commands.arguments import Changes, Dataset, Device, From, LeaveOut, Out, RecipeName, Stores
from ecgenough.commands.choosing import chosen_recipe
from ecgenough.studies.beginning import check_out_of_run
from ecgenough.studies.pretraining import run_pretraining
from ecgenough.studies.stores import open_store


def pretrain(
    dataset: Dataset,
    out: Out,
    root: From = None,
    recipe: RecipeName = "pretrain-masked",
    changes: Changes = None,
    leave_out: LeaveOut = None,
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Learn from ECGs without their labels, for transfer to any task."""
    chosen = chosen_recipe(recipe, changes, leave_out=leave_out)
    check_out_of_run(out, chosen)
    run_pretraining(open_store(dataset, root, chosen.signal, folder=store), chosen, out, device)
