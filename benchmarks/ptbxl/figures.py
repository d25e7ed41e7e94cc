"""What a model of several tasks is worth on one fold: by task, by sex and age, and how far its probabilities are true."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.learning.evaluation import Answers, answer
from ecgenough.model import Model
from ecgenough.scoring import Unscorable, auc, expected_calibration_error
from ecgenough.scoring.intervals import score
from ecgenough.signals.batches import Batches
from ecgenough.signals.store import Store
from ecgenough.studies.deciding import calibrate

AGES = ((0, 40), (40, 60), (60, 80), (80, 200))
FEWEST = 10  # records with a class, and without it, in every group: below, an AUC says little
PARTS = 5  # of a fold's patients: each is calibrated by the other four


@dataclass(frozen=True, eq=False)
class Measured:
    """A task's answers on some records `[records, classes]`, and who they are from."""

    answers: Answers
    probabilities: NDArray[np.float64]
    classes: tuple[str, ...]
    thresholds: NDArray[np.float64]
    patients: NDArray[np.str_]
    sexes: NDArray[np.str_]
    ages: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.bool_]:
        return self.answers.labels > 0.5

    def scores(self) -> dict[str, Any]:
        """Every metric with its interval: see `ecgenough.scoring.score`."""
        patients = self.patients.tolist()
        return score(self.labels, self.probabilities, self.thresholds, patients, self.classes)


def measured(model: Model, store: Store, fold: int) -> dict[str, Measured]:
    """Each task's answers on the records of a fold that take part in it, in float32 on the CPU."""
    device = next(model.network.parameters()).device
    rows = store.rows(model.task, (fold,))
    answers = answer(model.network, Batches(store, rows, model.task, model.recipe, model.normaliser, device))
    return {name: _of_task(model.for_task(name), store, answers.of(part)) for name, part in model.parts.items()}


def _of_task(model: Model, store: Store, answers: Answers) -> Measured:
    return Measured(
        answers=answers,
        probabilities=model.probabilities(answers.logits),
        classes=model.classes,
        thresholds=np.asarray(model.thresholds),
        patients=np.asarray(store.patients)[answers.rows],
        sexes=np.asarray(store.sexes)[answers.rows],
        ages=store.ages[answers.rows],
    )


def groups(task: Measured) -> dict[str, NDArray[np.bool_]]:
    """The records of each sex and of each band of age, by what people call them."""
    bands = {f"{low} to {high - 1} years": (task.ages >= low) & (task.ages < high) for low, high in AGES[1:-1]}
    return {
        "female": task.sexes == "female",
        "male": task.sexes == "male",
        f"under {AGES[0][1]} years": task.ages < AGES[0][1],
        **bands,
        f"{AGES[-1][0]} years and over": task.ages >= AGES[-1][0],
    }


def by_group(task: Measured) -> tuple[dict[str, tuple[int, float]], int]:
    """How many records each group has and its macro AUC, over the classes that are common enough in every group.

    Also how many classes those are. NaN where there is none.
    """
    members = groups(task)
    common = np.ones(len(task.classes), dtype=bool)
    for chosen in members.values():
        positives = task.labels[chosen].sum(axis=0)
        common &= (positives >= FEWEST) & (chosen.sum() - positives >= FEWEST)
    if not common.any():
        return {name: (int(chosen.sum()), float("nan")) for name, chosen in members.items()}, 0
    return {
        name: (
            int(chosen.sum()),
            float(auc(task.labels[chosen][:, common], task.probabilities[chosen][:, common]).mean()),
        )
        for name, chosen in members.items()
    }, int(common.sum())


def calibration(task: Measured) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Expected calibration error and Brier score of each class `[classes]`, before and after calibration.

    Each of five parts of the patients is calibrated by the other four, so that no record judges its own calibration.
    """
    before, after = task.answers.probabilities, np.empty_like(task.probabilities)
    for within in _patient_parts(task.patients):
        others = task.answers.rows[~within], task.answers.logits[~within], task.answers.labels[~within]
        after[within] = calibrate(Answers(*others)).apply(before[within])
    return {
        "calibration error": (_errors(task.labels, before), _errors(task.labels, after)),
        "Brier score": (_briers(task.labels, before), _briers(task.labels, after)),
    }


def _patient_parts(patients: NDArray[np.str_]) -> Iterator[NDArray[np.bool_]]:
    names, whose = np.unique(patients, return_inverse=True)
    if len(names) < 2:
        raise Unscorable("one patient cannot be calibrated by others; choose another fold.")
    parts = min(PARTS, len(names))
    part = np.random.default_rng(0).permutation(len(names)) % parts
    for number in range(parts):
        yield part[whose] == number


def _errors(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return expected_calibration_error(labels, probabilities)


def _briers(labels: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((probabilities - labels) ** 2).mean(axis=0))
