"""A collection looked at as a whole: what it holds, how it is labelled and shared out, and what to doubt in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough import formats
from ecgenough.datasets.table import Dataset, torn_patients
from ecgenough.errors import EcgenoughError
from ecgenough.inspection import duplicates
from ecgenough.inspection.duplicates import ALIKE, Copy
from ecgenough.inspection.labels import Labels, count_labels
from ecgenough.inspection.record import Look
from ecgenough.inspection.survey import survey
from ecgenough.inspection.suspicions import KINDS, Suspicion, suspicions
from ecgenough.progress import track

# how listing and reading say that a file is absent
NOT_THERE = ("is not there.", "is missing; put it beside the header.")


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found. `looks` are by place in the listing: a look, or why the record cannot be read.

    `absent` and `broken` are (record, reason). `torn` maps patients to the folds that their records lie in. `labels` are
    of the task looked at closely, None where there are no labels; `tasks` of every task, that one included.
    """

    dataset: Dataset
    looks: list[Look | str]
    absent: tuple[tuple[str, str], ...]
    broken: tuple[tuple[str, str], ...]
    torn: dict[str, list[int]]
    labels: Labels | None
    tasks: tuple[Labels, ...]
    copies: tuple[Copy, ...]
    suspicions: tuple[Suspicion, ...]

    @property
    def read(self) -> list[tuple[int, Look]]:
        """The records that could be read, by place."""
        return [(place, found) for place, found in enumerate(self.looks) if isinstance(found, Look)]

    @property
    def listed(self) -> int:
        """How many records the collection lists, those that are absent or broken among them."""
        return len(self.dataset.records) + len(self.dataset.rejected)

    def of_kind(self, kind: str) -> list[Suspicion]:
        """The suspicions of one of `suspicions.KINDS`, the strongest first."""
        return [one for one in self.suspicions if one.kind == kind]

    def suspicions_of(self, place: int) -> list[Suspicion]:
        """Every suspicion about the record at this place in the listing."""
        return self._by_place.get(place, [])

    @cached_property
    def _by_place(self) -> dict[int, list[Suspicion]]:
        found: dict[int, list[Suspicion]] = {}
        for one in self.suspicions:
            found.setdefault(one.place, []).append(one)
        return found


def inspect_dataset(dataset: Dataset, task: str | None = None, workers: int | None = None) -> Inspection:
    """Look at every recording of a listed collection; `task` is the one whose labels are shown together.

    Raises WrongRequest for an unknown task, EcgenoughError where no record can be read or a process dies.
    """
    chosen = dataset.task(task) if dataset.tasks or task is not None else None
    looks = survey(dataset, workers)
    kept = np.array([isinstance(found, Look) for found in looks])
    unread = [(dataset.records[place], str(looks[place])) for place in np.flatnonzero(~kept)]
    if not kept.any():
        raise EcgenoughError(f"no record of {dataset.name} can be read; the first because: {unread[0][1]}")
    rejected = [*dataset.rejected, *unread]
    tasks = tuple(count_labels(one, kept) for one in dataset.tasks.values())
    return Inspection(
        dataset=dataset,
        looks=looks,
        absent=tuple(one for one in rejected if one[1].endswith(NOT_THERE)),
        broken=tuple(one for one in rejected if not one[1].endswith(NOT_THERE)),
        torn=torn_patients(dataset.patients, dataset.folds.tolist()),
        labels=None if chosen is None else count_labels(chosen, kept),
        tasks=tasks,
        copies=tuple(copies(dataset, looks)),
        suspicions=tuple(suspicions(dataset.records, looks)),
    )


def copies(dataset: Dataset, looks: Sequence[Look | str]) -> list[Copy]:
    """Records with the same voltages, then copies at another gain, offset or rate, each checked on the samples."""
    places = [place for place, found in enumerate(looks) if isinstance(found, Look) and found.hash is not None]
    found = [one for one in looks if isinstance(one, Look) and one.hash is not None]
    hashes = [one.hash or 0 for one in found]
    exact = [Copy(places[copy.first], places[copy.second], exact=True) for copy in duplicates.exact_copies(hashes)]
    pairs = duplicates.near_pairs([one.sketch for one in found], hashes)
    near = []
    for first, second in track(pairs, "comparing records that are alike", len(pairs), "pairs"):
        if (copy := _compared(dataset, places[first], places[second])) is not None:
            near.append(copy)
    return [*exact, *near]


