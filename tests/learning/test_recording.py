"""A recorded step: equal to the step by hand, and nothing in any network that a CUDA graph could not hold.

What a graph does is emulated on the CPU by a tape of every operation below autograd, done again on the same memory: a
number that Python worked out while it was recorded stays what it was, as in a graph.
"""

# ruff: noqa: ARG001, ARG002 - what stands in for a recording takes what it takes

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ecgenough import networks
from ecgenough.learning.losses import build_loss
from ecgenough.learning.objectives import build_objective
from ecgenough.learning.pretraining import SelfSupervised, without_labels
from ecgenough.learning.recording import BY_HAND, Recorded, record_as_graph
from ecgenough.learning.step import Average, Learner, Step, build_optimizer
from ecgenough.learning.training import Progress, Splits, Supervised, open_fabric, train_epoch
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.signals.batches import Batches, Share
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import Store
from ecgenough.studies import runs

EPOCHS = 3
FAMILIES = {family: name for name, (family, _) in reversed(networks.NETWORKS.items())}  # of each the first, smallest


class Tape(TorchDispatchMode):
    """Every operation of some work, to be done again on the same tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(func), "a number comes back to the host"
        out = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, out))
        return out

    def play(self) -> None:
        for func, args, kwargs, out in self.done:
            for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor) and old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


class Recorder:
    """Stands in for CUDA graphs: the recording is a tape; counts how often it is played."""

    def __init__(self) -> None:
        self.played = 0

    def __call__(self, work: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
        tape = Tape()
        with tape:
            result = work()  # on a CPU recording is doing

        def replay() -> Tensor:
            if self.played:
                with torch.no_grad():
                    tape.play()
            self.played += 1
            return result

        return replay


def supervised(store: Store, recipe: Recipe) -> Supervised:
    task, rows = store.task(None), store.rows(None, store.train_folds)
    torch.manual_seed(recipe.seed)
    network = networks.build(recipe.network.name, 12, len(task.classes), **recipe.network.options)
    batches = Batches(store, rows, task.name, recipe, Normaliser("z-score"), torch.device("cpu"))
    loss = build_loss(recipe.loss, torch.from_numpy(task.labels[rows]))
    return Supervised(network, loss, Splits(batches, batches), recipe, open_fabric("float32", "cpu"))


def self_supervised(store: Store, recipe: Recipe) -> SelfSupervised:
    store, fabric = without_labels(store), open_fabric("float32", "cpu")
    torch.manual_seed(recipe.seed)
    assert recipe.pretraining is not None
    objective = build_objective(recipe.pretraining, networks.build("resnet18", 12, 1, width=4), store.rate)
    splits = {"train": store.rows(None, store.train_folds), "validation": store.rows(None, store.validation_folds)}
    return SelfSupervised(objective, store, splits, recipe, Normaliser("z-score"), fabric)


def trained(learner: Learner, recipe: Recipe, record: Recorder | None) -> tuple[list[float], dict[str, Tensor]]:
    """The losses of each epoch, and the averaged weights at the end."""
    fabric = open_fabric("float32", "cpu")
    optimizer: Any = fabric.setup_optimizers(build_optimizer(learner, recipe.optimizer, recorded=True))
    average, progress = Average(learner.module, recipe.training.ema, recorded=True), Progress()
    learner.begin_epoch(0, EPOCHS)
    step = Step(learner, fabric.setup_module(learner.module), optimizer, average, recipe, fabric, record)
    losses = []
    for progress.epoch in range(EPOCHS):
        torch.manual_seed(progress.epoch)
        learner.begin_epoch(progress.epoch, EPOCHS)
        losses.append(train_epoch(step, progress)["train_loss"])
    return losses, average.module.state_dict()


def test_the_fused_optimiser_steps_as_the_plain_one(stores: dict[str, Store], tiny: Recipe) -> None:
    learner = supervised(stores["superclasses"], tiny.with_changes(["network.name=eegnet", "network.options={}"]))
    fused = build_optimizer(learner, tiny.optimizer)
    assert all(group["fused"] for group in fused.param_groups)
    copies = {weight: weight.detach().clone().requires_grad_() for weight in learner.module.parameters()}
    groups = [
        {"params": [copies[weight] for weight in group["params"]], "weight_decay": group["weight_decay"]}
        for group in fused.param_groups
    ]
    settings = tiny.optimizer
    plain = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=False, foreach=False)
    for _ in range(3):
        for weight, copy in copies.items():
            weight.grad = torch.randn_like(weight)
            copy.grad = weight.grad.clone()
        fused.step()
        plain.step()
    for weight, copy in copies.items():
        torch.testing.assert_close(weight, copy, rtol=1e-5, atol=1e-7)


CHANGES = {
    "labels": ["training.ema=0.9", "network.options={width: 4}"],
    "dropout": ["network={name: eegnet}"],
    "masked": ["pretraining.objective=masked", "training.select=loss"],
    "patients": ["pretraining={objective: contrastive, positives: patient}", "training.select=loss"],
}


@pytest.mark.parametrize("what", CHANGES)
def test_replayed_steps_learn_what_steps_by_hand_do(what: str, stores: dict[str, Store], tiny: Recipe) -> None:
    """Rates, the average's weight, batches, crops and augmentation change from step to step; nothing may be baked in."""
    augmentation = "[{kind: circular-shift}, {kind: lead-scale}, {kind: noise}, {kind: time-mask}]"
    recipe = tiny.with_changes([*CHANGES[what], f"augmentation.of={augmentation}", f"training.epochs={EPOCHS}"])
    make = self_supervised if recipe.pretraining else supervised
    record = Recorder()
    by_hand, replayed = (trained(make(stores["superclasses"], recipe), recipe, how) for how in (None, record))
    assert record.played >= BY_HAND
    np.testing.assert_allclose(replayed[0], by_hand[0], rtol=1e-5)
    for name, value in by_hand[1].items():
        torch.testing.assert_close(replayed[1][name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_a_step_that_cannot_be_recorded_goes_on_by_hand_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(work: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing\nCompile with ...")

    seen: list[int] = []

    def work(shares: Sequence[Share]) -> Tensor:
        seen.append(int(shares[0].tensors[0][0]))
        return shares[0].tensors[0].sum()

    step = Recorded(work, (), refuse, "resnet18")
    costs = [step([Share((torch.tensor([number, 1]),), 2, 0)]).item() for number in range(6)]
    assert costs == [1, 2, 3, 4, 5, 6]
    assert seen == [0, 1, 2, 3, 4, 5]
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("resnet18: the training step cannot be recorded as a CUDA graph (operation not permitted") == 1


def test_a_recording_whose_end_fails_leaves_neither_its_stream_nor_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's own end raises before it closes the pool; of CUDA there is nothing here but the order of calls."""
    called: list[object] = []

    class Failing:
        def __init__(self, graph: object, pool: object, capture_error_mode: str) -> None:
            called.append(pool)

        def __enter__(self) -> None:
            pass

        def __exit__(self, *raised: object) -> None:
            raise RuntimeError("operation failed due to a previous error during capture")

    stands_in = {
        "CUDAGraph": object, "graph": Failing, "current_stream": lambda: "ours", "graph_pool_handle": lambda: (0, 7),
        "current_device": lambda: 1, "set_stream": called.append,
    }  # fmt: skip
    for name, value in stands_in.items():
        monkeypatch.setattr(torch.cuda, name, value)
    for name in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
        monkeypatch.setattr(torch._C, name, lambda *given, name=name: called.append((name, *given)), raising=False)
    with pytest.raises(RuntimeError, match="previous error during capture"):
        record_as_graph(lambda: torch.ones(()), ())
    assert called == [(0, 7), ("_cuda_endAllocateToPool", 1, (0, 7)), ("_cuda_releasePool", 1, (0, 7)), "ours"]

    def ended(device: int, pool: object) -> None:
        raise RuntimeError("endAllocatePool: not currently recording to mempool_id")

    # Released twice, by us and as the graph goes, it would end the process.
    called.clear()
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", ended)
    with pytest.raises(RuntimeError, match="previous error during capture"):
        record_as_graph(lambda: torch.ones(()), ())
    assert called == [(0, 7), "ours"]


def test_batches_of_another_shape_are_learned_from_by_hand() -> None:
    recorded: list[Sequence[Share]] = []

    def record(work: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
        recorded.append([])
        return work

    step = Recorded(lambda shares: shares[0].tensors[0].sum(), (), record, "any")
    sizes = [4, 4, 3, 4, 4, 4, 5, 4]
    costs = [step([Share((torch.full((size,), place),), size, 0)]).item() for place, size in enumerate(sizes)]
    assert costs == [place * size for place, size in enumerate(sizes)]
    assert len(recorded) == 1


class Devices(TorchDispatchMode):
    """Notes what makes a tensor on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.on_cpu: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.on_cpu |= {
            str(func) for leaf in tree_leaves(out) if isinstance(leaf, Tensor) and leaf.device.type == "cpu"
        }
        return out


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", sorted({*FAMILIES.values(), "crnn_lstm", "crnn_gru"}))
def test_no_network_asks_the_device_for_a_number_or_makes_tensors_elsewhere(name: str) -> None:
    """On PyTorch's device without memory: there any number asked for, and any branch on one, is an error."""
    with torch.device("meta"):
        network = networks.build(name, leads=12, classes=5).train()
        ecg, labels = torch.randn(4, 12, 128), torch.rand(4, 5)
    with Devices() as devices:
        cost = nn.functional.binary_cross_entropy_with_logits(network(ecg).float(), labels)
        cost.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        network.constrain()
    assert devices.on_cpu == set()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize("name", ["resnet18", "crnn_gru", "s4d_hybrid", "eegnet", "transformer"])
def test_on_a_gpu_the_same_seed_gives_the_same_losses_recorded_and_by_hand(
    name: str, stores: dict[str, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = [f"network.name={name}", "training.batch=32", "training.epochs=3", "training.precision=float32"]
    recipe, logs = load_recipe("fast", changes), []
    store = stores["superclasses"]
    recipe = recipe.model_copy(update={"signal": store.signal})
    for folder in ("recorded", "by hand"):
        if folder == "by hand":
            monkeypatch.setattr("ecgenough.learning.step.can_record", lambda _: False)
        logs.append(pd.read_csv(runs.train(store, recipe, tmp_path / folder, "cuda") / "log.csv"))
    np.testing.assert_allclose(logs[0]["train_loss"], logs[1]["train_loss"], rtol=1e-3)
