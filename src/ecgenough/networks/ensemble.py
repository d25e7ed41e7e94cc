"""Trained networks side by side, as one."""

import copy
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.networks.contract import Network


class Ensemble(Network):
    """The mean of several networks' calibrated logits, as one network: their pooled features under one head.

    Heads and Platt scaling are linear, so the mean of the members' logits is itself a linear head over all their features;
    choosing classes, exporting and explaining then work as for any network.
    """

    def __init__(self, members: Sequence[Network], slopes: Tensor, intercepts: Tensor) -> None:
        """Copies of `members`; the logits of each are scaled by its row of `slopes` and `intercepts` `[members, classes]`.

        All must read the same leads and give the same classes.
        """
        first, count = members[0], len(members)
        super().__init__(first.leads, first.classes)
        self.members = nn.ModuleList(copy.deepcopy(member) for member in members)
        with torch.no_grad():
            weights = [slope[:, None] * member.head.weight for member, slope in zip(members, slopes, strict=True)]
            biases = [
                slope * member.head.bias + intercept
                for member, slope, intercept in zip(members, slopes, intercepts, strict=True)
            ]
            self.head = nn.Linear(sum(weight.shape[1] for weight in weights), first.classes)
            self.head.weight.copy_(torch.cat(weights, dim=1) / count)
            self.head.bias.copy_(torch.stack(biases).mean(dim=0))
        for member in self.members:
            del member.head
        self.by_gradients = all(member.by_gradients for member in members)

    def features(self, ecg: Tensor) -> Tensor:
        """What all members make of the ECG, pooled: `[batch, widths together, 1]`."""
        networks = [cast(Network, member) for member in self.members]
        return torch.cat([network.pool(network.features(ecg)) for network in networks], dim=1).unsqueeze(-1)

    def pool(self, features: Tensor) -> Tensor:
        return features.squeeze(-1)

    def doubts(self, shown: Sequence[NDArray[np.int16]]) -> tuple[str, ...]:
        """Those of all members, each once."""
        said = [doubt for member in self.members for doubt in cast(Network, member).doubts(shown)]
        return tuple(dict.fromkeys(said))

    def stages(self) -> list[nn.Module]:
        return [*self.members, self.head]
