"""One folder on disk becomes a table of records, patients, folds and labels. No signal is read here."""

from pathlib import Path
from typing import TYPE_CHECKING

from ecgenough.datasets.catalogue import Description, describe, names
from ecgenough.datasets.table import Dataset, Task

if TYPE_CHECKING:
    from ecgenough.formats.table import TableLayout

__all__ = ["Dataset", "Description", "Task", "describe", "names", "open_dataset"]


def open_dataset(
    name_or_manifest: str,
    root: Path | None,
    *,
    rate: float | None = None,
    seed: int = 0,
    layout: "TableLayout | None" = None,
) -> Dataset:
    """List a collection known by name, or one of your own by the path of its manifest.

    `root` is the folder that holds it; a manifest's own folder unless given. `rate` in Hz chooses among the rates that
    PTB-XL and the simulator publish. `seed` deals folds where a collection has none and draws negatives where a task
    samples them. `layout` says how signals lie in a manifest's plain tables.
    Raises WrongRequest for an unknown name, an absent folder or table, and whatever in them cannot be used.
    """
    # Imported here: learning takes Task from this room on machines without wfdb, which reading headers needs.
    from ecgenough.datasets.opening import open_any

    return open_any(name_or_manifest, root, rate, seed, layout)
