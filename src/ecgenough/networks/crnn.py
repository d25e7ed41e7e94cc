"""ResNet features read by a recurrent network."""

from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Dropout
from ecgenough.networks.recurrent import Cell, Recurrence
from ecgenough.networks.resnet import Depth, ResNetBody
from ecgenough.recipe import Count


class Crnn(Network):
    """ResNet features read over time by recurrent layers, at their last state.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: Marques & Oliveira 2025 (arXiv 2503.08960), "CRNN": its best balance of ease and performance.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        cell: Cell = "gru",
        depth: Depth = 18,
        width: Count = 64,
        hidden: Count = 256,
        layers: Count = 2,
        dropout: Dropout = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(leads, classes)
        self.body = ResNetBody(leads, depth, width)
        self.recurrence = Recurrence(cell, self.body.channels, hidden, layers, dropout, bidirectional)
        self.head = nn.Linear(self.recurrence.width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.recurrence(self.body(ecg))
        return features

    def pool(self, features: Tensor) -> Tensor:
        return self.recurrence.last(features)

    def stages(self) -> list[nn.Module]:
        return [*self.body.stages(), self.recurrence, self.head]
