"""Residual networks in one dimension, and the body other families build on."""

from typing import Literal

from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Residual, conv_norm, he_normal
from ecgenough.recipe import Count

Depth = Literal[18, 34, 50, 101, 152]
BLOCKS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
DEEPEST_WITHOUT_BOTTLENECK = 34
BOTTLENECK_EXPANSION = 4


class ResNetBody(nn.Module):
    """`[batch, leads, samples]` -> `[batch, channels, samples / 32]`.

    Four stages of `width` (64 in the source), twice, four and eight times as many channels; four times as many again
    from depth 50 on. Source: He et al. 2016 (arXiv 1512.03385), every k x k convolution as one over k samples; as in
    torchvision, the bottleneck's middle convolution carries the stride.
    """

    def __init__(self, leads: int, depth: Depth, width: int = 64) -> None:
        super().__init__()
        expansion = BOTTLENECK_EXPANSION if depth > DEEPEST_WITHOUT_BOTTLENECK else 1
        self.stem = nn.Sequential(conv_norm(leads, width, 7, stride=2), nn.ReLU(), nn.MaxPool1d(3, 2, padding=1))
        self.layers = nn.ModuleList()
        self.channels = width
        for index, blocks in enumerate(BLOCKS[depth]):
            stage = nn.Sequential()
            for block in range(blocks):
                stage.append(_block(self.channels, width << index, expansion, stride=2 if index and block == 0 else 1))
                self.channels = (width << index) * expansion
            self.layers.append(stage)
        he_normal(self)

    def forward(self, ecg: Tensor) -> Tensor:
        signal: Tensor = self.stem(ecg)
        for stage in self.layers:
            signal = stage(signal)
        return signal

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.layers]


class ResNet(Network):
    """ResNet (He et al. 2016) in one dimension: a strong, stable extractor.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    """

    def __init__(self, leads: int, classes: int, *, depth: Depth = 18, width: Count = 64) -> None:
        super().__init__(leads, classes)
        self.body = ResNetBody(leads, depth, width)
        self.head = nn.Linear(self.body.channels, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.body(ecg)
        return features

    def stages(self) -> list[nn.Module]:
        return [*self.body.stages(), self.head]


def _block(inputs: int, width: int, expansion: int, stride: int) -> Residual:
    outputs = width * expansion
    if expansion == 1:
        path = nn.Sequential(conv_norm(inputs, width, 3, stride), nn.ReLU(), conv_norm(width, width, 3))
    else:
        narrow = nn.Sequential(conv_norm(inputs, width, 1), nn.ReLU(), conv_norm(width, width, 3, stride), nn.ReLU())
        path = nn.Sequential(*narrow, conv_norm(width, outputs, 1))
    same_shape = stride == 1 and inputs == outputs
    return Residual(path, nn.Identity() if same_shape else conv_norm(inputs, outputs, 1, stride))