def _compared(dataset: Dataset, first: int, second: int) -> Copy | None:
    try:
        one, other = (formats.read(dataset.root / dataset.paths[place], dataset.layout) for place in (first, second))
    except (EcgenoughError, OSError):
        return None
    alike = duplicates.compared(one, other)
    if alike is None or abs(alike[0]) < ALIKE:
        return None
    return Copy(first, second, exact=False, correlation=alike[0], gain=alike[1])


# --- as JSON ---------------------------------------------------------------------------------------------------------


def as_json(inspection: Inspection) -> dict[str, Any]:
    """Everything found, as plain values."""
    dataset, read = inspection.dataset, [found for _, found in inspection.read]
    return {
        "dataset": dataset.name,
        "records": {
            "listed": inspection.listed,
            "read": len(read),
            "absent": dict(inspection.absent),
            "broken": dict(inspection.broken),
        },
        "patients": len(set(dataset.patients)),
        "folds": fold_counts(inspection),
        "patients in several folds": inspection.torn,
        "ages": _spread([float(age) for age in dataset.ages if np.isfinite(age)]),
        "sexes": dict(Counter(sex or "unknown" for sex in dataset.sexes).most_common()),
        "rates in Hz": _counted(found.rate for found in read),
        "seconds": _spread([found.seconds for found in read]),
        "units": _counted(found.unit for found in read),
        "smallest step in µV": _spread([found.step for found in read]),
        "leads": _counted(", ".join(found.leads) for found in read),
        "beats a minute": _spread([found.beats for found in read if np.isfinite(found.beats)]),
        "mV that a beat spans": _spread([found.height for found in read]),
        "quality": _spread([found.score for found in read]),
        "labels": None if inspection.labels is None else inspection.labels.as_json(),
        "tasks": {one.task: one.as_json()["classes"] for one in inspection.tasks},
        "copies": [_copy(inspection, one) for one in inspection.copies],
        "suspicions": {
            kind: {one.record: one.evidence for one in inspection.of_kind(kind)} for kind in KINDS
        },
    }  # fmt: skip


def fold_counts(inspection: Inspection) -> dict[str, dict[str, Any]]:
    """Records, patients and purpose of each fold, by its number."""
    dataset = inspection.dataset
    roles = {"training": dataset.train_folds, "validation": dataset.validation_folds, "test": dataset.test_folds}
    found = {}
    for fold in np.unique(dataset.folds).tolist():
        rows = np.flatnonzero(dataset.folds == fold)
        found[str(fold)] = {
            "records": len(rows),
            "patients": len({dataset.patients[row] for row in rows.tolist()}),
            "for": next((role for role, folds in roles.items() if fold in folds), ""),
        }
    return found


def is_same_patient(inspection: Inspection, copy: Copy) -> bool:
    """Whether both records of a pair are listed as one patient's."""
    patients = inspection.dataset.patients
    return patients[copy.first] == patients[copy.second]


def has_same_labels(inspection: Inspection, copy: Copy) -> bool | None:
    """Whether both are labelled alike, in every task; None without labels."""
    tasks = inspection.dataset.tasks.values()
    same = all(np.array_equal(task.labels[copy.first], task.labels[copy.second]) for task in tasks)
    return same if tasks else None


def _copy(inspection: Inspection, copy: Copy) -> dict[str, Any]:
    dataset = inspection.dataset
    return {
        "record": dataset.records[copy.first],
        "twin": dataset.records[copy.second],
        "same voltages": copy.exact,
        "correlation": round(copy.correlation, 5),
        "gain": round(copy.gain, 5),
        "same patient": is_same_patient(inspection, copy),
        "same labels": has_same_labels(inspection, copy),
        "folds": [int(dataset.folds[copy.first]), int(dataset.folds[copy.second])],
    }


def _counted(values: Any) -> dict[str, int]:
    counts = Counter(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return dict(counts.most_common())


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    names = ("least", "5%", "25%", "middle", "75%", "95%", "most")
    places: NDArray[np.float64] = np.quantile(values, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1))
    return dict(zip(names, places.round(4).tolist(), strict=True))
