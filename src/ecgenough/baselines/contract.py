"""What every baseline offers."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgenough.signals.store import Store

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Baseline(Protocol):
    """A fitted baseline. A binary task has one column."""

    def probabilities(self, store: Store, rows: Rows) -> Floats:
        """Probabilities `[rows, classes]`, strictly between 0 and 1 but not calibrated.

        Raises WrongRequest for a store conditioned otherwise than the one it was fitted on.
        """

    def about(self) -> Mapping[str, Any]:
        """What was fitted and what was missing, as plain values for baseline.json."""
