"""Recurrent networks over raw samples."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Dropout
from ecgenough.recipe import Count

Cell = Literal["rnn", "lstm", "gru"]
CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Recurrence(nn.Module):
    """Recurrent layers over time: `[batch, inputs, time]` -> the states of the last layer, `[batch, width, time]`.

    A bidirectional one gives the states of the forward direction, then those of the backward direction.
    `dropout` acts between layers.
    """

    def __init__(self, cell: Cell, inputs: int, hidden: int, layers: int, dropout: float, bidirectional: bool) -> None:
        super().__init__()
        self.hidden = hidden
        self.width = hidden * (2 if bidirectional else 1)
        between = dropout if layers > 1 else 0.0
        self.cells = CELLS[cell](inputs, hidden, layers, batch_first=True, dropout=between, bidirectional=bidirectional)

    def forward(self, signal: Tensor) -> Tensor:
        if not self.training and torch.is_grad_enabled() and signal.requires_grad:
            # cuDNN has no gradient through recurrent layers in evaluation mode, which explanations need.
            with torch.backends.cudnn.flags(enabled=False):
                states, _ = self.cells(signal.transpose(1, 2))
        else:
            states, _ = self.cells(signal.transpose(1, 2))
        over_time: Tensor = states.transpose(1, 2)
        return over_time

    def last(self, states: Tensor) -> Tensor:
        """What each direction holds once it has seen everything: `[batch, width, time]` -> `[batch, width]`.

        The forward direction ends at the last step, the backward one at the first.
        """
        forward, backward = states[:, : self.hidden, -1], states[:, self.hidden :, 0]
        return torch.cat([forward, backward], dim=1)


class RecurrentNetwork(Network):
    """Recurrent layers over raw samples, read at their last state.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: Marques & Oliveira 2025 (arXiv 2503.08960), "RNN", "LSTM" and "GRU": 2 layers of 256.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        cell: Cell = "gru",
        hidden: Count = 256,
        layers: Count = 2,
        dropout: Dropout = 0.0,
        bidirectional: bool = False,
    ) -> None:
        super().__init__(leads, classes)
        self.recurrence = Recurrence(cell, leads, hidden, layers, dropout, bidirectional)
        self.head = nn.Linear(self.recurrence.width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.recurrence(ecg)
        return features

    def pool(self, features: Tensor) -> Tensor:
        return self.recurrence.last(features)

    def lead_weights(self) -> list[tuple[nn.Module, str, int]]:
        """What the first layer reads, in each direction."""
        cells = self.recurrence.cells
        return [(cells, name, 1) for name, _ in cells.named_parameters() if name.startswith("weight_ih_l0")]

    def stages(self) -> list[nn.Module]:
        return [self.recurrence, self.head]
