"""The training of a run, and what it leaves in its folder: figures, data flow, recipe, and the model last."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ecgenough import baselines
from ecgenough.baselines.forest import fit_caliper_trees
from ecgenough.baselines.intervals import measurements
from ecgenough.datasets.joint import columns_by_task
from ecgenough.files import write_text
from ecgenough.learning.checkpoints import CHECKPOINT
from ecgenough.learning.evaluation import Answers, answer, validation_figures
from ecgenough.learning.losses import build_loss
from ecgenough.learning.training import Splits, fit, log_text
from ecgenough.learning.watching import Beginning, Watcher, watched
from ecgenough.model import Model
from ecgenough.networks.caliper_trees import CaliperTrees
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.progress import say
from ecgenough.studies.beginning import RECIPE, begin
from ecgenough.studies.deciding import decide
from ecgenough.studies.environment import environment
from ecgenough.studies.folders import data_flow, write_data_flow, write_evaluation
from ecgenough.studies.joint_runs import write_joint_evaluation, write_task_runs
from ecgenough.studies.one_run import Run


def carry_out(
    run: Run, network: Network, watchers: Sequence[Watcher], about_transfer: dict[str, Any] | None = None
) -> None:
    """Train `network` as the run says and write its folder, the model last; goes on from a checkpoint that is there.

    `about_transfer` is what transfer.json is to hold. The watchers hear of the training from its beginning to its end.
    """
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
            metrics = _write(run, _model(run, network, validation, progress.best_epoch), validation, about_transfer)
            for watcher in watchers:
                watcher.end(metrics)


def carry_out_trees(run: Run, watchers: Sequence[Watcher]) -> None:
    """Fit trees on measurements, where another network would be trained, and write the run's folder, the model last.

    Its log has one line, of when they are fitted, which the watchers hear. Raises what `fit_caliper_trees` does.
    """
    run.division.say(run.store, run.task)
    flow = data_flow(run.store, run.task, run.division)
    with watched(watchers, Beginning(run.out, run.recipe, flow)):
        network, validation, row = _fit_trees(run)
        for watcher in watchers:
            watcher.epoch(row)
        grown = run.recipe.network.model_copy(update={"options": network.options()})
        model = replace(_model(run, network, validation, 1), recipe=run.recipe.model_copy(update={"network": grown}))
        metrics = _write(run, model, validation, None)
        for watcher in watchers:
            watcher.end(metrics)


def _fit_trees(run: Run) -> tuple[CaliperTrees, Answers, dict[str, float]]:
    """The trees, what they answer the validation records, and the one row of log.csv, which is written."""
    rows, truth, started = run.splits["train"], run.store.task(run.task), time.monotonic()
    network = fit_caliper_trees(run.store, run.task, rows, run.recipe.seed, run.normaliser)
    seconds = time.monotonic() - started
    begin(run.out, run.recipe)
    labels = torch.from_numpy(truth.labels[rows])
    said = network.log_odds(torch.from_numpy(measurements(run.store)[rows].astype(np.float32)))
    validation = answer(network, run.validation(), run.fabric.autocast())
    figures = validation_figures(validation, list(columns_by_task(truth.name, truth.classes).values()))
    about = {"epoch": 1, "train_loss": build_loss(run.recipe.loss, labels)(said, labels).item(), **figures}
    row = {**about, "ecgs_per_second": len(rows) / seconds, "seconds": seconds}
    write_text(run.out / "log.csv", log_text([row]))
    return network, validation, row


def _write(run: Run, model: Model, validation: Answers, about_transfer: dict[str, Any] | None) -> dict[str, Any]:
    """Write what a finished training leaves, the model last; returns the validation's metrics."""
    write_data_flow(run.out, run.store, run.task, run.division, model.untuned)
    write_text(run.out / RECIPE, run.recipe.to_yaml())
    metrics = _write_validation(run, model, validation)
    if about_transfer:
        write_text(run.out / "transfer.json", json.dumps(about_transfer, indent=2) + "\n")
    model.save(run.out / "model")
    (run.out / CHECKPOINT).unlink(missing_ok=True)
    kept = f"epoch {model.origin['epoch']} kept" if model.network.by_gradients else "trees fitted"
    say(f"{kept}; validation macro AUC {interval_text(metrics['macro']['auc'])}; written to {run.out}")
    return metrics


def _write_validation(run: Run, model: Model, validation: Answers) -> dict[str, Any]:
    folder, folds = run.out / "validation", run.store.validation_folds
    if not model.is_joint:
        return write_evaluation(folder, run.store, model, validation, folds, len(validation.rows))
    write_task_runs(run.out, run.store, run.division, model)
    place = lambda name: run.out / "tasks" / name / "validation"  # noqa: E731
    return write_joint_evaluation(folder, place, run.store, model, validation, folds)


def _model(run: Run, network: Network, validation: Answers, epoch: int) -> Model:
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
        origin=origin(run, epoch),
        seen=np.unique(np.concatenate([waveforms, *(model.seen for model in run.earlier)])),
        seen_patients=np.unique(np.concatenate([patients, *(model.seen_patients for model in run.earlier)])),
    )


def origin(run: Run, epoch: int) -> dict[str, Any]:
    """Where the model of a run came from: data, recipe, the model it began as, the epoch kept, the machine."""
    return {
        "dataset": run.store.name,
        "store": run.store.fingerprint,
        "recipe": run.recipe.fingerprint(),
        "learned_from": run.division.digest(run.store, run.recipe),
        "source": run.source.folder if run.source else None,
        "source_weights": run.source.weights if run.source else None,
        "teachers": {teacher.name: teacher.weights for teacher in run.teachers},
        "epoch": epoch,
        "folds": {"train": list(run.store.train_folds), "validation": list(run.store.validation_folds)},
        "environment": environment(run.fabric.device, baselines.fitted_by(run.recipe)),
    }


def interval_text(figure: dict[str, float]) -> str:
    """A figure with its interval, as people read it: 0.912 (0.901–0.922)."""
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
