"""Ours beside torch_ecg and deepecgkit, in turns, on the same records, each rival in a virtual environment of its own."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command does: see ecgenough.__main__

import argparse
import csv
import json
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.__main__ import machine
from benchmarks.comparisons import training
from benchmarks.ending import end_with_a_sentence
from benchmarks.hardware import TRAINING, arithmetic
from benchmarks.pairs import Comparison, alternate
from benchmarks.rivals.turns import LEADS, MARK, SAMPLES
from ecgenough import networks
from ecgenough.datasets import open_dataset
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.progress import hushed, say
from ecgenough.recipe import load_recipe
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store
from ecgenough.simulation import simulate_collection

WIDTHS = range(4, 132, 4)  # of our resnet18, of which the one with the nearest operations is taken
LIKE_THEIRS = ("crop.seconds=null", "normalisation.kind=z-score", "augmentation.of=[]", "training.batch=64")
PAGE = """\
# Ours beside other packages

- Command: `{command}`
- Data: {records:,} records of {data} at 100 Hz, whole, 12 leads, from the page cache; no augmentation
- Machine: {machine}; torch {torch} in every environment
- Date: {date}; load at the start {load:.1f}. Work that runs beside lengthens both ways of a turn: ratios stay fair, and spread.
- Times are medians; ratios are taken within each pair of turns (A B A B ...), after one untimed turn of both.
- To read and prepare: from the files to where training can begin. Ours writes and syncs a store, with all cores; theirs keeps
  float32 in memory, with one process, as these packages do.
- An epoch: of batches of 64. Networks are the nearest of like size: of our `resnet18` the width whose operations are nearest.
  Ours schedules, clips and averages weights. deepecgkit's convolutions see 7 samples, ours and torch_ecg's 3: larger ones come
  nearer the rate of matrix products.

| what | amount | ours | theirs | ratio of | median (min to max) | pairs | hardware | reached (min to max) |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

| package | its network | parameters | operations of an ECG | ours | parameters | operations of an ECG |
| --- | --- | --- | --- | --- | --- | --- |
{sizes}
"""


@dataclass(frozen=True)
class Rival:
    """A package of PyPI, the script that is its side of the turns, and how it conditions: settings of our recipe."""

    package: str
    script: str
    signal: str
    does: str


RIVALS = {
    "deepecgkit": Rival("deepecgkit==0.3.0", "deepecgkit_way.py", "signal.filter={kind: none}", "read, z-score"),
    "torch_ecg": Rival(
        "torch_ecg==0.0.33", "torch_ecg_way.py", "signal.filter={kind: band-pass}", "read, band-pass, z-score"
    ),
}


def main() -> None:
    asked, load, rows, sizes = _arguments(), os.getloadavg()[0], [], []
    pythons = {name: environment(asked.venvs / name, RIVALS[name].package) for name in asked.rivals}
    with TemporaryDirectory(prefix="ecgenough-rivals-") as place:
        folder = Path(place)
        data = some_records(asked.data, asked.records, folder / "data")
        for name, python in pythons.items():
            with side(python, RIVALS[name].script, data, folder) as ask:
                for row in compared(name, ask, data, folder, asked.repeats):
                    rows.append(row.row())
                    print(rows[-1], flush=True)
                sizes.append(sizes_of(name, ask("about")))
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.rivals", *sys.argv[1:]]),
        records=asked.records,
        data="PTB-XL" if asked.data else "simulated ECGs",
        machine=machine("cpu"),
        torch=version("torch"),
        date=date.today(),
        load=load,
        rows="\n".join(rows),
        sizes="\n".join(sizes),
    )
    write_text(asked.out / "rivals.md", page)


def environment(folder: Path, package: str) -> Path:
    """The Python of a virtual environment with a package and our version of PyTorch; made where it is not there."""
    python = folder / "bin" / "python"
    if python.is_file():
        return python
    say(f"{folder} is made, with {package}; this takes some minutes.")
    venv.create(folder, with_pip=True)
    same = folder / "same.txt"
    same.write_text(f"torch=={version('torch').partition('+')[0]}\n", encoding="utf-8")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", same, package]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(folder)
        raise EcgenoughError(f"{package} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return python


def some_records(data: Path | None, records: int, out: Path) -> Path:
    """A folder laid out as PTB-XL with that many records, evenly spread over its list; simulated where there is no data."""
    if data is None:
        return simulate_collection(out, "superclasses", records, rate=100.0)
    out.mkdir()
    with (data / "ptbxl_database.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    column = header.index("filename_lr")
    there = [line for line in lines if (data / f"{line[column]}.dat").is_file()]
    if len(there) < records:
        raise WrongRequest(f"{data} has {len(there):,} records at 100 Hz, not {records:,}; give fewer with --records.")
    with (out / "ptbxl_database.csv").open("w", newline="", encoding="utf-8") as file:
        kept = np.linspace(0, len(there) - 1, records).astype(int)
        csv.writer(file).writerows([header, *(there[place] for place in kept)])
    shutil.copy(data / "scp_statements.csv", out)
    (out / "records100").symlink_to((data / "records100").resolve())
    return out


@contextmanager
def side(python: Path, script: str, data: Path, folder: Path) -> Iterator[Any]:
    """Start a rival's script and give what asks it a work by name and waits for its answer."""
    words = [str(python), str(Path(__file__).parent / script), str(data), str(folder / "theirs")]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (folder / f"{script}.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=clean
        )
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None

        def ask(work: str) -> Any:
            print(work, file=asked, flush=True)
            for line in answered:
                if line.startswith(MARK):
                    return json.loads(line.removeprefix(MARK))
            process.wait()
            log.seek(0)
            raise EcgenoughError(f"{script} ended at {work}: {log.read().strip().splitlines()[-1]}")

        try:
            yield ask
        finally:
            asked.close()
            process.wait()


