"""The one training loop."""

import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import csv_text, write_text
from ecgenough.learning.checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from ecgenough.learning.evaluation import answer, validation_figures
from ecgenough.learning.losses import LossFunction
from ecgenough.learning.memory import keep_freed_memory
from ecgenough.learning.rates import rate_factor
from ecgenough.learning.step import Average, Learner, Row, Step, build_optimizer, can_record, restore_optimizer
from ecgenough.learning.transfer import SCRATCH, Adaptation
from ecgenough.learning.watching import Watcher
from ecgenough.networks.contract import Network
from ecgenough.progress import say, track
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches, Share

LOG_COLUMNS = (
    "epoch", "train_loss", "validation_loss", "validation_macro_auc", "validation_macro_average_precision",
    "learning_rate", "ecgs_per_second", "seconds",
)  # fmt: skip
_SELECTED_BY = {
    "macro_auc": "validation_macro_auc",
    "macro_average_precision": "validation_macro_average_precision",
    "loss": "validation_loss",
}

State = dict[str, Tensor]


@dataclass
class Progress:
    """How far a training has come: everything beside the weights that an interrupted run needs to go on."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    best_figure: float = -math.inf
    log: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Splits:
    """The training and the validation records, as batches."""

    train: Batches
    validation: Batches


def open_fabric(precision: str, device: str = "auto") -> Fabric:
    """Lightning Fabric on the best device there is, or on the one named; one of several processes under torchrun.

    `precision` auto is bf16 on a GPU whose hardware has it and float32 elsewhere; on GPUs float32 products are of TF32.
    On the CPU the process keeps the memory it frees from here on (see `keep_freed_memory`).
    """
    if device not in ("auto", "cpu", "cuda"):
        raise WrongRequest(f'device "{device}" is unknown. Say auto, cpu or cuda.')
    if device == "cuda" and not torch.cuda.is_available():
        raise WrongRequest("device cuda was asked for, but PyTorch sees no GPU. Use --device cpu or auto.")
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16" if accelerator == "cuda" and torch.cuda.is_bf16_supported(False) else "float32"
    if accelerator == "cpu":
        keep_freed_memory()
    torch.set_float32_matmul_precision("high" if accelerator == "cuda" else "highest")
    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator=accelerator,
        strategy="ddp" if world > 1 else "auto",
        devices=local,
        num_nodes=world // local,
        precision=_FABRIC[precision],
    )
    fabric.launch()
    return fabric


_FABRIC: dict[str, Any] = {"float32": "32-true", "bf16": "bf16-mixed"}


class Supervised:
    """A network that learns a task from labels, as the recipe's transfer section lets it."""

    def __init__(self, network: Network, loss: LossFunction, splits: Splits, recipe: Recipe, fabric: Fabric) -> None:
        self.module: nn.Module = network
        self.name = recipe.network.name
        self.loss, self.splits, self.fabric = loss, splits, fabric
        self.generators: Sequence[torch.Generator] = (torch.Generator(fabric.device),)
        self.adaptation = Adaptation(network, recipe.transfer or SCRATCH)
        self.begin_epoch, self.groups = self.adaptation.begin_epoch, self.adaptation.groups
        self.constrain, self.finish = network.constrain, self.adaptation.finish
        self.records, self.steps = len(splits.train), splits.train.steps
        self.identity = f"{splits.train.identity}-{splits.validation.identity}"
        self.labels = f"{splits.train.labels}-{splits.validation.labels}"

    def shown(self, epoch: int) -> Iterator[Sequence[Share]]:
        return ((share,) for share in self.splits.train.shares(epoch, self.generators[0]))

    def cost(self, module: nn.Module, shares: Sequence[Share]) -> Tensor:
        (share,), (rng,) = shares, self.generators
        batch = self.splits.train.show(share, rng)
        return self.loss(module(batch.ecg).float(), batch.labels)

    def figures(self, module: nn.Module) -> Row:
        answers = answer(cast(Network, module), self.splits.validation, self.fabric.autocast())
        return validation_figures(answers, self.splits.validation.parts)


