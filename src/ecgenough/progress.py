"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
console = Console(stderr=True)
SECONDS_BETWEEN_LINES = 10.0


def say(sentence: str) -> None:
    """One plain line for the person watching; figures and paths included as they are."""
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def track(items: Iterable[T], what: str, total: int, unit: str = "") -> Iterator[T]:
    """Yield `items` unchanged while showing how many of `total` are done.

    `what` names the work, `unit` what is counted. An item that is an int counts as that many units, others as one.
    """
    if sys.stderr.isatty():
        yield from _bar(items, what, total)
    else:
        yield from _lines(items, what, total, unit)


def _bar(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task, item if isinstance(item, int) else 1)


def _lines(items: Iterable[T], what: str, total: int, unit: str) -> Iterator[T]:
    done, last = 0, time.monotonic()
    for item in items:
        yield item
        done += item if isinstance(item, int) else 1
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{what}: {done:,} of {total:,} {unit}".rstrip())
