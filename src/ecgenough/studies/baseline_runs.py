"""One run of a baseline: a data set in, a folder with its figures out, laid out as a network's."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit

from ecgenough import baselines
from ecgenough.baselines import Baseline
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import remove_litter, write_text
from ecgenough.learning.evaluation import Answers
from ecgenough.progress import say
from ecgenough.scoring.calibration import Calibration
from ecgenough.sentences import counted
from ecgenough.signals.store import Store
from ecgenough.studies.beginning import check_out_of_baseline
from ecgenough.studies.deciding import decide
from ecgenough.studies.environment import environment
from ecgenough.studies.folders import write_data_flow, write_evaluation
from ecgenough.studies.listings import task_digest
from ecgenough.studies.outcome import interval_text
from ecgenough.studies.splits import check_scorable, divide

FORMAT = 1
CARD = "baseline.json"


@dataclass(frozen=True, eq=False)
class Decisions:
    """How a fitted baseline's logits become probabilities and calls, as a Model's do.

    `seen` holds the waveform hashes of the records it was fitted and chosen on.
    """

    task: str
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]
    calibration: Calibration
    seen: NDArray[np.uint64]
    untuned: tuple[str, ...]

    @classmethod
    def chosen_on(cls, validation: Answers, store: Store, task: str, train: NDArray[np.int64]) -> Self:
        """Calibration and thresholds from the validation records, by the same rules as for networks."""
        classes = store.task(task).classes
        decided = decide(validation, classes)
        seen = np.unique(store.hashes[np.concatenate([train, validation.rows])])
        return cls(task, classes, decided.thresholds, decided.calibration, seen, decided.untuned)

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of logits `[records, classes]`."""
        return self.calibration.apply(expit(logits))


def run_baseline(name: str, store: Store, task: str | None, out: Path, seed: int = 0) -> Path:
    """Fit a baseline on the training folds, choose thresholds on the validation folds, score the test folds.

    A finished run of the same baseline, data and seed is left as it is. Raises WrongRequest where `out` holds another
    run, the name or task is unknown, or the task's training or validation folds are empty.
    """
    baselines.describe(name)
    card: dict[str, Any] = {
        "format": FORMAT,
        "baseline": name,
        "task": store.task(task).name,
        "seed": seed,
        "signal": store.signal.model_dump(mode="json"),
        "origin": {"dataset": store.name, "store": store.fingerprint},
        "table": task_digest(store, store.task(task)),
    }
    if _finished(out, card):
        return out
    if store.task(task).is_joint:
        raise WrongRequest(f'a baseline answers one task at a time; "{card["task"]}" joins several.')
    remove_litter(out)
    division = divide(store, card["task"])
    check_scorable(store, card["task"], division.rows["validation"], store.validation_folds)
    division.say(store, card["task"])
    splits = division.rows
    started = time.perf_counter()
    fitted = baselines.fit(name, store, card["task"], splits["train"], seed)
    card["seconds"] = {"fit": round(time.perf_counter() - started, 1)}
    answers = {
        part: _answers(fitted, store, card["task"], splits[part])
        for part in ("validation", "test")
        if len(splits[part])
    }
    decisions = Decisions.chosen_on(answers["validation"], store, card["task"], splits["train"])
    write_data_flow(out, store, card["task"], division, decisions.untuned)
    folds = {"validation": store.validation_folds, "test": store.test_folds}
    for part, said in answers.items():
        seen = len(said.rows) if part == "validation" else 0
        metrics = write_evaluation(out / part, store, decisions, said, folds[part], seen)
        say(
            f"{name}: {part} macro AUC {interval_text(metrics['macro']['auc'])} on {counted(metrics['records'], 'record')}"
        )
    card |= {"classes": decisions.classes, "thresholds": decisions.thresholds, "untuned": decisions.untuned}
    card |= {"calibration": decisions.calibration.to_numbers(), "about": dict(fitted.about())}
    card["environment"] = environment(torch.device("cpu"), [name])
    write_text(out / CARD, json.dumps(card, indent=2) + "\n")
    return out


def _answers(fitted: Baseline, store: Store, task: str, rows: NDArray[np.int64]) -> Answers:
    return Answers(rows, logit(fitted.probabilities(store, rows)), store.task(task).labels[rows])


def _finished(out: Path, card: dict[str, Any]) -> bool:
    """Whether `out` holds this very run, done. Raises WrongRequest where it holds another."""
    check_out_of_baseline(out)
    if not (out / CARD).exists():
        return False
    try:
        # The store's fingerprint tells its signals; "table" tells labels, folds and people. Older cards have none.
        earlier = {"table": card["table"], **json.loads((out / CARD).read_text(encoding="utf-8"))}
        same = all(earlier.get(key) == value for key, value in card.items())
    except (ValueError, TypeError):
        raise EcgenoughError(f"{out / CARD} is not a baseline's description; delete {out} and run it again.") from None
    if not same:
        raise WrongRequest(f"{out} holds another run. Choose another --out, or delete that folder.")
    say(f"{out} holds this run already; nothing to do.")
    return True