def fit(
    network: Network,
    loss: LossFunction,
    splits: Splits,
    recipe: Recipe,
    folder: Path,
    fabric: Fabric,
    watchers: Sequence[Watcher] = (),
) -> Progress:
    """Train `network` in place on labels and leave in it the weights of the selected epoch; see `learn`."""
    torch.manual_seed(recipe.seed)
    return learn(Supervised(network.to(fabric.device), loss, splits, recipe, fabric), recipe, folder, fabric, watchers)


def learn(learner: Learner, recipe: Recipe, folder: Path, fabric: Fabric, watchers: Sequence[Watcher] = ()) -> Progress:
    """Train the learner's module in place and leave in it the weights of the selected epoch.

    Writes `log.csv` and, after each epoch, `checkpoint.pt` to `folder`; where a checkpoint of the same recipe and
    data is found there, goes on from it to the result an unbroken run would have had. The watchers hear of every epoch.
    Raises EcgenoughError when the loss stops being a number, WrongRequest where several processes are not about to do
    the same, and whatever a watcher raises.
    """
    training, module = recipe.training, learner.module
    optimizer: Any = fabric.setup_optimizers(build_optimizer(learner, recipe.optimizer, can_record(fabric)))
    average = Average(module, training.ema, can_record(fabric))
    progress, best = Progress(), _copied(average.module.state_dict())
    identity = f"{recipe.fingerprint()}-{learner.identity}-{_digest(module.state_dict())}"
    if checkpoint := read_checkpoint(folder, identity, learner.labels):
        progress = Progress(**checkpoint["progress"])
        best = checkpoint["best"]
        module.load_state_dict(checkpoint["network"])
        average.module.load_state_dict(checkpoint["average"])
        restore_optimizer(optimizer, checkpoint["optimizer"])
        say(f"going on after epoch {progress.epoch} of {training.epochs} from {folder / CHECKPOINT}")
    _check_alike(f"{recipe.fingerprint()}-{learner.identity}-{learner.labels}-{progress.epoch}", fabric)
    watchers = watchers if fabric.is_global_zero else ()
    _tell(watchers, progress.log)
    step: Step | None = None
    while progress.epoch < training.epochs and not _out_of_patience(progress, training.patience):
        # Dropout of another process's records is another one.
        torch.manual_seed(recipe.seed * 1_000_003 + progress.epoch + 1 + fabric.global_rank * 1_000_000_007)
        if learner.begin_epoch(progress.epoch, training.epochs) or step is None:
            step = Step(learner, fabric.setup_module(module), optimizer, average, recipe, fabric)
        started = time.monotonic()
        row = train_epoch(step, progress)
        seconds = time.monotonic() - started
        # The first process's, whose statistics of batch norm are kept: all decide alike by them when to end.
        figures = fabric.broadcast(learner.figures(average.module))
        progress.log.append({**row, **figures, "ecgs_per_second": learner.records / seconds, "seconds": seconds})
        progress.epoch += 1
        if _better(progress, figures, training.select):
            best = _copied(average.module.state_dict())
        if fabric.is_global_zero:
            _say_epoch(progress, training.epochs)
            write_text(folder / "log.csv", log_text(progress.log))
            state: dict[str, Any] = {
                "network": module.state_dict(),
                "average": average.module.state_dict(),
                "best": best,
                "labels": learner.labels,
            }
            state |= {"optimizer": optimizer.state_dict(), "progress": vars(progress)}
            write_checkpoint(folder, identity, state)
        _tell(watchers, progress.log[-1:])
    module.load_state_dict(best)
    learner.finish()
    module.eval()
    return progress


