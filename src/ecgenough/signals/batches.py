"""Batches: rows of a store -> normalised tensors on the device, augmented for training, as they are for evaluation.

The way of a training batch: int16 counts of the crops -> mV -> augmentation -> normalisation. Augmentation comes first,
so that a normalisation that looks at one record sees what a recorder would have given. Every random choice of an epoch
comes from the recipe's seed and the epoch's number, for the whole batch and before it is shared out: any number of
devices sees the same.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgenough.datasets.joint import columns_by_task
from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe
from ecgenough.signals.augmentation import Augmenter, share_of
from ecgenough.signals.crops import crop_samples, evaluation_crops
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.placement import Resident, Rows, Signals, Streamed, fits, slices
from ecgenough.signals.store import MICROVOLTS, Store


@dataclass(frozen=True)
class Batch:
    """Normalised ECGs, their labels `[batch, classes]` and their rows in the store `[batch]`, on one device.

    `ecg` is `[batch, leads, samples]` in training and `[batch, crops, leads, samples]` in evaluation.
    """

    ecg: Tensor
    labels: Tensor
    rows: Tensor


@dataclass(frozen=True)
class Share:
    """What decides one device's share of a training batch, before any of it is worked out: tensors on the device.

    Of each record its place among the rows, where its crop starts and how many samples from there are signal, each
    `[records]`; then, where signals are streamed, the int16 counts of the crops `[records, leads, length]`. The batch
    has `whole` records on all devices together, and ours begin at the one of number `first`.
    """

    tensors: tuple[Tensor, ...]
    whole: int
    first: int

    def __len__(self) -> int:
        return len(self.tensors[0])


class Batches:
    """The records `rows` of a store, batch by batch. `len()` is how many an epoch shows, `steps` in how many batches.

    With `world` devices each makes its own Batches of the same rows with its `rank`, and gets its share of every batch,
    in evaluation too: join the answers by `Batch.rows`.
    `parts` are the columns of each task that a joint task is made of; a label is NaN where a record takes no part.
    `placement` says in a sentence where the signals are; `identity` changes with the records, `labels` with the labels.
    """

    def __init__(
        self,
        store: Store,
        rows: Rows,
        task: str,
        recipe: Recipe,
        normaliser: Normaliser,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
        targets: NDArray[np.float32] | None = None,
        held: bool | None = None,
    ) -> None:
        """`targets` `[rows, classes]` are what training is to answer, in place of the labels that the recipe names.

        `held` says whether the signals live on the device; where they fit unless told.

        Raises WrongRequest where the store was not conditioned as the recipe says, or gives no such labels.
        """
        _check_fit(store, recipe)
        rows = np.array(rows, dtype=np.int64)
        self.recipe, self.device, self.rank, self.world = recipe, device, rank, world
        self.normaliser = normaliser.to(device)
        self._augmenter = Augmenter(recipe.augmentation, store.rate)
        self._patients = [store.patients[row] for row in rows]
        self._valid = store.valid[rows].astype(np.int64)
        self._leads, self._samples = store.signals.shape[1:]
        self._length = crop_samples(recipe, self._samples)
        self._time = torch.arange(self._length, device=device)
        about = store.task(task)
        self.parts = tuple(columns_by_task(about.name, about.classes).values())
        self._truth = np.asarray(about.labels[rows], dtype=np.float32)
        self._labels = torch.from_numpy(self._truth).to(device)
        stated = label_targets(store, rows, task, recipe) if targets is None else self._truth
        self._targets = torch.from_numpy(stated if targets is None else targets).to(device)
        self._rows = torch.from_numpy(rows).to(device)
        kept = Resident if (fits(store, rows, device) if held is None else held) else Streamed
        self._signals: Signals = kept(store, rows, device)
        self.placement = self._signals.placement
        self.identity = f"{store.fingerprint}-{task}-{hashlib.sha256(rows.tobytes()).hexdigest()[:16]}"
        self.labels = hashlib.sha256(self._truth.tobytes() + stated.tobytes()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def steps(self) -> int:
        """Batches in a training epoch."""
        return len(training_parts(len(self), self.recipe.training.batch))

    def training(self, epoch: int) -> Iterator[Batch]:
        """One epoch: every row once where `training.sampling` is shuffle, else as many drawn with replacement.

        Order, crops and augmentation follow from the recipe's seed and `epoch`. Raises WrongRequest where a batch
        is too small to give every device two records (batch norm cannot learn from one).
        """
        rng = torch.Generator(self.device)
        for share in self.shares(epoch, rng):
            yield self.show(share, rng)

    def shares(self, epoch: int, rng: torch.Generator) -> Iterator[Share]:
        """What decides the batches of `training`, which `show` makes of them; seeds `rng` for it."""
        whole = training_parts(len(self), self.recipe.training.batch)
        if self.world > 1 and any(part.stop - part.start < 2 * self.world for part in whole):
            raise WrongRequest(f"training.batch of {self.recipe.training.batch} is too small for {self.world} devices.")
        own = [self._share(part) for part in whole]
        random = np.random.default_rng([self.recipe.seed, epoch])
        order = sampled(self.recipe.training.sampling, random, self._truth, self._patients)
        spare = np.maximum(self._valid[order] - self._length, 0)
        starts = np.floor(random.random(len(order)) * (spare + 1)).astype(np.int64)
        rng.manual_seed(int(random.integers(2**62)))
        decided = torch.from_numpy(np.stack([order, starts, self._valid[order] - starts])).to(self.device)
        read = self._signals.read(order, starts, own, self._length)
        for part, mine, counts in zip(whole, own, read, strict=True):
            yield Share((*decided[:, mine], *counts), part.stop - part.start, mine.start - part.start)

    def show(self, share: Share, rng: torch.Generator) -> Batch:
        """The batch that `share` decides, with the next augmentation from `rng`: arithmetic on the device alone."""
        at, since, valid, *read = share.tensors
        counts = self._signals.crops(at, since, self._length, read)
        drawn = self._augmenter.draw(torch.Size((share.whole, self._leads, self._length)), rng)
        mask = self._time < valid[:, None, None]
        ours = share_of(drawn, slice(share.first, share.first + len(share)))
        ecg = self._augmenter.apply(counts.float().div_(MICROVOLTS), mask, ours)
        return Batch(self.normaliser(ecg, mask), self._targets[at], self._rows[at])

    def evaluation(self, batch: int = 256) -> Iterator[Batch]:
        """Every row once and in order, nothing drawn, with hard labels; see `evaluation_crops`."""
        own = [self._share(part) for part in slices(len(self), batch)]
        own = [mine for mine in own if mine.stop > mine.start]
        order = np.arange(len(self))
        valid = torch.from_numpy(self._valid).to(self.device)
        counted = self._signals.read(order, np.zeros_like(order), own, self._samples)
        every, start = torch.from_numpy(order).to(self.device), torch.zeros_like(valid)
        for mine, read in zip(own, counted, strict=True):
            counts = self._signals.crops(every[mine], start[mine], self._samples, read)
            ecg = counts.float().div_(MICROVOLTS)
            crops = evaluation_crops(ecg, valid[mine], self.recipe, self.normaliser)
            yield Batch(crops, self._labels[mine], self._rows[mine])

    def _share(self, part: slice) -> slice:
        """This device's part of a batch; shares differ by one record at most."""
        size = part.stop - part.start
        return slice(part.start + size * self.rank // self.world, part.start + size * (self.rank + 1) // self.world)


def training_parts(records: int, batch: int) -> list[slice]:
    """An epoch's batches. A last one of a single record, or below an eighth of a batch, joins the one before it.

    So batch norm never sees one record alone, nor, on up to batch / 16 devices, does any device.
    """
    parts = slices(records, batch)
    if len(parts) > 1 and parts[-1].stop - parts[-1].start < min(batch, max(2, batch / 8)):
        parts[-2:] = [slice(parts[-2].start, parts[-1].stop)]
    return parts


def sampled(how: str, random: np.random.Generator, labels: NDArray[np.float32], patients: Sequence[str]) -> Rows:
    """Positions of the records of one epoch, as many as there are.

    `shuffle`: each once. The others draw with replacement: `class-balanced` with probability proportional to the sum
    over a record's classes of 1 / the class's records, those of no class being a class of their own (so a binary task
    is balanced half and half); `patient-balanced` so that each patient is as likely as any other; records without a
    patient's name count as one patient each.
    """
    if how == "shuffle":
        return random.permutation(len(labels))
    if how == "class-balanced":
        classes = np.column_stack([labels > 0.5, ~(labels > 0.5).any(axis=1)])
        weights = (classes / np.maximum(classes.sum(axis=0), 1)).sum(axis=1)
    else:
        names = [patient or f"\0{position}" for position, patient in enumerate(patients)]
        _, which, records = np.unique(names, return_inverse=True, return_counts=True)
        weights = 1 / records[which]
    return random.choice(len(labels), size=len(labels), p=weights / weights.sum())


def _check_fit(store: Store, recipe: Recipe) -> None:
    asked, there = recipe.signal, store.signal
    for key in type(asked).model_fields:
        if getattr(asked, key) != getattr(there, key):
            raise WrongRequest(
                f"{store.path} was conditioned with another signal.{key} than the recipe's; prepare anew."
            )


def label_targets(store: Store, rows: Rows, task: str, recipe: Recipe) -> NDArray[np.float32]:
    """What training is to answer, `[rows, classes]`: labels of 0 and 1, or the likelihoods of the recipe's wish."""
    truth = store.task(task)
    if recipe.labels == "hard":
        return np.asarray(truth.labels[rows], dtype=np.float32)
    if truth.likelihoods is None:
        raise WrongRequest(f'labels "likelihood": task {task} of {store.name} states none. Use labels: hard.')
    return np.asarray(truth.likelihoods[rows], dtype=np.float32)
