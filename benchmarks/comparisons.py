"""What is compared: each function does one thing both ways, checks that they agree where they must, and times them."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import wfdb
from numpy.typing import NDArray

from benchmarks import naive
from benchmarks.pairs import Comparison, agree, alternate
from ecgenough import formats, networks
from ecgenough.datasets.table import Dataset
from ecgenough.learning.evaluation import answer
from ecgenough.learning.losses import build_loss
from ecgenough.learning.training import Average, Progress, Splits, Supervised, open_fabric, train_epoch
from ecgenough.model import Model
from ecgenough.networks.contract import Network
from ecgenough.recipe import BandPass, Recipe, load_recipe
from ecgenough.scoring import Calibration, score
from ecgenough.signals.batches import Batches, crop_samples, evaluation_crops
from ecgenough.signals.conditioning import condition
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store

Rows = NDArray[np.int64]
RESAMPLES, FEW = 1000, 20
PREDICTIONS = 20


@dataclass(frozen=True)
class Bench:
    """The records, what is done with them, where, and how often it is timed."""

    dataset: Dataset
    store: Store
    recipe: Recipe
    device: torch.device
    repeats: int
    folder: Path

    def comparisons(self, cores: int) -> Iterator[Comparison]:
        """All of them, each as soon as it is measured."""
        yield self.reading()
        yield from (self.preparation(workers) for workers in sorted({1, cores}))
        yield from (self.input_batches(preloaded) for preloaded in (False, True))
        yield self.training_epoch()
        yield self.evaluation()
        yield from (self.prediction(name) for name in ("fast", "default"))
        yield self.bootstrap()

    def reading(self) -> Comparison:
        paths = self._paths(np.arange(len(self.store.records)))[:300]
        agree("reading", formats.read(paths[0]).signal, naive.read(paths[0]), 1e-6)
        ours = lambda: [formats.read(path) for path in paths]  # noqa: E731
        other = lambda: [wfdb.rdrecord(path).p_signal for path in paths]  # noqa: E731
        return alternate("read a WFDB record", f"{len(paths)} records", ours, other, self.repeats)

    def preparation(self, workers: int) -> Comparison:
        """Ours deletes the store of the turn before within its time, so that there is one to make."""
        paths = self._paths(np.arange(len(self.store.records)))
        signal = self.recipe.signal.model_copy(update={"filter": BandPass()})

        def ours() -> Store:
            shutil.rmtree(self.folder / "prepared", ignore_errors=True)
            return prepare(self.dataset, signal, self.folder / "prepared", workers)

        def other() -> naive.Floats:
            return naive.prepare(paths, self.folder / "prepared.npy", workers)

        # They extend a signal's ends differently, so it is its middle where they agree.
        middle = slice(self.store.samples * 2 // 5, self.store.samples * 3 // 5)
        apart = np.abs(ours().signals[..., middle] / 1000 - other()[..., middle])
        agree("preparation", np.median(apart), 0, 1e-3)
        processes = f"{workers} process{'es' if workers > 1 else ''}"
        what = f"prepare: read, band-pass, write; {processes}"
        return alternate(what, f"{len(paths):,} records", ours, other, self.repeats)

    def input_batches(self, preloaded: bool) -> Comparison:
        rows = self._rows("train")
        ours, other = self._batches(rows), self._loader(rows, True, preloaded, self.recipe.training.batch)
        against = "records kept in memory" if preloaded else f"files and {naive.WORKERS} workers"
        return alternate(
            f"training batches, against a Dataset of {against}",
            f"{len(rows):,} records",
            lambda: [batch.ecg.shape for batch in ours.training(0)],
            lambda: [ecg.shape for ecg, _ in naive.batches(other, self.device)],
            self.repeats,
        )

    def training_epoch(self) -> Comparison:
        """Ours with all it does in earnest (schedule, clipping, averaged weights), the other without."""
        rows, fabric = self._rows("train"), open_fabric("float32", self.device.type)
        network, rate = self._network(self.recipe), self.recipe.optimizer.learning_rate
        twin, batches = copy.deepcopy(network), self._batches(rows)
        loss = build_loss(self.recipe.loss, torch.from_numpy(self.store.task(None).labels[rows]))
        learner = Supervised(network, loss, Splits(batches, batches), self.recipe, fabric)
        optimizer: Any = fabric.setup_optimizers(torch.optim.AdamW(learner.groups(rate), lr=rate))
        wrapped, average, progress = (
            fabric.setup_module(network),
            Average(network, self.recipe.training.ema),
            Progress(),
        )
        source = self._loader(rows, True, False, self.recipe.training.batch)
        plain = torch.optim.AdamW(twin.parameters(), lr=rate)

        def ours() -> None:
            learner.begin_epoch(progress.epoch, self.recipe.training.epochs)
            train_epoch(learner, wrapped, optimizer, average, self.recipe, progress, fabric)
            progress.epoch += 1

        def other() -> float:
            return naive.train_epoch(twin, plain, source, self.device)

        what = f"a training epoch of {self.recipe.network.name}, batch {self.recipe.training.batch}"
        return alternate(what, f"{len(rows):,} records", ours, other, self.repeats)

    def evaluation(self) -> Comparison:
        rows = self._rows("train")
        network, batches, source = (
            self._network(self.recipe),
            self._batches(rows),
            self._loader(rows, False, False, 256),
        )
        ours = lambda: answer(network, batches).logits  # noqa: E731
        other = lambda: naive.evaluate(network, source, self.device)  # noqa: E731
        agree("evaluation", ours(), other(), 1e-3)
        return alternate(f"evaluate {self.recipe.network.name}", f"{len(rows):,} records", ours, other, self.repeats)

    def prediction(self, name: str) -> Comparison:
        """`Model.predict` of one ECG in memory, beside the network alone on what it is shown there."""
        recipe, ecg = load_recipe(name), formats.read(self._paths(np.array([0]))[0])
        network, task = self._network(recipe).eval(), self.store.task(None)
        normaliser = fit_normaliser(recipe.normalisation, self.store, self._rows("train")).to(self.device)
        count = len(task.classes)
        model = Model(
            network, recipe, task.name, task.classes, task.classes, (0.5,) * count, normaliser, Calibration.none(count)
        )
        conditioned = condition(ecg, recipe.signal)
        signal = torch.from_numpy(conditioned.signal)[None].to(self.device)
        shown = evaluation_crops(signal, torch.tensor([conditioned.valid], device=self.device), recipe, normaliser)[0]
        ours = lambda: [model.predict(ecg) for _ in range(PREDICTIONS)]  # noqa: E731
        bare = torch.inference_mode()(lambda: [network(shown).cpu() for _ in range(PREDICTIONS)])
        what = f"Model.predict of one ECG, recipe {name} ({recipe.network.name}), beside the bare forward pass"
        return alternate(what, f"{PREDICTIONS} predictions", ours, bare, 3 * self.repeats, bare=True)

    def bootstrap(self) -> Comparison:
        """Labels as frequent as those of PTB-XL's superclasses, a patient a record, so that both draw the same."""
        records, rng = len(self.store.records), np.random.default_rng(0)
        labels = rng.random((records, 5)) < (0.44, 0.25, 0.24, 0.22, 0.12)
        scores = 1 / (1 + np.exp(1 - 2.0 * labels - rng.normal(size=labels.shape)))
        patients, classes = [f"{record:09}" for record in range(records)], ["NORM", "MI", "STTC", "CD", "HYP"]

        def ours(resamples: int = RESAMPLES) -> dict[str, Any]:
            return score(labels, scores, [0.5] * 5, patients, classes, resamples=resamples)

        def other() -> object:
            return naive.bootstrap(labels, scores, FEW)

        auc = [ours(FEW)["classes"][name]["auc"]["low"] for name in classes]
        agree("bootstrap", auc, naive.bootstrap(labels, scores, FEW)[0][0], 1e-9)
        what = f"score with intervals, against scikit-learn in a loop ({FEW} resamples, scaled)"
        amount = f"{records:,} records, 5 classes, {RESAMPLES:,} resamples"
        return alternate(what, amount, ours, other, self.repeats, share=FEW / RESAMPLES)

    def _paths(self, rows: Rows) -> list[str]:
        listed = (self.dataset.paths[place] for place in self.store.listing[rows])
        return [str(self.dataset.root / path.removesuffix(".hea")) for path in listed]

    def _rows(self, part: str) -> Rows:
        return self.store.rows(None, getattr(self.store, f"{part}_folds"))

    def _batches(self, rows: Rows) -> Batches:
        normaliser = fit_normaliser(self.recipe.normalisation, self.store, rows)
        return Batches(self.store, rows, self.store.default_task, self.recipe, normaliser, self.device)

    def _loader(self, rows: Rows, train: bool, preloaded: bool, batch: int) -> naive.Loader:
        length = crop_samples(self.recipe, self.store.samples)
        labels = self.store.task(None).labels[rows]
        return naive.loader(naive.Records(self._paths(rows), labels, length, train, preloaded), batch, self.device)

    def _network(self, recipe: Recipe) -> Network:
        torch.manual_seed(0)
        leads, classes = len(self.store.leads), len(self.store.task(None).classes)
        return networks.build(recipe.network.name, leads=leads, classes=classes, **recipe.network.options).to(
            self.device
        )


def spread(dataset: Dataset, records: int) -> Dataset:
    """`records` of a collection, evenly spread over its list; all of them where it has no more."""
    count = len(dataset.records)
    kept = np.unique(np.linspace(0, count - 1, min(records, count)).round().astype(np.int64))
    pick = lambda values: tuple(values[place] for place in kept)  # noqa: E731
    tasks = {
        name: replace(
            task,
            labels=task.labels[kept],
            listed=task.listed[kept],
            likelihoods=None if task.likelihoods is None else task.likelihoods[kept],
        )
        for name, task in dataset.tasks.items()
    }
    columns: dict[str, Sequence[str]] = {
        name: pick(getattr(dataset, name)) for name in ("records", "paths", "patients", "sexes")
    }
    return replace(dataset, **columns, folds=dataset.folds[kept], ages=dataset.ages[kept], tasks=tasks)  # type: ignore[arg-type]
