"""One folder on disk becomes a table of records, patients, folds and labels. No signal is read here."""

from ecgenough.datasets.catalogue import Description, describe, names
from ecgenough.datasets.opening import open_dataset
from ecgenough.datasets.table import Dataset, Task

__all__ = ["Dataset", "Description", "Task", "describe", "names", "open_dataset"]
