"""Pretraining without labels: a data set and a recipe in, a folder with a model to transfer out."""

from pathlib import Path

import torch

from ecgenough import networks
from ecgenough.files import write_text
from ecgenough.learning.objectives import build_objective
from ecgenough.learning.pretraining import SelfSupervised, check_pretraining, without_labels
from ecgenough.learning.training import learn, open_fabric
from ecgenough.model import PRETRAINED, Model
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.folders import write_data_flow
from ecgenough.studies.runs import Run, finished, origin, waveforms
from ecgenough.studies.splits import left_out, say_left_out, split_rows


def run_pretraining(store: Store, recipe: Recipe, out: Path, device: str = "auto") -> Path:
    """Pretrain a fresh network on all records of the store's training folds, whatever their labels; write it to `out`.

    The epoch is chosen on the validation folds; the test folds are not touched. Goes on from its checkpoint and leaves
    a finished run alone, as `runs.train` does. Raises WrongRequest for a recipe that does not pretrain.
    """
    settings = check_pretraining(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": None})
    if finished(out, recipe, store, source=None):
        return out
    store = without_labels(store)
    splits = split_rows(store, PRETRAINED, recipe.leave_out)
    spared = left_out(store, PRETRAINED, recipe.leave_out)
    run = Run(store, recipe, out, fabric, splits, fit_normaliser(recipe.normalisation, store, splits["train"]))
    torch.manual_seed(recipe.seed)
    network = networks.build(recipe.network.name, leads=len(recipe.signal.leads), classes=1, **recipe.network.options)
    objective = build_objective(settings, network, store.rate)
    learner = SelfSupervised(objective, store, splits, recipe, run.normaliser, fabric)
    _say_beginning(run, network, parameter_count(objective))
    say_left_out(store, spared, recipe.leave_out)
    out.mkdir(parents=True, exist_ok=True)
    progress = learn(learner, recipe, out, fabric)
    if fabric.is_global_zero:
        write_data_flow(out, store, PRETRAINED, splits, recipe.leave_out, spared)
        write_text(out / "recipe.yaml", recipe.to_yaml())
        _model(run, network, progress.best_epoch).save(out / "model")
        (out / "checkpoint.pt").unlink(missing_ok=True)
        loss = progress.log[progress.best_epoch - 1]["validation_loss"]
        say(f"epoch {progress.best_epoch} kept; validation loss {loss:.4f}; written to {out}, for ecgenough transfer")
    return out


def _say_beginning(run: Run, network: Network, learning: int) -> None:
    counts = ", ".join(f"{len(rows):,} {name}" for name, rows in run.splits.items())
    say(f"{run.store.name}, without labels: {counts} records; the test records are left alone")
    network_size = sum(weight.numel() for weight in network.parameters())
    say(f"{run.recipe.network.name}: {network_size:,} parameters; {learning:,} learn, the objective's own among them")


def _model(run: Run, network: Network, epoch: int) -> Model:
    return Model(
        network=network,
        recipe=run.recipe,
        task=PRETRAINED,
        classes=(),
        titles=(),
        thresholds=(),
        normaliser=run.normaliser,
        calibration=Calibration.none(0),
        origin=origin(run, epoch, source=None),
        seen=waveforms(run),
    )
