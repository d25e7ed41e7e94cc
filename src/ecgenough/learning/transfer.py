"""Which parameters of a network learn in which epoch, and how fast."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ecgenough import recipe
from ecgenough.networks.contract import Network

SCRATCH = recipe.Transfer(mode="full")


def learning_stages(settings: recipe.Transfer, stages: int, epoch: int, epochs: int) -> range:
    """Which of `stages`, counted from the input, learn in `epoch`: always a run that ends at the classifier."""
    match settings.mode:
        case "full" | "layerwise":
            first = 0
        case "frozen" | "lora":
            first = stages - 1
        case "lp-ft":
            first = stages - 1 if epoch < settings.head_epochs else 0
        case "gradual":  # the classifier in the first epoch, everything in the last, evenly between
            first = stages - 1 - round(epoch * (stages - 1) / max(epochs - 1, 1))
    return range(first, stages)


@dataclass(frozen=True)
class Adaptation:
    """A network and the way it is carried over: sets what learns in each epoch and gives the optimiser its groups.

    A stage that does not learn is frozen whole: its parameters, its batch-norm statistics and its dropout.
    """

    network: Network
    settings: recipe.Transfer = SCRATCH

    def __post_init__(self) -> None:
        if self.settings.mode == "lora":
            add_low_rank_updates(self.network, self.settings.rank)

    def begin_epoch(self, epoch: int, epochs: int) -> bool:
        """Put every stage into learning or frozen state; True where that changed what learns."""
        stages = self.network.stages()
        learning = learning_stages(self.settings, len(stages), epoch, epochs)
        before = [parameter.requires_grad for parameter in self.network.parameters()]
        self.network.train()
        for index, stage in enumerate(stages):
            stage.train(index in learning)
            for name, parameter in stage.named_parameters():
                parameter.requires_grad_(index in learning or _is_update(name))
        return before != [parameter.requires_grad for parameter in self.network.parameters()]

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser; in each, `factor` scales the schedule's rate."""
        stages = self.network.stages()
        fall = self.settings.decay if self.settings.mode == "layerwise" else 1.0
        undecayed = {id(parameter) for parameter in self.network.undecayed()}
        groups: list[dict[str, Any]] = []
        for depth, stage in enumerate(reversed(stages)):
            about = {"lr": learning_rate, "factor": fall**depth}
            plain = [parameter for parameter in stage.parameters() if id(parameter) in undecayed]
            decayed = [parameter for parameter in stage.parameters() if id(parameter) not in undecayed]
            groups += [{**about, "params": decayed}] if decayed else []
            groups += [{**about, "params": plain, "weight_decay": 0.0}] if plain else []
        return groups

    def finish(self) -> None:
        """Fold low-rank updates into the weights they update, so that the network is an ordinary one again."""
        if self.settings.mode == "lora":
            merge_low_rank_updates(self.network)

    def learned(self, epochs: int) -> int:
        """How many weights learn in at least one epoch."""
        stages = self.network.stages()
        first = min(learning_stages(self.settings, len(stages), epoch, epochs).start for epoch in range(epochs))
        return sum(
            parameter.numel()
            for index, stage in enumerate(stages)
            for name, parameter in stage.named_parameters()
            if index >= first or _is_update(name)
        )


class LowRankUpdate(nn.Module):
    """A frozen weight plus a product of two thin matrices, zero at the start.

    Source: Hu et al. 2022. A convolution's weight `[out, in, width]` is read as the matrix `[out, in * width]`.
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        rank = min(rank, rows, columns)
        self.down = nn.Parameter(torch.randn(rank, columns, device=weight.device, dtype=weight.dtype) / columns**0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device, dtype=weight.dtype))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def add_low_rank_updates(network: Network, rank: int) -> None:
    """Give every linear and convolution weight but the classifier's a low-rank update."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and layer is not network.head:
            parametrize.register_parametrization(layer, "weight", LowRankUpdate(layer.weight, rank))


def merge_low_rank_updates(network: Network) -> None:
    """Replace every updated weight by its sum with the update."""
    for layer in list(network.modules()):
        if parametrize.is_parametrized(layer, "weight") and isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)


def _is_update(parameter_name: str) -> bool:
    return parameter_name.endswith(("weight.0.down", "weight.0.up"))
