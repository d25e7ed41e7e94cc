"""Sober baselines: what can be told without a network. A network that does not beat them has found nothing."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ecgenough import networks
from ecgenough.baselines.classifiers import check_installed
from ecgenough.baselines.contract import Baseline
from ecgenough.baselines.demographics import Demographics
from ecgenough.baselines.intervals import EDITION as MEASUREMENTS
from ecgenough.baselines.intervals import Intervals
from ecgenough.baselines.minirocket import MiniRocket
from ecgenough.baselines.prevalence import Prevalence
from ecgenough.errors import WrongRequest, nearest
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store

__all__ = ["Baseline", "check", "describe", "edition", "fit", "fitted_by", "names"]

Fit = Callable[[Store, str | None, NDArray[np.int64], int], Baseline]
KNOWN: dict[str, tuple[str, Fit]] = {
    "prevalence": ("the training prevalence for everyone", Prevalence.fit),
    "demographics": ("logistic regression on age and sex", Demographics.fit),
    "intervals": (
        "boosted trees on rhythm, intervals, the shape of each wave in each lead, and how beats vary",
        Intervals.fit,
    ),
    "minirocket": ("ridge regression on MiniRocket's fixed convolutions (Dempster et al. 2021)", MiniRocket.fit),
}
NEED_SCIKIT_LEARN = ("demographics", "intervals")


def names() -> tuple[str, ...]:
    """Every baseline's name, from the soberest to the one that reads most."""
    return tuple(KNOWN)


def describe(name: str) -> str:
    """What the baseline is, in a few words. Raises WrongRequest with the nearest name."""
    return _known(name)[0]


def edition(name: str) -> int:
    """Counts up when the baseline comes to answer otherwise of the same records. Raises WrongRequest as `describe` does."""
    _known(name)
    return MEASUREMENTS if name == "intervals" else 1


def fitted_by(recipe: Recipe) -> tuple[str, ...]:
    """The baselines that a training with this recipe fits: those that teach, and the one whose trees are its network."""
    taught = recipe.distillation.baselines if recipe.distillation else ()
    return (*taught, "intervals") if recipe.network.name in networks.FITTED else taught


def check(name: str) -> None:
    """Raise WrongRequest for an unknown name, or where scikit-learn is needed and not installed."""
    _known(name)
    if name in NEED_SCIKIT_LEARN:
        check_installed()


def fit(name: str, store: Store, task: str | None, rows_train: NDArray[np.int64], seed: int) -> Baseline:
    """Fit the baseline of that name on the training rows; the same for the same seed.

    Raises WrongRequest for an unknown name, no rows, or where scikit-learn is needed and not installed.
    """
    what = _known(name)[1]
    if not len(rows_train):
        raise WrongRequest(f'baseline "{name}" has no training records of {store.name}; choose other folds.')
    return what(store, task, rows_train, seed)


def _known(name: str) -> tuple[str, Fit]:
    if name not in KNOWN:
        raise WrongRequest(f'baseline "{name}" is unknown. {nearest(name, KNOWN)}')
    return KNOWN[name]
