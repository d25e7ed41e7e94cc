"""Training on a GPU: every figure that is asked of it, beside the naive loop of the same run; rehearsed on a CPU."""

import argparse
import csv
import gc
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import naive
from benchmarks.__main__ import machine
from benchmarks.comparisons import path_of
from benchmarks.ending import end_with_a_sentence
from ecgenough import networks
from ecgenough.datasets import open_dataset
from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.learning.losses import build_loss
from ecgenough.learning.step import Average, Step, build_optimizer, can_record
from ecgenough.learning.training import Progress, Splits, Supervised, open_fabric, train_epoch
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.signals.batches import Batches, crop_samples
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.preparation import prepare
from ecgenough.simulation import simulate_collection
from ecgenough.studies import runs

RECORDS, RUN_EPOCHS, SEEDS = 17_418, 25, (0, 1, 2)  # PTB-XL's training folds; the run whose whole time counts
WORKERS = 8
NAIVE_RECORDS = 1024  # of which the naive loop's time is scaled to all
# The naive loop's augmentation (naive.augmented), normalisation and loss, at 500 Hz with crops of 2048 samples.
LIKE_NAIVE = (
    "signal.rate=500", "crop.seconds=4.096", "crop.evaluation=centre", "normalisation.kind=z-score",
    "augmentation.of=[{kind: circular-shift}, {kind: lead-scale}, {kind: lead-dropout, probability: 0.05}]",
)  # fmt: skip
PAPER = (
    "alexnet", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet18", "resnet34",
    "resnet50", "resnet101", "resnet152", "attresnet", "rnn", "lstm", "gru", "crnn_rnn", "crnn_lstm", "crnn_gru",
    "transformer", "restransformer", "eegnet",
)  # fmt: skip
PAGE = """\
# Training on a GPU

{rehearsal}- Command: `{command}`
- Data: {records:,} simulated training records of 12 leads and 10 s; at 500 Hz crops of 2048 samples, at 100 Hz whole records
- Machine: {machine}; torch {torch}
- Date: {date}; load at the start {load:.1f}
- Ours: batch, augmentation, network, gradient, clipping, AdamW, averaged weights, {kept}. Times are medians (least to most)
  of {repeats} epochs after one untimed, with the device's work waited for.
- The naive loop (benchmarks/naive.py): wfdb, a Dataset, {workers} workers that stay alive, files in the page cache, float32; one
  epoch of {naive_records:,} records after one untimed, scaled to all.

| what | ours | the other | ratio | asked | reached |
| --- | --- | --- | --- | --- | --- |
{rows}
"""
REHEARSAL = "A rehearsal on a CPU: it shows that every line can be measured, and says nothing of a GPU.\n\n"


@dataclass(frozen=True)
class Line:
    """A figure that is asked for: ours, what it is held against, their ratio, and whether it is what was asked."""

    what: str
    ours: str
    other: str
    ratio: str
    asked: str
    reached: bool | None

    def row(self) -> str:
        """For the table."""
        verdict = {True: "yes", False: "no", None: ""}[self.reached]
        return f"| {self.what} | {self.ours} | {self.other} | {self.ratio} | {self.asked} | {verdict} |"


