"""What is compared: each method does one thing both ways, checks that they agree where they must, and times them."""

import copy
import shutil
from collections.abc import Iterator
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

RESAMPLES, FEW = 1000, 10
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
        yield from (self.training_batches(preloaded) for preloaded in (False, True))
        yield self.training_epoch()
        yield self.evaluation()
        yield from (self.prediction(name) for name in ("fast", "default"))
        yield self.scoring()

    def reading(self) -> Comparison:
        paths = self._paths(np.arange(len(self.store.records)))[:300]
        agree("reading", float(np.abs(formats.read(paths[0]).signal - naive.read(paths[0])).max()), 1e-6)
        ours = lambda: [formats.read(path) for path in paths]  # noqa: E731
        other = lambda: [wfdb.rdrecord(path) for path in paths]  # noqa: E731
        return alternate("read WFDB, beside wfdb.rdrecord", f"{len(paths)} records", ours, other, self.repeats)

    def preparation(self, workers: int) -> Comparison:
        """Within its time ours first deletes the store of the turn before, so that there is one to make."""
        paths = self._paths(np.arange(len(self.store.records)))
        signal = self.recipe.signal.model_copy(update={"filter": BandPass()})

        def ours() -> Store:
            shutil.rmtree(self.folder / "prepared", ignore_errors=True)
            return prepare(self.dataset, signal, self.folder / "prepared", workers)

        other = lambda: naive.prepare(paths, self.folder / "prepared.npy", workers)  # noqa: E731
        # They extend a signal's ends differently, so they agree in its middle.
        middle = slice(self.store.samples * 2 // 5, self.store.samples * 3 // 5)
        apart = np.abs(ours().signals[..., middle] / 1000 - other()[..., middle])
        agree("preparation", float(np.median(apart)), 1e-3)
        what = f"prepare (read, band-pass, write), {workers} process{'es' if workers > 1 else ''} each"
        return alternate(what, f"{len(paths):,} records", ours, other, self.repeats)

    def training_batches(self, preloaded: bool) -> Comparison:
        rows = self._rows()
        ours, loader = self._batches(rows), self._loader(rows, train=True, preloaded=preloaded)
        against = "records held in memory" if preloaded else f"files, {naive.WORKERS} workers"
        return alternate(
            f"training batches, beside a Dataset of {against}",
            f"{len(rows):,} records",
            lambda: [batch.ecg.shape for batch in ours.training(0)],
            lambda: [ecg.shape for ecg, _ in naive.batches(loader, self.device)],
            self.repeats,
        )

    def training_epoch(self) -> Comparison:
        """Ours with all it does in earnest (schedule, clipping, averaged weights), the other without."""
        rows, fabric, rate = self._rows(), open_fabric("float32", self.device.type), self.recipe.optimizer.learning_rate
        network, batches, loader = self._network(self.recipe), self._batches(rows), self._loader(rows, train=True)
        twin = copy.deepcopy(network)
        loss = build_loss(self.recipe.loss, torch.from_numpy(self.store.task(None).labels[rows]))
        learner = Supervised(network, loss, Splits(batches, batches), self.recipe, fabric)
        optimizer: Any = fabric.setup_optimizers(torch.optim.AdamW(learner.groups(rate), lr=rate))
        wrapped, average, progress = (
            fabric.setup_module(network),
            Average(network, self.recipe.training.ema),
            Progress(),
        )
        plain = torch.optim.AdamW(twin.parameters(), lr=rate)

        def ours() -> None:
            learner.begin_epoch(progress.epoch, self.recipe.training.epochs)
            train_epoch(learner, wrapped, optimizer, average, self.recipe, progress, fabric)
            progress.epoch += 1

        other = lambda: naive.train_epoch(twin, plain, loader, self.device)  # noqa: E731
        what = f"a training epoch, {self.recipe.network.name}, batch {self.recipe.training.batch}"
        return alternate(what, f"{len(rows):,} records", ours, other, self.repeats)

    def evaluation(self) -> Comparison:
        rows, network = self._rows(), self._network(self.recipe)
        batches, loader = self._batches(rows), self._loader(rows, train=False)
        ours = lambda: answer(network, batches).logits  # noqa: E731
        other = lambda: naive.evaluate(network, loader, self.device)  # noqa: E731
        agree("evaluation", float(np.abs(ours() - other()).max()), 1e-2 if self.device.type == "cuda" else 1e-3)
        return alternate(f"evaluate, {self.recipe.network.name}", f"{len(rows):,} records", ours, other, self.repeats)

    def prediction(self, name: str) -> Comparison:
        """`Model.predict` of one ECG in memory, beside the network alone on what it is shown there."""
        recipe, ecg, task = (
            load_recipe(name),
            formats.read(self._paths(np.zeros(1, np.int64))[0]),
            self.store.task(None),
        )
        network, names, count = self._network(recipe).eval(), task.classes, len(task.classes)
        scaler = fit_normaliser(recipe.normalisation, self.store, self._rows()).to(self.device)
        unchanged = Calibration.none(count)
        model = Model(network, recipe, task.name, names, names, (0.5,) * count, scaler, unchanged)
        signal = torch.from_numpy(condition(ecg, recipe.signal).signal)[None].to(self.device)
        valid = torch.tensor([signal.shape[-1]], device=self.device)
        shown = evaluation_crops(signal, valid, recipe, scaler)[0]

        @torch.inference_mode()
        def bare() -> list[torch.Tensor]:
            return [network(shown).cpu() for _ in range(PREDICTIONS)]

        ours = lambda: [model.predict(ecg) for _ in range(PREDICTIONS)]  # noqa: E731
        what = f"Model.predict, recipe {name} ({recipe.network.name}), beside its bare forward pass"
        return alternate(what, f"{PREDICTIONS} times 1 ECG", ours, bare, 3 * self.repeats, bare=True)

    def scoring(self) -> Comparison:
        """Labels as frequent as PTB-XL's superclasses; each record its own patient, so that both ways draw the same."""
        records, rng = len(self.store.records), np.random.default_rng(0)
        labels = rng.random((records, 5)) < (0.44, 0.25, 0.24, 0.22, 0.12)
        scores = 1 / (1 + np.exp(1 - 2.0 * labels - rng.normal(size=labels.shape)))
        patients = [f"{record:09}" for record in range(records)]
        ours = lambda draws: score(labels, scores, [0.5] * 5, patients, "ABCDE", resamples=draws)  # noqa: E731
        lows = [ours(FEW)["classes"][name]["auc"]["low"] for name in "ABCDE"]
        agree("scoring", float(np.abs(naive.lower_bounds(labels, scores, FEW)[:, 0] - lows).max()), 1e-9)
        return alternate(
            f"score with intervals, beside scikit-learn in a loop (scaled up from {FEW} resamples)",
            f"{records:,} records, 5 classes, {RESAMPLES:,} resamples",
            lambda: ours(RESAMPLES),
            lambda: naive.lower_bounds(labels, scores, FEW),
            self.repeats,
            share=FEW / RESAMPLES,
        )

    def _paths(self, rows: NDArray[np.int64]) -> list[str]:
        paths = (self.dataset.paths[place] for place in self.store.listing[rows])
        return [str(self.dataset.root / path.removesuffix(".hea")) for path in paths]

    def _rows(self) -> NDArray[np.int64]:
        return self.store.rows(None, self.store.train_folds)

    def _batches(self, rows: NDArray[np.int64]) -> Batches:
        normaliser = fit_normaliser(self.recipe.normalisation, self.store, rows)
        return Batches(self.store, rows, self.store.default_task, self.recipe, normaliser, self.device)

    def _loader(self, rows: NDArray[np.int64], *, train: bool, preloaded: bool = False) -> naive.Loader:
        length, labels = crop_samples(self.recipe, self.store.samples), self.store.task(None).labels[rows]
        records = naive.Records(self._paths(rows), labels, length, train, preloaded)
        return records.loader(self.recipe.training.batch if train else 256, self.device)

    def _network(self, recipe: Recipe) -> Network:
        torch.manual_seed(0)
        sizes = {"leads": len(self.store.leads), "classes": len(self.store.task(None).classes)}
        return networks.build(recipe.network.name, **sizes, **recipe.network.options).to(self.device)


def spread(dataset: Dataset, records: int) -> Dataset:
    """`records` of a collection, evenly spread over its list, with its default task; all where it has no more."""
    count, task = len(dataset.records), dataset.task(None)
    kept = np.unique(np.linspace(0, count - 1, min(records, count)).astype(np.int64))
    task = replace(task, labels=task.labels[kept], listed=task.listed[kept], likelihoods=None)
    named: dict[str, Any] = {
        column: tuple(getattr(dataset, column)[place] for place in kept)
        for column in ("records", "paths", "patients", "sexes")
    }
    return replace(dataset, **named, folds=dataset.folds[kept], ages=dataset.ages[kept], tasks={task.name: task})
