"""One run: a data set and a recipe in, a folder with a model and its figures out."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ecgenough import baselines, networks
from ecgenough.datasets.joint import own_class
from ecgenough.datasets.table import Task
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest, few
from ecgenough.files import remove_litter
from ecgenough.learning.distillation import Teacher, called
from ecgenough.learning.evaluation import answer
from ecgenough.learning.training import open_fabric
from ecgenough.learning.transfer import SCRATCH, Adaptation
from ecgenough.learning.watching import Watcher
from ecgenough.model import Model
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.networks.ensemble import Ensemble
from ecgenough.prediction import check_no_nan
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.sentences import agreed, counted
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import Normaliser, fit_normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.beginning import finished
from ecgenough.studies.folders import write_evaluation
from ecgenough.studies.joint_runs import write_joint_evaluation
from ecgenough.studies.one_run import Run, Source
from ecgenough.studies.outcome import carry_out, carry_out_trees
from ecgenough.studies.splits import (
    Division,
    check_scorable,
    divide,
    listed_folds,
    refuse_knowing,
    refuse_overlap,
    seen_rows,
)

LOOKED_AT = 32  # records that a source must answer before it is carried over


def train(store: Store, recipe: Recipe, out: Path, device: str = "auto", watchers: Sequence[Watcher] = ()) -> Path:
    """Train a fresh network on the store's training folds, choose on its validation folds, write the run to `out`.

    An interrupted run goes on from its checkpoint; a finished one of the same recipe and data is left as it is. Under
    torchrun the first process writes, and the others do not wait for it in the end.
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
    networks.check_recipe(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    division = divide(store, recipe.task, recipe.leave_out)
    if finished(out, recipe, store, division, source=None):
        return out
    check_scorable(store, store.task(recipe.task).name, division.rows["validation"], store.validation_folds)
    normaliser = fit_normaliser(recipe.normalisation, store, division.rows["train"])
    run = Run(store, recipe, out, fabric, division, normaliser, teachers=_teachers(recipe, store, division))
    if recipe.network.name in networks.FITTED:
        with fabric.rank_zero_first():  # they take what time they take; a barrier ends the run after half an hour
            if fabric.is_global_zero:
                carry_out_trees(run, watchers)
        return out
    torch.manual_seed(recipe.seed)
    network = networks.build(
        recipe.network.name,
        leads=len(recipe.signal.leads),
        classes=len(store.task(run.task).classes),
        **recipe.network.options,
    )
    carry_out(run, network, watchers)
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
    store were among those the source learned from, BrokenModel where the source gives NaN for some of them.

    >>> recipe = ecgenough.load_model("runs/first").recipe.with_changes(["task=null", "transfer={mode: frozen}"])
    >>> store = ecgenough.open_store("embolism/labels.csv", None, recipe.signal)
    >>> ecgenough.load_model(ecgenough.transfer("runs/first", store, recipe, Path("runs/second"), device="cpu")).classes
    ('embolism',)
    """
    _refuse_pretraining(recipe)
    fabric = open_fabric(recipe.training.precision, device)
    recipe = recipe.model_copy(update={"task": store.task(recipe.task).name})
    division = divide(store, recipe.task, recipe.leave_out)
    if finished(out, recipe, store, division, source=source):
        return out
    began = Source.load(source)
    refuse_overlap(began.model, store, recipe.task)
    check_scorable(store, store.task(recipe.task).name, division.rows["validation"], store.validation_folds)
    torch.manual_seed(recipe.seed)
    network, normaliser, messages = _begun_as(began.model, store.task(recipe.task), recipe)
    teachers = _teachers(recipe, store, division)
    run = Run(store, recipe, out, fabric, division, normaliser.to(fabric.device), began, teachers)
    shown = Batches(store, run.splits["validation"][:LOOKED_AT], run.task, recipe, run.normaliser, fabric.device)
    check_no_nan(began.model.name, answer(network.to(fabric.device), shown).logits)  # else training would be blamed
    mode = recipe.transfer.mode if recipe.transfer else "full"
    everything = parameter_count(network)
    learned = Adaptation(copy.deepcopy(network), recipe.transfer or SCRATCH).learned(recipe.training.epochs)
    say(f"transfer {mode}: {learned:,} of {everything:,} parameters learn. {' '.join(messages)}")
    about = {"from": str(source), "mode": mode, "trained_parameters": learned, "all_parameters": everything}
    carry_out(run, network, watchers, {**about, "messages": messages})
    return out


def _teachers(recipe: Recipe, store: Store, division: Division) -> tuple[Teacher, ...]:
    """The recipe's teachers. Raises WrongRequest for one that has seen a record, or a patient, that is to test.

    Also for a baseline that cannot be fitted, before anybody is asked.
    """
    for baseline in baselines.fitted_by(recipe):
        baselines.check(baseline)
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
    also = f"{len(shared)} {agreed(len(shared), 'is', 'are')} also the source's: {', '.join(shared) or 'none'}."
    messages = [f"Of {counted(len(task.classes), 'class', 'classes')}, {also}"]
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
    source does not read, and for an ensemble.
    """
    if isinstance(model.network, Ensemble):
        raise WrongRequest(
            "an ensemble is not carried over; transfer its members one by one, and join what comes of them."
        )
    if not model.network.by_gradients:
        raise WrongRequest(
            f"{model.recipe.network.name} does not learn by gradients, so it is not carried over; fit it on the target with "
            "ecgenough train."
        )
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
    recipe = model.recipe.model_copy(update={"labels": "hard"})  # likelihoods are for learning; a store may have none
    batches = Batches(store, rows, task.name, recipe, model.normaliser.to(fabric.device), fabric.device)
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
