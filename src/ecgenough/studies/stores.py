"""The store of a data set: found where it was made, or made."""

import os
from pathlib import Path

from ecgenough.datasets import open_dataset
from ecgenough.errors import WrongRequest
from ecgenough.formats.table import TableLayout
from ecgenough.recipe import Signal
from ecgenough.signals.preparation import prepare
from ecgenough.signals.store import Store


def store_folder() -> Path:
    """Where stores are kept unless told: $ECGENOUGH_STORE, or ecgenough/stores in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ECGENOUGH_STORE") or cache / "ecgenough" / "stores")


def open_store(
    dataset: str,
    root: Path | None,
    signal: Signal,
    *,
    folder: Path | None = None,
    layout: TableLayout | None = None,
    workers: int | None = None,
) -> Store:
    """The prepared store of a data set: conditioned now, or reused. `dataset` may also be a store's own folder.

    Raises WrongRequest for a store whose conditioning is not the one asked for.
    """
    if (Path(dataset) / "store.json").is_file():
        store = Store.open(Path(dataset))
        if store.signal != signal:
            raise WrongRequest(
                f"{dataset} was conditioned otherwise than the recipe asks for (recipe section signal). "
                "Prepare it again with this recipe, or change the recipe's signal to the store's."
            )
        return store
    return prepare(
        open_dataset(dataset, root, rate=signal.rate, layout=layout), signal, folder or store_folder(), workers
    )
