"""How memory and time grow with the number of records: `prepare` and `train`, each as its own command, on simulated ECGs.

Records are simulated ones, each rolled in time by another amount, so that all differ and gigabytes of them are soon written.
"""

import argparse
import csv
import os
import resource
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise, repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.__main__ import machine
from benchmarks.ending import end_with_a_sentence
from ecgenough import formats
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.progress import track
from ecgenough.simulation import simulate_collection

BOUND = 1.5  # GB of memory that preparing and training may take, whatever the size of the store
DIFFERENT = 64  # records that are simulated
NETWORK = ("network.options.width=4", "crop.seconds=2.5", "training.epochs=1")  # of the recipe "fast"
PAGE = """\
# Memory and time, and the number of records

- Command: `{command}`
- Data: {different} simulated records of 12 leads and 10 s, each copy rolled in time by another amount; read from WFDB files
- Recipe: fast, with {network}; one epoch over nine of ten folds and one evaluation
- Machine: {machine}; load at the start {load:.1f}
- Date: {date}
- Memory is the largest sum, over the command and all its processes, of the memory that is theirs (PSS, looked at twenty
  times a second); what the system caches of files is not in it, what is mapped of them is. Bound: {bound} GB.
- Time is processor time of the command and all its processes, start-up included, which other work on the machine lengthens
  little; each was run once.

| records | rate | store | prepare | memory | train | memory |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

{linear}
"""
LINEAR = """\
From one row to the next, each further record at 100 Hz takes {least:.2f} to {most:.2f} ms of `prepare` and {least_train:.2f} to
{most_train:.2f} ms of `train`."""


@dataclass(frozen=True)
class Measured:
    """Processor seconds and GB of `prepare` and of `train` on `records` at `rate` Hz, and the store's size in GB."""

    records: int
    rate: int
    store: float
    prepare: tuple[float, float]
    train: tuple[float, float]

    def row(self) -> str:
        """For the table."""
        cells = [f"{self.records:,}", f"{self.rate} Hz", f"{self.store:.2f} GB"]
        for seconds, memory in (self.prepare, self.train):
            cells += [f"{seconds:,.1f} s", f"{memory:.2f} GB"]
        return f"| {' | '.join(cells)} |"


def main() -> None:
    asked, load, rows = _arguments(), os.getloadavg()[0], []
    if not Path("/proc/self/smaps_rollup").is_file():
        raise WrongRequest("memory is measured from Linux's /proc; run this on Linux.")
    large = round(asked.gigabytes * 1e9 / (2 * 12 * 5000))
    about = {
        "command": shlex.join(["python", "-m", "benchmarks.growth", *sys.argv[1:]]),
        "different": DIFFERENT,
        "network": ", ".join(NETWORK),
        "machine": machine("cpu"),
        "load": load,
        "date": date.today(),
        "bound": BOUND,
    }
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    for rate, records in [(100, count) for count in sorted(asked.records)] + [(500, large)]:
        with TemporaryDirectory(prefix="ecgenough-growth-", dir=asked.folder) as name:
            rows.append(measured(Path(name), records, rate))
        print(rows[-1].row(), flush=True)
        table = "\n".join(row.row() for row in rows)
        write_text(asked.out / "growth.md", PAGE.format(**about, rows=table, linear=linear(rows)))
    beyond = [row.records for row in rows if max(row.prepare[1], row.train[1]) > BOUND]
    if beyond:
        raise EcgenoughError(f"with {beyond[0]:,} records more than {BOUND} GB of memory were taken.")


def linear(rows: Sequence[Measured]) -> str:
    """What each further record takes, between neighbouring rows of the same rate."""
    pairs = [(a, b) for a, b in pairwise(rows) if a.rate == b.rate]
    if not pairs:
        return ""
    more = [[1000 * (b.prepare[0] - a.prepare[0]) / (b.records - a.records) for a, b in pairs]]
    more += [[1000 * (b.train[0] - a.train[0]) / (b.records - a.records) for a, b in pairs]]
    least, least_train = map(min, more)
    most, most_train = map(max, more)
    return LINEAR.format(least=least, most=most, least_train=least_train, most_train=most_train)


def measured(folder: Path, records: int, rate: int) -> Measured:
    """Write the records, then prepare and train, in `folder`."""
    manifest, stores = write_records(folder / "records", records, rate), folder / "stores"
    rated = [word for change in (f"signal.rate={rate}", *NETWORK) for word in ("--set", change)]
    about = ["--from", str(manifest.parent), "--store", str(stores), "--recipe", "fast", *rated]
    prepared = peak(["prepare", str(manifest), *about])
    (store,) = (path for path in stores.iterdir() if path.is_dir())
    size = (store / "signals.i16").stat().st_size / 1e9
    shutil.rmtree(manifest.parent / "ecg")  # the disk may be small; a store is all that training reads
    words = ["train", str(store), "--recipe", "fast", *rated, "--out", str(folder / "run"), "--device", "cpu"]
    return Measured(records, rate, size, prepared, peak(words))


def write_records(folder: Path, records: int, rate: int) -> Path:
    """As many WFDB records, no two alike, and a manifest with one label; returns the manifest."""
    simulated = simulate_collection(folder / "simulated", "embolism", DIFFERENT, rate=float(rate))
    with (simulated / "labels.csv").open(newline="", encoding="utf-8") as file:
        known = [(row["embolism"], formats.read(simulated / row["path"]).signal) for row in csv.DictReader(file)]
    with (folder / "records.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("path", "patient", "embolism", "fold"))
        for number, _ in enumerate(track(repeat(None, records), "writing", records, "records")):
            label, signal = known[number % DIFFERENT]
            place = folder / "ecg" / f"{number // 1000:03}"
            if number % 1000 == 0:
                place.mkdir(parents=True)
            turned = np.roll(signal, 7 * (number // DIFFERENT + 1), axis=1)
            write_wfdb(place, f"{number:06}", Ecg(turned, float(rate), STANDARD_LEADS))
            fold = number % 10 + 1
            table.writerow((f"ecg/{number // 1000:03}/{number:06}.hea", f"p{number}", label, fold))
    return folder / "records.csv"


def peak(words: Sequence[str]) -> tuple[float, float]:
    """Processor seconds that a command of ecgenough takes, and the most memory in GB that it and its processes hold at once."""
    most, over, before = 0, threading.Event(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = subprocess.Popen([sys.executable, "-m", "ecgenough", *words], stderr=subprocess.PIPE)

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, sum(map(memory, family(command.pid))))

    watching = threading.Thread(target=watch)
    watching.start()
    said = command.communicate()[1].decode()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    over.set()
    watching.join()
    if command.returncode:
        raise EcgenoughError(f"ecgenough {words[0]} failed: {said.strip().splitlines()[-1]}")
    return seconds, most / 1e9


def family(process: int) -> list[int]:
    """A process and all that it has started, so far as they live."""
    try:
        children = [Path(f"/proc/{process}/task/{task}/children") for task in os.listdir(f"/proc/{process}/task")]
        begun = [int(word) for path in children for word in path.read_text().split()]
    except OSError:
        return [process]
    return [process, *(one for child in begun for one in family(child))]


def memory(process: int) -> int:
    """Bytes of memory that are a process's own, shared ones by their share; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--records", type=int, nargs="+", default=[5000, 10_000, 20_000, 40_000, 80_000], help="how many, at 100 Hz"
    )
    parser.add_argument("--gigabytes", type=float, default=8.0, help="of the store at 500 Hz whose memory counts (8)")
    parser.add_argument(
        "--folder", type=Path, help="where records and stores are written and removed; needs twice the size"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
