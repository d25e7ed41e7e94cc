"""The probability at which a class is called, chosen on validation records."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ecgenough.errors import WrongRequest, nearest
from ecgenough.scoring.metrics import Floats, absent_classes, calls_by_score, checked, g_mean, ratio

UNDECIDED = 0.5


class Thresholds(NamedTuple):
    """`values` [classes], and the columns `absent` in validation, which are left at 0.5: name them to the user."""

    values: Floats
    absent: tuple[int, ...]


def choose_thresholds(labels: ArrayLike, probabilities: ArrayLike, rule: str) -> Thresholds:
    """For each class, the threshold that is best on these records [records, classes].

    `rule` is what is maximised: "g_mean" (Kubat & Matwin 1997), "f1", or "youden", sensitivity + specificity - 1
    (Youden 1950). A threshold lies midway between the neighbouring scores it divides, the lowest midway to 0; of
    equally good ones the highest is taken, which calls least. Raises WrongRequest for another rule, and Unscorable.
    """
    if rule not in RULES:
        raise WrongRequest(f'threshold rule "{rule}" is unknown. {nearest(rule, RULES)}')
    truth, scores = checked(labels, probabilities)
    absent = absent_classes(truth)
    values = [
        UNDECIDED if column in absent else _best(truth[:, column], scores[:, column], RULES[rule])
        for column in range(truth.shape[1])
    ]
    return Thresholds(np.array(values), absent)


def _best(labels: ArrayLike, scores: ArrayLike, criterion: "Criterion") -> float:
    """Calling nothing is no candidate: calling everything is as good or better by every rule."""
    distinct, hits, alarms = calls_by_score(labels, scores)
    best = int(np.argmax(criterion(hits[1:], alarms[1:], hits[-1], alarms[-1])))
    lowest_called = float(distinct[best])
    highest_left = float(distinct[best + 1]) if best + 1 < len(distinct) else 0.0
    middle = (lowest_called + highest_left) / 2
    return middle if middle > highest_left else lowest_called  # neighbouring floats have nothing between them


# Each from the true and false calls [candidates] and the numbers of positives and negatives.
Criterion = Callable[[Floats, Floats, float, float], Floats]


def _by_g_mean(hits: Floats, alarms: Floats, positives: float, negatives: float) -> Floats:
    return g_mean(hits / positives, 1 - alarms / negatives)


def _by_f1(hits: Floats, alarms: Floats, positives: float, _: float) -> Floats:
    return ratio(2 * hits, hits + alarms + positives)


def _by_youden(hits: Floats, alarms: Floats, positives: float, negatives: float) -> Floats:
    return hits / positives - alarms / negatives


RULES: dict[str, Criterion] = {"g_mean": _by_g_mean, "f1": _by_f1, "youden": _by_youden}
