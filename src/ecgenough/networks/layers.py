"""Layers that several families share."""

from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

Dropout = Annotated[float, Field(ge=0, lt=1)]


class Convolution(nn.Conv1d):
    """A convolution of `[batch, channels, time]` that on a CPU lays the channels of each moment side by side in memory.

    oneDNN computes in such a layout; of PyTorch's own it turns what goes in and what comes out, in each of its three
    passes. What follows keeps it. Exported graphs hold the convolution of one dimension.
    """

    def forward(self, signal: Tensor) -> Tensor:
        if not _on_cpu(signal):
            return super().forward(signal)
        wide = signal.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        (stride,), (padding,), (dilation,) = self.stride, cast(tuple[int], self.padding), self.dilation
        sizes = ((1, stride), (0, padding), (1, dilation), self.groups)
        return F.conv2d(wide, self.weight.unsqueeze(2), self.bias, *sizes).squeeze(2)


class BatchNorm(nn.BatchNorm1d):
    """Batch norm of `[batch, channels, time]` that on a CPU is as fast in the layout of `Convolution` as it can be.

    PyTorch's code for that layout knows images alone; here they are of one line.
    """

    def forward(self, signal: Tensor) -> Tensor:
        if not _on_cpu(signal):
            return super().forward(signal)
        return super().forward(signal.unsqueeze(2)).squeeze(2)

    def _check_input_dim(self, input: Tensor) -> None:
        """Signals and images of one line are both meant."""


def _on_cpu(signal: Tensor) -> bool:
    """Whether the signal is computed on the CPU now, and not traced for an exported graph."""
    return signal.device.type == "cpu" and not torch.onnx.is_in_onnx_export()


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution with odd `kernel`, padded to keep the length (divided by `stride`), and batch norm."""
    convolution = Convolution(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, BatchNorm(outputs))


class Residual(nn.Module):
    """ReLU of the sum of a path and its shortcut, both `[batch, channels, time]`."""

    def __init__(self, path: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, signal: Tensor) -> Tensor:
        return F.relu(self.path(signal) + self.shortcut(signal))


class ThriftyDropout(nn.Dropout):
    """Dropout that on a CPU draws 16 bits an element, where PyTorch's own draws a whole number for each.

    A chance is then a multiple of 1/65536, and what is kept is scaled by exactly that one. Drawing took a quarter of a
    training step of the hybrid state-space network; so it takes a twentieth.
    """

    def forward(self, signal: Tensor) -> Tensor:
        if not self.training or not self.p or signal.device.type != "cpu":
            return super().forward(signal)
        levels = round((1 - self.p) * 65536)
        drawn = torch.empty(-(-signal.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        in_memory = torch.empty_like(signal, device="meta").stride()  # as products are fastest
        kept = drawn.view(torch.int16).as_strided(signal.shape, in_memory) < levels - 32768
        return signal * kept.to(signal.dtype).mul_(65536 / max(levels, 1))


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


def gated(mixed: Tensor) -> Tensor:
    """Half of the channels of `[batch, channels, time]`, each times the sigmoid of its partner in the other half.

    Where channels lie side by side in memory, PyTorch takes less than half as long along its last axis.
    """
    if mixed.stride(1) == 1:
        return F.glu(mixed.transpose(1, 2), dim=-1).transpose(1, 2)
    return F.glu(mixed, dim=1)


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


def repeated(ecg: Tensor) -> Tensor:
    """An ECG `[batch, leads, samples]` whose signal comes over and over in place of the zeros that follow it in all leads."""
    samples = ecg.shape[-1]
    time = torch.arange(samples, device=ecg.device)
    valid = ((ecg != 0).any(dim=1) * (time + 1)).amax(dim=-1, keepdim=True)
    place = time % (valid + (valid == 0) * samples)  # [batch, samples]; silence stays what it is
    return ecg.gather(-1, place[:, None].expand_as(ecg))
