"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ecgenough.errors import printable

T = TypeVar("T")
console = Console(stderr=True)
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_FIGURES = 0.5  # a loss on a GPU is waited for when it is asked for


@contextmanager
def hushed(hush: bool = True) -> Iterator[None]:
    """Say and show nothing meanwhile, where `hush` is true."""
    before, console.quiet = console.quiet, console.quiet or hush
    try:
        yield
    finally:
        console.quiet = before


def say(sentence: str) -> None:
    """One plain line for the person watching; figures and paths included as they are, control characters not.

    A line feed at its very start is an empty line before it.
    """
    if sentence.startswith("\n"):
        console.print()
    console.print(printable(sentence.removeprefix("\n")), markup=False, highlight=False, soft_wrap=True)


def track(
    items: Iterable[T], what: str, total: int, unit: str = "", figures: Callable[[], str] = lambda: ""
) -> Iterator[T]:
    """Yield `items` unchanged while showing how many of `total` are done.

    `what` names the work, `unit` what is counted, `figures` says how it goes, such as the loss so far; it is asked only
    when it is shown. An item that is an int counts as that many units, others as one.
    """
    if sys.stderr.isatty():
        yield from _bar(items, what, total, figures)
    else:
        yield from _lines(items, what, total, unit, figures)


def _bar(items: Iterable[T], what: str, total: int, figures: Callable[[], str]) -> Iterator[T]:
    counted = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(
        *counted,
        TextColumn("{task.fields[figures]}"),
        console=console,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # what goes into a file must not be drawn above the bar instead
    )
    with shown as progress:
        task = progress.add_task(what, total=total, figures="")
        last = -SECONDS_BETWEEN_FIGURES
        for item in items:
            yield item
            progress.advance(task, item if isinstance(item, int) else 1)
            if time.monotonic() - last > SECONDS_BETWEEN_FIGURES:
                last = time.monotonic()
                progress.update(task, figures=figures())


def _lines(items: Iterable[T], what: str, total: int, unit: str, figures: Callable[[], str]) -> Iterator[T]:
    done, last = 0, time.monotonic()
    for item in items:
        yield item
        done += item if isinstance(item, int) else 1
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say("  ".join(filter(None, (f"{what}: {done:,} of {total:,} {unit}".rstrip(), figures()))))
