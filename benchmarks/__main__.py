"""Ours beside the naive way, in turns, on simulated ECGs or on PTB-XL."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does: see ecgenough.__main__

import argparse
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.comparisons import Bench, spread
from benchmarks.table import cores, machine_facts, table
from ecgenough.datasets import open_dataset
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.recipe import load_recipe
from ecgenough.signals.preparation import prepare
from ecgenough.simulation import simulate_collection

# The recipe "fast" as far as it can be written naively: one crop in evaluation, and a z-score, which needs no fitting.
CHANGES = (
    "crop.evaluation=centre",
    "normalisation.kind=z-score",
    "augmentation.of=[{kind: circular-shift}, {kind: lead-scale}, {kind: lead-dropout, probability: 0.05}]",
)


def main() -> None:
    asked, load = _arguments(), os.getloadavg()[0]
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise WrongRequest("device cuda was asked for, but PyTorch sees no GPU. Use --device cpu.")
    rows = []
    with TemporaryDirectory(prefix="ecgenough-bench-") as folder:
        bench = _bench(asked, Path(folder))
        for comparison in bench.comparisons(cores()):
            rows.append(comparison.row())
            print(rows[-1], flush=True)
    command = f"Command: `{shlex.join(['python', '-m', 'benchmarks', *sys.argv[1:]])}`"
    data = f"Data: {len(bench.store.records):,} records of {bench.dataset.name} at 100 Hz, read from the page cache"
    write_text(asked.out / f"{asked.device}.md", table(rows, [command, data, *machine_facts(asked.device, load)]))


def _bench(asked: argparse.Namespace, folder: Path) -> Bench:
    """The records listed and, unfiltered, prepared; nothing of this is timed."""
    recipe = load_recipe("fast", [*CHANGES, f"training.epochs={asked.repeats + 1}", *asked.set])
    root = asked.data or simulate_collection(folder / "simulated", "superclasses", asked.records, rate=100.0)
    dataset = spread(open_dataset("ptb-xl", root, rate=100.0), asked.records)
    store = prepare(dataset, recipe.signal, folder / "stores")
    return Bench(dataset, store, recipe, torch.device(asked.device), asked.repeats, folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="PTB-XL as unpacked; simulated ECGs where it is not given")
    parser.add_argument("--records", type=int, default=1000, help="how many records to take (1000)")
    parser.add_argument("--repeats", type=int, default=5, help="how often each way is timed (5)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as network.name=crnn_gru")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except EcgenoughError as error:
        sys.exit(str(error))
