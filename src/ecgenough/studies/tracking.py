"""Runs shown elsewhere as they go: TensorBoard, MLflow and Weights & Biases, beside the log.csv that is always written.

Where they send it is theirs to know, from the environment: WANDB_PROJECT, WANDB_MODE, WANDB_BASE_URL and the like;
MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME. TensorBoard's files lie in the run's own folder.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from secrets import token_hex
from typing import Any

from ecgenough.errors import WrongRequest, nearest
from ecgenough.extras import needed
from ecgenough.files import write_text
from ecgenough.learning.watching import Beginning, Figures, Watcher
from ecgenough.progress import say
from ecgenough.recipe import Recipe

SECONDS_TO_FINISH = 30.0
_LONGEST = 500  # characters of a value that a tracker is given


def open_trackers(names: Iterable[str]) -> list[Watcher]:
    """The trackers of these names, each at work beside the training.

    Raises WrongRequest for a name that is unknown, or whose package is not installed.
    """
    asked = list(dict.fromkeys(names))
    for name in asked:
        if name not in TRACKERS:
            raise WrongRequest(f'tracker "{name}" is unknown. {nearest(name, TRACKERS)}')
    return [Beside(name, TRACKERS[name]()) for name in asked]


class Beside:
    """A tracker in a thread of its own: where it fails or hangs, that is said once and the work goes on without it."""

    def __init__(self, name: str, tracker: Watcher) -> None:
        self.name, self.tracker = name, tracker
        self._given_up = False  # for all runs that follow, too
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, beginning: Beginning) -> None:
        if not self._given_up:
            self._calls = SimpleQueue()
            self._thread = threading.Thread(target=self._work, args=[self._calls], name=self.name, daemon=True)
            self._thread.start()
        self._calls.put(partial(self.tracker.begin, beginning))

    def epoch(self, figures: Figures) -> None:
        self._calls.put(partial(self.tracker.epoch, dict(figures)))

    def end(self, metrics: Mapping[str, Any]) -> None:
        self._finish(partial(self.tracker.end, metrics))

    def broken_off(self, reason: str) -> None:
        self._finish(partial(self.tracker.broken_off, reason))

    def _finish(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        self._calls.put(None)
        if self._thread is not None and not self._given_up:
            self._thread.join(SECONDS_TO_FINISH)
            if self._thread.is_alive():
                self._give_up(f"it has not answered for {SECONDS_TO_FINISH:g} s")

    def _work(self, calls: "SimpleQueue[Callable[[], None] | None]") -> None:
        while (call := calls.get()) is not None and not self._given_up:
            try:
                call()
            except Exception as error:  # whatever a tracker comes to: it must not cost the training
                self._give_up(" ".join(str(error).split())[:200] or type(error).__name__)

    def _give_up(self, reason: str) -> None:
        if not self._given_up:
            self._given_up = True
            say(f"{self.name} has failed and is left out from here on; the training goes on: {reason}")


class Under:
    """A tracker that is told of trainings as if they were in `folder`, as part of `group`; their own are cleared away."""

    def __init__(self, tracker: Watcher, folder: Path, group: str) -> None:
        self.tracker, self.folder, self.group = tracker, folder, group

    def begin(self, beginning: Beginning) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tracker.begin(replace(beginning, folder=self.folder, group=self.group))

    def epoch(self, figures: Figures) -> None:
        self.tracker.epoch(figures)

    def end(self, metrics: Mapping[str, Any]) -> None:
        self.tracker.end(metrics)

    def broken_off(self, reason: str) -> None:
        self.tracker.broken_off(reason)


class TensorBoard:
    """Event files in `tensorboard` inside the run's folder: tensorboard --logdir RUNS."""

    def __init__(self) -> None:
        needed("tensorboard", "track", "--track tensorboard")
        self._open = needed("torch.utils.tensorboard", "track", "--track tensorboard").SummaryWriter

    def begin(self, beginning: Beginning) -> None:
        # Epochs that an interrupted training told before are told again: readers drop the old ones at this mark.
        self._writer = self._open(str(beginning.folder / "tensorboard"), purge_step=1)
        self._writer.add_text("recipe", f"```\n{beginning.recipe.to_yaml()}```", 0)
        self._writer.add_text("data", f"```\n{json.dumps(dict(beginning.data), indent=1)}\n```", 0)

    def epoch(self, figures: Figures) -> None:
        for name, value in measured(figures).items():
            self._writer.add_scalar(name, value, int(figures["epoch"]))
        self._writer.flush()

    def end(self, metrics: Mapping[str, Any]) -> None:
        for name, value in final(metrics).items():
            self._writer.add_scalar(name, value, 1)
        self._writer.close()

    def broken_off(self, reason: str) -> None:
        self._writer.add_text("broken off", reason, 0)
        self._writer.close()


