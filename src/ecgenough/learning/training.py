"""The one training loop, and the checkpoints from which an interrupted run continues to the same result."""

import copy
import csv
import io
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text, written_aside
from ecgenough.learning.evaluation import answer, validation_figures
from ecgenough.learning.losses import LossFunction
from ecgenough.learning.rates import rate_factor
from ecgenough.learning.transfer import SCRATCH, Adaptation
from ecgenough.networks.contract import Network
from ecgenough.progress import say, track
from ecgenough.recipe import Recipe
from ecgenough.signals.batches import Batches

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
Row = dict[str, float]


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
    """Lightning Fabric on the best device there is, or on the one named; several processes under torchrun.

    `precision` auto is bf16 on a GPU that has it and float32 elsewhere.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise WrongRequest("device cuda was asked for, but PyTorch sees no GPU. Use --device cpu or auto.")
    accelerator = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16" if accelerator == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    torch.set_float32_matmul_precision("high" if accelerator == "cuda" else "highest")
    fabric = Fabric(accelerator=accelerator, devices="auto" if accelerator == "cuda" else 1, precision=_FABRIC[precision])
    fabric.launch()
    return fabric


_FABRIC: dict[str, Any] = {"float32": "32-true", "bf16": "bf16-mixed"}


def fit(network: Network, loss: LossFunction, splits: Splits, recipe: Recipe, folder: Path, fabric: Fabric) -> Progress:
    """Train `network` in place and leave in it the weights of the selected epoch.

    Writes `log.csv` and, after each epoch, `checkpoint.pt` to `folder`; where a checkpoint of the same recipe and
    data is found there, goes on from it to the result an unbroken run would have had. Raises EcgenoughError when the
    loss stops being a number.
    """
    training = recipe.training
    torch.manual_seed(recipe.seed)
    adaptation = Adaptation(network.to(fabric.device), recipe.transfer or SCRATCH)
    optimizer: Any = fabric.setup_optimizers(_adamw(adaptation, recipe))
    average = Average(network, training.ema)
    progress, best = Progress(), _copied(average.network.state_dict())
    if checkpoint := read_checkpoint(folder, _identity(recipe, splits)):
        progress = Progress(**checkpoint["progress"])
        best = checkpoint["best"]
        network.load_state_dict(checkpoint["network"])
        average.network.load_state_dict(checkpoint["average"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        say(f"going on after epoch {progress.epoch} of {training.epochs} from {folder / 'checkpoint.pt'}")
    wrapped: nn.Module | None = None
    while progress.epoch < training.epochs and not _out_of_patience(progress, training.patience):
        torch.manual_seed(recipe.seed * 1_000_003 + progress.epoch + 1)
        if adaptation.begin_epoch(progress.epoch, training.epochs) or wrapped is None:
            wrapped = fabric.setup_module(network)
        started = time.monotonic()
        row = train_epoch(wrapped, loss, splits.train, optimizer, average, recipe, progress, fabric)
        seconds = time.monotonic() - started
        figures = validation_figures(answer(average.network, splits.validation, fabric.autocast()))
        progress.log.append({**row, **figures, "ecgs_per_second": len(splits.train) / seconds, "seconds": seconds})
        progress.epoch += 1
        if _better(progress, figures, training.select):
            best = _copied(average.network.state_dict())
        if fabric.is_global_zero:
            _say_epoch(progress, training.epochs)
            write_text(folder / "log.csv", log_text(progress.log))
            state = {"network": network.state_dict(), "average": average.network.state_dict(), "best": best}
            identity = _identity(recipe, splits)
            write_checkpoint(folder, identity, {**state, "optimizer": optimizer.state_dict(), "progress": vars(progress)})
    network.load_state_dict(best)
    adaptation.finish()
    network.eval()
    return progress


def train_epoch(
    network: nn.Module,
    loss: LossFunction,
    batches: Batches,
    optimizer: Any,
    average: "Average",
    recipe: Recipe,
    progress: Progress,
    fabric: Fabric,
) -> Row:
    """Show every training record once; returns the epoch, its mean loss and its last learning rate."""
    total, shown, epochs = torch.zeros((), device=fabric.device), 0, recipe.training.epochs
    what = f"epoch {progress.epoch + 1}/{epochs}"
    for batch in track(batches.training(progress.epoch), what, batches.steps, "batches"):
        factor = rate_factor(recipe.schedule, progress.step, batches.steps, epochs)
        for group in optimizer.param_groups:
            group["lr"] = recipe.optimizer.learning_rate * factor * group["factor"]
        cost = loss(network(batch.ecg).float(), batch.labels)
        optimizer.zero_grad()
        fabric.backward(cost)
        if recipe.training.clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), recipe.training.clip)
        optimizer.step()
        average.source.constrain()
        average.update(progress.step)
        total, shown, progress.step = total + cost.detach() * len(batch.ecg), shown + len(batch.ecg), progress.step + 1
    mean = cast(Tensor, fabric.all_reduce(total / max(shown, 1))).item()
    if not math.isfinite(mean):
        raise EcgenoughError(
            f"the training loss is {mean} in epoch {progress.epoch + 1}; lower optimizer.learning_rate or set training.clip."
        )
    return {"epoch": progress.epoch + 1, "train_loss": mean, "learning_rate": max(g["lr"] for g in optimizer.param_groups)}


class Average:
    """An exponential moving average of a network's weights and statistics, itself a network.

    The decay rises to its value as (1 + updates) / (10 + updates), so that short trainings are not held at their
    first weights. Without a decay the average is the network itself.
    """

    def __init__(self, source: Network, decay: float | None) -> None:
        self.source, self.decay = source, decay
        self.network = source if decay is None else copy.deepcopy(source).requires_grad_(False)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move toward the source after optimiser step `step`, counted from 0."""
        if self.decay is None:
            return
        weight = 1 - min(self.decay, (step + 2) / (step + 11))
        for mean, value in zip(self._tensors(self.network), self._tensors(self.source), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)

    @staticmethod
    def _tensors(network: nn.Module) -> list[Tensor]:
        return [*network.parameters(), *network.buffers()]


