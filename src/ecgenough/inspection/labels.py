"""How often each label is given, and which are given together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.table import Task
from ecgenough.sentences import in_quotes, listing


@dataclass(frozen=True, eq=False)
class Labels:
    """One task: of `records` that take part, how many have each class, and how many each two of them.

    `counts` is `[classes]`, `together` `[classes, classes]` with the counts on its diagonal; `asked` is the number of
    records that each class was asked of, which differs between the tasks of a joint one. `several` counts records with
    more than one class, `none` those with none.
    """

    task: str
    classes: tuple[str, ...]
    titles: tuple[str, ...]
    records: int
    asked: NDArray[np.int64]
    counts: NDArray[np.int64]
    together: NDArray[np.int64]
    several: int
    none: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """The prevalence of each class among those it was asked of."""
        return np.asarray(self.counts / np.maximum(self.asked, 1))

    @property
    def alike(self) -> bool:
        """Whether all records have the same labels, so that there is nothing to tell apart."""
        return bool(((self.counts == 0) | (self.counts == self.asked)).all())

    @property
    def sameness(self) -> str:
        """What to say where all records are `alike`; nothing where they are not."""
        given = [name for name, count in zip(self.classes, self.counts, strict=True) if count]
        one = listing(map(in_quotes, given)) if given else "no class"
        return (
            f"Every record has {one}: there is nothing to tell apart, so no network can learn it." if self.alike else ""
        )

    def as_json(self) -> dict[str, Any]:
        """Counts and shares as plain values, by the names of the classes."""
        return {
            "task": self.task,
            "records": self.records,
            "all alike": self.alike,
            "with several classes": self.several,
            "with none": self.none,
            "classes": {
                name: {"title": title, "records": int(count), "share": round(float(share), 5)}
                for name, title, count, share in zip(self.classes, self.titles, self.counts, self.shares, strict=True)
            },
            "together": {
                name: {other: int(count) for other, count in zip(self.classes, row, strict=True)}
                for name, row in zip(self.classes, self.together, strict=True)
            },
        }


def count_labels(task: Task, kept: NDArray[np.bool_]) -> Labels:
    """Count the labels of the records that are `kept` `[records]` and take part in the task."""
    labels = task.labels[task.listed & kept]
    given = np.nan_to_num(labels).astype(np.int64)
    a_record = given.sum(axis=1)
    return Labels(
        task=task.name,
        classes=task.classes,
        titles=task.titles or task.classes,
        records=len(labels),
        asked=np.asarray((~np.isnan(labels)).sum(axis=0), dtype=np.int64),
        counts=np.asarray(given.sum(axis=0), dtype=np.int64),
        together=np.asarray(given.T @ given, dtype=np.int64),
        several=int((a_record > 1).sum()),
        none=int((a_record == 0).sum()),
    )
