"""What trained models teach another: targets that are part label, part their answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgenough.errors import WrongRequest, few
from ecgenough.learning.evaluation import answer
from ecgenough.model import Model, weights_digest
from ecgenough.recipe import Distillation
from ecgenough.signals.batches import Batches
from ecgenough.signals.store import Store


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained model that teaches, by the name the recipe gives it, with the digest of its weights."""

    name: str
    weights: str
    model: Model


def called(settings: Distillation | None, task: str, classes: Sequence[str]) -> tuple[Teacher, ...]:
    """The teachers of a recipe, each cut to the task; none without the section.

    Raises WrongRequest for one that is not there, or does not answer the task with these classes.
    """
    return tuple(_called(name, task, classes) for name in settings.teachers) if settings else ()


def answers_of(model: Model, store: Store, rows: NDArray[np.int64], device: torch.device) -> NDArray[np.float64]:
    """The model's calibrated probabilities `[rows, classes]`.

    Raises WrongRequest where it reads signals that were conditioned otherwise than the store's.
    """
    model.network.to(device)
    recipe = model.recipe.model_copy(update={"labels": "hard"})  # what it learned from need not be known of these
    batches = Batches(store, rows, model.task, recipe, model.normaliser, device)
    return model.probabilities(answer(model.network, batches).logits)


def mixed(
    labels: NDArray[np.float32], weight: float, answers: Sequence[NDArray[np.floating[Any]]]
) -> NDArray[np.float32]:
    """The labels and the mean of all `answers` to the same records, each `[rows, classes]`.

    With `weight` to the answers; NaN where the label is. Cross-entropy is linear in its target, so that of the mean is
    the weighted sum of both (Hinton et al. 2015, equation 1 at temperature 1).
    """
    return np.asarray((1 - weight) * labels + weight * np.mean(answers, axis=0), dtype=np.float32)


def _called(name: str, task: str, classes: Sequence[str]) -> Teacher:
    model = Model.load(name).for_task(task)
    if model.classes != tuple(classes):
        raise WrongRequest(
            f"teacher {name} answers {few(model.classes)}; the task {task} has the classes {few(tuple(classes))}. "
            "Choose a teacher of this very task."
        )
    return Teacher(name, weights_digest(name), model)
