"""One run: a data set and a recipe in, a folder with a model and its figures out."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from ecgenough import networks
from ecgenough.datasets.joint import columns_by_task, own_class
from ecgenough.datasets.table import Task
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest, few
from ecgenough.files import remove_litter, write_text
from ecgenough.learning.distillation import Teacher, called, mixed
from ecgenough.learning.evaluation import Answers, answer
from ecgenough.learning.losses import build_loss
from ecgenough.learning.training import Progress, Splits, fit, open_fabric
from ecgenough.learning.transfer import SCRATCH, Adaptation
from ecgenough.learning.watching import Beginning, Watcher, watched
from ecgenough.model import Model, weights_digest
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches, label_targets
from ecgenough.signals.normalisation import Normaliser, fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.beginning import CHECKPOINT, RECIPE, begin, finished
from ecgenough.studies.deciding import decide
from ecgenough.studies.environment import environment
from ecgenough.studies.folders import data_flow, write_data_flow, write_evaluation
from ecgenough.studies.joint_runs import write_joint_evaluation, write_task_runs
from ecgenough.studies.splits import (
    Division,
    check_scorable,
    divide,
    listed_folds,
    refuse_knowing,
    refuse_overlap,
    seen_rows,
)


@dataclass(frozen=True)
class Source:
    """The model that a transfer begins as, where it lies, and the digest of its weights."""

    folder: str
    weights: str
    model: Model

    @classmethod
    def load(cls, folder: str | Path) -> "Source":
        """Read the model of a folder. Raises what `Model.load` does."""
        return cls(str(folder), weights_digest(folder), Model.load(folder))


@dataclass(frozen=True)
class Run:
    """A training about to happen: its records, its recipe, its folder, and the model it begins as, if any."""

    store: Store
    recipe: Recipe
    out: Path
    fabric: Fabric
    division: Division
    normaliser: Normaliser
    source: Source | None = None
    teachers: tuple[Teacher, ...] = ()

    @property
    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The rows that train, choose and test."""
        return self.division.rows

    @property
    def learned_from(self) -> NDArray[np.int64]:
        """The rows that the run learns from or chooses on."""
        return np.concatenate([self.splits["train"], self.splits["validation"]])

    @property
    def task(self) -> str:
        return self.recipe.task or self.store.default_task

    @property
    def earlier(self) -> list[Model]:
        """The models that this one begins as or is taught by; what they have seen, it has seen."""
        return [*([self.source.model] if self.source else []), *(teacher.model for teacher in self.teachers)]

    def training(self) -> Batches:
        """The training records; where several processes train, this one's share of every batch."""
        batches = self._batches("train", self.fabric.global_rank, self.fabric.world_size, self._targets())
        batches.identity = "-".join([batches.identity, *(teacher.weights[:16] for teacher in self.teachers)])
        return batches

    def validation(self) -> Batches:
        """The validation records, all of them in every process."""
        return self._batches("validation", 0, 1, None)

    def _batches(self, part: str, rank: int, world: int, targets: NDArray[np.float32] | None) -> Batches:
        rows, device = self.splits[part], self.fabric.device
        return Batches(self.store, rows, self.task, self.recipe, self.normaliser, device, rank, world, targets)

    def _targets(self) -> NDArray[np.float32] | None:
        """What the teachers make of the training labels; None where nobody teaches."""
        if self.recipe.distillation is None:
            return None
        rows, weight = self.splits["train"], self.recipe.distillation.weight
        say(
            f"taught by {', '.join(teacher.name for teacher in self.teachers)}, which answer the training records first"
        )
        labels = label_targets(self.store, rows, self.task, self.recipe)
        return mixed(labels, weight, self.teachers, self.store, rows, self.fabric.device)


