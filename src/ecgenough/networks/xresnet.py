"""XResNet: a ResNet refined by the bag of tricks, as the PTB-XL benchmark uses it."""

from typing import Literal

import torch
from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import BatchNorm, Convolution, Dropout, Residual, conv_norm, he_normal
from ecgenough.networks.resnet import BLOCKS, BOTTLENECK_EXPANSION

WIDTH = 64
CHANNELS = WIDTH * BOTTLENECK_EXPANSION
KERNEL = 5
HIDDEN = 128


class XResNet(Network):
    """XResNet (He et al. 2019) in one dimension, as in the PTB-XL benchmark of Strodthoff et al. 2021.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Sources: arXiv 1812.01187 (three narrow convolutions as the stem, pooled shortcuts, the last norm of a block zero at
    first) and arXiv 2004.13701 (width 64 in all four stages, kernels of 5, mean and maximum over time, a hidden layer
    of 128). The benchmark's batch norms over pooled features are layer norms here: those train on a batch of one, too.
    """

    def __init__(self, leads: int, classes: int, *, depth: Literal[50, 101] = 101, dropout: Dropout = 0.5) -> None:
        super().__init__(leads, classes)
        widths = (leads, WIDTH // 2, WIDTH // 2, WIDTH)
        self.stem = nn.Sequential()
        for index in range(3):
            self.stem.append(conv_norm(widths[index], widths[index + 1], KERNEL, stride=1 if index else 2))
            self.stem.append(nn.ReLU())
        self.stem.append(nn.MaxPool1d(3, 2, padding=1))
        self.layers = nn.ModuleList()
        for index, blocks in enumerate(BLOCKS[depth]):
            first = _block(CHANNELS if index else WIDTH, stride=2 if index else 1)
            self.layers.append(nn.Sequential(first, *[_block(CHANNELS, stride=1) for _ in range(blocks - 1)]))
        he_normal(self)
        self.hidden = nn.Sequential(
            nn.LayerNorm(2 * CHANNELS), nn.Dropout(dropout / 2), nn.Linear(2 * CHANNELS, HIDDEN), nn.ReLU(),
            nn.LayerNorm(HIDDEN), nn.Dropout(dropout),
        )  # fmt: skip
        self.head = nn.Linear(HIDDEN, classes)

    def features(self, ecg: Tensor) -> Tensor:
        signal: Tensor = self.stem(ecg)
        for stage in self.layers:
            signal = stage(signal)
        return signal

    def pool(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.hidden(torch.cat([features.amax(dim=-1), features.mean(dim=-1)], dim=1))
        return pooled

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.layers, self.hidden, self.head]


def _block(inputs: int, stride: int) -> Residual:
    last_norm = BatchNorm(CHANNELS)
    nn.init.zeros_(last_norm.weight)
    path = nn.Sequential(
        conv_norm(inputs, WIDTH, 1), nn.ReLU(),
        conv_norm(WIDTH, WIDTH, KERNEL, stride), nn.ReLU(),
        Convolution(WIDTH, CHANNELS, 1, bias=False), last_norm,
    )  # fmt: skip
    shortcut = nn.Sequential()
    if stride != 1:
        shortcut.append(nn.AvgPool1d(stride, ceil_mode=True))
    if inputs != CHANNELS:
        shortcut.append(conv_norm(inputs, CHANNELS, 1))
    return Residual(path, shortcut)