class MlFlow:
    """A run in the store that MLFLOW_TRACKING_URI names, or in MLflow's own default."""

    def __init__(self) -> None:
        self._mlflow = needed("mlflow", "track", "--track mlflow")

    def begin(self, beginning: Beginning) -> None:
        self._client = self._mlflow.MlflowClient()
        note = beginning.folder / ".mlflow-run"
        known = _noted(note)
        self._told = 0.0
        if known is None:
            run = self._client.create_run(self._experiment(), run_name=beginning.folder.name)
            write_text(note, run.info.run_id)
            self._run = run.info.run_id
            self._describe(beginning)
        else:
            self._run = known
            self._client.update_run(known, status="RUNNING")
            past = self._client.get_metric_history(known, "validation_loss")
            self._told = max((point.step for point in past), default=0)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "ecgenough")
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _describe(self, beginning: Beginning) -> None:
        for key, value in as_texts(beginning.recipe).items():
            self._client.log_param(self._run, key, value)
        self._client.set_tag(self._run, "folder", str(beginning.folder))
        if beginning.group:
            self._client.set_tag(self._run, "group", beginning.group)
        self._client.set_tag(self._run, "dataset", str(beginning.data.get("dataset", "")))
        self._client.set_tag(self._run, "records", json.dumps(beginning.data.get("records", {})))

    def epoch(self, figures: Figures) -> None:
        if figures["epoch"] > self._told:
            for name, value in measured(figures).items():
                self._client.log_metric(self._run, name, value, step=int(figures["epoch"]))

    def end(self, metrics: Mapping[str, Any]) -> None:
        for name, value in final(metrics).items():
            self._client.log_metric(self._run, name, value)
        self._client.set_terminated(self._run, "FINISHED")

    def broken_off(self, reason: str) -> None:
        self._client.set_tag(self._run, "broken off", reason[:_LONGEST])
        self._client.set_terminated(self._run, "FAILED")


class WeightsAndBiases:
    """A run at Weights & Biases or, with WANDB_MODE=offline, in `wandb` inside the run's folder."""

    def __init__(self) -> None:
        self._wandb = needed("wandb", "track", "--track wandb")

    def begin(self, beginning: Beginning) -> None:
        note = beginning.folder / ".wandb-run"
        run = _noted(note) or token_hex(4)
        write_text(note, run)
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "ecgenough"),
            dir=str(beginning.folder),
            name=beginning.folder.name,
            group=beginning.group or beginning.folder.resolve().parent.name,
            id=run,
            resume="allow",
            config={"recipe": as_texts(beginning.recipe), "data": dict(beginning.data)},
            settings=self._wandb.Settings(silent=True, console="off", login_timeout=1),
        )

    def epoch(self, figures: Figures) -> None:
        if figures["epoch"] >= self._run.step:  # of a run that goes on, the server has the epochs before
            self._run.log(measured(figures), step=int(figures["epoch"]))

    def end(self, metrics: Mapping[str, Any]) -> None:
        self._run.summary.update(final(metrics))
        self._run.finish()

    def broken_off(self, reason: str) -> None:
        self._run.summary.update({"broken off": reason[:_LONGEST]})
        self._run.finish(exit_code=1)


TRACKERS: dict[str, Callable[[], Watcher]] = {
    "wandb": WeightsAndBiases,
    "mlflow": MlFlow,
    "tensorboard": TensorBoard,
}


def measured(figures: Figures) -> dict[str, float]:
    """The figures of an epoch without its number."""
    return {name: float(value) for name, value in figures.items() if name != "epoch"}


def final(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The macro figures of the kept epoch, each with the ends of its interval, under names that no epoch has."""
    return {
        f"kept/{name}{'' if part == 'value' else f'_{part}'}": float(figure[part])
        for name, figure in metrics["macro"].items()
        for part in ("value", "low", "high")
        if figure.get(part) is not None
    }


def as_texts(recipe: Recipe) -> dict[str, str]:
    """The recipe as keys such as optimizer.learning_rate; lists as JSON."""
    texts = ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in recipe.flat().items())
    return {key: text[:_LONGEST] for key, text in texts}


def _noted(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
