"""EEGNet: few weights, one bank of temporal filters shared by all leads."""

from collections.abc import Sequence
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import Dropout, pool_to

FILTERS = 16
MIXTURES = 2  # of leads, for each filter
CHANNELS = FILTERS * MIXTURES
MIXTURE_NORM = 1.0
HEAD_NORM = 0.25


class EegNet(Network):
    """EEGNet (Lawhern et al. 2018): temporal filters shared by all leads, mixtures of leads, a separable convolution.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Source: arXiv 1611.08024, sized as in Marques & Oliveira 2025 (arXiv 2503.08960). The head reads every step of what
    the last pool leaves; here that is averaged to `steps` first, so that the head fits an ECG of any length. Of 2048
    samples exactly 16 are left.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        dropout: Dropout = 0.5,
        steps: Annotated[int, Field(ge=1, le=64)] = 16,
    ) -> None:
        super().__init__(leads, classes)
        self.steps = steps
        self.temporal = nn.Sequential(
            nn.ZeroPad2d((15, 16, 0, 0)), nn.Conv2d(1, FILTERS, (1, 32), bias=False), nn.BatchNorm2d(FILTERS)
        )
        self.mixture = nn.Conv2d(FILTERS, CHANNELS, (leads, 1), groups=FILTERS, bias=False)
        self.after_mixture = nn.Sequential(
            nn.BatchNorm2d(CHANNELS), nn.ELU(), nn.AvgPool2d((1, 8)), nn.Dropout(dropout)
        )
        self.separable = nn.Sequential(
            nn.ZeroPad1d((7, 8)),
            nn.Conv1d(CHANNELS, CHANNELS, 16, groups=CHANNELS, bias=False),
            nn.Conv1d(CHANNELS, CHANNELS, 1, bias=False),
            nn.BatchNorm1d(CHANNELS),
            nn.ELU(),
            nn.AvgPool1d(16),
            nn.Dropout(dropout),
        )
        self.head = nn.Linear(CHANNELS * steps, classes)

    def features(self, ecg: Tensor) -> Tensor:
        mixed: Tensor = self.after_mixture(self.mixture(self.temporal(ecg.unsqueeze(1))))
        features: Tensor = self.separable(mixed.squeeze(2))
        return features

    def pool(self, features: Tensor) -> Tensor:
        return pool_to(features, self.steps).flatten(1)

    def stages(self) -> list[nn.Module]:
        return [self.temporal, self.mixture, self.after_mixture, self.separable, self.head]

    def lead_weights(self) -> list[tuple[nn.Module, str, int]]:
        """The mixtures of leads alone: the temporal filters before them are shared by all."""
        return [(self.mixture, "weight", 2)]

    @torch.no_grad()
    def keep_leads(self, kept: Sequence[int]) -> None:
        """As for every network. A silent lead is a constant after the temporal norm; the next norm's mean takes it over."""
        norm = cast(nn.BatchNorm2d, self.temporal[2])
        mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
        silence = norm.bias - norm.weight * mean / (variance + norm.eps).sqrt()
        dropped = [lead for lead in range(self.leads) if lead not in kept]
        lost = self.mixture.weight[:, 0, dropped, 0].sum(dim=1) * silence.repeat_interleave(CHANNELS // FILTERS)
        cast(Tensor, self.after_mixture[0].running_mean).sub_(lost)
        super().keep_leads(kept)

    @torch.no_grad()
    def constrain(self) -> None:
        """Each mixture of leads has a norm of at most 1, each class of the head one of at most 0.25."""
        for layer, bound in ((self.mixture, MIXTURE_NORM), (self.head, HEAD_NORM)):
            layer.weight.copy_(layer.weight.renorm(p=2, dim=0, maxnorm=bound))
