"""What a handful of positives, or of negatives, cannot decide, in the words of every report.

Patients are counted: ten ECGs of one patient are one case. Where it is not known whose they are, ECGs are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgenough.sentences import counted, listing

FEW_POSITIVES = 30  # below this an AUC's interval is a rough guide (Hanley & McNeil 1982: error grows as 1 / sqrt(n))
FEWEST_TO_DECIDE = 5  # positives, or negatives: of fewer, where a threshold falls is up to each one of them


class Sides(NamedTuple):
    """How many have a class and how many have not; `of` says what is counted, patients or ECGs."""

    positives: int
    negatives: int
    of: str = "patient"

    @property
    def smaller(self) -> tuple[int, str]:
        """How many are on the side that has fewer, and which it is."""
        return min((self.positives, "positive"), (self.negatives, "negative"))


def sides(labels: NDArray[np.generic], patients: Sequence[str] | NDArray[np.str_]) -> list[Sides]:
    """The patients on either side of each class, from labels `[records, classes]`: on both, who has ECGs of both kinds.

    A record that takes no part in a class, of label NaN, counts on neither side.
    """
    names = np.asarray(patients, dtype=str)
    return [Sides(len(np.unique(names[one > 0.5])), len(np.unique(names[one <= 0.5]))) for one in labels.T]


def hardly_decided(validation: Mapping[str, Sides]) -> str:
    """A caution on the classes that few in validation decided, by who they are; nothing where there are none."""
    smaller = {name: (*one.smaller, one.of) for name, one in validation.items()}
    few = [
        f"{name} ({counted(number, f'{side} {of}')})"
        for name, (number, side, of) in smaller.items()
        if number < FEWEST_TO_DECIDE
    ]
    if not few:
        return ""
    return f"The threshold and calibration of {listing(few)} rest on that few in validation, and so mostly on chance."


def not_asked(classes: Iterable[Sides], shown: str = "test") -> str:
    """Why it is not asked which of several is better, where no class has enough on both sides; nothing where one has.

    Those few come again in every resample, so that p would be far too low. `shown` says of which records they are.
    """
    most = max(classes, key=lambda one: one.smaller[0])
    number, side = most.smaller
    if number >= FEWEST_TO_DECIDE:
        return ""
    said = f"{'only ' if number else ''}{counted(number, f'{side} {shown} {most.of}')}"
    return f"With {said} of any class, which is better is not asked: it would be up to each one."
