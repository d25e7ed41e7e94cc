"""What a model says of one ECG. Apart from the Model, so that an exported network can say it without PyTorch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.errors import BrokenModel


@dataclass(frozen=True)
class Prediction:
    """What a model says of one ECG, a number a class in the order of `classes`; `notes` say what makes one doubt it."""

    classes: tuple[str, ...]
    titles: tuple[str, ...]
    probabilities: tuple[float, ...]
    thresholds: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def calls(self) -> tuple[bool, ...]:
        """Which classes reach their threshold."""
        return tuple(p >= t for p, t in zip(self.probabilities, self.thresholds, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: a row a class, and the notes."""
        rows = zip(self.classes, self.titles, self.probabilities, self.thresholds, self.calls, strict=True)
        names = ("class", "title", "probability", "threshold", "call")
        return {"classes": [dict(zip(names, row, strict=True)) for row in rows], "notes": list(self.notes)}


def check_no_nan(model: str, answers: NDArray[np.floating[Any]]) -> None:
    """Raise BrokenModel where some of what the model of that name said, logits or probabilities, is NaN.

    No recording can be blamed: what a network is shown is finite.
    """
    if np.isnan(answers).any():
        raise BrokenModel(
            f"{model} answers NaN: its weights are so large that sums overflow, as they are after a training that diverged. "
            "Copy the model again, or train it again with a lower optimizer.learning_rate."
        )
