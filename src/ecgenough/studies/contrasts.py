"""Differences between the arms of a question, with the variances of `scoring.repeated` and named after how those come about.

- An AUC: DeLong's method, within each fold and over the records of a patient, and the variance of training. Of repeated folds,
  that variance with the correction of Nadeau & Bengio (2003).
- Everything else: the patient bootstrap, and the variance of training.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ecgenough.scoring.comparison import Difference, holm
from ecgenough.scoring.repeated import AUC, Measured, contrast
from ecgenough.studies.questions import Question

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
        """Whether the difference is more than chance, all comparisons of the family considered."""
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
    parts = [(weight, measured[name]) for name, weight in weights.items()]
    return contrast(parts, metric), _method(question, metric)


def _method(question: Question, metric: str) -> str:
    if metric != AUC:
        return BOOTSTRAP
    return CORRECTED_T if question.repeats > 1 else DELONG