def train(store: Store, recipe: Recipe, out: Path, device: str = "auto", watchers: Sequence[Watcher] = ()) -> Path:
    """Train a fresh network on the store's training folds, choose on its validation folds, write the run to `out`.

    An interrupted run goes on from its checkpoint; a finished one of the same recipe and data is left as it is.
    Raises WrongRequest where `out` holds another run or the task's folds are empty.

    >>> recipe = ecgenough.load_recipe("fast", ["network.options.width=4", "training.epochs=1"])
    >>> store = ecgenough.open_store("simulated", Path("ecgs"), recipe.signal)
    >>> run = ecgenough.train(store, recipe, Path("runs/first"), device="cpu")
    >>> ecgenough.load_model(run).classes
    ('NORM', 'MI', 'STTC', 'CD', 'HYP')
    """
    if recipe.transfer is not None:
        raise WrongRequest("this recipe carries a trained model over. Use ecgenough transfer, or set transfer=null.")
    _refuse_pretraining(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    if finished(out, recipe, store, source=None):
        return out
    division = divide(store, recipe.task, recipe.leave_out)
    check_scorable(store, store.task(recipe.task).name, division.rows["validation"], store.validation_folds)
    normaliser = fit_normaliser(recipe.normalisation, store, division.rows["train"])
    run = Run(store, recipe, out, fabric, division, normaliser, teachers=_teachers(recipe, store, division))
    torch.manual_seed(recipe.seed)
    network = networks.build(
        recipe.network.name,
        leads=len(recipe.signal.leads),
        classes=len(store.task(run.task).classes),
        **recipe.network.options,
    )
    _carry_out(run, network, watchers)
    return out


def transfer(
    source: str | Path,
    store: Store,
    recipe: Recipe,
    out: Path,
    device: str = "auto",
    watchers: Sequence[Watcher] = (),
) -> Path:
    """Carry a trained model over to the store's task as `recipe.transfer` says and write the run to `out`.

    The recipe must condition as the source does (`recipe_for_transfer`). Raises WrongRequest where records of the
    store were among those the source learned from.

    >>> recipe = ecgenough.load_model("runs/first").recipe.with_changes(["task=null", "transfer={mode: frozen}"])
    >>> store = ecgenough.open_store("embolism/labels.csv", None, recipe.signal)
    >>> ecgenough.load_model(ecgenough.transfer("runs/first", store, recipe, Path("runs/second"), device="cpu")).classes
    ('embolism',)
    """
    _refuse_pretraining(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    if finished(out, recipe, store, source=source):
        return out
    began = Source.load(source)
    refuse_overlap(began.model, store, recipe.task)
    division = divide(store, recipe.task, recipe.leave_out)
    check_scorable(store, store.task(recipe.task).name, division.rows["validation"], store.validation_folds)
    torch.manual_seed(recipe.seed)
    network, normaliser, messages = _begun_as(began.model, store.task(recipe.task), recipe)
    teachers = _teachers(recipe, store, division)
    run = Run(store, recipe, out, fabric, division, normaliser.to(fabric.device), began, teachers)
    mode = recipe.transfer.mode if recipe.transfer else "full"
    everything = parameter_count(network)
    learned = Adaptation(copy.deepcopy(network), recipe.transfer or SCRATCH).learned(recipe.training.epochs)
    say(f"transfer {mode}: {learned:,} of {everything:,} parameters learn. {' '.join(messages)}")
    about = {"from": str(source), "mode": mode, "trained_parameters": learned, "all_parameters": everything}
    _carry_out(run, network, watchers, {**about, "messages": messages})
    return out


def _teachers(recipe: Recipe, store: Store, division: Division) -> tuple[Teacher, ...]:
    """The recipe's teachers. Raises WrongRequest for one that has seen a record, or a patient, that is to test."""
    about = store.task(recipe.task)
    teachers = called(recipe.distillation, about.name, about.classes)
    for teacher in teachers:
        refuse_knowing(teacher.model, f"teacher {teacher.name}", store, division.rows["test"])
    return teachers


def _begun_as(model: Model, task: Task, recipe: Recipe) -> tuple[Network, Normaliser, list[str]]:
    """The source's network with a fresh head for the task, reading the leads that the target has; and what to say."""
    network, normaliser, leads = model.network, model.normaliser, model.recipe.signal.leads
    network.reset_head(len(task.classes))
    known = {own_class(part, label) for part, columns in model.parts.items() for label in model.classes[columns]}
    shared = [name for name in task.classes if name in known]
    messages = [f"{len(shared)} of {len(task.classes)} classes are also the source's: {', '.join(shared) or 'none'}."]
    if recipe.signal.leads != leads:
        kept = [leads.index(lead) for lead in recipe.signal.leads]
        network.keep_leads(kept)
        normaliser = normaliser.keep_leads(kept)
    if dropped := [lead for lead in leads if lead not in recipe.signal.leads]:
        messages.append(f"The target has no {', '.join(dropped)}: the weights that read them are dropped.")
    return network, normaliser, messages


def recipe_for_transfer(model: Model, recipe: Recipe) -> Recipe:
    """The recipe with everything the pretrained network fixes: conditioning, crop, normalisation, network.

    Its leads may be fewer than the source's, where `signal.leads` says so. Raises WrongRequest for a lead that the
    source does not read.
    """
    theirs, asked = model.recipe.signal, recipe.signal.leads
    if asked == STANDARD_LEADS:
        asked = theirs.leads
    if unknown := [lead for lead in asked if lead not in theirs.leads]:
        raise WrongRequest(
            f"signal.leads asks for {unknown[0]}, which the source model does not read; it reads {', '.join(theirs.leads)}."
        )
    fixed = {name: getattr(model.recipe, name) for name in ("crop", "normalisation", "network")}
    return recipe.model_copy(update={**fixed, "signal": theirs.model_copy(update={"leads": asked})})


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

    A model of a joint task is scored on each of its tasks, in a folder of its own below `out`, or on the one named.
    Raises WrongRequest where the task's classes are not the model's or the folds hold no record of the task.

    >>> model = ecgenough.load_model("runs/first")
    >>> store = ecgenough.open_store("simulated", Path("ecgs"), model.recipe.signal)
    >>> metrics = ecgenough.evaluate(model, store, Path("runs/first/test"), device="cpu")
    >>> sorted(metrics["macro"]["auc"])  # the area under the curve and its 95% interval
    ['high', 'low', 'value']
    """
    model.check_it_answers()
    # A CPU without bf16 arithmetic emulates it many times slower than it computes in float32.
    precision = "auto" if model.recipe.training.precision == "bf16" else model.recipe.training.precision
    fabric = open_fabric(precision, device)
    task = store.task(task_name or model.task)
    folds = tuple(folds) or store.test_folds
    if model.is_joint:
        model = model.for_task(task.name)
    if task.classes != model.classes:
        raise WrongRequest(
            f'task "{task.name}" of {store.name} has the classes {few(task.classes)}; '
            f"the model knows {few(model.classes)}. Choose its own task with --task, or transfer it first."
        )
    rows = store.rows(task.name, folds)
    if not len(rows):
        raise WrongRequest(
            f"{store.name} has no records of task {task.name} in fold {listed_folds(folds)}; "
            f"its folds are {listed_folds(sorted(set(store.folds.tolist())))}."
        )
    check_scorable(store, task.name, rows, folds)
    remove_litter(out)
    batches = Batches(store, rows, task.name, model.recipe, model.normaliser.to(fabric.device), fabric.device)
    answers = answer(model.network.to(fabric.device), batches, fabric.autocast())
    seen = len(seen_rows(model, store, rows))
    if seen:
        say(
            f"{seen:,} of these {len(rows):,} records, or others of their patients, trained or chose this model: its "
            "figures on them are too good."
        )
    if model.is_joint:
        return write_joint_evaluation(out, out.joinpath, store, model, answers, folds)
    return write_evaluation(out, store, model, answers, folds, seen)


def _refuse_pretraining(recipe: Recipe) -> None:
    if recipe.pretraining is not None:
        raise WrongRequest("this recipe pretrains without labels. Use ecgenough pretrain, or another recipe.")


def _carry_out(
    run: Run, network: Network, watchers: Sequence[Watcher], about_transfer: dict[str, Any] | None = None
) -> None:
    splits = Splits(run.training(), run.validation())
    run.division.say(run.store, run.task)
    say(f"{run.recipe.network.name}: {parameter_count(network):,} parameters; {splits.train.placement}")
    if run.fabric.is_global_zero:
        begin(run.out, run.recipe)
    labels = torch.from_numpy(run.store.task(run.task).labels[run.splits["train"]]).to(run.fabric.device)
    loss = build_loss(run.recipe.loss, labels)
    flow = data_flow(run.store, run.task, run.division)
    watchers = watchers if run.fabric.is_global_zero else ()
    with watched(watchers, Beginning(run.out, run.recipe, flow)):
        progress = fit(network, loss, splits, run.recipe, run.out, run.fabric, watchers)
        if run.fabric.is_global_zero:
            validation = answer(network, splits.validation, run.fabric.autocast())
            metrics = _write(run, _model(run, network, validation, progress), validation, about_transfer)
            for watcher in watchers:
                watcher.end(metrics)


def _write(run: Run, model: Model, validation: Answers, about_transfer: dict[str, Any] | None) -> dict[str, Any]:
    """Write what a finished training leaves, the model last; returns the validation's metrics."""
    write_data_flow(run.out, run.store, run.task, run.division, model.untuned)
    write_text(run.out / RECIPE, run.recipe.to_yaml())
    metrics = _write_validation(run, model, validation)
    if about_transfer:
        write_text(run.out / "transfer.json", json.dumps(about_transfer, indent=2) + "\n")
    model.save(run.out / "model")
    (run.out / CHECKPOINT).unlink(missing_ok=True)
    say(
        f"epoch {model.origin['epoch']} kept; validation macro AUC {interval_text(metrics['macro']['auc'])}; written to {run.out}"
    )
    return metrics


def _write_validation(run: Run, model: Model, validation: Answers) -> dict[str, Any]:
    folder, folds = run.out / "validation", run.store.validation_folds
    if not model.is_joint:
        return write_evaluation(folder, run.store, model, validation, folds, len(validation.rows))
    write_task_runs(run.out, run.store, run.division, model)
    place = lambda name: run.out / "tasks" / name / "validation"  # noqa: E731
    return write_joint_evaluation(folder, place, run.store, model, validation, folds)


def _model(run: Run, network: Network, validation: Answers, progress: Progress) -> Model:
    about = run.store.task(run.task)
    decided = decide(validation, about.classes, columns_by_task(about.name, about.classes).values())
    waveforms, patients = run.store.hashes[run.learned_from], run.store.patient_hashes(run.learned_from)
    return Model(
        network=network,
        recipe=run.recipe,
        task=about.name,
        classes=about.classes,
        titles=about.titles or about.classes,
        thresholds=decided.thresholds,
        normaliser=run.normaliser,
        calibration=decided.calibration,
        origin=origin(run, progress.best_epoch),
        seen=np.unique(np.concatenate([waveforms, *(model.seen for model in run.earlier)])),
        seen_patients=np.unique(np.concatenate([patients, *(model.seen_patients for model in run.earlier)])),
    )


def origin(run: Run, epoch: int) -> dict[str, Any]:
    """Where the model of a run came from: data, recipe, the model it began as, the epoch kept, the machine."""
    return {
        "dataset": run.store.name,
        "store": run.store.fingerprint,
        "recipe": run.recipe.fingerprint(),
        "source": run.source.folder if run.source else None,
        "source_weights": run.source.weights if run.source else None,
        "teachers": {teacher.name: teacher.weights for teacher in run.teachers},
        "epoch": epoch,
        "folds": {"train": list(run.store.train_folds), "validation": list(run.store.validation_folds)},
        "environment": environment(run.fabric.device),
    }


def interval_text(figure: dict[str, float]) -> str:
    """A figure with its interval, as people read it: 0.912 (0.901-0.922)."""
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
