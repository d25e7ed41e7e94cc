"""Pretraining without labels: a data set and a recipe in, a folder with a model to transfer out."""

from pathlib import Path

import numpy as np
import torch

from ecgenough import networks
from ecgenough.files import write_text
from ecgenough.learning.checkpoints import CHECKPOINT
from ecgenough.learning.measuring import measured
from ecgenough.learning.objectives import build_objective
from ecgenough.learning.pretraining import SelfSupervised, check_pretraining, without_labels
from ecgenough.learning.training import learn, open_fabric
from ecgenough.model import PRETRAINED, Model
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.progress import say
from ecgenough.recipe import Measured, Recipe
from ecgenough.scoring.calibration import Calibration
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.beginning import RECIPE, begin, finished
from ecgenough.studies.folders import write_data_flow
from ecgenough.studies.one_run import Run
from ecgenough.studies.outcome import origin
from ecgenough.studies.splits import divide


def run_pretraining(store: Store, recipe: Recipe, out: Path, device: str = "auto") -> Path:
    """Pretrain a fresh network on all records of the store's training folds, whatever their labels; write it to `out`.

    The epoch is chosen on the validation folds; the test folds are not touched. Goes on from its checkpoint and leaves
    a finished run alone, as `runs.train` does. Raises WrongRequest for a recipe that does not pretrain.
    """
    settings = check_pretraining(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": None})
    store = without_labels(store)
    division = divide(store, PRETRAINED, recipe.leave_out)
    if finished(out, recipe, store, division, source=None):
        return out
    splits = division.rows
    run = Run(store, recipe, out, fabric, division, fit_normaliser(recipe.normalisation, store, splits["train"]))
    torch.manual_seed(recipe.seed)
    network = networks.build(recipe.network.name, leads=len(recipe.signal.leads), classes=1, **recipe.network.options)
    with fabric.rank_zero_first(local=True):  # of each machine; the others read what it keeps beside the store
        targets = measured(store, splits["train"]) if isinstance(settings, Measured) else None
    objective = build_objective(settings, network, store.rate, 0 if targets is None else targets.shape[1])
    learner = SelfSupervised(objective, store, splits, recipe, run.normaliser, fabric, targets)
    _say_beginning(run, network, parameter_count(objective))
    if fabric.is_global_zero:
        begin(out, recipe)
    progress = learn(learner, recipe, out, fabric)
    if fabric.is_global_zero:
        write_data_flow(out, store, PRETRAINED, division)
        write_text(out / RECIPE, recipe.to_yaml())
        _model(run, network, progress.best_epoch).save(out / "model")
        (out / CHECKPOINT).unlink(missing_ok=True)
        loss = progress.log[progress.best_epoch - 1]["validation_loss"]
        say(f"epoch {progress.best_epoch} kept; validation loss {loss:.4f}; written to {out}, for ecgenough transfer")
    return out


def _say_beginning(run: Run, network: Network, learning: int) -> None:
    run.division.say(run.store, "without labels")
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
        origin=origin(run, epoch),
        seen=np.unique(run.store.hashes[run.learned_from]),
        seen_patients=np.unique(run.store.patient_hashes(run.learned_from)),
    )
