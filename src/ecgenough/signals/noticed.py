"""What preparing noticed about records, in tables beside a store's signals for people to look through.

rejected.csv     record, reason: what was listed and cannot be used
noticed.csv      record, what, amount: bridged samples, clipped samples, or a beat of a height that no heart makes
duplicates.csv   pairs of records with the same waveform: record, twin, same_patient, fold, twin_fold
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError
from ecgenough.files import csv_text, write_text
from ecgenough.progress import say
from ecgenough.sentences import counted
from ecgenough.signals.blocks import Outcome
from ecgenough.signals.plausibility import LARGEST, SMALLEST, TOO_LARGE, TOO_SMALL
from ecgenough.signals.store import Store, equal_rows

REJECTED, NOTICED, DUPLICATES = "rejected.csv", "noticed.csv", "duplicates.csv"
BRIDGED, CLIPPED, HIGH, LOW = "bridged samples", "clipped samples", "beat too high, mV", "beat too low, mV"


class Notice(NamedTuple):
    """One thing about one record: a number of samples, or the mV that a beat spans."""

    record: str
    what: str
    amount: float


class Duplicate(NamedTuple):
    """Two records with one waveform, and whether they are one patient's and in one fold."""

    record: str
    twin: str
    same_patient: bool
    fold: int
    twin_fold: int


def write_rejected(folder: Path, rejected: Sequence[tuple[str, str]]) -> None:
    """Write rejected.csv into the folder of a store."""
    write_text(folder / REJECTED, csv_text(("record", "reason"), rejected))


def write_notices(folder: Path, dataset: Dataset, outcome: Outcome) -> None:
    """Write noticed.csv into the folder of a store."""
    notices = []
    for row, place in enumerate(outcome.listing):
        height = outcome.heights[row]
        found = {
            BRIDGED: (outcome.bridged[row], outcome.bridged[row] > 0),
            CLIPPED: (outcome.clipped[row], outcome.clipped[row] > 0),
            HIGH: (height, height > LARGEST),
            LOW: (height, 0 < height < SMALLEST),
        }
        notices += [Notice(dataset.records[place], what, amount) for what, (amount, is_so) in found.items() if is_so]
    write_text(folder / NOTICED, csv_text(Notice._fields, notices))


def write_duplicates(folder: Path, dataset: Dataset, outcome: Outcome) -> None:
    """Write duplicates.csv into the folder of a store."""
    places = [[outcome.listing[row] for row in rows] for rows in equal_rows(outcome.hashes)]
    pairs = [_pair(dataset, first, other) for first, *others in places for other in others]
    rows = [(*pair[:2], "yes" if pair.same_patient else "no", *pair[3:]) for pair in pairs]
    write_text(folder / DUPLICATES, csv_text(Duplicate._fields, rows))


def noticed(store: Store) -> tuple[Notice, ...]:
    """What preparing noticed about a store's records; nothing for a store made before that was written down."""
    return tuple(Notice(record, what, float(amount)) for record, what, amount in _rows(store.path / NOTICED))


def duplicates(store: Store) -> tuple[Duplicate, ...]:
    """Pairs of a store's records with the same waveform: of several alike, the first with each of the others."""
    return tuple(_pair(store, rows[0], other) for rows in store.duplicates() for other in rows[1:])


def tell(store: Store) -> None:
    """Say what became of the records and what was noticed, a line each: how many, the first one, and what to do."""
    first = ""
    if store.rejected:
        record, reason = store.rejected[0]
        first = f" The first is {record}: {reason.rstrip('.')}. All are in {REJECTED} of the store."
    say(f"{store.name}: {counted(len(store.records), 'record')} prepared, {len(store.rejected):,} rejected.{first}")
    all_notices = noticed(store)
    for what, sentence in _SENTENCES.items():
        if found := [notice for notice in all_notices if notice.what == what]:
            total = sum(notice.amount for notice in found)
            first, amount = found[0].record, found[0].amount
            say(f"{store.name}: {sentence.format(records=len(found), samples=int(total), first=first, amount=amount)}")
    if pairs := duplicates(store):
        say(_told(store, pairs))


_SENTENCES = {
    BRIDGED: "records with lost samples, bridged by straight lines: {records:,}, {samples:,} samples in all, first "
    f"{{first}}; all are in {NOTICED} of the store.",
    CLIPPED: "records beyond ±32.767 mV, clipped there: {records:,}, {samples:,} samples in all, first {first}. "
    "Is their unit right?",
    HIGH: f"records whose beats span over {LARGEST:g} mV: {{records:,}}, first {{first}} ({{amount:,.0f}} mV). {TOO_LARGE}",
    LOW: f"records whose beats span under {SMALLEST:g} mV: {{records:,}}, first {{first}} ({{amount:.2g}} mV). {TOO_SMALL}",
}


def _told(store: Store, pairs: Sequence[Duplicate]) -> str:
    strangers = sum(not pair.same_patient for pair in pairs)
    apart = sum(pair.fold != pair.twin_fold for pair in pairs)
    return (
        f"{store.name}: pairs of records with the same waveform: {len(pairs):,}, first {pairs[0].record} and "
        f"{pairs[0].twin}; {strangers:,} under two patients, {apart:,} in two folds. All are in {DUPLICATES} of the store."
    )


def _pair(listed: Dataset | Store, first: int, other: int) -> Duplicate:
    return Duplicate(
        listed.records[first],
        listed.records[other],
        listed.patients[first] == listed.patients[other],
        int(listed.folds[first]),
        int(listed.folds[other]),
    )


def _rows(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))[1:]
    except (UnicodeDecodeError, csv.Error):
        raise EcgenoughError(f"{path} cannot be read; remove its store and prepare it again.") from None