def train_epoch(step: Step, progress: Progress) -> Row:
    """Show every training record once; returns the epoch, its mean loss and its last learning rate."""
    learner, recipe, fabric = step.learner, step.settings, step.fabric
    total, shown, epochs = torch.zeros((), device=fabric.device), 0, recipe.training.epochs
    what, started = f"epoch {progress.epoch + 1}/{epochs}", time.monotonic()

    def so_far() -> str:
        speed = shown * fabric.world_size / (time.monotonic() - started)
        return f"loss {total.item() / shown:.4f}  {speed:,.0f} ECGs/s{_last_ranking(progress)}"

    rate = 0.0
    for shares in track(learner.shown(progress.epoch), what, learner.steps, "batches", so_far):
        rate = recipe.optimizer.learning_rate * rate_factor(recipe.schedule, progress.step, learner.steps, epochs)
        cost, records = step(shares, rate, progress.step), len(shares[0])
        total, shown, progress.step = total + cost * records, shown + records, progress.step + 1
    mean = cast(Tensor, fabric.all_reduce(total / max(shown, 1))).item()
    if not math.isfinite(mean):
        raise EcgenoughError(
            f"the training loss is {mean} in epoch {progress.epoch + 1}; lower optimizer.learning_rate or set training.clip."
        )
    return {
        "epoch": progress.epoch + 1,
        "train_loss": mean,
        "learning_rate": max(rate * group["factor"] for group in step.optimizer.param_groups),
    }


def log_text(log: list[Row]) -> str:
    """The log of all epochs as CSV, without the columns that the training has no figures for."""
    columns = [column for column in LOG_COLUMNS if column in log[0]]
    return csv_text(columns, ([f"{row[column]:.6g}" for column in columns] for row in log))


def _check_alike(what: str, fabric: Fabric) -> None:
    """Raise WrongRequest in every process where `what` they are about to do differs: some would wait for others for good."""
    own = torch.tensor(int(hashlib.sha256(what.encode()).hexdigest()[:15], 16), device=fabric.device)
    if bool((cast(Tensor, fabric.all_gather(own)) != own).any()):
        raise WrongRequest(
            "the processes that should train together have not the same records, recipe or checkpoint. Give all of them the "
            "same --store and --out, on a disk that every machine sees, or copies of these."
        )


def _tell(watchers: Sequence[Watcher], rows: Sequence[Row]) -> None:
    for row in rows:
        for watcher in watchers:
            watcher.epoch(row)


def _digest(state: State) -> str:
    """Sixteen hex digits of the weights a training begins with: the seed's, or those of the model carried over."""
    digest = hashlib.sha256()
    for tensor in state.values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _copied(state: State) -> State:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _better(progress: Progress, figures: Row, select: str) -> bool:
    """Whether the epoch just done is the one to keep so far; notes it in `progress`."""
    if select == "last":
        figure = float(progress.epoch)
    else:
        figure = figures[_SELECTED_BY[select]] * (-1 if select == "loss" else 1)
    if math.isnan(figure):
        raise EcgenoughError(
            f"training.select {select} is no number after epoch {progress.epoch}: no class of the validation records has "
            "both outcomes, or the network's answers are no numbers, where a lower optimizer.learning_rate helps."
        )
    if figure <= progress.best_figure:
        return False
    progress.best_figure, progress.best_epoch = figure, progress.epoch
    return True


def _out_of_patience(progress: Progress, patience: int | None) -> bool:
    return patience is not None and progress.epoch - max(progress.best_epoch, 0) >= patience


def _last_ranking(progress: Progress) -> str:
    """The validation AUC of the epoch before, where there is one."""
    figure = progress.log[-1].get("validation_macro_auc") if progress.log else None
    return "" if figure is None else f"  validation macro AUC {figure:.4f}"


def _say_epoch(progress: Progress, epochs: int) -> None:
    row = progress.log[-1]
    ranking = f"macro AUC {row['validation_macro_auc']:.4f}  " if "validation_macro_auc" in row else ""
    say(
        f"epoch {progress.epoch}/{epochs}  loss {row['train_loss']:.4f}  validation loss {row['validation_loss']:.4f}  "
        f"{ranking}{row['ecgs_per_second']:,.0f} ECGs/s"
        f"{'  (best so far)' if progress.best_epoch == progress.epoch else ''}"
    )
