"""What is compared: each method does one thing both ways, checks that they agree where they must, and times them."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import wfdb

from benchmarks import naive
from benchmarks.hardware import TRAINING, arithmetic, filing, moving
from benchmarks.pairs import Bound, Comparison, Work, agree, alternate
from ecgenough import formats, networks
from ecgenough.datasets.table import Dataset
from ecgenough.learning.evaluation import answer
from ecgenough.learning.losses import build_loss
from ecgenough.learning.step import Average, Step, build_optimizer, can_record
from ecgenough.learning.training import Progress, Splits, Supervised, open_fabric, train_epoch
from ecgenough.model import Model
from ecgenough.networks.contract import Network
from ecgenough.recipe import BandPass, Recipe, load_recipe
from ecgenough.scoring import Calibration, score
from ecgenough.signals.batches import Batches, Rows, crop_samples, evaluation_crops
from ecgenough.signals.conditioning import condition
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store

RESAMPLES, FEW = 1000, 10
PREDICTIONS = 10
# Recipes whose models predict: their own networks, and the source's best over ten seconds at once.
PREDICTED = (("fast", ()), ("default", ()), ("fast", ("network={name: crnn_gru}", "crop.seconds=null")))
TO_READ, TO_PREPARE = 300, 400  # records, of which the naive way does some hundred a second on one core
# One network of each family of the paper, and the few training steps of it that are timed.
FAMILIES = (
    "alexnet", "vgg11_bn", "resnet18", "attresnet", "rnn", "lstm", "gru", "crnn_gru", "transformer", "restransformer", "eegnet",
)  # fmt: skip
STEPS = ("crop.seconds=2.5", "training.batch=32")
SHOWN, TURNS = 64, 3  # records, two steps of them; and pairs at most
KEPT = {False: f"files, {naive.WORKERS} workers", True: "records held in memory"}


class Bench:
    """The records, what is done with them, where, and how often it is timed."""

    def __init__(self, dataset: Dataset, recipe: Recipe, device: torch.device, repeats: int, folder: Path) -> None:
        self.dataset, self.recipe, self.device, self.repeats, self.folder = dataset, recipe, device, repeats, folder
        self.store = store = prepare(dataset, recipe.signal, folder / "stores")
        self.task, self.rows = store.task(None), store.rows(None, store.train_folds)
        self.paths = [path_of(dataset, at) for at in store.listing]
        normaliser = fit_normaliser(recipe.normalisation, store, self.rows)
        self.batches = Batches(store, self.rows, self.task.name, recipe, normaliser, device)

    def comparisons(self, cores: int, families: Sequence[str] = FAMILIES) -> Iterator[Comparison]:
        """All of them, each as soon as it is measured."""
        yield self.reading()
        yield from (self.preparation(workers) for workers in sorted({1, cores}))
        yield from (self.training_batches(preloaded) for preloaded in (False, True))
        yield from (self.training_epoch(preloaded) for preloaded in (False, True))
        yield from (self.family(name) for name in families)
        yield self.evaluation()
        yield from (self.prediction(name, *changes) for name, changes in PREDICTED)
        yield self.scoring()

    def reading(self) -> Comparison:
        paths = self.paths[:TO_READ]
        agree("reading", float(np.abs(formats.read(paths[0]).signal - naive.read(paths[0])).max()), 1e-6)
        ours, other = (partial(_each, read, paths) for read in (formats.read, wfdb.rdrecord))
        bound = filing(_size(paths), 0, self.folder)
        return self._timed("read WFDB, beside wfdb.rdrecord", len(paths), ours, other, bound)

    def preparation(self, workers: int) -> Comparison:
        """Within its time ours first deletes the store of the turn before, so that there is one to make.

        Several processes get all records: of a few hundred, too much of the time is the start and the end of them.
        """
        some = spread(self.dataset, TO_PREPARE if workers == 1 else len(self.dataset.records))
        signal = self.recipe.signal.model_copy(update={"filter": BandPass()})

        def ours() -> Store:
            shutil.rmtree(self.folder / "prepared", ignore_errors=True)
            return prepare(some, signal, self.folder / "prepared", workers)

        paths = [path_of(some, at) for at in ours().listing]
        other = partial(naive.prepare, paths, self.folder / "prepared.npy", workers)
        # They extend a signal's ends differently, so they agree in its middle.
        middle = slice(self.store.samples * 2 // 5, self.store.samples * 3 // 5)
        agree("preparation", float(np.median(np.abs(ours().signals[..., middle] / 1000 - other()[..., middle]))), 1e-3)
        what = f"prepare (read, band-pass, write), {workers} process{'es' if workers > 1 else ''} each"
        bound = filing(_size(paths), ours().signals.nbytes, self.folder)
        return self._timed(what, len(paths), ours, other, bound)

    def training_batches(self, preloaded: bool) -> Comparison:
        """Of each crop, int16 must be read from memory and float32 written."""
        other = partial(naive.show, self._loader(self.recipe, self.rows, True, preloaded), self.device)
        ours = lambda: [batch.rows for batch in self.batches.training(0)]  # noqa: E731
        values = len(self.rows) * len(self.store.leads) * crop_samples(self.recipe, self.store.samples)
        what, bound = f"training batches, beside a Dataset of {KEPT[preloaded]}", moving(6 * values, self.device)
        return self._timed(what, len(self.rows), ours, other, bound)

    def training_epoch(self, preloaded: bool) -> Comparison:
        name, batch = self.recipe.network.name, self.recipe.training.batch
        what = f"a training epoch, {name}, batch {batch}, Dataset of {KEPT[preloaded]}"
        return self._training(what, self.recipe, self.rows, preloaded, self.repeats)

    def family(self, name: str) -> Comparison:
        """A few training steps of a network at its own size."""
        recipe = self.recipe.with_changes([f"network={{name: {name}}}", *STEPS])
        rows = self.rows[:SHOWN]
        steps = -(-len(rows) // recipe.training.batch)
        what = f"{steps} training steps, {name}, batch {recipe.training.batch}, Dataset of {KEPT[False]}"
        return self._training(what, recipe, rows, False, min(TURNS, self.repeats))

    def _training(self, what: str, recipe: Recipe, rows: Rows, preloaded: bool, repeats: int) -> Comparison:
        """Ours with all it does in earnest (schedule, clipping, averaged weights), the other without."""
        network = self._network(recipe)
        twin = copy.deepcopy(network)
        ours = training(network, self.store, rows, self.task.name, recipe, self.device)
        plain = torch.optim.AdamW(twin.parameters(), lr=recipe.optimizer.learning_rate)
        loader = self._loader(recipe, rows, True, preloaded)
        other = partial(naive.train_epoch, twin, plain, loader, self.device)
        bound = arithmetic(TRAINING * len(rows) * self._operations(twin, recipe), self.device)
        return alternate(what, f"{len(rows):,} records", ours, other, repeats, bound=bound)

    def evaluation(self) -> Comparison:
        network = self._network()
        ours = partial(answer, network, self.batches)
        other = partial(naive.evaluate, network, self._loader(self.recipe, self.rows, False), self.device)
        agree("evaluation", float(np.abs(ours().logits - other()).max()), 1e-2 if self.device.type == "cuda" else 1e-3)
        bound = arithmetic(len(self.rows) * self._operations(network, self.recipe), self.device)
        return self._timed(f"evaluate, {self.recipe.network.name}", len(self.rows), ours, other, bound)

    def prediction(self, name: str, *changes: str) -> Comparison:
        """`Model.predict` of one ECG in memory, beside the network alone on what it is shown there."""
        recipe, ecg, names = load_recipe(name, changes), formats.read(self.paths[0]), self.task.classes
        network, scaler = self._network(recipe).eval(), fit_normaliser(recipe.normalisation, self.store, self.rows)
        halves, unchanged = (0.5,) * len(names), Calibration.none(len(names))
        model = Model(network, recipe, self.task.name, names, names, halves, scaler.to(self.device), unchanged)
        signal = torch.from_numpy(condition(ecg, recipe.signal).signal)[None].to(self.device)
        valid = torch.tensor([signal.shape[-1]], device=self.device)
        shown = [evaluation_crops(signal, valid, recipe, scaler)[0]] * PREDICTIONS
        ours = partial(_each, model.predict, [ecg] * PREDICTIONS)
        bare = torch.inference_mode()(lambda: [network(crops).cpu() for crops in shown])
        what = f"Model.predict, recipe {name} ({recipe.network.name}), beside its bare forward pass"
        crops, leads, samples = shown[0].shape
        each = crops * networks.operations(network, leads, samples)
        bound = arithmetic(PREDICTIONS * each, self.device)
        return alternate(what, f"{PREDICTIONS} times 1 ECG", ours, bare, 3 * self.repeats, bare=True, bound=bound)

    def scoring(self) -> Comparison:
        """Labels as frequent as PTB-XL's superclasses; each record its own patient, so that both ways draw the same."""
        records, rng = len(self.paths), np.random.default_rng(0)
        labels = rng.random((records, 5)) < (0.44, 0.25, 0.24, 0.22, 0.12)
        scores = 1 / (1 + np.exp(1 - 2.0 * labels - rng.normal(size=labels.shape)))
        ours = partial(score, labels, scores, [0.5] * 5, [f"{record:09}" for record in range(records)], "ABCDE")
        other = partial(naive.lower_bounds, labels, scores, FEW)
        few = ours(resamples=FEW)["classes"]
        agree("scoring", float(np.abs(other()[:, 0] - [few[name]["auc"]["low"] for name in "ABCDE"]).max()), 1e-9)
        what = f"score with {RESAMPLES:,} resamples, beside scikit-learn in a loop (scaled up from {FEW})"
        whole = partial(ours, resamples=RESAMPLES)
        return alternate(what, f"{records:,} records, 5 classes", whole, other, self.repeats, share=FEW / RESAMPLES)

    def _timed(self, what: str, records: int, ours: Work, other: Work, bound: Bound) -> Comparison:
        return alternate(what, f"{records:,} records", ours, other, self.repeats, bound=bound)

    def _loader(self, recipe: Recipe, rows: Rows, train: bool, preloaded: bool = False) -> naive.Loader:
        paths, length = [self.paths[row] for row in rows], crop_samples(recipe, self.store.samples)
        records = naive.Records(paths, self.task.labels[rows], length, train, preloaded)
        return records.loader(recipe.training.batch if train else 256, self.device)

    def _operations(self, network: Network, recipe: Recipe) -> int:
        """Of a forward pass over one crop."""
        return networks.operations(network, len(self.store.leads), crop_samples(recipe, self.store.samples))

    def _network(self, recipe: Recipe | None = None) -> Network:
        torch.manual_seed(0)
        chosen, sizes = (
            (recipe or self.recipe).network,
            {"leads": len(self.store.leads), "classes": len(self.task.classes)},
        )
        return networks.build(chosen.name, **sizes, **chosen.options).to(self.device)


