"""Net1D: grouped residual blocks with squeeze-excitation, the body of ECGFounder."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough.networks.contract import Network

Size = Literal["small", "medium", "large"]
WIDTHS: dict[str, tuple[int, ...]] = {
    "small": (16, 32, 32, 80, 80, 256, 256),
    "medium": (32, 64, 64, 160, 160, 512, 512),
    "large": (64, 160, 160, 400, 400, 1024, 1024),
}
BLOCKS = (2, 2, 2, 3, 3, 4, 4)
KERNEL = 16
GROUP_WIDTH = 16


class EvenConvolution(nn.Conv1d):
    """A convolution that gives one sample for every `stride` begun, whatever its kernel; the odd zero goes last."""

    def forward(self, signal: Tensor) -> Tensor:
        (kernel,), (stride,), time = self.kernel_size, self.stride, signal.shape[-1]
        padding = max((-(-time // stride) - 1) * stride + kernel - time, 0)
        return super().forward(F.pad(signal, (padding // 2, padding - padding // 2)))


class Net1dBlock(nn.Module):
    """Two pointwise convolutions around a grouped one, weighted by channel and added to the input.

    `[batch, inputs, time]` -> `[batch, outputs, time / stride]`, rounded up. Each convolution comes after its
    activation, save the `first` of the network. New channels of the shortcut are zero, half of them before the old.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, batch_norm: bool, first: bool) -> None:
        super().__init__()
        self.stride, self.first = stride, first
        self.new_channels = outputs - inputs
        self.widen = nn.Conv1d(inputs, outputs, 1)
        self.grouped = EvenConvolution(outputs, outputs, KERNEL, stride, groups=outputs // GROUP_WIDTH)
        self.mix = nn.Conv1d(outputs, outputs, 1)
        self.squeeze = nn.Linear(outputs, outputs // 2)
        self.excite = nn.Linear(outputs // 2, outputs)
        norms = [nn.Identity() if first else _norm(inputs, batch_norm), *(_norm(outputs, batch_norm) for _ in range(2))]
        self.norms = nn.ModuleList(norms)

    def forward(self, signal: Tensor) -> Tensor:
        path = signal if self.first else F.silu(self.norms[0](signal))
        path = self.grouped(F.silu(self.norms[1](self.widen(path))))
        path = self.mix(F.silu(self.norms[2](path)))
        weights = torch.sigmoid(self.excite(F.silu(self.squeeze(path.mean(dim=-1)))))
        weighted: Tensor = path * weights.unsqueeze(-1) + self._shortcut(signal)
        return weighted

    def _shortcut(self, signal: Tensor) -> Tensor:
        if self.stride > 1:
            signal = F.max_pool1d(F.pad(signal, (0, signal.shape[-1] % self.stride)), self.stride)
        before = self.new_channels // 2
        return F.pad(signal, (0, 0, before, self.new_channels - before))


class Net1d(Network):
    """Net1D (Hong et al. 2020), the body of ECGFounder (Li et al. 2025): wide grouped residual blocks.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: arXiv 2410.04133. Widths, blocks, kernel 16, groups of 16 channels and the missing batch norm are those of
    the published model ("large"); seven stages and the stem each halve the time. For `ecgenough import-weights`.
    """

    def __init__(self, leads: int, classes: int, *, size: Size = "large", batch_norm: bool = False) -> None:
        super().__init__(leads, classes)
        widths = WIDTHS[size]
        self.stem = nn.Sequential(EvenConvolution(leads, widths[0], KERNEL, 2), _norm(widths[0], batch_norm), nn.SiLU())
        self.layers = nn.ModuleList()
        inputs = widths[0]
        for index, (outputs, blocks) in enumerate(zip(widths, BLOCKS, strict=True)):
            first = Net1dBlock(inputs, outputs, 2, batch_norm, first=index == 0)
            others = (Net1dBlock(outputs, outputs, 1, batch_norm, first=False) for _ in range(blocks - 1))
            self.layers.append(nn.Sequential(first, *others))
            inputs = outputs
        self.head = nn.Linear(inputs, classes)

    def features(self, ecg: Tensor) -> Tensor:
        signal: Tensor = self.stem(ecg)
        for stage in self.layers:
            signal = stage(signal)
        return signal

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.layers, self.head]


def _norm(channels: int, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm1d(channels) if batch_norm else nn.Identity()
