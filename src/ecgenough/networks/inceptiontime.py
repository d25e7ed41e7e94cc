"""InceptionTime: convolutions of three lengths side by side."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import BatchNorm, Convolution, conv_norm
from ecgenough.recipe import Count

KERNELS = (39, 19, 9)
RESIDUAL_EVERY = 3


class InceptionBlock(nn.Module):
    """Three convolutions over a bottleneck and one over a max-pool, side by side: `[batch, 4 * filters, samples]`."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        self.bottleneck: nn.Module = Convolution(inputs, filters, 1, bias=False) if inputs > 1 else nn.Identity()
        narrow = filters if inputs > 1 else inputs
        self.branches = nn.ModuleList(
            Convolution(narrow, filters, kernel, padding=kernel // 2, bias=False) for kernel in KERNELS
        )
        self.pooled = nn.Sequential(nn.MaxPool1d(3, 1, padding=1), Convolution(inputs, filters, 1, bias=False))
        self.norm = BatchNorm(4 * filters)

    def forward(self, signal: Tensor) -> Tensor:
        narrow = self.bottleneck(signal)
        side_by_side = torch.cat([*(branch(narrow) for branch in self.branches), self.pooled(signal)], dim=1)
        return F.relu(self.norm(side_by_side))

    @torch.no_grad()
    def fold_bottleneck(self) -> None:
        """Multiply the bottleneck into the convolutions over it: a block with a single input is built without one."""
        if not isinstance(self.bottleneck, nn.Conv1d):
            return
        for branch in self.branches:
            assert isinstance(branch, nn.Conv1d)
            branch.weight = nn.Parameter(torch.einsum("oik,ij->ojk", branch.weight, self.bottleneck.weight[:, :, 0]))
            branch.in_channels = 1
        self.bottleneck = nn.Identity()


class InceptionGroup(nn.Module):
    """Three Inception blocks with a shortcut around them."""

    def __init__(self, inputs: int, filters: int) -> None:
        super().__init__()
        outputs = 4 * filters
        self.blocks = nn.Sequential(
            *[InceptionBlock(inputs if index == 0 else outputs, filters) for index in range(RESIDUAL_EVERY)]
        )
        self.shortcut = conv_norm(inputs, outputs, 1)

    def forward(self, signal: Tensor) -> Tensor:
        return F.relu(self.blocks(signal) + self.shortcut(signal))


class InceptionTime(Network):
    """InceptionTime (Ismail Fawaz et al. 2020): convolutions of three lengths side by side at full time resolution.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: arXiv 1909.04939; one network of its five. Kernels of 39, 19 and 9 samples instead of 40, 20 and 10, so that
    none shifts the signal. `groups` of three blocks, two in the source.
    """

    def __init__(self, leads: int, classes: int, *, filters: Count = 32, groups: Count = 2) -> None:
        super().__init__(leads, classes)
        outputs = 4 * filters
        self.groups = nn.Sequential(
            *[InceptionGroup(leads if index == 0 else outputs, filters) for index in range(groups)]
        )
        self.head = nn.Linear(outputs, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.groups(ecg)
        return features

    def lead_weights(self) -> list[tuple[nn.Module, str, int]]:
        """Three ways in: the first block's bottleneck (or branches, without one), its pooled path, and the shortcut."""
        group = cast(InceptionGroup, self.groups[0])
        block = cast(InceptionBlock, group.blocks[0])
        narrowing = [block.bottleneck] if isinstance(block.bottleneck, nn.Conv1d) else [*block.branches]
        return [(layer, "weight", 1) for layer in (*narrowing, block.pooled[1], group.shortcut[0])]

    @torch.no_grad()
    def keep_leads(self, kept: Sequence[int]) -> None:
        """As for every network; of a single lead the first block is left as it is built for one, without a bottleneck."""
        super().keep_leads(kept)
        if len(kept) == 1:
            cast(InceptionBlock, cast(InceptionGroup, self.groups[0]).blocks[0]).fold_bottleneck()

    def stages(self) -> list[nn.Module]:
        return [*self.groups, self.head]
