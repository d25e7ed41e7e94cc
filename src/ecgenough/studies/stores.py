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


def store_at(dataset: str, root: Path | None, layout: "TableLayout | None" = None) -> Store | None:
    """The store whose own folder `dataset` is; None where it is a name or a manifest.

    Raises WrongRequest where `root` or `layout` is given too: a store needs neither.
    """
    if not (Path(dataset) / DESCRIPTION).is_file():
        return None
    if root is not None:
        raise WrongRequest(
            f"{dataset} is a prepared store, which needs no recordings; leave {root} (--from) out, or name the data set."
        )
    if layout is not None:
        raise WrongRequest(f"{dataset} is a prepared store; a table layout is for manifests only.")
    return Store.open(Path(dataset))


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

    Raises WrongRequest for a store's folder whose conditioning is not the one asked for, or that is given together with
    `root` or `layout`, and whatever listing and preparing raise.

    >>> store = ecgenough.open_store("simulated", Path("ecgs"), ecgenough.load_recipe("fast").signal)
    >>> len(store.records), store.rate
    (240, 100.0)
    """
    if (store := store_at(dataset, root, layout)) is not None:
        return _conditioned(store, signal)
    # Imported here: a machine that trains from a store needs neither wfdb nor pandas nor PyWavelets.
    from ecgenough.studies.preparing import prepared

    return prepared(
        dataset, root, signal, folder or store_folder(), layout=layout, workers=workers, conditioner=conditioner
    )


def open_target(dataset: str, root: Path | None, signal: Signal, *, folder: Path | None = None) -> Store:
    """`open_store` for a model carried over: of the leads that `signal` names, with those that the target has.

    Raises what `open_store` does.
    """
    if (store := store_at(dataset, root)) is not None:
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