class Bench:
    """Two stores, one at 500 Hz and one at 100 Hz, and what is timed on them."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked, self.folder, self.device = asked, folder, torch.device(asked.device)
        self.recipe = load_recipe("fast", [*LIKE_NAIVE, "training.batch=64"])
        self.fast = load_recipe("fast", ["crop.seconds=null", "training.batch=128"])
        self.fine, self.coarse = (self._dataset(rate) for rate in (500, 100))
        self.store = prepare(self.fine, self.recipe.signal, folder / "stores")
        self.coarse_store = prepare(self.coarse, self.fast.signal, folder / "stores")
        self.rows = self.store.rows(None, self.store.train_folds)[: asked.records]

    def lines(self) -> list[Callable[[], Line]]:
        """All that is asked for, each to be measured when it is called."""
        first = [partial(self.beside_naive, name, 30.0, 1.0) for name in ("crnn_gru", "resnet18") if self._wanted(name)]
        large = [partial(self.epoch_line, "resnet18", ["training.batch=512"], 0.45)] if self._wanted("resnet18") else []
        ways = [partial(self.by_hand, name) for name in ("resnet18", "crnn_gru", "s4d_hybrid") if self._wanted(name)]
        others = [name for name in PAPER if name not in ("crnn_gru", "resnet18") and self._wanted(name)]
        rest = [partial(self.beside_naive, name, 10.0, None) for name in others]
        return [*first, *large, self.whole_run, *ways, self.streamed, self.precisions, *rest]

    def beside_naive(self, name: str, ratio: float, seconds: float | None) -> Line:
        """A training epoch of a network, batch 64, beside the naive loop."""
        ours, other = self.epochs(name, []), self.naive_epoch(name)
        times = other / median(ours)
        within = times >= ratio and (seconds is None or median(ours) <= seconds)
        asked = f"at least {ratio:g} times" + (f", at most {seconds:g} s" if seconds else "")
        return Line(
            f"an epoch at 500 Hz, {name}, batch 64", told(ours), f"{other:.3g} s naive", f"{times:.1f}", asked, within
        )

    def epoch_line(self, name: str, changes: Sequence[str], seconds: float) -> Line:
        """A training epoch of a network, and how long it may take."""
        ours = self.epochs(name, changes)
        what = f"an epoch at 500 Hz, {name}, {', '.join(changes)}"
        return Line(what, told(ours), "", "", f"at most {seconds:g} s", median(ours) <= seconds)

    def by_hand(self, name: str) -> Line:
        """Recorded steps beside steps by hand: the same losses, and how much faster."""
        losses: list[list[float]] = [[], []]
        ours, other = (self.epochs(name, [], losses[way], by_hand=bool(way)) for way in (0, 1))
        apart = max(abs(a - b) / b for a, b in zip(*losses, strict=True))
        what = f"an epoch at 500 Hz, {name}, recorded and by hand; losses differ by {apart:.1e} at most"
        return Line(
            what, told(ours), told(other), f"{median(other) / median(ours):.2f}", "losses within 1e-2", apart < 1e-2
        )

    def streamed(self) -> Line:
        """Signals read from the file as they are needed, beside signals that live on the device."""
        ours = self.epochs("resnet18", [], streamed=True)
        held = self.epochs("resnet18", [])
        share = median(held) / median(ours)
        what = "an epoch at 500 Hz, resnet18, signals streamed from the file, beside held"
        return Line(what, told(ours), told(held), f"{share:.2f}", "at least 0.9 of the rate", share >= 0.9)

    def whole_run(self) -> Line:
        """A training of many epochs with its evaluations, from a store to a model on the disk."""
        recipe = self._with(self.fast, "resnet18", [f"training.epochs={self.asked.epochs}"])
        started = time.monotonic()
        self._trained(recipe, "whole")
        seconds = time.monotonic() - started
        what = f"a run of {self.asked.epochs} epochs at 100 Hz, resnet18, batch 128, with its evaluations"
        return Line(what, f"{seconds:.3g} s", "", "", "at most 15 s", seconds <= 15)

    def precisions(self) -> Line:
        """The validation AUC of bf16 beside that of float32, over seeds."""
        figures: dict[str, list[float]] = {"bf16": [], "float32": []}
        for precision, found in figures.items():
            for seed in SEEDS[: self.asked.seeds]:
                changes = [f"seed={seed}", f"training.precision={precision}", f"training.epochs={self.asked.epochs}"]
                log = self._trained(self._with(self.fast, "resnet18", changes), f"{precision}-{seed}")
                found.append(max(float(row["validation_macro_auc"]) for row in log))
        low, high = (sum(found) / len(found) for found in figures.values())
        what = f"validation macro AUC of bf16 beside float32, mean of {self.asked.seeds} seeds"
        return Line(what, f"{low:.4f}", f"{high:.4f}", f"{low - high:+.4f}", "within 0.002", abs(low - high) <= 0.002)

    def epochs(
        self,
        name: str,
        changes: Sequence[str],
        losses: list[float] | None = None,
        *,
        by_hand: bool = False,
        streamed: bool = False,
    ) -> list[float]:
        """Seconds of each of `repeats` training epochs of a network after one untimed; `losses` takes those of all."""
        recipe = self._with(self.recipe, name, [f"training.epochs={self.asked.repeats + 1}", *changes])
        step, progress, seconds = self._step(recipe, streamed), Progress(), []
        if by_hand:
            step.run = step.by_hand
        for progress.epoch in range(self.asked.repeats + 1):
            torch.manual_seed(progress.epoch)
            step.learner.begin_epoch(progress.epoch, self.asked.repeats + 1)
            started = time.monotonic()
            loss = train_epoch(step, progress)["train_loss"]  # a number, so the device has finished
            seconds.append(time.monotonic() - started)
            if losses is not None:
                losses.append(loss)
        return seconds[1:]

    def naive_epoch(self, name: str) -> float:
        """Seconds that the naive loop would take for an epoch of all records."""
        some = self.rows[:NAIVE_RECORDS]
        paths = [path_of(self.fine, at) for at in self.store.listing[some]]
        labels, length = self.store.task(None).labels[some], crop_samples(self.recipe, self.store.samples)
        loader = naive.Records(paths, labels, length, train=True).loader(64, self.device, self.asked.workers)
        network = self._network(self._with(self.recipe, name)).to(self.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
        naive.train_epoch(network, optimizer, loader, self.device)
        started = time.monotonic()
        naive.train_epoch(network, optimizer, loader, self.device)
        return (time.monotonic() - started) * len(self.rows) / len(some)

    def _step(self, recipe: Recipe, streamed: bool) -> Step:
        fabric = open_fabric(recipe.training.precision, self.device.type)
        task, normaliser = self.store.task(None), fit_normaliser(recipe.normalisation, self.store, self.rows)
        held = False if streamed else None
        shown = Batches(self.store, self.rows, task.name, recipe, normaliser, fabric.device, held=held)
        loss = build_loss(recipe.loss, torch.from_numpy(task.labels[self.rows]).to(fabric.device))
        learner = Supervised(self._network(recipe).to(fabric.device), loss, Splits(shown, shown), recipe, fabric)
        optimizer: Any = fabric.setup_optimizers(build_optimizer(learner, recipe.optimizer, can_record(fabric)))
        average = Average(learner.module, recipe.training.ema, can_record(fabric))
        return Step(learner, fabric.setup_module(learner.module), optimizer, average, recipe, fabric)

    def _network(self, recipe: Recipe) -> networks.Network:
        torch.manual_seed(0)
        return networks.build(recipe.network.name, 12, len(self.store.task(None).classes), **recipe.network.options)

    def _trained(self, recipe: Recipe, name: str) -> list[dict[str, str]]:
        run = runs.train(self.coarse_store, recipe, self.folder / "runs" / name, self.device.type)
        with (run / "log.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _with(self, recipe: Recipe, name: str, changes: Sequence[str] = ()) -> Recipe:
        """The recipe with that network at its own size, other settings, and last those of the command line."""
        return recipe.with_changes([f"network={{name: {name}}}", *changes, *self.asked.set])

    def _dataset(self, rate: int) -> Dataset:
        """Simulated ECGs with as many in the training folds as were asked for, a little more."""
        root = self.folder / f"simulated{rate}"
        simulate_collection(root, "superclasses", self.asked.records * 10 // 8 + 20, rate=float(rate))
        return open_dataset("ptb-xl", root, rate=float(rate))

    def _wanted(self, name: str) -> bool:
        return not self.asked.networks or name in self.asked.networks


def measured(line: Callable[[], Line]) -> Line:
    """The line, or one that says why it could not be measured: device time is dear, and the others are still asked for."""
    try:
        return line()
    except (RuntimeError, OSError, EcgenoughError) as error:  # memory runs out, a kernel is refused, a worker dies
        name, given = getattr(line, "func", line).__name__, ", ".join(map(str, getattr(line, "args", ())))
        reason = str(error).strip().partition("\n")[0].replace("|", "/")
    gc.collect()  # what the failed one held, which its error held until here
    if torch.cuda.is_available():
        with suppress(RuntimeError):  # a device that an error has ended; then every later line says so
            torch.cuda.empty_cache()
    return Line(f"{name} {given}".strip(), f"not measured: {reason}", "", "", "", False)


def told(seconds: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{median(seconds):.3g} s ({min(seconds):.3g} to {max(seconds):.3g})"


def main() -> None:
    asked, load, rows = _arguments(), os.getloadavg()[0], []
    page = asked.out / ("gpu.md" if asked.device == "cuda" else "gpu-rehearsal.md")
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise WrongRequest(
            "device cuda was asked for, but PyTorch sees no GPU. Rehearse with --device cpu --records 64."
        )
    with TemporaryDirectory(prefix="ecgenough-gpu-", dir=asked.folder) as name:
        bench = Bench(asked, Path(name))
        about = {
            "command": shlex.join(["python", "-m", "benchmarks.gpu", *sys.argv[1:]]),
            "records": len(bench.rows),
            "machine": machine(asked.device),
            "torch": torch.__version__,
            "date": date.today(),
            "load": load,
            "rehearsal": "" if asked.device == "cuda" else REHEARSAL,
            "kept": "bf16 on the device, recorded as one CUDA graph" if asked.device == "cuda" else "float32, by hand",
            "repeats": asked.repeats,
            "workers": asked.workers,
            "naive_records": min(NAIVE_RECORDS, len(bench.rows)),
        }
        for line in bench.lines():
            rows.append(measured(line).row())
            print(rows[-1], flush=True)
            write_text(page, PAGE.format(**about, rows="\n".join(rows)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--records", type=int, default=RECORDS, help="training records (17,418)")
    parser.add_argument("--repeats", type=int, default=3, help="epochs timed (3)")
    parser.add_argument("--epochs", type=int, default=RUN_EPOCHS, help="of the whole runs (25)")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of bf16 beside float32 (3)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="of the naive loop (8)")
    parser.add_argument("--networks", nargs="+", default=[], help="these alone; all of the paper's unless told")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="such as network.options.width=4"
    )
    parser.add_argument("--folder", type=Path, help="where data is written and removed; needs 6 GB")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
