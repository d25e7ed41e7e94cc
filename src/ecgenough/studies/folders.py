"""What a run leaves on disk: data.json, rejected.csv, and an evaluation's metrics.json, predictions.csv, examples.npz."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ecgenough.files import csv_text, write_text, written_aside
from ecgenough.learning.evaluation import Answers
from ecgenough.scoring.intervals import score
from ecgenough.signals.store import MICROVOLTS, Store
from ecgenough.studies.handful import sides
from ecgenough.studies.splits import Division

EXAMPLES = 6


class Deciding(Protocol):
    """What makes probabilities and calls of logits: a Model, or what a baseline chose on its validation records."""

    @property
    def task(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def thresholds(self) -> tuple[float, ...]: ...
    @property
    def seen(self) -> NDArray[np.uint64]: ...

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of logits `[records, classes]`."""


def data_flow(store: Store, task: str, division: Division, untuned: Sequence[str] = ()) -> dict[str, Any]:
    """How many records and patients came in, were left out and went where: what data.json holds.

    `untuned` are the classes that validation had nothing to say of: not calibrated, and called from 0.5 on.
    """
    about, splits = store.task(task), division.rows
    patients, chosen_on = np.asarray(store.patients), splits["validation"]
    return {
        "dataset": store.name,
        "task": about.name,
        "classes": about.classes,
        "titles": about.titles or about.classes,
        "records": {
            "listed": len(store.records) + len(store.rejected),
            "rejected": len(store.rejected),
            "in_task": int(about.listed.sum()),
            **{name: len(rows) for name, rows in splits.items()},
        },
        "patients": {"all": len(set(store.patients)), **{n: len(set(patients[rows])) for n, rows in splits.items()}},
        "positives": {
            label: {name: int((about.labels[rows, column] > 0.5).sum()) for name, rows in splits.items()}
            for column, label in enumerate(about.classes)
        },
        "validation_patients": {  # those who have each class and those who have not
            label: [one.positives, one.negatives]
            for label, one in zip(about.classes, sides(about.labels[chosen_on], patients[chosen_on]), strict=True)
        },
        "folds": {name: sorted({int(fold) for fold in store.folds[rows]}) for name, rows in splits.items()},
        **division.to_counts(store),
        "untuned": list(untuned),
        "store": store.fingerprint,
    }


def write_data_flow(folder: Path, store: Store, task: str, division: Division, untuned: Sequence[str] = ()) -> None:
    """Write data.json, see `data_flow`, and rejected.csv."""
    flow = data_flow(store, task, division, untuned)
    write_text(folder / "data.json", json.dumps(flow, indent=2) + "\n")
    write_text(folder / "rejected.csv", csv_text(("record", "reason"), store.rejected))


def write_evaluation(
    folder: Path,
    store: Store,
    model: Deciding,
    answers: Answers,
    folds: Sequence[int],
    seen: int,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Score the answers and write them with their figures; returns what metrics.json holds.

    `seen` is how many of the records the model learned from or was chosen on: 0 for an honest test.
    """
    rows = answers.rows
    probabilities = model.probabilities(answers.logits)
    patients = [store.patients[row] for row in rows]
    labels = answers.labels > 0.5
    thresholds = np.asarray(model.thresholds)
    scores = score(labels, probabilities, thresholds, patients, model.classes, resamples=resamples)
    metrics = {"dataset": store.name, "task": model.task, "folds": list(folds), "seen": seen, **scores}
    write_text(folder / "predictions.csv", _predictions(store, model.classes, rows, probabilities, labels))
    _write_examples(folder / "examples.npz", store, rows[_telling(labels, probabilities, thresholds)])
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return metrics


def _predictions(
    store: Store,
    classes: Sequence[str],
    rows: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.bool_],
) -> str:
    columns = ("record", "patient", "fold", *(f"{kind}_{name}" for kind in "py" for name in classes))
    listed = zip(rows.tolist(), probabilities.tolist(), labels.astype(int).tolist(), strict=True)
    lines = (
        (store.records[row], store.patients[row], store.folds[row], *(f"{value:.9g}" for value in said), *truth)
        for row, said, truth in listed
    )
    return csv_text(columns, lines)


def _telling(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> list[int]:
    """Records worth looking at: of each class in turn the surest right call, then the surest wrong ones."""
    margin = np.where(labels, probabilities - thresholds, thresholds - probabilities)
    sure = [
        int(np.argmax(np.where(labels[:, c], margin[:, c], -np.inf)))
        for c in range(labels.shape[1])
        if labels[:, c].any()
    ]
    wrong = np.argsort(margin.min(axis=1))[:EXAMPLES].tolist()
    return list(dict.fromkeys([*sure[: EXAMPLES - 2], *wrong]))[:EXAMPLES]


def _write_examples(path: Path, store: Store, rows: NDArray[np.int64]) -> None:
    signals = store.read(rows).astype(np.float32) / MICROVOLTS
    for signal, row in zip(signals, rows, strict=True):
        signal[:, store.valid[row] :] = np.nan
    records = np.asarray(store.records)[rows]
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, records=records, signals=signals, rate=store.rate, leads=np.asarray(store.leads))
