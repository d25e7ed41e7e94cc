"""One run: a data set and a recipe in, a folder with a model and its figures out."""

import copy
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from ecgenough import networks
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.learning.evaluation import Answers, answer
from ecgenough.learning.losses import build_loss
from ecgenough.learning.training import Progress, Splits, fit, open_fabric
from ecgenough.learning.transfer import SCRATCH, Adaptation
from ecgenough.model import Model, weights_digest
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.scoring.calibration import Calibration, fit_platt
from ecgenough.scoring.thresholds import choose_thresholds
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import Normaliser, fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.folders import write_data_flow, write_evaluation
from ecgenough.studies.splits import left_out, listed_folds, refuse_overlap, say_left_out, split_rows


@dataclass(frozen=True)
class Run:
    """A training about to happen: its records, its recipe, its network and its folder."""

    store: Store
    recipe: Recipe
    out: Path
    fabric: Fabric
    splits: dict[str, NDArray[np.int64]]
    normaliser: Normaliser

    @property
    def task(self) -> str:
        return self.recipe.task or self.store.default_task

    def training(self) -> Batches:
        """The training records; where several processes train, this one's share of every batch."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        return self._batches("train", rank, world)

    def validation(self) -> Batches:
        """The validation records, all of them in every process."""
        return self._batches("validation", 0, 1)

    def _batches(self, part: str, rank: int, world: int) -> Batches:
        rows = self.splits[part]
        return Batches(self.store, rows, self.task, self.recipe, self.normaliser, self.fabric.device, rank, world)


def train(store: Store, recipe: Recipe, out: Path, device: str = "auto") -> Path:
    """Train a fresh network on the store's training folds, choose on its validation folds, write the run to `out`.

    An interrupted run goes on from its checkpoint; a finished one of the same recipe and data is left as it is.
    Raises WrongRequest where `out` holds another run or the task's folds are empty.
    """
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    if finished(out, recipe, store, source=None):
        return out
    splits = split_rows(store, recipe.task, recipe.leave_out)
    run = Run(store, recipe, out, fabric, splits, fit_normaliser(recipe.normalisation, store, splits["train"]))
    torch.manual_seed(recipe.seed)
    network = networks.build(
        recipe.network.name,
        leads=len(recipe.signal.leads),
        classes=len(store.task(run.task).classes),
        **recipe.network.options,
    )
    _carry_out(run, network)
    return out


def transfer(source: str | Path, store: Store, recipe: Recipe, out: Path, device: str = "auto") -> Path:
    """Carry a trained model over to the store's task as `recipe.transfer` says and write the run to `out`.

    The recipe must condition as the source does (`recipe_for_transfer`). Raises WrongRequest where records of the
    store were among those the source learned from.
    """
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    if finished(out, recipe, store, source=source):
        return out
    model = Model.load(source)
    refuse_overlap(model, store, recipe.task)
    splits = split_rows(store, recipe.task, recipe.leave_out)
    normaliser = model.normaliser.to(fabric.device)
    run = Run(store, recipe, out, fabric, splits, normaliser)
    classes = store.task(run.task).classes
    torch.manual_seed(recipe.seed)
    network = model.network
    network.reset_head(len(classes))
    shared = [name for name in classes if name in model.classes]
    messages = [f"{len(shared)} of {len(classes)} classes are also the source's: {', '.join(shared) or 'none'}."]
    mode = recipe.transfer.mode if recipe.transfer else "full"
    everything = parameter_count(network)
    learned = Adaptation(copy.deepcopy(network), recipe.transfer or SCRATCH).learned(recipe.training.epochs)
    say(f"transfer {mode}: {learned:,} of {everything:,} parameters learn. {messages[0]}")
    about = {"from": str(source), "mode": mode, "trained_parameters": learned, "all_parameters": everything}
    write_text(out / "transfer.json", json.dumps({**about, "messages": messages}, indent=2) + "\n")
    _carry_out(run, network, str(source))
    return out


def recipe_for_transfer(model: Model, recipe: Recipe) -> Recipe:
    """The recipe with everything the pretrained network fixes: conditioning, crop, normalisation, network."""
    fixed = ("signal", "crop", "normalisation", "network")
    return recipe.model_copy(update={name: getattr(model.recipe, name) for name in fixed})


def evaluate(
    model: Model,
    store: Store,
    out: Path,
    *,
    task_name: str | None = None,
    folds: Sequence[int] = (),
    device: str = "auto",
) -> dict[str, Any]:
    """Score a model on folds of a store (its test folds unless told) and write the evaluation to `out`.

    Raises WrongRequest where the task's classes are not the model's or the folds hold no record of the task.
    """
    model.check_it_answers()
    fabric = open_fabric(model.recipe.training.precision, device)
    task = store.task(task_name or model.task)
    folds = tuple(folds) or store.test_folds
    if task.classes != model.classes:
        raise WrongRequest(
            f'task "{task.name}" of {store.name} has the classes {", ".join(task.classes)}; '
            f"the model knows {', '.join(model.classes)}. Choose its own task with --task, or transfer it first."
        )
    rows = store.rows(task.name, folds)
    if not len(rows):
        raise WrongRequest(
            f"{store.name} has no records of task {task.name} in fold {listed_folds(folds)}; "
            f"its folds are {listed_folds(sorted(set(store.folds.tolist())))}."
        )
    batches = Batches(store, rows, task.name, model.recipe, model.normaliser.to(fabric.device), fabric.device)
    answers = answer(model.network.to(fabric.device), batches, fabric.autocast())
    seen = int(np.isin(store.hashes[rows], model.seen).sum())
    if seen:
        say(f"{seen:,} of these {len(rows):,} records trained or chose this model: its figures on them are too good.")
    return write_evaluation(out, store, model, answers, folds, seen)


def _carry_out(run: Run, network: Network, source: str | None = None) -> None:
    if source is None and run.recipe.transfer is not None:
        raise WrongRequest("this recipe carries a trained model over. Use ecgenough transfer, or set transfer=null.")
    if run.recipe.pretraining is not None:
        raise WrongRequest("this recipe pretrains without labels. Use ecgenough pretrain, or another recipe.")
    splits = Splits(run.training(), run.validation())
    say(
        f"{run.store.name} {run.task}: {', '.join(f'{len(rows):,} {name}' for name, rows in run.splits.items())} records"
    )
    out = left_out(run.store, run.task, run.recipe.leave_out)
    say_left_out(run.store, out, run.recipe.leave_out)
    say(f"{run.recipe.network.name}: {parameter_count(network):,} parameters; {splits.train.placement}")
    run.out.mkdir(parents=True, exist_ok=True)
    labels = torch.from_numpy(run.store.task(run.task).labels[run.splits["train"]]).to(run.fabric.device)
    loss = build_loss(run.recipe.loss, labels)
    progress = fit(network, loss, splits, run.recipe, run.out, run.fabric)
    if not run.fabric.is_global_zero:
        return
    validation = answer(network, splits.validation, run.fabric.autocast())
    model = _model(run, network, validation, progress, source)
    write_data_flow(run.out, run.store, run.task, run.splits, run.recipe.leave_out, out)
    metrics = write_evaluation(
        run.out / "validation", run.store, model, validation, run.store.validation_folds, len(validation.rows)
    )
    write_text(run.out / "recipe.yaml", run.recipe.to_yaml())
    model.save(run.out / "model")
    (run.out / "checkpoint.pt").unlink(missing_ok=True)
    say(
        f"epoch {progress.best_epoch} kept; validation macro AUC {interval_text(metrics['macro']['auc'])}; written to {run.out}"
    )


def _model(run: Run, network: Network, validation: Answers, progress: Progress, source: str | None) -> Model:
    about = run.store.task(run.task)
    calibration = calibrate(validation)
    probabilities = calibration.apply(validation.probabilities)
    thresholds = choose_thresholds(validation.labels > 0.5, probabilities, rule="g_mean").values
    earlier = Model.load(source).seen if source else np.zeros(0, np.uint64)
    return Model(
        network=network,
        recipe=run.recipe,
        task=about.name,
        classes=about.classes,
        titles=about.titles or about.classes,
        thresholds=tuple(float(threshold) for threshold in thresholds),
        normaliser=run.normaliser,
        calibration=calibration,
        origin=origin(run, progress.best_epoch, source),
        seen=np.union1d(earlier, waveforms(run)).astype(np.uint64),
    )


def origin(run: Run, epoch: int, source: str | None) -> dict[str, Any]:
    """Where the model of a run came from: data, recipe, the model it began as, the epoch kept, the machine."""
    return {
        "dataset": run.store.name,
        "store": run.store.fingerprint,
        "recipe": run.recipe.fingerprint(),
        "source": source,
        "source_weights": weights_digest(source) if source else None,
        "epoch": epoch,
        "folds": {"train": list(run.store.train_folds), "validation": list(run.store.validation_folds)},
        "environment": environment(run.fabric.device),
    }


def waveforms(run: Run) -> NDArray[np.uint64]:
    """Hashes of the records that a run learns from or chooses on."""
    rows = np.concatenate([run.splits["train"], run.splits["validation"]])
    return np.asarray(run.store.hashes[rows], dtype=np.uint64)


def calibrate(validation: Answers) -> Calibration:
    """Platt scaling per class on the validation records; a class ranked backwards there stays as it is."""
    fitted = fit_platt(validation.labels > 0.5, validation.probabilities)
    kept = [slope > 0 for slope in fitted.slope]
    slope = tuple(value if keep else 1.0 for value, keep in zip(fitted.slope, kept, strict=True))
    intercept = tuple(value if keep else 0.0 for value, keep in zip(fitted.intercept, kept, strict=True))
    return Calibration(slope, intercept, fitted.absent)


def environment(device: torch.device) -> dict[str, str]:
    """What the run ran on."""
    packages = {name: version(name) for name in ("ecgenough", "torch", "numpy", "scipy")}
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    return {"python": platform.python_version(), **packages, "device": where}


def interval_text(figure: dict[str, float]) -> str:
    """A figure with its interval, as people read it: 0.912 (0.901-0.922)."""
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"


def finished(out: Path, recipe: Recipe, store: Store, source: str | Path | None) -> bool:
    """Whether `out` holds this very run, done. Raises WrongRequest where it holds another."""
    if not (out / "model" / "model.json").exists():
        return False
    origin = Model.load(out).origin
    began_as = weights_digest(source) if source else None
    asked = (recipe.fingerprint(), store.fingerprint, began_as)
    if (origin["recipe"], origin["store"], origin.get("source_weights")) != asked:
        raise WrongRequest(f"{out} holds another run. Choose another --out, or delete that folder.")
    say(f"{out} holds this run already; nothing to do.")
    return True
