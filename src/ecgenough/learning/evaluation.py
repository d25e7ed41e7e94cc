"""What a network says of records, and what that is worth."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from ecgenough.networks.contract import Network, crop_mean
from ecgenough.scoring.metrics import auc, average_precision
from ecgenough.signals.batches import Batches

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Logits and labels `[records, classes]`, in the order of the store rows `[records]`.

    In a joint task a label is NaN where the record takes no part in the class's own task.
    """

    rows: NDArray[np.int64]
    logits: Logits
    labels: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """`[records, classes]`, not calibrated."""
        return np.asarray(expit(self.logits), dtype=np.float64)

    def of(self, columns: slice) -> "Answers":
        """The answers to one task of a joint one: its columns, and the records that take part in it."""
        counted = ~np.isnan(self.labels[:, columns]).any(axis=1)
        return Answers(self.rows[counted], self.logits[counted, columns], self.labels[counted, columns])


@torch.inference_mode()
def answer(network: Network, batches: Batches, precision: Any = None) -> Answers:
    """Show every record once, in evaluation mode; logits are averaged over a record's crops."""
    network.eval()
    rows, logits, labels = [], [], []
    for batch in batches.evaluation():
        with precision or nullcontext():
            rows.append(batch.rows.cpu())
            logits.append(crop_mean(network, batch.ecg).double().cpu())
            labels.append(batch.labels.cpu())
    return Answers(torch.cat(rows).numpy(), torch.cat(logits).numpy(), torch.cat(labels).numpy())


def validation_figures(answers: Answers, parts: Sequence[slice]) -> dict[str, float]:
    """Loss (cross-entropy), macro AUC and macro average precision, each the mean over the tasks whose columns are given.

    NaN where no class of a task has both outcomes.
    """
    figures = [_figures(answers.of(columns)) for columns in parts]
    return {name: float(np.mean([of_task[name] for of_task in figures])) for name in figures[0]}


def _figures(answers: Answers) -> dict[str, float]:
    truth, logits = answers.labels, answers.logits
    cross_entropy = np.logaddexp(0, logits) - truth * logits
    labels = truth > 0.5
    return {
        "validation_loss": float(cross_entropy.mean()),
        "validation_macro_auc": _mean_of_present(auc(labels, answers.probabilities)),
        "validation_macro_average_precision": _mean_of_present(average_precision(labels, answers.probabilities)),
    }


def _mean_of_present(values: NDArray[np.float64]) -> float:
    """The mean over the classes that have both outcomes; NaN where none has."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")
