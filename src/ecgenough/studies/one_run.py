"""A training about to happen: its records, its recipe, its folder, and the models it begins as or is taught by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray

from ecgenough.learning.cross_fitting import cross_fitted
from ecgenough.learning.distillation import Teacher, answers_of, mixed
from ecgenough.model import Model, weights_digest
from ecgenough.progress import say
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches, label_targets
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies.splits import Division


@dataclass(frozen=True)
class Source:
    """The model that a transfer begins as, where it lies, and the digest of its weights."""

    folder: str
    weights: str
    model: Model

    @classmethod
    def load(cls, folder: str | Path) -> "Source":
        """Read the model of a folder. Raises what `Model.load` does."""
        return cls(str(folder), weights_digest(folder), Model.load(folder))


@dataclass(frozen=True)
class Run:
    """A training about to happen: its records, its recipe, its folder, and the model it begins as, if any."""

    store: Store
    recipe: Recipe
    out: Path
    fabric: Fabric
    division: Division
    normaliser: Normaliser
    source: Source | None = None
    teachers: tuple[Teacher, ...] = ()

    @property
    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The rows that train, choose and test."""
        return self.division.rows

    @property
    def learned_from(self) -> NDArray[np.int64]:
        """The rows that the run learns from or chooses on."""
        return np.concatenate([self.splits["train"], self.splits["validation"]])

    @property
    def task(self) -> str:
        """The recipe's task, or the store's own where it names none."""
        return self.recipe.task or self.store.default_task

    @property
    def earlier(self) -> list[Model]:
        """The models that this one begins as or is taught by; what they have seen, it has seen."""
        return [*([self.source.model] if self.source else []), *(teacher.model for teacher in self.teachers)]

    def training(self) -> Batches:
        """The training records; where several processes train, this one's share of every batch."""
        batches = self._batches("train", self.fabric.global_rank, self.fabric.world_size, self._targets())
        batches.identity = "-".join([batches.identity, *(teacher.weights[:16] for teacher in self.teachers)])
        return batches

    def validation(self) -> Batches:
        """The validation records, all of them in every process."""
        return self._batches("validation", 0, 1, None)

    def _batches(self, part: str, rank: int, world: int, targets: NDArray[np.float32] | None) -> Batches:
        rows, device = self.splits[part], self.fabric.device
        return Batches(self.store, rows, self.task, self.recipe, self.normaliser, device, rank, world, targets)

    def _targets(self) -> NDArray[np.float32] | None:
        """What the teachers make of the training labels; None where nobody teaches."""
        wanted, rows = self.recipe.distillation, self.splits["train"]
        if wanted is None:
            return None
        names = [*(teacher.name for teacher in self.teachers), *wanted.baselines]
        say(f"taught by {', '.join(names)}, which answer the training records first")
        answers = [self._answers_of(teacher, rows) for teacher in self.teachers]
        with self.fabric.rank_zero_first(local=True):  # of each machine; the others read what it keeps beside the store
            fitted = [cross_fitted(name, self.store, self.task, rows, self.recipe.seed) for name in wanted.baselines]
        return mixed(label_targets(self.store, rows, self.task, self.recipe), wanted.weight, [*answers, *fitted])

    def _answers_of(self, teacher: Teacher, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What a teacher answers `rows`; where several processes train, each asks it of its share and hears the others'."""
        rank, world, device = self.fabric.global_rank, self.fabric.world_size, self.fabric.device
        if world == 1:
            return answers_of(teacher.model, self.store, rows, device)
        shares = np.resize(rows, (-(-len(rows) // world), world))  # a share a column, the last ones filled up
        told = answers_of(teacher.model, self.store, shares[:, rank], device)
        gathered: Any = self.fabric.all_gather(torch.from_numpy(told))
        return np.concatenate(gathered.cpu().numpy().transpose(1, 0, 2))[: len(rows)]
