"""ResNet features re-weighted by self-attention over time."""

from typing import Literal

from torch import Tensor, nn

from ecgenough.networks.attention import SelfAttention
from ecgenough.networks.contract import Network
from ecgenough.networks.layers import pool_to
from ecgenough.networks.resnet import Depth, ResNetBody
from ecgenough.recipe import Count

FLATTENED_STEPS = 32


class AttentionResNet(Network):
    """ResNet features whose time steps attend to each other before they are averaged.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: Marques & Oliveira 2025 (arXiv 2503.08960), "AttResNet"; 8 heads, mean over time or flattened. Flattened
    features are first averaged to 32 steps, so that the head fits an ECG of any length.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        depth: Depth = 18,
        width: Count = 64,
        heads: Count = 8,
        readout: Literal["mean", "flatten"] = "mean",
    ) -> None:
        super().__init__(leads, classes)
        self.readout = readout
        self.body = ResNetBody(leads, depth, width)
        self.attention = SelfAttention(self.body.channels, heads)
        self.head = nn.Linear(self.body.channels * (FLATTENED_STEPS if readout == "flatten" else 1), classes)

    def features(self, ecg: Tensor) -> Tensor:
        attended: Tensor = self.attention(self.body(ecg).transpose(1, 2))
        return attended.transpose(1, 2)

    def pool(self, features: Tensor) -> Tensor:
        if self.readout == "flatten":
            return pool_to(features, FLATTENED_STEPS).flatten(1)
        return features.mean(dim=-1)

    def stages(self) -> list[nn.Module]:
        return [*self.body.stages(), self.attention, self.head]
