"""A trained model to serve."""

from pathlib import Path

import pytest

from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs


@pytest.fixture(scope="session")
def trained(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny recipe on the simulated superclasses."""
    return runs.train(stores["superclasses"], tiny, tmp_path_factory.mktemp("runs") / "tiny")
