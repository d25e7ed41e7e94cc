"""Self-attention over time, and positions in time."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough.errors import WrongRequest


class SelfAttention(nn.Module):
    """Every step looks at every other: `[batch, time, width]` -> the same. Source: Vaswani et al. 2017.

    With `rotary`, queries and keys are turned by an angle that grows with time, so that attention sees distances
    (Su et al. 2021, arXiv 2104.09864). Raises WrongRequest unless `width` divides evenly among the heads.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, rotary: bool = False) -> None:
        super().__init__()
        if width % heads or (rotary and width // heads % 2):
            even = " of even width" if rotary else ""
            raise WrongRequest(f"a width of {width} does not divide among {heads} heads{even}; change one of the two.")
        self.heads = heads
        self.dropout = dropout
        self.rotary = rotary
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.queries_keys_values.weight)
        nn.init.zeros_(self.queries_keys_values.bias)
        nn.init.zeros_(self.mix.bias)

    def forward(self, steps: Tensor) -> Tensor:
        batch, time, width = steps.shape
        split = self.queries_keys_values(steps).view(batch, time, 3, self.heads, width // self.heads)
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind()
        if self.rotary:
            turn = angles(time, width // self.heads, steps.device)
            queries, keys = rotate(queries, turn), rotate(keys, turn)
        dropout = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        mixed: Tensor = self.mix(heads.transpose(1, 2).reshape(batch, time, width))
        return mixed


class EncoderLayer(nn.Module):
    """Attention, then a feed-forward layer four times as wide, each added to its input and normed after.

    `[batch, time, width]` -> the same. Source: Vaswani et al. 2017.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, dropout)
        self.attention_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: Tensor) -> Tensor:
        steps = self.attention_norm(steps + self.dropout(self.attention(steps)))
        encoded: Tensor = self.feed_forward_norm(steps + self.dropout(self.feed_forward(steps)))
        return encoded


def angles(time: int, width: int, device: torch.device) -> Tensor:
    """Step t times 10000^(-2i/width), for i below width / 2, in radians: `[time, width / 2]`.

    Worked out for the length at hand, so no table bounds the length of an ECG or travels with the weights.
    """
    pairs = torch.arange(0, width, 2, device=device, dtype=torch.float32)
    steps = torch.arange(time, device=device, dtype=torch.float32)
    return steps.unsqueeze(1) * 10000.0 ** (-pairs / width)


def add_positions(steps: Tensor) -> Tensor:
    """Add the sinusoidal positions of Vaswani et al. 2017 to `[batch, time, width]`, even width."""
    turn = angles(steps.shape[1], steps.shape[2], steps.device)
    return steps + torch.stack([turn.sin(), turn.cos()], dim=-1).flatten(1).to(steps.dtype)


def rotate(vectors: Tensor, turn: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers in `[..., time, width]` by its angle in `turn`, `[time, width / 2]`."""
    cosine, sine = turn.cos().to(vectors.dtype), turn.sin().to(vectors.dtype)
    first, second = vectors[..., 0::2], vectors[..., 1::2]
    return torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1).flatten(-2)
