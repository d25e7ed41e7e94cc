"""Normalisation: bringing voltages to the range that networks learn from, over the samples that are signal."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Normalisation
from ecgenough.signals.store import MICROVOLTS, Store

# A lead that varies by less is flat, in mV: no recorder resolves it, and filters leave as much of a constant.
FLAT = 1e-6
_BYTES_AT_ONCE = 2_000_000  # of counts; as float64 four times as much, and a training keeps what is freed


class Normaliser(nn.Module):
    """Normalise ECGs as `recipe.Normalisation` says; no weights, and `to_settings` holds all there is.

    `scale` is in mV, one number for each lead, and is there for the kind of that name alone. `min-max` maps to [0, 1],
    `z-score` to mean 0 and standard deviation 1, `robust` to median 0 and inter-quartile range 1 (linear between
    samples), `l2` to Euclidean norm 1, `log` is log(1 + magnitude in mV) and loses the sign (Marques & Oliveira 2025),
    `signed-log` keeps it. What has no spread (a lead, or with `across: record` all leads together) becomes zeros
    wherever a kind divides by spread.
    """

    scale: Tensor | None
    _gain: Tensor | None

    def __init__(self, kind: str, across: str = "lead", scale: Tensor | None = None) -> None:
        """Raises WrongRequest for an unknown kind, or a scale where there should be none, or the reverse."""
        super().__init__()
        settings = {"kind": kind, "across": across}
        if (kind == "scale") != (scale is not None):
            raise WrongRequest(f'normalisation of kind "{kind}" {"needs" if scale is None else "has no"} "scale".')
        if scale is not None and not bool((torch.isfinite(scale) & (scale >= 0)).all()):
            raise WrongRequest("normalisation.scale must be finite voltages in mV, none below 0.")
        self.settings = _validated(settings)
        self.kind, self.across = self.settings.kind, self.settings.across
        self.register_buffer("scale", scale, persistent=False)
        gain = None if scale is None else _inverse(scale)[:, None]
        self.register_buffer("_gain", gain, persistent=False)

    def forward(self, ecg: Tensor, mask: Tensor) -> Tensor:
        """`[batch, leads, samples]` in mV, normalised over the samples where `mask` `[batch, 1, samples]` is true.

        The others, padding, come out as 0, whatever finite number they were.
        """
        if self._gain is not None:
            return (ecg * self._gain.to(ecg.dtype)).mul_(mask)
        if self.across == "lead":
            normalised = _KINDS[self.kind](ecg, mask)
        else:
            together = mask.expand_as(ecg).flatten(1)[:, None]
            normalised = _KINDS[self.kind](ecg.flatten(1)[:, None], together).view_as(ecg)
        return normalised.mul_(mask)

    def keep_leads(self, kept: Sequence[int]) -> "Normaliser":
        """The same for those of its leads alone, in that order; each keeps the scale it had."""
        return Normaliser(self.kind, self.across, None if self.scale is None else self.scale[list(kept)])

    def to_settings(self) -> dict[str, Any]:
        """Plain values for JSON: kind, across, and the scale as a list of mV."""
        scale = None if self.scale is None else [float(value) for value in self.scale]
        return {"kind": self.kind, "across": self.across, "scale": scale}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """The normaliser that `to_settings` described. Raises WrongRequest where the values are not of one."""
        try:
            kind, across, scale = settings["kind"], settings["across"], settings["scale"]
            return cls(kind, across, None if scale is None else torch.tensor([float(value) for value in scale]))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, WrongRequest):
                raise
            raise WrongRequest(
                "a normalisation is described by kind, across and scale (mV per lead, or null)."
            ) from None


def fit_normaliser(settings: Normalisation, store: Store, rows: NDArray[np.int64]) -> Normaliser:
    """The normaliser of a recipe; its scale, where it has one, from the valid samples of `rows` (the training records).

    The scale is the standard deviation of all these samples of a lead, or with `across: record` of all leads together.
    """
    if settings.kind != "scale":
        return Normaliser(settings.kind, settings.across)
    if not len(rows):
        raise WrongRequest("normalisation.kind scale is measured on training records, and there are none.")
    count, total, squares = _sums(store, np.sort(rows))
    if settings.across == "record":
        count, total, squares = count * len(total), total.sum().expand_as(total), squares.sum().expand_as(squares)
    variance = squares / max(count, 1) - (total / max(count, 1)).square()
    return Normaliser("scale", settings.across, (variance.clamp(min=0).sqrt() / MICROVOLTS).float())


def _sums(store: Store, rows: NDArray[np.int64]) -> tuple[int, Tensor, Tensor]:
    """How many samples are valid, and over them the sums `[leads]` of counts and of squared counts."""
    leads, samples = store.signals.shape[1:]
    total, squares = torch.zeros(leads, dtype=torch.float64), torch.zeros(leads, dtype=torch.float64)
    for part in np.array_split(rows, math.ceil(len(rows) * leads * samples * 2 / _BYTES_AT_ONCE)):
        counts = torch.from_numpy(store.read(part)).double()
        valid = torch.from_numpy(store.valid[part].astype(np.int64))
        if bool((valid < samples).any()):
            counts.masked_fill_(torch.arange(samples) >= valid[:, None, None], 0)
        total += counts.sum(dim=(0, 2))
        squares += counts.square_().sum(dim=(0, 2))
    return int(store.valid[rows].sum(dtype=np.int64)), total, squares


def deviations(ecg: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Each row's difference from its own mean, 0 at padding, and its standard deviation `[batch, rows, 1]`.

    A constant row gives exact zeros: the mean is taken relative to the first sample, so nothing is left of rounding.
    """
    count = mask.sum(dim=-1, keepdim=True).clamp(min=1)
    relative = (ecg - ecg[..., :1]).mul_(mask)
    difference = relative.sub_(relative.sum(dim=-1, keepdim=True) / count).mul_(mask)
    return difference, torch.linalg.vector_norm(difference, dim=-1, keepdim=True) / count.sqrt().to(ecg.dtype)


