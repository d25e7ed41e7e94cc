"""Layers that several families share."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

Dropout = Annotated[float, Field(ge=0, lt=1)]


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with odd `kernel`, padded to keep the length (divided by `stride`), and batch norm."""
    convolution = nn.Conv1d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(outputs))


class Residual(nn.Module):
    """ReLU of the sum of a path and its shortcut, both `[batch, channels, time]`."""

    def __init__(self, path: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, signal: Tensor) -> Tensor:
        return F.relu(self.path(signal) + self.shortcut(signal))


class SqueezeExcitation(nn.Module):
    """Channels weighted by what the whole recording holds. Source: Hu et al. 2018; reduction 8."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.weigh = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, signal: Tensor) -> Tensor:
        weighted: Tensor = signal * self.weigh(signal.mean(dim=-1)).unsqueeze(-1)
        return weighted


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of `[batch, channels, time]`."""

    def forward(self, signal: Tensor) -> Tensor:
        return super().forward(signal.transpose(1, 2)).transpose(1, 2)


def pool_to(features: Tensor, steps: int) -> Tensor:
    """Means over `steps` stretches of time that cover it evenly: `[batch, channels, time]` -> `[..., steps]`.

    The stretches of adaptive average pooling, whose own gradient is not deterministic on GPUs. They overlap where
    `steps` does not divide the time, and repeat where there is less time than steps.
    """
    time = features.shape[-1]
    stretches = [(i * time // steps, ((i + 1) * time + steps - 1) // steps) for i in range(steps)]
    return torch.stack([features[..., first:last].mean(dim=-1) for first, last in stretches], dim=-1)


def he_normal(network: nn.Module) -> None:
    """Draw convolution weights for ReLU from the number of outputs (He et al. 2015); biases and norms as they begin."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
