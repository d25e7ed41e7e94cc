"""The loop's parts: averaged weights, selection, refusals; and two processes that train as one does."""

import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.learning.step import Average
from ecgenough.learning.training import open_fabric
from ecgenough.learning.watching import Beginning
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs


def test_the_average_is_the_weighted_sum_of_all_weights() -> None:
    source = nn.Linear(1, 1, bias=False)
    nn.init.constant_(source.weight, 4.0)
    average = Average(source, decay=0.5)
    expected = 4.0
    for step, value in enumerate([1.0, -2.0, 7.0]):
        nn.init.constant_(source.weight, value)
        average.pace(step)
        average.update()
        decay = min(0.5, (step + 2) / (step + 11))  # 2/11, 3/12, 4/13
        expected = decay * expected + (1 - decay) * value
    assert average.module.weight.item() == pytest.approx(expected)  # type: ignore[operator, union-attr]


def test_without_a_decay_the_average_is_the_network() -> None:
    source = nn.Linear(2, 2)
    assert Average(source, None).module is source


def test_statistics_of_batch_norm_are_averaged_with_the_weights() -> None:
    source = nn.BatchNorm1d(1)
    average = Average(source, decay=0.9)
    source(torch.tensor([[1.0], [3.0]]))  # running mean 0.1 * 2
    average.pace(10_000)
    average.update()
    assert average.module.running_mean.item() == pytest.approx(0.1 * 0.2)  # type: ignore[operator, union-attr]
    assert average.module.num_batches_tracked == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(WrongRequest, match="sees no GPU"):
        open_fabric("auto", "cuda")


def test_a_loss_that_is_no_number_stops_the_run(stores: dict[str, Store], tiny: Recipe, tmp_path: Path) -> None:
    wild = tiny.with_changes(["optimizer.learning_rate=1e30", "training.clip=null", "training.ema=null"])
    with pytest.raises(EcgenoughError, match=r"lower optimizer\.learning_rate"):
        runs.train(stores["superclasses"], wild, tmp_path / "wild", "cpu")
    assert not (tmp_path / "wild" / "model").exists()


def test_the_kept_epoch_is_the_best_one_and_patience_ends_the_run(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    recipe = tiny.with_changes(["training.epochs=9", "training.patience=2", "optimizer.learning_rate=0.02"])
    log = pd.read_csv(runs.train(stores["embolism"], recipe, tmp_path / "run", "cpu") / "log.csv")
    best = int(np.argmax(log["validation_macro_auc"]))
    assert len(log) == min(9, best + 1 + 2)
    metrics = pd.read_json(tmp_path / "run" / "validation" / "metrics.json", typ="series")
    assert metrics["macro"]["auc"]["value"] == pytest.approx(log["validation_macro_auc"][best], abs=1e-5)


def test_two_processes_train_as_one_does(stores: dict[str, Store], tmp_path: Path) -> None:
    """By torchrun over gloo, with a network without batch norm, whose statistics would differ by device."""
    changes = [
        "network.name=gru",
        "network.options.hidden=8",
        "crop.seconds=2.56",
        "training.epochs=2",
        "training.ema=null",
    ]
    command = ["train", str(stores["superclasses"].path), "--recipe", "fast", "--device", "cpu"]
    command += [word for change in changes for word in ("--set", change)]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    alone = [sys.executable, "-m", "ecgenough", *command, "--out", str(tmp_path / "one")]
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "ecgenough",
    ]
    subprocess.run(alone, env=threads, check=True, capture_output=True)
    subprocess.run([*launcher, *command, "--out", str(tmp_path / "two")], env=threads, check=True, capture_output=True)
    one, two = (pd.read_csv(tmp_path / name / "log.csv") for name in ("one", "two"))
    np.testing.assert_allclose(one["train_loss"], two["train_loss"], rtol=1e-3)
    np.testing.assert_allclose(one["validation_macro_auc"], two["validation_macro_auc"], atol=0.01)
    assert all(math.isfinite(value) for value in two["train_loss"])


APART = """
import os, sys
from pathlib import Path
import torch
from ecgenough.errors import WrongRequest
from ecgenough.learning import training
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

rank = int(os.environ["RANK"])
store, recipe, out, told = (Path(place.replace("RANK", str(rank))) for place in sys.argv[1:])
of_first, of_second = iter((0.5, 0.6, 0.7, 0.8)), iter((0.8, 0.7, 0.6, 0.5))

def figures(self, module):
    figure = next((of_first, of_second)[rank])
    with told.open("a") as file:
        print(figure, torch.initial_seed(), file=file)
    return {"validation_loss": 1.0, "validation_macro_auc": figure, "validation_macro_average_precision": figure}

training.Supervised.figures = figures
try:
    runs.train(Store.open(store), Recipe.from_yaml(recipe.read_text(), "recipe"), out, "cpu")
except WrongRequest as error:
    told.write_text(str(error))
torch.distributed.barrier()
torch.distributed.destroy_process_group()  # or the threads of gloo may abort the one whose other is gone
"""


def two_processes(store: Store, recipe: Recipe, folder: Path, out: str) -> list[str]:
    """What each tells that trains by torchrun over gloo, into `out`, where RANK is its number."""
    (folder / "script.py").write_text(APART)
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    places = [folder / "script.py", store.path, folder / "recipe.yaml", folder / out, folder / "told-RANK"]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launcher, *map(str, places)], env=threads, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [(folder / f"told-{rank}").read_text() for rank in (0, 1)]


def test_two_processes_end_together_by_the_first_one_s_figures_and_drop_out_each_its_own(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """Each has its own statistics of batch norm: one whose figures fell was out of patience, and the other waited."""
    recipe = tiny.with_changes(["training.patience=1", "training.epochs=3"])
    told = two_processes(stores["superclasses"], recipe, tmp_path, "out")
    seen = [[line.split() for line in lines.splitlines()] for lines in told]
    assert [[float(figure) for figure, _ in of] for of in seen] == [[0.5, 0.6, 0.7], [0.8, 0.7, 0.6]]
    assert len({seed for of in seen for _, seed in of}) == 6


class Stopped(Exception):
    """Raised after an epoch."""


class Stopping:
    """A watcher that ends a training after its first epoch."""

    def begin(self, beginning: Beginning) -> None: ...

    def epoch(self, figures: Mapping[str, float]) -> None:  # noqa: ARG002
        raise Stopped

    def end(self, metrics: Mapping[str, Any]) -> None: ...

    def broken_off(self, reason: str) -> None: ...


def test_two_processes_of_which_one_sees_no_checkpoint_are_both_refused(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    """On two machines without a disk in common the second began anew, with an optimiser that knew nothing."""
    with pytest.raises(Stopped):
        runs.train(stores["superclasses"], tiny, tmp_path / "out-0", "cpu", [Stopping()])
    told = two_processes(stores["superclasses"], tiny, tmp_path, "out-RANK")
    assert all("have not the same records, recipe or checkpoint" in sentence for sentence in told)
