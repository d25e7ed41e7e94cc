"""`ecgenough pretrain`."""

from ecgenough import networks
from ecgenough.commands.arguments import Changes, Dataset, Device, From, LeaveOut, Out, RecipeName, Stores
from ecgenough.recipe import load_recipe
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
    chosen = load_recipe(recipe, changes or ())
    if leave_out:
        chosen = chosen.model_copy(update={"leave_out": leave_out})
    networks.check(chosen.network.name, chosen.network.options)
    check_out_of_run(out, chosen)
    run_pretraining(open_store(dataset, root, chosen.signal, folder=store), chosen, out, device)
