"""The tables of an inspected collection."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from ecgenough.inspection import Inspection
from ecgenough.inspection.inspection import fold_counts, has_same_labels, is_same_patient
from ecgenough.inspection.labels import Labels
from ecgenough.inspection.quality import INDICES
from ecgenough.inspection.suspicions import KINDS, Suspicion
from ecgenough.reports.data_table import Column, Entry, Table
from ecgenough.sentences import listing


def _rows(rows: Iterable[Iterable[str | float | None]]) -> tuple[tuple[Entry, ...], ...]:
    return tuple(tuple(Entry(value) for value in row) for row in rows)


def _number(name: str, heading: str, digits: int = 0, hint: str = "") -> Column:
    return Column(name, heading, "number", digits, hint)


def suspicions_table(inspection: Inspection, found: list[Suspicion], caption: str, name: str = "suspicions") -> Table:
    """A row a suspicion, with whose record it is and in which fold."""
    dataset = inspection.dataset
    columns = (
        Column("record", "Record"), Column("kind", "Suspicion"), Column("evidence", "What raised it"),
        Column("leads", "Leads"), Column("patient", "Patient"), _number("fold", "Fold"),
    )  # fmt: skip
    rows = _rows(
        (
            one.record,
            one.kind,
            one.evidence,
            ", ".join(one.leads),
            dataset.patients[one.place],
            int(dataset.folds[one.place]),
        )
        for one in found
    )
    return Table(name, caption, columns, rows, wide=("kind", "leads"))


def kinds_table(inspection: Inspection) -> Table:
    """How many records each kind of suspicion was raised for."""
    rows = []
    for kind, meaning in KINDS.items():
        count = len(inspection.of_kind(kind))
        rows.append((kind.capitalize(), float(count), 100 * count / len(inspection.read), meaning))
    columns = (
        Column("kind", "Suspicion"), _number("records", "Records"), _number("share", "% of those read", 2),
        Column("meaning", "What it may mean"),
    )  # fmt: skip
    return Table("kinds", "Suspicions by kind", columns, _rows(rows))


def classes_table(labels: Labels) -> Table:
    """Each class with its count, its share, and the classes it is most often given with."""
    rows = []
    for at, name in enumerate(labels.classes):
        others = np.argsort(-labels.together[at], kind="stable").tolist()
        company = [
            f"{labels.classes[other]} {labels.together[at, other]:,}"
            for other in others if other != at and labels.together[at, other]
        ][:3]  # fmt: skip
        alone = int(labels.counts[at])
        rows.append((name, labels.titles[at], float(alone), 100 * float(labels.shares[at]), ", ".join(company) or None))
    columns = (
        Column("class", "Class"), Column("title", "Name"), _number("records", "Records"), _number("share", "%", 2),
        Column("with", "Most often with"),
    )  # fmt: skip
    return Table("classes", f"Classes of the task {labels.task}", columns, _rows(rows))


def together_table(labels: Labels) -> Table:
    """How many records each two classes share."""
    columns = (
        Column("class", "Class"),
        *(_number(name, name, hint=title) for name, title in zip(labels.classes, labels.titles, strict=True)),
    )
    rows = _rows((name, *map(float, row)) for name, row in zip(labels.classes, labels.together.tolist(), strict=True))
    return Table("together", "Records that each two classes share", columns, rows)


def folds_table(inspection: Inspection) -> Table:
    """Each fold with its purpose, records and patients."""
    rows = [
        (fold, str(about["for"]) or None, float(about["records"]), float(about["patients"]))
        for fold, about in fold_counts(inspection).items()
    ]
    columns = (
        Column("fold", "Fold"),
        Column("for", "For"),
        _number("records", "Records"),
        _number("patients", "Patients"),
    )
    return Table("folds", "Folds", columns, _rows(rows))


def torn_table(inspection: Inspection) -> Table:
    """Patients whose records lie in several folds."""
    rows = ((patient, ", ".join(map(str, folds))) for patient, folds in inspection.torn.items())
    columns = (Column("patient", "Patient"), Column("folds", "Folds"))
    return Table("torn", "Patients with records in several folds", columns, _rows(rows))


def copies_table(inspection: Inspection) -> Table:
    """Pairs of records with one waveform."""
    dataset = inspection.dataset
    rows = (
        (
            dataset.records[one.first], dataset.records[one.second], "same voltages" if one.exact else "copy",
            one.correlation, one.gain, "yes" if is_same_patient(inspection, one) else "no",
            {True: "yes", False: "no", None: None}[has_same_labels(inspection, one)],
            " and ".join(dict.fromkeys(str(dataset.folds[place]) for place in (one.first, one.second))),
        )
        for one in inspection.copies
    )  # fmt: skip
    columns = (
        Column("record", "Record"), Column("twin", "Twin"), Column("kind", "Kind"), _number("correlation", "Correlation", 5),
        _number("gain", "Gain", 3, "How many times as large the twin is."), Column("same_patient", "Same patient"),
        Column("same_labels", "Same labels"), Column("folds", "Folds"),
    )  # fmt: skip
    return Table("copies", "Records that are there twice", columns, _rows(rows))


def counts_table(name: str, caption: str, heading: str, values: Iterable[str]) -> Table:
    """How often each value occurs, the most frequent first."""
    rows = _rows((value, float(count)) for value, count in Counter(values).most_common())
    return Table(name, caption, (Column(name, heading), _number("records", "Records")), rows)


def left_out_table(inspection: Inspection) -> Table:
    """Records that are absent or broken, with the reason."""
    rows = [
        (record, kind, reason)
        for kind, group in (("absent", inspection.absent), ("broken", inspection.broken))
        for record, reason in group
    ]
    return Table(
        "left_out",
        "Listed and not read",
        (Column("record", "Record"), Column("kind", "What"), Column("reason", "Why")),
        _rows(rows),
    )


def records_table(inspection: Inspection) -> Table:
    """Everything measured on each record, for CSV. The quality indices are means over leads."""
    dataset, rows = inspection.dataset, []
    for place, found in inspection.read:
        rows.append(
            (dataset.records[place], dataset.patients[place], float(dataset.folds[place]), found.rate, found.seconds, found.unit,
             found.step, " ".join(found.leads), float(found.lost), found.beats if np.isfinite(found.beats) else None,
             found.height, found.score, *found.indices, listing(one.kind for one in inspection.suspicions_of(place)))
        )  # fmt: skip
    columns = (
        Column("record", "Record"), Column("patient", "Patient"), _number("fold", "Fold"), _number("rate", "Hz"),
        _number("seconds", "Seconds"), Column("unit", "Unit"), _number("step", "Step, µV"), Column("leads", "Leads"),
        _number("lost", "Lost samples"), _number("beats", "Beats a minute"), _number("height", "mV a beat"),
        _number("quality", "Quality"), *(_number(index, index) for index in INDICES), Column("suspicions", "Suspicions"),
    )  # fmt: skip
    return Table("records", "Records", columns, _rows(rows))
