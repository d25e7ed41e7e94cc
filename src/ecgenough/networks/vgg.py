"""VGG in one dimension: stacks of narrow convolutions under wide fully connected layers."""

from typing import Literal

from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Convolution, Dropout, conv_norm, he_normal, pool_to

Depth = Literal[11, 13, 16, 19]
# Convolutions in each of the five stages: configurations A, B, D and E of the source.
CONVOLUTIONS: dict[int, tuple[int, int, int, int, int]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
STAGE_WIDTHS = (64, 128, 256, 512, 512)
STEPS = 7
HIDDEN = 4096


class Vgg(Network):
    """VGG (Simonyan & Zisserman 2015) in one dimension.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Features are averaged to 7 steps of time before the fully connected layers, so that these fit an ECG of any length.
    """

    def __init__(
        self, leads: int, classes: int, *, depth: Depth = 11, batch_norm: bool = False, dropout: Dropout = 0.5
    ) -> None:
        super().__init__(leads, classes)
        self.layers = nn.ModuleList()
        inputs = leads
        for width, convolutions in zip(STAGE_WIDTHS, CONVOLUTIONS[depth], strict=True):
            stage = nn.Sequential()
            for _ in range(convolutions):
                stage.append(conv_norm(inputs, width, 3) if batch_norm else Convolution(inputs, width, 3, padding=1))
                stage.append(nn.ReLU())
                inputs = width
            self.layers.append(stage.append(nn.MaxPool1d(2)))
        self.hidden = nn.Sequential(
            nn.Linear(inputs * STEPS, HIDDEN), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(dropout),
        )  # fmt: skip
        self.head = nn.Linear(HIDDEN, classes)
        he_normal(self)

    def features(self, ecg: Tensor) -> Tensor:
        for layer in self.layers:
            ecg = layer(ecg)
        return ecg

    def pool(self, features: Tensor) -> Tensor:
        pooled: Tensor = self.hidden(pool_to(features, STEPS).flatten(1))
        return pooled

    def stages(self) -> list[nn.Module]:
        return [*self.layers, self.hidden, self.head]
