"""From recordings to a store: list them, condition them."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from ecgenough.datasets import Dataset, open_dataset
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.formats import read
from ecgenough.formats.table import TableLayout
from ecgenough.progress import say
from ecgenough.recipe import Signal
from ecgenough.signals.blocks import Conditioner
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store

LOOKED_AT = 9  # records, to see which leads a collection has


def prepared(
    dataset: str,
    root: Path | None,
    signal: Signal,
    folder: Path,
    *,
    layout: TableLayout | None = None,
    workers: int | None = None,
    conditioner: Conditioner | None = None,
) -> Store:
    """The store of a data set below `folder`, conditioned now or reused. Raises what listing and preparing do."""
    return prepare(open_dataset(dataset, root, rate=signal.rate, layout=layout), signal, folder, workers, conditioner)


def prepared_target(dataset: str, root: Path | None, signal: Signal, folder: Path) -> Store:
    """`prepared`, without the leads that the data set has not.

    A few of its records are looked at: a lead that less than half of them have, or could derive, is not asked for.
    """
    listed = open_dataset(dataset, root, rate=signal.rate)
    leads = leads_at_hand(listed, signal.leads)
    if absent := [lead for lead in signal.leads if lead not in leads]:
        say(f"{listed.name} has no {', '.join(absent)}.")
    return prepare(listed, signal.model_copy(update={"leads": leads}), folder)


def leads_at_hand(dataset: Dataset, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the wanted leads that at least half of a few records give; all where none of these can be read."""
    counts, seen = Counter[str](), 0
    for place in range(0, len(dataset.paths), -(-len(dataset.paths) // LOOKED_AT)):
        with suppress(BrokenRecord):  # preparing says what is wrong with it
            ecg = read(dataset.root / dataset.paths[place], dataset.layout)
            counts.update(lead for lead in wanted if _gives(ecg, lead))
            seen += 1
    return tuple(lead for lead in wanted if seen and 2 * counts[lead] >= seen) or wanted


def _gives(ecg: Ecg, lead: str) -> bool:
    try:
        ecg.select([lead])
    except BrokenRecord:
        return False
    return True
