"""What the validation records decide beside the weights: how logits become probabilities, and probabilities calls."""

from collections.abc import Sequence
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


def decide(validation: Answers, classes: Sequence[str]) -> Decided:
    """Calibrate on the validation records, then choose thresholds there; say which classes they could not decide."""
    calibration = calibrate(validation)
    calibrated = calibration.apply(validation.probabilities)
    thresholds = choose_thresholds(validation.labels > 0.5, calibrated, rule="g_mean")
    untuned = tuple(classes[column] for column in thresholds.absent)
    if untuned:
        say(
            "without a positive or without a negative in validation, so neither calibrated nor given a threshold but "
            f"{UNDECIDED:g}: {', '.join(untuned)}"
        )
    return Decided(calibration, tuple(map(float, thresholds.values)), untuned)


def calibrate(validation: Answers) -> Calibration:
    """Platt scaling per class on the validation records; a class ranked backwards there stays as it is."""
    fitted = fit_platt(validation.labels > 0.5, validation.probabilities)
    kept = [slope > 0 for slope in fitted.slope]
    slope = tuple(value if keep else 1.0 for value, keep in zip(fitted.slope, kept, strict=True))
    intercept = tuple(value if keep else 0.0 for value, keep in zip(fitted.intercept, kept, strict=True))
    return Calibration(slope, intercept, fitted.absent)
