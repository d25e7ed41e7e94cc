"""Every WFDB record below a folder, read by ecgenough and by the wfdb package: how many the fast way, and how many differ."""

import argparse
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
import wfdb

from benchmarks.__main__ import machine
from benchmarks.ending import end_with_a_sentence
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.formats.wfdb import is_plain, read_header, read_record
from ecgenough.progress import track

SAID = {"neither": "refused by both", "ours": "refused by ours", "theirs": "refused by wfdb", "differ": "differs"}
NAMED = 20  # of the records that differ or are refused
PAGE = """\
# Every record, beside the wfdb package

- Command: `{command}`
- Machine: {machine}; wfdb {wfdb}, numpy {numpy}
- Date: {date}; load at the start {load:.1f}
- Each header is read by ecgenough and by `wfdb.rdrecord`, one process, in turns: which goes first changes from record to record.
  Times are of the processor, of the records that both could read, a folder after another: other work lengthens them little.
- The same: every voltage (ours is float32, theirs is rounded to it), which samples are lost, rate, lead names as they are
  understood, and comments. Read fast: by ecgenough's own reader of format 16; the rest is left to the wfdb package.
- Refused by both: neither gives a record. By ours: wfdb alone gives one. By wfdb: ours alone does.

| folder | records | read fast | left to wfdb | refused by both | by ours | by wfdb | differ | ours | wfdb | wfdb / ours |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
{named}"""


@dataclass
class Survey:
    """What came of the records below a folder, processor seconds of both ways, and a line for each one worth naming."""

    folder: Path
    came: Counter[str] = field(default_factory=Counter)
    ours: float = 0.0
    other: float = 0.0
    named: list[str] = field(default_factory=list)

    def row(self) -> str:
        """For the table; times of the records that both ways could read."""
        read = self.came["fast"] + self.came["package"]
        counts = (self.came.total(), *(self.came[kind] for kind in ("fast", "package", *SAID)))
        cells = [self.folder.name, *(f"{count:,}" for count in counts)]
        cells += [f"{self.ours:.3g} s", f"{self.other:.3g} s", f"{self.other / self.ours:.1f}" if read else ""]
        return f"| {' | '.join(cells)} |"

    def compare(self, path: Path, ours_first: bool) -> None:
        """Read one record both ways and count what came of it."""
        ways: list[Callable[[Path], object]] = [_ours, _theirs]
        found: dict[Callable[[Path], object], tuple[object, float]] = {}
        for way in ways if ours_first else ways[::-1]:
            started = time.process_time()
            try:
                one = way(path)
            except BrokenRecord as error:
                one = error
            except Exception as error:  # the package raises whatever comes
                one = error
            found[way] = one, time.process_time() - started
        (ours, seconds), (theirs, other_seconds) = found[_ours], found[_theirs]
        if not isinstance(ours, Ecg) or not isinstance(theirs, wfdb.Record):
            refused = (not isinstance(ours, Ecg), not isinstance(theirs, wfdb.Record))
            self._count({(True, True): "neither", (True, False): "ours", (False, True): "theirs"}[refused], path, ours)
            return
        self.ours, self.other = self.ours + seconds, self.other + other_seconds
        if wrong := difference(ours, theirs):
            self._count("differ", path, wrong)
        else:
            self.came["fast" if is_plain(read_header(path)) else "package"] += 1

    def _count(self, kind: str, path: Path, why: object) -> None:
        self.came[kind] += 1
        self.named.append(
            f"{self.folder.name}/{path.relative_to(self.folder)} {SAID[kind]}: {str(why).splitlines()[0]}"
        )


def _ours(path: Path) -> Ecg:
    return read_record(read_header(path))


def _theirs(path: Path) -> object:
    return wfdb.rdrecord(str(path.with_suffix("")))


def difference(ours: Ecg, theirs: wfdb.Record) -> str:
    """In what the two readings of a record differ; nothing where they do not."""
    expected = np.asarray(theirs.p_signal.T, dtype=np.float32)
    if ours.signal.shape != expected.shape:
        return f"{ours.signal.shape} voltages, not {expected.shape}"
    if not np.array_equal(ours.signal, expected, equal_nan=True):
        return f"{int((ours.signal != expected).sum()):,} voltages"
    if ours.rate != theirs.fs:
        return f"rate {ours.rate:g} Hz, not {theirs.fs:g}"
    if list(ours.comments) != theirs.comments:
        return "comments"
    like_ours = Ecg(expected, float(theirs.fs), theirs.sig_name).leads
    return "" if ours.leads == like_ours else f"leads {', '.join(ours.leads)}, not {', '.join(like_ours)}"


def survey(folder: Path) -> Survey:
    """Compare every record below a folder. Raises WrongRequest where there is none."""
    paths = sorted(folder.rglob("*.hea"))
    if not paths:
        raise WrongRequest(f"no WFDB header (*.hea) lies below {folder}. Give the folder of a collection with --data.")
    found = Survey(folder)
    for at, path in enumerate(track(paths, f"reading {folder.name}", len(paths), "records")):
        found.compare(path, ours_first=at % 2 == 0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders with WFDB records, at any depth")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    asked, load = parser.parse_args(), os.getloadavg()[0]
    surveys = [survey(folder) for folder in asked.data]
    named = [line for one in surveys for line in one.named]
    told = [f"- {line}" for line in named[:NAMED]] + ([f"- and {len(named) - NAMED:,} more"] if named[NAMED:] else [])
    page = PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.reading", *sys.argv[1:]]),
        machine=machine("cpu"),
        wfdb=version("wfdb"),
        numpy=version("numpy"),
        date=date.today(),
        load=load,
        rows="\n".join(one.row() for one in surveys),
        named="\n" + "\n".join(told) + "\n" if told else "",
    )
    write_text(asked.out / "reading.md", page)
    print(page)
    if differ := sum(one.came["differ"] for one in surveys):
        raise EcgenoughError(f"{differ:,} records are read otherwise than by the wfdb package.")


if __name__ == "__main__":
    end_with_a_sentence(main)
