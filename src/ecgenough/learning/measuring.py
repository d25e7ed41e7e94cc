"""What calipers read off each ECG, as numbers that a network can learn to say."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from ecgenough.baselines.intervals import measurements
from ecgenough.errors import WrongRequest
from ecgenough.signals.store import Store

FEWEST = 100  # training records in which a measure must be found; of fewer, ranks say little


def measured(store: Store, rows: NDArray[np.int64]) -> Tensor:
    """The measurements of every record of the store `[records, measures]`, float32, as normal scores among `rows`.

    A measure's score is the standard normal quantile of its rank, so that a heart block's PR or a bundle branch's QRS
    lies a few units off, however far it is in milliseconds. NaN where a measure was not found; measures that hardly any
    record has, such as the axis without limb leads, are left out. Raises WrongRequest where no measure is left, and
    what `intervals.measurements` does.
    """
    scores = [
        _normal_scores(column, column[rows]) for column in measurements(store).T if _found(column[rows]) >= FEWEST
    ]
    if not scores:
        raise WrongRequest(
            f"of the training records of {store.name}, {len(rows):,}, fewer than {FEWEST} can be measured; pretrain with "
            "another objective, such as masked."
        )
    return torch.from_numpy(np.stack(scores, axis=1))


def _found(column: NDArray[np.float64]) -> int:
    return int((~np.isnan(column)).sum())


def _normal_scores(column: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float32]:
    """Van der Waerden's scores of `column` among `known`: equal values have the score of their middle rank."""
    ordered = np.sort(known[~np.isnan(known)])
    rank = (np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right")) / 2
    scores = ndtri((rank + 0.5) / (len(ordered) + 1))
    return np.where(np.isnan(column), np.nan, scores).astype(np.float32)
