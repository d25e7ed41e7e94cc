"""Ours beside the naive way, in turns, on simulated ECGs or on PTB-XL."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does: see ecgenough.__main__

import argparse
import platform
import shlex
import sys
import time
from datetime import date
from importlib.metadata import version
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks.comparisons import FAMILIES, Bench, spread
from benchmarks.ending import end_with_a_sentence
from benchmarks.simulating import simulated_per_second
from ecgenough import networks
from ecgenough.datasets import open_dataset
from ecgenough.errors import WrongRequest
from ecgenough.files import write_text
from ecgenough.recipe import load_recipe
from ecgenough.simulation import simulate_collection

# The recipe "fast" as far as it can be written naively: one crop in evaluation, and a z-score, which needs no fitting.
CHANGES = (
    "crop.evaluation=centre",
    "normalisation.kind=z-score",
    "augmentation.of=[{kind: circular-shift}, {kind: lead-scale}, {kind: lead-dropout, probability: 0.05}]",
)
CORES = os.cpu_count() or 1
QUIET = 0.85  # of the cores, below which other work surely ran beside
PAGE = """\
# Ours beside the naive way

- Command: `{command}`
- Data: {data} at 100 Hz, read from the page cache
- Machine: {machine}; {versions}
- Date: {date}; load at the start {load:.1f}; {cores} processes got {before:.1f} cores' work done before, {after:.1f} after.{busy}
- Times are medians; ratios are taken within each pair of turns (A B A B ...), after one untimed turn of both. Work that runs
  beside lengthens both ways of a turn alike, so ratios stay fair, and spread.
- Hardware: the least the machine needs, measured in each turn on the same threads, and which share of that rate ours reaches.
  Arithmetic: the operations of `ecgenough networks`, three times those of a forward pass in training, at the rate of float32
  matrix products. Memory: bytes at the rate of one large copy. Files: the same bytes out of one cached file, and into one that
  is synced. Beside other work a single share says little, and may exceed 1.

| what | amount | ours | the other way | ratio of | median (min to max) | pairs | hardware | reached (min to max) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

Simulated and written as WFDB files by {cores} threads: {simulated:,.0f} ECGs of 10 s at 500 Hz a second, {by_core:,.0f} a second of
processor time.
"""


def main() -> None:
    asked, load, before, rows = _arguments(), os.getloadavg()[0], _free_cores(), []
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise WrongRequest("device cuda was asked for, but PyTorch sees no GPU. Use --device cpu.")
    families = [name for pattern in asked.networks for name in networks.match(pattern)]
    with TemporaryDirectory(prefix="ecgenough-bench-") as name:
        folder = Path(name)
        root = asked.data or simulate_collection(folder / "simulated", "superclasses", asked.records, rate=100.0)
        dataset = spread(open_dataset("ptb-xl", root, rate=100.0), asked.records)
        recipe = load_recipe("fast", [*CHANGES, f"training.epochs={asked.repeats + 1}", *asked.set])
        bench = Bench(dataset, recipe, torch.device(asked.device), asked.repeats, folder)
        for comparison in bench.comparisons(CORES, families):
            rows.append(comparison.row())
            print(rows[-1], flush=True)
        simulated, by_core = simulated_per_second(asked.records, CORES, folder)
    after = _free_cores()
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        data=f"{len(bench.paths):,} records of {dataset.name}",
        machine=machine(asked.device),
        versions=", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "wfdb", "scikit-learn")),
        date=date.today(),
        load=load,
        cores=CORES,
        before=before,
        after=after,
        busy=" Other work ran beside: times are too long, ratios less sure."
        if min(before, after) < QUIET * CORES
        else "",
        rows="\n".join(rows),
        simulated=simulated,
        by_core=by_core,
    )
    write_text(asked.out / f"{asked.device}.md", page)


def _free_cores() -> float:
    """How many cores' work as many processes as there are cores get done at once; less than these where others run."""
    with Pool(CORES) as pool:
        alone, *together = pool.apply(_spin), *pool.map(_spin, [2_000_000] * CORES, chunksize=1)
    return CORES * alone / (sum(together) / CORES)


def _spin(turns: int = 2_000_000) -> float:
    started = time.perf_counter()
    sum(turn * turn for turn in range(turns))
    return time.perf_counter() - started


def machine(device: str) -> str:
    """Cores, processor (its name where Linux tells it), threads, and the GPU if it is used."""
    about = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    named = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    processor = named[0] if named else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if device == "cuda" else ""
    threads = torch.get_num_threads()
    return f"{CORES} cores of {processor}, {threads} thread{'s' if threads > 1 else ''} in PyTorch{gpu}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", type=Path, help="PTB-XL as unpacked; simulated ECGs where it is not given")
    parser.add_argument("--records", type=int, default=1000, help="how many records to take (1000)")
    parser.add_argument("--repeats", type=int, default=5, help="how often each way is timed (5)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--networks", nargs="+", default=FAMILIES, help="that take some steps, such as vgg* (one of each family)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as network.name=crnn_gru")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
