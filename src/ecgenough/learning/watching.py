"""What watches a training: a tracker that shows it elsewhere, a search that ends it early."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ecgenough.recipe import Recipe

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Beginning:
    """A training about to start: its folder, its whole recipe, and its records as data.json counts them.

    `group` names what it is part of; its folder's parent unless told.
    """

    folder: Path
    recipe: Recipe
    data: Mapping[str, Any]
    group: str = ""


class Watcher(Protocol):
    """Told of a training as it goes: `begin`, `epoch` after epoch, and at last either `end` or `broken_off`.

    A training that goes on after an interruption tells the epochs of its checkpoint again, so that a watcher that was
    made anew misses none. What `epoch` raises ends the training. Of several processes, the first one's are told.
    """

    def begin(self, beginning: Beginning) -> None:
        """The training starts, or goes on."""

    def epoch(self, figures: Figures) -> None:
        """An epoch is done and its checkpoint written: a row of log.csv, `epoch` counted from 1."""

    def end(self, metrics: Mapping[str, Any]) -> None:
        """The training is done and written; `metrics` is what the validation's metrics.json holds."""

    def broken_off(self, reason: str) -> None:
        """The training ended before its time: it failed, was stopped, or a watcher ended it."""


@contextmanager
def watched(watchers: Sequence[Watcher], beginning: Beginning) -> Iterator[None]:
    """Tell the watchers that a training begins and, where an exception leaves the block, that it was broken off."""
    for watcher in watchers:
        watcher.begin(beginning)
    try:
        yield
    except BaseException as error:
        for watcher in watchers:
            watcher.broken_off(str(error) or type(error).__name__)
        raise