def _z_score(ecg: Tensor, mask: Tensor) -> Tensor:
    difference, deviation = deviations(ecg, mask)
    return difference.mul_(_inverse(deviation))


def _min_max(ecg: Tensor, mask: Tensor) -> Tensor:
    within = torch.where(mask, ecg, ecg[..., :1])
    lowest, highest = within.amin(dim=-1, keepdim=True), within.amax(dim=-1, keepdim=True)
    return within.sub_(lowest).mul_(_inverse(highest - lowest))


def _robust(ecg: Tensor, mask: Tensor) -> Tensor:
    ordered = torch.where(mask, ecg, torch.finfo(ecg.dtype).max).sort(dim=-1).values
    last = (mask.sum(dim=-1, keepdim=True) - 1).clamp(min=0)
    quarters = torch.arange(1, 4, device=ecg.device) * last  # the three quartiles' positions, in quarters of a sample
    below, above = quarters // 4, torch.minimum(quarters // 4 + 1, last)
    low, high = (ordered.gather(-1, at.expand(*ecg.shape[:2], 3)) for at in (below, above))
    quartiles = low + (high - low) * (quarters % 4 / 4).to(ecg.dtype)
    return (ecg - quartiles[..., 1:2]).mul_(_inverse(quartiles[..., 2:] - quartiles[..., :1]))


def _l2(ecg: Tensor, mask: Tensor) -> Tensor:
    return ecg * _inverse(torch.linalg.vector_norm(ecg * mask, dim=-1, keepdim=True))


def _inverse(spread: Tensor) -> Tensor:
    """1 / spread, and 0 where there is no spread."""
    flat = ~(spread > FLAT)
    return spread.masked_fill(flat, 1).reciprocal().masked_fill(flat, 0)


# Each gives a new tensor; what it holds at padding does not matter.
_KINDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": torch.mul,
    "min-max": _min_max,
    "z-score": _z_score,
    "robust": _robust,
    "log": lambda ecg, _: ecg.abs().log1p(),
    "signed-log": lambda ecg, _: ecg.abs().log1p() * ecg.sign(),
    "l2": _l2,
}


def _validated(settings: Mapping[str, str]) -> Normalisation:
    try:
        return Normalisation.model_validate(settings)
    except ValueError:
        raise WrongRequest(f'normalisation "{settings["kind"]}" across "{settings["across"]}" is unknown.') from None