def compared(name: str, ask: Any, data: Path, folder: Path, repeats: int) -> Iterator[Comparison]:
    """Reading and preparing, then an epoch of training."""
    rival, place = RIVALS[name], folder / f"ours-{name}"
    recipe = load_recipe("fast", [*LIKE_THEIRS, rival.signal, f"training.epochs={repeats + 1}"])

    def ours() -> Store:
        shutil.rmtree(place, ignore_errors=True)
        with hushed():
            return prepare(open_dataset("ptb-xl", data, rate=100.0), recipe.signal, place)

    records = len(ours().listing)
    what = f"read and prepare ({rival.does}), beside {name}"
    yield alternate(what, f"{records:,} records", ours, lambda: ask("load"), repeats, named="theirs")
    about, store = ask("about"), Store.open(next(path for path in place.iterdir() if path.is_dir()))
    if about["records"] != records:
        raise EcgenoughError(f"{name} has {about['records']:,} records, ours {records:,}; do not time them.")
    network, width = nearest(about["operations"])
    recipe = recipe.with_changes([f"network={{name: resnet18, options: {{width: {width}}}}}"])
    cpu, task = torch.device("cpu"), store.task(None)
    epoch = training(network, store, np.arange(records), task.name, recipe, cpu)
    bound = arithmetic(TRAINING * records * networks.operations(network, LEADS, SAMPLES), cpu)
    what = f"a training epoch, resnet18 of width {width}, beside {name}'s {about['network']}"
    yield alternate(what, f"{records:,} records", epoch, lambda: ask("epoch"), repeats, bound=bound, named="theirs")


def nearest(operations: int) -> tuple[networks.Network, int]:
    """Our resnet18 whose operations are nearest, and its width."""
    built = {width: networks.build("resnet18", LEADS, 5, width=width) for width in WIDTHS}
    width = min(built, key=lambda one: abs(networks.operations(built[one], LEADS, SAMPLES) - operations))
    return built[width], width


def sizes_of(name: str, about: dict[str, Any]) -> str:
    """A row of both networks' sizes."""
    ours, width = nearest(about["operations"])
    each = [(about["parameters"], about["operations"])]
    each += [(sum(weight.numel() for weight in ours.parameters()), networks.operations(ours, LEADS, SAMPLES))]
    (theirs, did), (own, do) = ((f"{weights / 1e6:.2f} M", f"{work / 1e6:.0f} M") for weights, work in each)
    cells = (f"{name} {about['version']}", about["network"], theirs, did, f"resnet18 of width {width}", own, do)
    return f"| {' | '.join(cells)} |"


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    parser.add_argument("--venvs", type=Path, required=True, help="where their environments are, or are made (3 GB)")
    parser.add_argument("--rivals", nargs="+", choices=tuple(RIVALS), default=tuple(RIVALS), help="which (both)")
    parser.add_argument("--data", type=Path, help="PTB-XL as unpacked; simulated ECGs where it is not given")
    parser.add_argument("--records", type=int, default=400, help="how many records to take (400)")
    parser.add_argument("--repeats", type=int, default=3, help="how often each way is timed (3)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results", help="the table's folder")
    return parser.parse_args(words)


if __name__ == "__main__":
    end_with_a_sentence(main)
