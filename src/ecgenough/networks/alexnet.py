"""AlexNet in one dimension."""

from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Dropout, he_normal, pool_to

STEPS = 6
HIDDEN = 4096


class AlexNet(Network):
    """AlexNet (Krizhevsky et al. 2012) in one dimension, with batch norm.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Widths as in torchvision (Krizhevsky 2014, arXiv 1404.5997); features are averaged to 6 steps before the fully
    connected layers, so that these fit an ECG of any length.
    """

    def __init__(self, leads: int, classes: int, *, dropout: Dropout = 0.5) -> None:
        super().__init__(leads, classes)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(*_convolution(leads, 64, 11, stride=4, padding=2), nn.MaxPool1d(3, 2)),
                nn.Sequential(*_convolution(64, 192, 5, padding=2), nn.MaxPool1d(3, 2)),
                _convolution(192, 384, 3, padding=1),
                _convolution(384, 256, 3, padding=1),
                nn.Sequential(*_convolution(256, 256, 3, padding=1), nn.MaxPool1d(3, 2)),
            ]
        )
        self.hidden = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * STEPS, HIDDEN), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
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


def _convolution(inputs: int, outputs: int, kernel: int, *, stride: int = 1, padding: int) -> nn.Sequential:
    convolution = nn.Conv1d(inputs, outputs, kernel, stride, padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(outputs), nn.ReLU())
