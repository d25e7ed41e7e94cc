"""What a model says of one ECG. Apart from the Model, so that an exported network can say it without PyTorch."""

from dataclasses import dataclass
from typing import Any


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
