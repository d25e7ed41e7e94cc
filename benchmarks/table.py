"""The table of a run: what was measured, with what command, on what machine, on what day, and with what else going on."""

import csv
import io
import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.pairs import Comparison
from ecgenough.files import write_text

COLUMNS = ("what", "amount", "ours", "the other way", "ratio", "median", "min", "max")
QUIET = 1.5  # load at the start, above which other work surely ran beside


def write_table(out: Path, device: str, comparisons: Sequence[Comparison], facts: Sequence[str]) -> Path:
    """Write `out`/DEVICE.md for people and `out`/DEVICE.csv for programs; returns the first."""
    rows = [comparison.row() for comparison in comparisons]
    lines = [" | ".join(row) for row in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    pairs = " to ".join(str(n) for n in sorted({len(c.ours) for c in comparisons}))
    told = [*facts, f"Seconds are medians of {pairs} turns; ratios are taken within each pair of turns, A B A B."]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_text(out / f"{device}.csv", text.getvalue())
    page = out / f"{device}.md"
    facts_text, table = "\n".join(f"- {fact}" for fact in told), "\n".join(f"| {line} |" for line in lines)
    write_text(page, f"# Ours and the naive way\n\n{facts_text}\n\n{table}\n")
    return page


def machine_facts(command: str, device: str, data: str, load: float) -> list[str]:
    """What a reader must know to judge the numbers; `load` is that of the machine before anything was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "wfdb", "scikit-learn"))
    where = f"{cores()} cores of {_processor()}, {torch.get_num_threads()} threads in PyTorch"
    if device == "cuda":
        where += f"; {torch.cuda.get_device_name()}"
    busy = " Other work was running: the seconds are too long, and the ratios less sure." if load > QUIET else ""
    return [
        f"Command: `{command}`",
        f"Machine: {where}",
        f"Software: Python {platform.python_version()}, {versions}",
        f"Data: {data}, read from the page cache",
        f"Date: {date.today()}. Load when it started: {load:.1f}.{busy}",
    ]


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """The processor's name where Linux tells it."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
