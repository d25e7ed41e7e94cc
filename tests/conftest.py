"""What the tests share: real data where it is, small simulated collections everywhere."""

import os
from pathlib import Path

import pytest
import torch

from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.simulation import simulate_collection
from ecgenough.studies.stores import open_store


@pytest.fixture(scope="session", autouse=True)
def _one_thread_a_worker() -> None:
    """Two test workers on two cores: more threads would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real collections named by ECGENOUGH_DATA; tests that need it are skipped where it is not set."""
    folder = os.environ.get("ECGENOUGH_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ECGENOUGH_DATA names no folder of real ECGs")
    return Path(folder)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two small simulated collections at 100 Hz: superclasses (240 records) and embolism (160)."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate_collection(folder / "superclasses", "superclasses", 240, seed=1, rate=100)
    simulate_collection(folder / "embolism", "embolism", 160, seed=2, rate=100)
    return folder


@pytest.fixture(scope="session")
def stores(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """The two collections, prepared as TINY asks."""
    folder = tmp_path_factory.mktemp("stores")
    return {
        kind: open_store("simulated", simulated / kind, TINY.signal, folder=folder)
        for kind in ("superclasses", "embolism")
    }


TINY = Recipe.from_yaml(
    """
    signal: {rate: 100, duration: 10}
    crop: {seconds: 2.56, evaluation: mean, crops: 2}
    augmentation: {of: [{kind: circular-shift}, {kind: lead-dropout}]}
    network: {name: resnet18, options: {width: 4}}
    optimizer: {learning_rate: 0.003}
    training: {epochs: 3, batch: 32, ema: 0.9}
    """
)


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    """A recipe that trains in a second."""
    return TINY
