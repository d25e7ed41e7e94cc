"""The baseline of all baselines: everyone has the disease as often as the training records do."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ecgenough.baselines.contract import Floats, Rows
from ecgenough.signals.store import Store


@dataclass(frozen=True)
class Prevalence:
    """`shares` of positives by class, with one of each outcome added (Laplace) so that none is 0 or 1."""

    shares: tuple[float, ...]

    @classmethod
    def fit(cls, store: Store, task: str | None, rows: Rows, seed: int) -> Self:  # noqa: ARG003 - nothing is drawn
        """Count the positives of the training rows of the store."""
        positives = store.task(task).labels[rows].sum(axis=0, dtype=np.float64)
        return cls(tuple(float(share) for share in (positives + 1) / (len(rows) + 2)))

    def probabilities(self, store: Store, rows: Rows) -> Floats:  # noqa: ARG002 - the same for everyone
        return np.tile(np.array(self.shares), (len(rows), 1))

    def about(self) -> dict[str, Any]:
        return {"shares": list(self.shares)}
