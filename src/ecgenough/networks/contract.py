"""What every network offers, so that transfer, explanation and export are written once."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.errors import WrongRequest
from ecgenough.sentences import counted

SHORTEST = 128  # samples: EEGNet's pools leave one step of that many


class Network(nn.Module):
    """A body that turns an ECG into features over time, a pool over time, and a head that turns them into logits.

    A family sets `self.head` and implements `features`, `stages`, and `pool` where that is not the mean over time.
    Hidden layers over pooled features belong to the pool. Input: normalised ECG `[batch, leads, samples]` of any length
    from 128 samples and any number of leads. Output: logits `[batch, classes]`.
    """

    head: nn.Linear
    by_gradients = True  # whether it learns by them, and they come through to the ECG

    def __init__(self, leads: int, classes: int) -> None:
        super().__init__()
        self.leads = leads
        self.classes = classes

    def features(self, ecg: Tensor) -> Tensor:
        """`[batch, leads, samples]` -> `[batch, channels, time]`."""
        raise NotImplementedError

    def pool(self, features: Tensor) -> Tensor:
        """`[batch, channels, time]` -> `[batch, width]`, what the head reads."""
        return features.mean(dim=-1)

    def forward(self, ecg: Tensor) -> Tensor:
        """Logits `[batch, classes]`. Raises WrongRequest for another number of leads, or too few samples."""
        leads, samples = ecg.shape[1:]
        if leads != self.leads:
            raise WrongRequest(f"this network reads {counted(self.leads, 'lead')}; the ECG has {leads}.")
        if samples < SHORTEST:
            raise WrongRequest(
                f"a network reads at least {SHORTEST} samples; the ECG has {samples}. "
                "Lengthen signal.duration or crop.seconds, or raise signal.rate."
            )
        logits: Tensor = self.head(self.pool(self.features(ecg)))
        return logits

    def doubts(self, shown: Sequence[NDArray[np.int16]]) -> tuple[str, ...]:  # noqa: ARG002
        """Sentences on why its answer about a recording is worth little; most have none of their own.

        `shown` are the windows that the answer is the mean of, each in counts of 1 µV `[leads, samples]` without padding.
        """
        return ()

    def stages(self) -> list[nn.Module]:
        """The blocks from input to head, the head last: what freezing, thawing and layer-wise rates count in.

        Together they hold every parameter once.
        """
        raise NotImplementedError

    def reset_head(self, classes: int) -> None:
        """Give the head `classes` outputs and fresh weights; everything else stays."""
        fresh = nn.Linear(self.head.in_features, classes)
        self.head = fresh.to(self.head.weight)
        self.classes = classes

    def lead_weights(self) -> list[tuple[nn.Module, str, int]]:
        """The weights that read the leads, each as its layer, its name there and the axis along which leads lie.

        Of most families it is the first convolution alone.
        """
        first = next(layer for layer in self.modules() if isinstance(layer, nn.Conv1d))
        return [(first, "weight", 1)]

    def keep_leads(self, kept: Sequence[int]) -> None:
        """Read only those of the leads, in that order: what the network made of the others, had they been silent.

        The weights that read the others are dropped, everything else stays.
        """
        for layer, name, axis in self.lead_weights():
            weight: Tensor = getattr(layer, name).detach()
            index = torch.tensor(list(kept), device=weight.device)
            setattr(layer, name, nn.Parameter(weight.index_select(axis, index)))
            for size in ("in_channels", "input_size"):
                if hasattr(layer, size):
                    setattr(layer, size, len(kept))
        self.leads = len(kept)

    def undecayed(self) -> list[nn.Parameter]:
        """What weight decay leaves alone: biases, norms, and what a module lists in `undecayed_names`."""
        named = [getattr(module, name) for module in self.modules() for name in getattr(module, "undecayed_names", ())]
        return [
            parameter for parameter in self.parameters() if parameter.ndim < 2 or any(parameter is n for n in named)
        ]

    def constrain(self) -> None:
        """Bring weights back within the bounds their family sets; called after every optimiser step. Most set none."""


def with_outputs(network: Network, outputs: Sequence[int]) -> Network:
    """A copy of the network that gives these of its outputs, in this order."""
    chosen = copy.deepcopy(network)
    chosen.reset_head(len(outputs))
    with torch.no_grad():
        chosen.head.weight.copy_(network.head.weight[list(outputs)])
        chosen.head.bias.copy_(network.head.bias[list(outputs)])
    return chosen


def crop_mean(network: nn.Module, crops: Tensor) -> Tensor:
    """Logits `[batch, classes]` of `[batch, crops, leads, samples]`, the mean over each record's crops."""
    logits: Tensor = network(crops.flatten(0, 1)).float()
    return logits.view(*crops.shape[:2], -1).mean(dim=1)


def parameter_count(network: nn.Module) -> int:
    """The number of trainable weights."""
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
