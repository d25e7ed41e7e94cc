"""What the validation records decide beside the weights: how logits become probabilities, and probabilities calls."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ecgenough.learning.evaluation import Answers
from ecgenough.progress import say
from ecgenough.scoring.calibration import Calibration, fit_platt
from ecgenough.scoring.thresholds import UNDECIDED, choose_thresholds


class Decided(NamedTuple):
    """A calibration, the thresholds that go with it, and the classes that validation could not decide."""

    calibration: Calibration
    thresholds: tuple[float, ...]
    untuned: tuple[str, ...]


def decide(validation: Answers, classes: Sequence[str], parts: Iterable[slice] | None = None) -> Decided:
    """Calibrate on the validation records, then choose thresholds there; say which classes they could not decide.

    `parts` are the columns of the tasks that a joint task is made of, in order and without a gap: each task is decided
    on the records that take part in it.
    """
    slopes: list[float] = []
    intercepts: list[float] = []
    values: list[float] = []
    absent: list[int] = []
    for columns in parts or [slice(0, len(classes))]:
        answers = validation.of(columns)
        calibration = calibrate(answers)
        thresholds = choose_thresholds(answers.labels > 0.5, calibration.apply(answers.probabilities), rule="g_mean")
        slopes += calibration.slope
        intercepts += calibration.intercept
        values += thresholds.values.tolist()
        absent += [columns.start + column for column in thresholds.absent]
    untuned = tuple(classes[column] for column in absent)
    if untuned:
        say(
            "without a positive or without a negative in validation, so neither calibrated nor given a threshold but "
            f"{UNDECIDED:g}: {', '.join(untuned)}"
        )
    return Decided(Calibration(tuple(slopes), tuple(intercepts), tuple(absent)), tuple(values), untuned)


def calibrate(validation: Answers) -> Calibration:
    """Platt scaling per class on the validation records; a class ranked backwards there stays as it is."""
    fitted = fit_platt(validation.labels > 0.5, validation.probabilities)
    kept = [slope > 0 for slope in fitted.slope]
    slope = tuple(value if keep else 1.0 for value, keep in zip(fitted.slope, kept, strict=True))
    intercept = tuple(value if keep else 0.0 for value, keep in zip(fitted.intercept, kept, strict=True))
    return Calibration(slope, intercept, fitted.absent)
