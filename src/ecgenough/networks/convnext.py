"""ConvNeXt in one dimension."""

import torch
from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import ChannelNorm, Convolution, Dropout
from ecgenough.recipe import Count

BLOCKS = (2, 2, 6, 2)
KERNEL = 7
FIRST_SCALE = 1e-6


class ConvNextBlock(nn.Module):
    """Depthwise convolution, then two pointwise layers, scaled and added: `[batch, channels, time]` -> the same.

    In training each record skips the block with probability `skip` (stochastic depth, Huang et al. 2016).
    """

    def __init__(self, channels: int, skip: float) -> None:
        super().__init__()
        self.skip = skip
        self.path = nn.Sequential(
            Convolution(channels, channels, KERNEL, padding=KERNEL // 2, groups=channels),
            ChannelNorm(channels),
            Convolution(channels, 4 * channels, 1),
            nn.GELU(),
            Convolution(4 * channels, channels, 1),
        )
        self.scale = nn.Parameter(torch.full((channels, 1), FIRST_SCALE))

    def forward(self, signal: Tensor) -> Tensor:
        change: Tensor = self.scale * self.path(signal)
        if self.training and self.skip:
            stay = torch.rand(len(signal), 1, 1, device=signal.device) >= self.skip
            change = change * stay / (1 - self.skip)
        return signal + change


class ConvNext(Network):
    """ConvNeXt (Liu et al. 2022) in one dimension: depthwise convolutions arranged like a transformer.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: arXiv 2201.03545; blocks and widths of the Atto size of Woo et al. 2023 (arXiv 2301.00808). `skip` is the
    probability to skip the last block; it rises evenly from 0 at the first.
    """

    def __init__(self, leads: int, classes: int, *, width: Count = 40, skip: Dropout = 0.1) -> None:
        super().__init__(leads, classes)
        skips = (skip * block / (sum(BLOCKS) - 1) for block in range(sum(BLOCKS)))
        self.layers = nn.ModuleList()
        channels = leads
        for index, blocks in enumerate(BLOCKS):
            outputs = width * 2**index
            stage = nn.Sequential(*_down(channels, outputs, first=index == 0))
            stage.extend(ConvNextBlock(outputs, next(skips)) for _ in range(blocks))
            self.layers.append(stage)
            channels = outputs
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)

    def features(self, ecg: Tensor) -> Tensor:
        for stage in self.layers:
            ecg = stage(ecg)
        return ecg

    def pool(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.norm(features.mean(dim=-1))
        return pooled

    def stages(self) -> list[nn.Module]:
        return [*self.layers, self.norm, self.head]


def _down(inputs: int, outputs: int, *, first: bool) -> list[nn.Module]:
    """A quarter of the time at the input, half of it between stages."""
    if first:
        return [Convolution(inputs, outputs, 4, stride=4), ChannelNorm(outputs)]
    return [ChannelNorm(inputs), Convolution(inputs, outputs, 2, stride=2)]