def write_checkpoint(folder: Path, identity: str, state: Mapping[str, Any]) -> None:
    """Write everything a killed run needs to `folder/checkpoint.pt`, whole or not at all."""
    with written_aside(folder / "checkpoint.pt") as aside:
        torch.save({"identity": identity, **state}, aside)


def read_checkpoint(folder: Path, identity: str) -> dict[str, Any] | None:
    """The checkpoint in `folder`, None where there is none. Raises WrongRequest for one of another recipe or data."""
    path = folder / "checkpoint.pt"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise EcgenoughError(f"{path} cannot be read ({type(error).__name__}); delete it to train from the start.") from None
    if state.pop("identity") != identity:
        raise WrongRequest(f"{path} is of another recipe or other data. Choose another --out, or delete that folder.")
    return state


def log_text(log: list[Row]) -> str:
    """The log of all epochs as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, LOG_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: f"{row[column]:.6g}" for column in LOG_COLUMNS} for row in log)
    return text.getvalue()


def _adamw(adaptation: Adaptation, recipe: Recipe) -> torch.optim.AdamW:
    settings = recipe.optimizer
    groups = adaptation.groups(settings.learning_rate)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay)


def _identity(recipe: Recipe, splits: Splits) -> str:
    return f"{recipe.fingerprint()}-{splits.train.identity}-{splits.validation.identity}"


def _copied(state: State) -> State:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _better(progress: Progress, figures: Row, select: str) -> bool:
    """Whether the epoch just done is the one to keep so far; notes it in `progress`."""
    if select == "last":
        figure = float(progress.epoch)
    else:
        figure = figures[_SELECTED_BY[select]] * (-1 if select == "loss" else 1)
    if math.isnan(figure):
        raise WrongRequest(
            f"training.select is {select}, but no class has both positives and negatives in the validation folds. "
            "Use other folds, or select: loss."
        )
    if figure <= progress.best_figure:
        return False
    progress.best_figure, progress.best_epoch = figure, progress.epoch
    return True


def _out_of_patience(progress: Progress, patience: int | None) -> bool:
    return patience is not None and progress.epoch - max(progress.best_epoch, 0) >= patience


def _say_epoch(progress: Progress, epochs: int) -> None:
    row = progress.log[-1]
    say(
        f"epoch {progress.epoch}/{epochs}  loss {row['train_loss']:.4f}  validation loss {row['validation_loss']:.4f}  "
        f"macro AUC {row['validation_macro_auc']:.4f}  {row['ecgs_per_second']:,.0f} ECGs/s"
        f"{'  (best so far)' if progress.best_epoch == progress.epoch else ''}"
    )
