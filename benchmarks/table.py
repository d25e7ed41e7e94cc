"""The table of a run: what was measured, with what command, on what machine, on what day, and with what else going on."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

QUIET = 1.5  # load at the start, above which other work surely ran beside
HEAD = "| what | amount | ours | the other way | ratio of | median (min to max) | pairs |\n| --- | --- | --- | --- | --- | --- | --- |"


def table(rows: Sequence[str], facts: Sequence[str]) -> str:
    """The page in Markdown."""
    how = "Times are medians; ratios are taken within each pair of turns (A B A B ...), after one untimed turn of both."
    return "\n".join(["# Ours beside the naive way", "", *(f"- {fact}" for fact in (*facts, how)), "", HEAD, *rows, ""])


def machine_facts(device: str, load: float) -> list[str]:
    """What a reader must know to judge the numbers; `load` is that of the machine before anything was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "wfdb", "scikit-learn"))
    where = f"{cores()} cores of {_processor()}, {torch.get_num_threads()} threads in PyTorch"
    gpu = f"; {torch.cuda.get_device_name()}" if device == "cuda" else ""
    busy = " Other work was running: the times are too long, and the ratios less sure." if load > QUIET else ""
    return [
        f"Machine: {where}{gpu}",
        f"Software: Python {platform.python_version()}, {versions}",
        f"Date: {date.today()}; load of the machine at the start: {load:.1f}.{busy}",
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
