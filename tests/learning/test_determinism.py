"""The same recipe, seed and machine: the same weights and figures to the last bit, whatever the network."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ecgenough import networks
from ecgenough.learning import training
from ecgenough.learning.losses import build_loss
from ecgenough.learning.training import Splits, fit, open_fabric
from ecgenough.networks import alexnet, vgg
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches
from ecgenough.signals.normalisation import fit_normaliser
from ecgenough.signals.store import Store

SMALL = {"resnet[0-9]*": {"width": 8}, "net1d": {"size": "small"}}
TIMES = ("seconds", "ecgs_per_second")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow heads for the networks whose weights are mostly these, and nothing written after an epoch."""
    monkeypatch.setattr(vgg, "HIDDEN", 32)
    monkeypatch.setattr(alexnet, "HIDDEN", 32)
    monkeypatch.setattr(training, "write_checkpoint", lambda *_: None)


def trained(
    name: str, store: Store, recipe: Recipe, folder: Path, device: str = "cpu", seed: int = 0
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """Two steps and an evaluation: the log without times, and the weights."""
    options: dict[str, Any] = next((of for pattern, of in SMALL.items() if fnmatchcase(name, pattern)), {})
    changes = ["crop.seconds=1.28", "training.batch=8", "training.epochs=1", "training.select=last", f"seed={seed}"]
    recipe = recipe.with_changes(changes)
    fabric = open_fabric("float32", device)
    task = store.default_task
    rows = {"train": store.rows(task, store.train_folds)[:16], "validation": store.rows(task, store.validation_folds)}
    normaliser = fit_normaliser(recipe.normalisation, store, rows["train"])
    train, validation = (Batches(store, rows[part], task, recipe, normaliser, fabric.device) for part in rows)
    loss = build_loss(recipe.loss, torch.from_numpy(store.task(task).labels[rows["train"]]).to(fabric.device))
    torch.manual_seed(recipe.seed)
    network = networks.build(name, leads=12, classes=len(store.task(task).classes), **options)
    progress = fit(network, loss, Splits(train, validation), recipe, folder, fabric)
    assert progress.step == 2
    log = [{key: value for key, value in row.items() if key not in TIMES} for row in progress.log]
    return log, {key: value.cpu() for key, value in network.state_dict().items()}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", networks.names())
def test_trained_twice_on_the_cpu_every_network_is_the_same(
    name: str, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    (log, weights), (again, others) = (trained(name, stores["superclasses"], tiny, tmp_path) for _ in range(2))
    assert log == again
    assert weights.keys() == others.keys()
    assert [key for key, value in weights.items() if not torch.equal(value, others[key])] == []


@pytest.mark.usefixtures("quick")
def test_another_seed_is_another_network(stores: dict[str, Store], tiny: Recipe, tmp_path: Path) -> None:
    log, weights = trained("eegnet", stores["superclasses"], tiny, tmp_path)
    other_log, others = trained("eegnet", stores["superclasses"], tiny, tmp_path, seed=1)
    assert log != other_log
    assert any(not torch.equal(value, others[key]) for key, value in weights.items())


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("name", ["resnet18", "crnn_gru", "transformer", "s4d"])
def test_on_a_gpu_two_trainings_of_two_steps_differ_by_rounding_at_most(
    name: str, stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """CUDA's kernels may sum in any order; `ecgenough reproduce` states by how much a whole run differs."""
    (log, weights), (again, others) = (trained(name, stores["superclasses"], tiny, tmp_path, "cuda") for _ in range(2))
    for row, other in zip(log, again, strict=True):
        assert row == pytest.approx(other, abs=0.02)
    for key, value in weights.items():
        assert torch.allclose(value.float(), others[key].float(), atol=0.01), key
