"""Self-supervised learning: the loop of `training` over an objective that needs no labels."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.learning.objectives import Objective, View
from ecgenough.learning.step import Row
from ecgenough.model import PRETRAINED
from ecgenough.recipe import Augmentation, Contrastive, Crop, Pretraining, Recipe
from ecgenough.signals.augmentation import Augmenter
from ecgenough.signals.batches import Batch, Batches, Share
from ecgenough.signals.crops import crop_samples
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store

Rows = NDArray[np.int64]


def check_pretraining(recipe: Recipe) -> Pretraining:
    """What the recipe pretrains by. Raises WrongRequest where it does not, or asks for what needs labels."""
    if recipe.pretraining is None:
        ways = "pretrain-measured, pretrain-masked or pretrain-contrastive"
        raise WrongRequest(f"the recipe has no section pretraining; take {ways}.")
    if recipe.training.select not in ("loss", "last"):
        raise WrongRequest(f"training.select {recipe.training.select} needs labels; pretrain with select: loss.")
    if recipe.training.sampling == "class-balanced":
        raise WrongRequest("training.sampling class-balanced needs labels; pretrain with shuffle or patient-balanced.")
    if recipe.distillation is not None:
        raise WrongRequest("distillation needs labels; pretrain without teachers, and set distillation=null.")
    return recipe.pretraining


def without_labels(store: Store) -> Store:
    """The same records with one more task, PRETRAINED and the default: all take part in it and none has a label."""
    nothing = np.zeros((len(store.records), 1), dtype=np.float32)
    task = Task(PRETRAINED, ("unlabelled",), nothing, np.ones(len(store.records), dtype=bool))
    return replace(store, tasks={**store.tasks, PRETRAINED: task}, default_task=PRETRAINED)


class SelfSupervised:
    """An objective that learns from the views of unlabelled records: a `step.Learner`.

    Views are drawn from whole records in mV: a crop, the recipe's augmentation, then the normalisation, as `Batches`
    does for labels. Validation draws the same views after every epoch.
    """

    def __init__(
        self,
        objective: Objective,
        store: Store,
        splits: dict[str, Rows],
        recipe: Recipe,
        normaliser: Normaliser,
        fabric: Fabric,
        measured: Tensor | None = None,
    ) -> None:
        """`store` is one `without_labels`, `splits` has its rows of train and validation.

        `measured` `[records, measures]` is what calipers read off its records, for the objective that asks for it.
        """
        settings = check_pretraining(recipe)
        self.module: nn.Module = objective.to(fabric.device)
        self.objective, self.recipe, self.fabric = objective, recipe, fabric
        self.name = f"{settings.objective} pretraining of {recipe.network.name}"
        self.normaliser = normaliser.to(fabric.device)
        self.augmenter = Augmenter(recipe.augmentation, store.rate)
        self.length = crop_samples(recipe, store.samples)
        by_patient = isinstance(settings, Contrastive) and settings.positives == "patient"
        group = patient_numbers(store.patients) if by_patient else np.arange(len(store.records))
        self.group = torch.from_numpy(group).to(fabric.device)
        self.measured = (torch.empty(len(group), 0) if measured is None else measured).to(fabric.device)
        self.valid = torch.from_numpy(store.valid.astype(np.int64)).to(fabric.device)
        rank, world = fabric.global_rank, fabric.world_size
        sources = {part: [rows, partners(rows, group)] if by_patient else [rows] for part, rows in splits.items()}
        self.train = [_whole(store, rows, recipe, fabric.device, rank, world) for rows in sources["train"]]
        self.validation = [_whole(store, rows, recipe, fabric.device, 0, 1) for rows in sources["validation"]]
        self.generators: Sequence[torch.Generator] = tuple(
            torch.Generator(fabric.device) for _ in range(1 + len(self.train))
        )
        self.records, self.steps = len(self.train[0]), self.train[0].steps
        self.identity = "-".join(batches.identity for batches in (*self.train, *self.validation))
        self.labels = ""

    def begin_epoch(self, epoch: int, epochs: int) -> bool:  # noqa: ARG002 - every epoch is alike
        self.module.train()
        return False

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        undecayed = {id(parameter) for parameter in self.objective.network.undecayed()}
        about = {"lr": learning_rate, "factor": 1.0}
        decayed: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for parameter in self.module.parameters():
            if parameter.requires_grad:
                (plain if parameter.ndim < 2 or id(parameter) in undecayed else decayed).append(parameter)
        return [{**about, "params": decayed}, {**about, "params": plain, "weight_decay": 0.0}]

    def shown(self, epoch: int) -> Iterator[Sequence[Share]]:
        of_views, *of_sources = self.generators
        of_views.manual_seed(self._seed(epoch + 1))
        return zip(
            *(source.shares(epoch, rng) for source, rng in zip(self.train, of_sources, strict=True)), strict=True
        )

    def cost(self, module: nn.Module, shares: Sequence[Share]) -> Tensor:
        rng, *of_sources = self.generators
        of_each = zip(self.train, shares, of_sources, strict=True)
        return self.objective.cost(module, self._views([b.show(share, r) for b, share, r in of_each], rng), rng)

    @torch.inference_mode()
    def figures(self, module: nn.Module) -> Row:
        module.eval()
        rng, total = torch.Generator(self.fabric.device).manual_seed(self._seed(0)), 0.0
        size = self.recipe.training.batch
        for crops in zip(*(source.evaluation(size) for source in self.validation), strict=True):
            batches = [replace(batch, ecg=batch.ecg[:, 0]) for batch in crops]
            with self.fabric.autocast():
                cost = self.objective.cost(module, self._views(batches, rng), rng)
            total += cost.item() * len(batches[0].rows)
        return {"validation_loss": total / len(self.validation[0])}

    def constrain(self) -> None:
        self.objective.network.constrain()

    def finish(self) -> None:
        self.module.requires_grad_(True)

    def _views(self, batches: Sequence[Batch], rng: torch.Generator) -> list[View]:
        sources = batches if len(batches) == self.objective.views else list(batches) * self.objective.views
        return [self._view(batch, rng) for batch in sources]

    def _view(self, batch: Batch, rng: torch.Generator) -> View:
        valid = self.valid[batch.rows]
        spare = (valid - self.length).clamp(min=0)
        drawn = torch.rand(len(spare), generator=rng, device=rng.device)
        start = (drawn * (spare + 1)).long().clamp(max=spare)
        ecg = cropped(batch.ecg, start, self.length)
        mask = torch.arange(self.length, device=ecg.device) < (valid - start)[:, None, None]
        augmented = self.augmenter(ecg, mask, rng)
        normalised = cast(Tensor, self.normaliser(augmented, mask))
        return View(normalised, mask, self.group[batch.rows], self.measured[batch.rows])

    def _seed(self, epoch: int) -> int:
        """A seed of its own for every epoch and process; epoch 0 stands for validation, alike in all."""
        process = self.fabric.global_rank if epoch else 0
        return int(np.random.default_rng([self.recipe.seed, epoch, process]).integers(2**62))


def cropped(ecg: Tensor, start: Tensor, length: int) -> Tensor:
    """`length` samples of each of `ecg` `[batch, leads, samples]`, from its own `start` `[batch]`."""
    if length == ecg.shape[-1]:
        return ecg
    return ecg.unfold(-1, length, 1)[torch.arange(len(ecg), device=ecg.device), :, start]


def patient_numbers(patients: Sequence[str]) -> Rows:
    """A number a patient; a record without a patient's name is a patient of its own."""
    names = [patient or f"\0{position}" for position, patient in enumerate(patients)]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def partners(rows: Rows, group: Rows) -> Rows:
    """For each of `rows` the next one of its group, the first after the last; a row alone is its own partner."""
    following = np.empty_like(rows)
    order = np.argsort(group[rows], kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(group[rows][order])) + 1):
        following[places] = rows[np.roll(places, -1)]
    return following


def _whole(store: Store, rows: Rows, recipe: Recipe, device: torch.device, rank: int, world: int) -> Batches:
    """Whole records in mV: views are cropped, augmented and normalised later, each by itself."""
    plain = recipe.model_copy(update={"crop": Crop(), "augmentation": Augmentation(), "labels": "hard"})
    return Batches(store, rows, PRETRAINED, plain, Normaliser("none"), device, rank, world)
