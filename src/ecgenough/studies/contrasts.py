"""Differences between the arms of a question, each by the test that fits how it was tested.

- Repeated folds: the corrected resampled t-test over the folds of all repeats (Nadeau & Bengio 2003).
- Each patient scored once, a task of one class: DeLong's method, within each fold, plus the variance of training.
- Everything else: the patient bootstrap of `scoring.repeated`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ecgenough.scoring.comparison import Difference, corrected_resampled_t_test, delong_contrast, holm
from ecgenough.scoring.metrics import Floats, Unscorable
from ecgenough.scoring.repeated import Measured, contrast, patients_freedom, student, training_error
from ecgenough.studies.questions import Arm, Place, Question

AUC = "auc"
CORRECTED_T, DELONG, BOOTSTRAP = "corrected resampled t", "DeLong", "patient bootstrap"
TOLD_APART = 0.05
Weights = Mapping[str, float]  # of arms by name; they add up to 0


@dataclass(frozen=True)
class Comparison:
    """How far `first` lies above `second`. `p_holm` is corrected for all comparisons of its family in that metric."""

    family: str
    first: str
    second: str
    metric: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float
    method: str
    of: int  # the family's size

    @property
    def told_apart(self) -> bool:
        return self.p_holm < TOLD_APART


@dataclass(frozen=True)
class Asked:
    """A comparison to be made: two names, and the arms behind them with their weights."""

    first: str
    second: str
    weights: Weights


def compare(
    family: str, asked: list[Asked], metric: str, question: Question, measured: Mapping[str, Measured]
) -> list[Comparison]:
    """The comparisons of one family, with Holm's correction over them all."""
    found = [difference(question, measured, one.weights, metric) for one in asked]
    corrected = holm([one.p for one, _ in found])
    return [
        Comparison(family, one.first, one.second, metric, *lead, float(p_holm), method, len(asked))
        for one, (lead, method), p_holm in zip(asked, found, corrected, strict=True)
    ]


def difference(
    question: Question, measured: Mapping[str, Measured], weights: Weights, metric: str
) -> tuple[Difference, str]:
    """A weighted sum of the arms' figures with interval and p-value, and the name of the method that gave them."""
    arms = {name: question.arm(name) for name in weights}
    if metric == AUC and question.repeats > 1:
        by_fold = {name: fold_aucs(question, arm) for name, arm in arms.items()}
        places = [place for place in next(iter(by_fold.values())) if all(place in one for one in by_fold.values())]
        if len({repeat for repeat, _ in places}) > 1:
            runs = [sum(weight * by_fold[name][place] for name, weight in weights.items()) for place in places]
            return corrected_resampled_t_test(runs, *_records(arms)), CORRECTED_T
    parts = [(weight, measured[name]) for name, weight in weights.items()]
    if metric == AUC and (found := _delong(question, arms, weights)):
        value, variance = found
        freedom = patients_freedom(parts[0][1].sides)
        return student(value, variance**0.5, freedom, *training_error(parts, metric)), DELONG
    return contrast(parts, metric), BOOTSTRAP


def fold_aucs(question: Question, arm: Arm) -> dict[Place, float]:
    """The macro AUC of each fold that has positives and negatives, the mean over seeds."""
    found: dict[Place, list[float]] = {}
    for (_, repeat), unit in arm.units.items():
        for number, one in unit.items():
            predictions = question.fold(*one).predictions
            if len(predictions.absent) < predictions.labels.shape[1]:
                found.setdefault((repeat, number), []).append(float(predictions.measure().macro[AUC]))
    return {place: float(np.mean(values)) for place, values in found.items()}


def _records(arms: Mapping[str, Arm]) -> tuple[float, float]:
    """Mean numbers of training and test records of a fold; what is not stated follows from the number of folds."""
    tested = np.mean([
        len(answers.records) for arm in arms.values() for unit in arm.units.values() for _, answers in unit.values()
    ])  # fmt: skip
    stated = [trained for arm in arms.values() if (trained := arm.train_records)]
    if not stated:
        raise Unscorable("the corrected t-test needs train_records, which cells.csv does not state.")
    return float(np.mean(stated)), float(tested)


def _delong(question: Question, arms: Mapping[str, Arm], weights: Weights) -> tuple[float, float] | None:
    """Value and variance where DeLong's method applies: one class, one repeat, a record a patient, two of each a fold.

    Folds hold different patients, so variances add up; a fold counts as many times as it has pairs.
    """
    repeats = {repeat for arm in arms.values() for _, repeat in arm.units}
    if len(question.classes) != 1 or len(repeats) != 1:
        return None
    rows = [(arm, key, weights[name] / len(arm.units)) for name, arm in arms.items() for key in arm.units]
    value = variance = pairs = 0.0
    for number in next(iter(arms.values())).units[rows[0][1]]:
        answers = [arm.units[key][number][1] for arm, key, _ in rows]
        labels, patients = answers[0].labels[:, 0], answers[0].patients
        positives, negatives = int(labels.sum()), int((~labels).sum())
        if len(set(patients.tolist())) < len(patients) or min(positives, negatives) < 2:
            return None
        scores: Floats = np.stack([one.probabilities[:, 0] for one in answers])
        in_fold, of_fold = delong_contrast(labels, scores, [weight for *_, weight in rows])
        value += positives * negatives * in_fold
        variance += (positives * negatives) ** 2 * of_fold
        pairs += positives * negatives
    return value / pairs, variance / pairs**2
