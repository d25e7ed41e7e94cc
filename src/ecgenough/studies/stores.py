"""The store of a data set: found where it was made, or made."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Signal
from ecgenough.signals.store import DESCRIPTION, Store

if TYPE_CHECKING:  # a machine that trains from a store may lack what reading recordings needs
    from ecgenough.formats.table import TableLayout
    from ecgenough.signals.blocks import Conditioner


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
    layout: "TableLayout | None" = None,
    workers: int | None = None,
    conditioner: "Conditioner | None" = None,
) -> Store:
    """The prepared store of a data set: conditioned now, or reused. `dataset` may also be a store's own folder.

    Raises WrongRequest for a store whose conditioning is not the one asked for.

    >>> store = ecgenough.open_store("simulated", Path("ecgs"), ecgenough.load_recipe("fast").signal)
    >>> len(store.records), store.rate
    (240, 100.0)
    """
    if (Path(dataset) / DESCRIPTION).is_file():
        return _conditioned(Store.open(Path(dataset)), signal)
    # Imported here: a machine that trains from a store needs neither wfdb nor pandas nor PyWavelets.
    from ecgenough.studies.preparing import prepared

    return prepared(
        dataset, root, signal, folder or store_folder(), layout=layout, workers=workers, conditioner=conditioner
    )


def open_target(dataset: str, root: Path | None, signal: Signal, *, folder: Path | None = None) -> Store:
    """`open_store` for a model carried over: of the leads that `signal` names, with those that the target has.

    Raises what `open_store` does.
    """
    if (Path(dataset) / DESCRIPTION).is_file():
        store = Store.open(Path(dataset))
        fewer = store.leads if set(store.leads) < set(signal.leads) else signal.leads
        return _conditioned(store, signal.model_copy(update={"leads": fewer}))
    from ecgenough.studies.preparing import prepared_target  # as in `open_store`

    return prepared_target(dataset, root, signal, folder or store_folder())


def _conditioned(store: Store, signal: Signal) -> Store:
    if store.signal != signal:
        raise WrongRequest(
            f"{store.path} was conditioned otherwise than the recipe asks for (recipe section signal). "
            "Prepare it again with this recipe, or change the recipe's signal to the store's."
        )
    return store
