"""The Recipe value: read, validated, changed, printed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import yaml
from pydantic import ValidationError

from ecgenough.complaints import first_complaint
from ecgenough.errors import WrongRequest
from ecgenough.recipe.augmentation import Augmentation
from ecgenough.recipe.changes import flat, parsed, put
from ecgenough.recipe.learning import (
    Bce,
    Distillation,
    Loss,
    Network,
    OneCycle,
    Optimizer,
    Pretraining,
    Schedule,
    Training,
    Transfer,
)
from ecgenough.recipe.section import Section, Seed
from ecgenough.recipe.signal import Crop, Normalisation, Signal
from ecgenough.settings import read_mapping, read_settings, shipped_names

FOLDER = "recipes"  # of the package


class Recipe(Section):
    """Everything that decides a result. Same recipe, same data, same machine: same result.

    >>> recipe = ecgenough.Recipe().with_changes(["optimizer.learning_rate=1e-4"])
    >>> print(recipe.to_yaml().splitlines()[0], recipe.optimizer.learning_rate)
    task: null 0.0001
    """

    task: str | None = None
    """Which labels, or several tasks at once: form+rhythm; null is the data set's default."""
    leave_out: str | None = None
    """A task of the same data whose patients are kept from training and validation, to carry the model over to it."""
    labels: Literal["hard", "likelihood"] = "hard"
    """Learn 0 and 1, or how likely the annotator thought each statement, where that is known."""
    signal: Signal = Signal()
    """What is done once to every recording."""
    crop: Crop = Crop()
    """What section of it the network sees."""
    normalisation: Normalisation = Normalisation()
    """How its voltages are scaled."""
    augmentation: Augmentation = Augmentation()
    """How it is varied in training."""
    network: Network = Network()
    """What reads it."""
    loss: Loss = Bce()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How it is minimised."""
    schedule: Schedule = OneCycle()
    """How the learning rate changes."""
    training: Training = Training()
    """How long, and what is kept."""
    transfer: Transfer | None = None
    """What learns when a model is carried over; null in a training from scratch."""
    distillation: Distillation | None = None
    """Which trained models teach beside the labels; null is none."""
    pretraining: Pretraining | None = None
    """What is learned without labels; null in a training with them."""
    seed: Seed = 0
    """Decides every random number."""

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str = "recipe") -> Self:
        """Validate plain values. Raises WrongRequest naming the first wrong key, what is wrong and what fits."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise WrongRequest(first_complaint(error, cls, where)) from None

    @classmethod
    def from_yaml(cls, text: str, where: str = "recipe") -> Self:
        """Read a recipe from YAML text; `where` is named in errors."""
        return cls.of(read_mapping(text, where, "recipe"), where)

    def to_yaml(self) -> str:
        """The whole recipe as YAML, every value spelled out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120, default_flow_style=None)

    def with_changes(self, changes: Iterable[str]) -> Self:
        """The recipe after `key=value` changes such as `training.epochs=5`; values are read as YAML."""
        return self.with_values(parsed(change) for change in changes)

    def with_values(self, values: Iterable[tuple[str, Any]]) -> Self:
        """The recipe with plain values put at keys such as "training.epochs", one after the other.

        A value of `kind`, or of `network.name`, takes the other keys beside it back to their defaults.
        """
        settings = self.model_dump(mode="json")
        for key, value in values:
            put(settings, key, value)
        return self.of(settings)

    def flat(self) -> dict[str, Any]:
        """Every value by its key in full, such as "optimizer.learning_rate"."""
        return flat(self.model_dump(mode="json"))

    def fingerprint(self) -> str:
        """Sixteen hex digits that differ whenever any value does."""
        return fingerprint(self.model_dump(mode="json"))


def fingerprint(settings: Any) -> str:
    """Sixteen hex digits of SHA-256 over plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def shipped() -> tuple[str, ...]:
    """The names of the recipes that come with the package."""
    return shipped_names(FOLDER)


def load_recipe(name_or_path: str, changes: Iterable[str] = ()) -> Recipe:
    """A shipped recipe by name or one of your own by path, after `key=value` changes.

    Raises WrongRequest when there is neither, or a key or value does not fit.

    >>> recipe = ecgenough.load_recipe("fast", ["network.options.width=4", "training.epochs=1"])
    >>> recipe.training.epochs
    1
    """
    return Recipe.of(read_settings(name_or_path, FOLDER, "recipe"), name_or_path).with_changes(changes)