def training(network: Network, store: Store, rows: Rows, task: str, recipe: Recipe, device: torch.device) -> Work:
    """What trains a network for one more epoch each time it is called, as `ecgenough train` does."""
    fabric, normaliser = open_fabric("float32", device.type), fit_normaliser(recipe.normalisation, store, rows)
    batches = Batches(store, rows, task, recipe, normaliser, device)
    loss = build_loss(recipe.loss, torch.from_numpy(store.task(task).labels[rows]))
    learner = Supervised(network, loss, Splits(batches, batches), recipe, fabric)
    optimizer: Any = fabric.setup_optimizers(build_optimizer(learner, recipe.optimizer, can_record(fabric)))
    average, progress = Average(network, recipe.training.ema, can_record(fabric)), Progress()
    step = Step(learner, fabric.setup_module(network), optimizer, average, recipe, fabric)

    def epoch() -> None:
        learner.begin_epoch(progress.epoch, recipe.training.epochs)
        train_epoch(step, progress)
        progress.epoch += 1

    return epoch


def spread(dataset: Dataset, records: int) -> Dataset:
    """`records` of a collection, evenly spread over its list, with its default task; all where it has no more."""
    count, task = len(dataset.records), dataset.task(None)
    kept = np.unique(np.linspace(0, count - 1, min(records, count)).astype(np.int64))
    task = replace(task, labels=task.labels[kept], listed=task.listed[kept], likelihoods=None)
    columns = ("records", "paths", "patients", "sexes")
    named: dict[str, Any] = {column: tuple(np.array(getattr(dataset, column))[kept].tolist()) for column in columns}
    return replace(dataset, **named, folds=dataset.folds[kept], ages=dataset.ages[kept], tasks={task.name: task})


def path_of(dataset: Dataset, place: int) -> str:
    """A record's path as wfdb takes it."""
    return str(dataset.root / dataset.paths[place].removesuffix(".hea"))


def _size(paths: Sequence[str]) -> int:
    """Bytes of records' headers and samples."""
    return sum(Path(f"{path}{end}").stat().st_size for path in paths for end in (".hea", ".dat"))


def _each(work: Any, of: list[Any]) -> None:
    for one in of:
        work(one)
