"""Transformer encoders over samples, and over ResNet features."""

from torch import Tensor, nn

from ecgenough.networks.attention import EncoderLayer, add_positions
from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Dropout
from ecgenough.networks.resnet import Depth, ResNetBody
from ecgenough.recipe import Count


class Transformer(Network):
    """Transformer encoder over single samples, averaged over time.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: Marques & Oliveira 2025 (arXiv 2503.08960), "Transformer"; Vaswani et al. 2017. The cost grows with the
    square of the length.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        width: Count = 256,
        layers: Count = 2,
        heads: Count = 4,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(leads, classes)
        self.embedding = nn.Conv1d(leads, width, 3, padding=1)
        self.encoder = nn.Sequential(*[EncoderLayer(width, heads, dropout) for _ in range(layers)])
        self.head = nn.Linear(width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(add_positions(self.embedding(ecg).transpose(1, 2)))
        return encoded.transpose(1, 2)

    def stages(self) -> list[nn.Module]:
        return [self.embedding, *self.encoder, self.head]


class ResTransformer(Network):
    """ResNet features read by a transformer encoder, averaged over time.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: Marques & Oliveira 2025 (arXiv 2503.08960), "ResTransformer"; the encoder is as wide as the body.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        depth: Depth = 18,
        width: Count = 64,
        layers: Count = 2,
        heads: Count = 4,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(leads, classes)
        self.body = ResNetBody(leads, depth, width)
        self.encoder = nn.Sequential(*[EncoderLayer(self.body.channels, heads, dropout) for _ in range(layers)])
        self.head = nn.Linear(self.body.channels, classes)

    def features(self, ecg: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(add_positions(self.body(ecg).transpose(1, 2)))
        return encoded.transpose(1, 2)

    def stages(self) -> list[nn.Module]:
        return [*self.body.stages(), *self.encoder, self.head]
