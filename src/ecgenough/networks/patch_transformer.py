"""A transformer over patches of an eighth of the rate."""

from torch import Tensor, nn

from ecgenough.networks.attention import SelfAttention
from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Convolution, Dropout, conv_norm
from ecgenough.recipe import Count


class PatchBlock(nn.Module):
    """Attention, then a feed-forward layer, each on normed input and added to it: `[batch, time, width]` -> the same.

    Sources: Xiong et al. 2020 (arXiv 2002.04745) for the order; Su et al. 2021 (arXiv 2104.09864) for the positions.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads, dropout, rotary=True)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: Tensor) -> Tensor:
        steps = steps + self.dropout(self.attention(self.attention_norm(steps)))
        read: Tensor = steps + self.dropout(self.feed_forward(self.feed_forward_norm(steps)))
        return read


class PatchTransformer(Network):
    """Transformer with rotary positions over patches of eight samples, made by overlapping convolutions.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source of the stem: Xiao et al. 2021 (arXiv 2106.14881), three strided convolutions and a projection.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        width: Count = 192,
        layers: Count = 6,
        heads: Count = 6,
        dropout: Dropout = 0.1,
    ) -> None:
        super().__init__(leads, classes)
        widths = (leads, max(width // 4, 1), max(width // 2, 1), width)
        self.stem = nn.Sequential()
        for index in range(3):
            self.stem.append(conv_norm(widths[index], widths[index + 1], 5, stride=2))
            self.stem.append(nn.GELU())
        self.stem.append(Convolution(width, width, 1))
        self.blocks = nn.Sequential(*[PatchBlock(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        steps: Tensor = self.norm(self.blocks(self.stem(ecg).transpose(1, 2)))
        return steps.transpose(1, 2)

    def stages(self) -> list[nn.Module]:
        return [self.stem, *self.blocks, self.norm, self.head]
