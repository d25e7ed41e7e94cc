"""What a model says of one ECG as published at 500 Hz and at 100 Hz: how far apart its probabilities are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets import open_dataset
from ecgenough.formats import read
from ecgenough.model import Model


@dataclass(frozen=True, eq=False)
class Twins:
    """Probabilities `[pairs, classes]` from the 500 Hz and from the 100 Hz files, and the calls made of them."""

    fine: NDArray[np.float64]
    coarse: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @property
    def mean_difference(self) -> float:
        return float(np.abs(self.fine - self.coarse).mean())

    @property
    def largest_of_each(self) -> NDArray[np.float64]:
        """The largest difference over the classes, of each pair."""
        return np.asarray(np.abs(self.fine - self.coarse).max(axis=1))

    @property
    def same_calls(self) -> float:
        """The share of calls that are the same."""
        return float(((self.fine >= self.thresholds) == (self.coarse >= self.thresholds)).mean())


def compare_twins(model: Model, fine: Path, coarse: Path) -> Twins:
    """Every record that both folders have, read and answered as single files."""
    at_500, at_100 = (open_dataset("ptb-xl", root, rate=rate) for root, rate in ((fine, 500.0), (coarse, 100.0)))
    path_at_100 = dict(zip(at_100.records, at_100.paths, strict=True))
    pairs = [
        (fine / path, coarse / path_at_100[record])
        for record, path in zip(at_500.records, at_500.paths, strict=True)
        if record in path_at_100
    ]
    said = [[model.predict(read(file)).probabilities for file in pair] for pair in pairs]
    both = np.asarray(said)
    return Twins(both[:, 0], both[:, 1], np.asarray(model.thresholds))
