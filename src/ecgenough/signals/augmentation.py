"""Augmentation: training records as another day, another electrode or another recorder might have given them.

Every step draws its parameters, then applies a deterministic function of them, to a whole batch on its device.
Amplitudes are relative to each record's own standard deviation, so that they mean the same before and after
normalisation.
"""

# ruff: noqa: ARG002 - all steps share one signature, and few need all of it

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ecgenough import recipe
from ecgenough.signals.normalisation import deviations

Drawn = tuple[Tensor, ...]  # each with the batch as its first dimension


class Step(Protocol):
    """One augmentation of ECGs `[batch, leads, samples]`.

    `mask` `[batch, 1, samples]` is true for signal, which comes first, and false for the padding after it. Padding is
    zero on the way in and on the way out.
    """

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Parameters for a batch of this shape, at `rate` in Hz, on the device of `rng`."""

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        """The augmented batch: the same input and the same `drawn` give the same output."""


@dataclass(frozen=True)
class Nothing:
    """Leave the record as it is."""

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        return ()

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        return ecg


@dataclass(frozen=True)
class Flip:
    """Turn the sign, as swapped electrodes would in every lead at once."""

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        return ()

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        return -ecg


@dataclass(frozen=True)
class SampleDropout:
    """Lose single samples, the same in all leads, as an interrupted transmission does."""

    fraction: float = 0.1

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Which samples are kept: bool `[batch, 1, samples]`."""
        return (_uniform((shape[0], 1, shape[2]), rng) >= self.fraction,)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        (kept,) = drawn
        return ecg * kept


@dataclass(frozen=True)
class LeadDropout:
    """Silence whole leads, as a loose electrode does."""

    probability: float = 0.2

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Which leads are kept: bool `[batch, leads, 1]`."""
        return (_uniform((shape[0], shape[1], 1), rng) >= self.probability,)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        (kept,) = drawn
        return ecg * kept


@dataclass(frozen=True)
class Sine:
    """Add a sine of random phase to all leads: a wandering baseline."""

    amplitude: tuple[float, float] = (0.25, 1.0)
    frequency: tuple[float, float] = (0.5, 10.0)

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Amplitude in standard deviations, frequency in cycles a sample, phase in cycles: each `[batch, 1, 1]`."""
        return _draw_wave(self.amplitude, self.frequency, shape, rate, rng)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        amplitude, frequency, phase = drawn
        wave = torch.sin(2 * math.pi * _cycles(ecg, frequency, phase))
        return _add(ecg, mask, amplitude, wave)


@dataclass(frozen=True)
class Square:
    """Add a square wave of random phase to all leads: an electric device nearby."""

    amplitude: tuple[float, float] = (0.005, 0.02)
    frequency: tuple[float, float] = (0.5, 50.0)

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Amplitude in standard deviations, frequency in cycles a sample, phase in cycles: each `[batch, 1, 1]`."""
        return _draw_wave(self.amplitude, self.frequency, shape, rate, rng)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        amplitude, frequency, phase = drawn
        first_half = _cycles(ecg, frequency, phase).remainder(1) < 0.5
        return _add(ecg, mask, amplitude, first_half * 2.0 - 1.0)


@dataclass(frozen=True)
class Noise:
    """Add white noise, independent in every lead: muscle and electronics."""

    amplitude: tuple[float, float] = (0.0, 0.05)

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Amplitude in standard deviations `[batch, 1, 1]`, and noise of deviation 1 `[batch, leads, samples]`."""
        amplitude = _uniform((shape[0], 1, 1), rng, *self.amplitude)
        return amplitude, torch.randn(*shape, generator=rng, device=rng.device)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        amplitude, noise = drawn
        return _add(ecg, mask, amplitude, noise)


@dataclass(frozen=True)
class CircularShift:
    """Start the recording at another moment: roll the signal in time, all leads together.

    What leaves at the end comes in at the start. Only the signal rolls; padding stays where it is.
    """

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """How far, as a fraction of the signal: `[batch, 1, 1]`."""
        return (_uniform((shape[0], 1, 1), rng),)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        (fraction,) = drawn
        valid = mask.sum(dim=-1, keepdim=True)
        time = torch.arange(ecg.shape[-1], device=ecg.device)
        rolled = (time - (fraction * valid).long()) % valid.clamp(min=1)
        return ecg.gather(-1, torch.where(mask, rolled, time).expand_as(ecg))


@dataclass(frozen=True)
class LeadScale:
    """Make leads larger or smaller, each by itself, as electrode positions and skin do."""

    spread: float = 0.1

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Factors `[batch, leads, 1]`."""
        return (_uniform((shape[0], shape[1], 1), rng, 1 - self.spread, 1 + self.spread),)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        (factor,) = drawn
        return ecg * factor.to(ecg.dtype)


@dataclass(frozen=True)
class TimeMask:
    """Silence one stretch of all leads, of uniform length up to `seconds` and anywhere within the signal."""

    seconds: float = 1.0

    def draw(self, shape: torch.Size, rate: float, rng: torch.Generator) -> Drawn:
        """Length in samples, and place from 0 (as early as possible) to 1 (as late): each `[batch, 1, 1]`."""
        size = (shape[0], 1, 1)
        return _uniform(size, rng, 0, self.seconds * rate), _uniform(size, rng)

    def apply(self, ecg: Tensor, mask: Tensor, drawn: Drawn) -> Tensor:
        length, place = drawn
        valid = mask.sum(dim=-1, keepdim=True)
        length = torch.minimum(length.round().long(), valid)
        start = (place * (valid - length)).round().long()
        time = torch.arange(ecg.shape[-1], device=ecg.device)
        return ecg * ((time < start) | (time >= start + length))


STEPS: dict[type[recipe.Section], Callable[..., Step]] = {
    recipe.Nothing: Nothing,
    recipe.Flip: Flip,
    recipe.SampleDropout: SampleDropout,
    recipe.LeadDropout: LeadDropout,
    recipe.Sine: Sine,
    recipe.Square: Square,
    recipe.Noise: Noise,
    recipe.CircularShift: CircularShift,
    recipe.LeadScale: LeadScale,
    recipe.TimeMask: TimeMask,
}


class Augmenter:
    """The augmentation of a recipe: all its steps in order, or one of them drawn uniformly for each record."""

    def __init__(self, settings: recipe.Augmentation, rate: float) -> None:
        """`rate` in Hz is that of the ECGs to come."""
        self.choose, self.rate = settings.choose, rate
        self.steps = [STEPS[type(step)](**step.model_dump(exclude={"kind"})) for step in settings.of]

    def __call__(self, ecg: Tensor, mask: Tensor, rng: torch.Generator) -> Tensor:
        """Augment `[batch, leads, samples]` where `mask` `[batch, 1, samples]` is true; `rng` is of their device."""
        return self.apply(ecg, mask, self.draw(ecg.shape, rng))

    def draw(self, shape: torch.Size, rng: torch.Generator) -> tuple[Drawn, ...]:
        """What each step draws for a batch of this shape; last, which step each record gets where one is chosen."""
        drawn = tuple(step.draw(shape, self.rate, rng) for step in self.steps)
        if self.choose == "all" or not self.steps:
            return drawn
        chosen = torch.randint(len(self.steps), (shape[0], 1, 1), generator=rng, device=rng.device)
        return (*drawn, (chosen,))

    def apply(self, ecg: Tensor, mask: Tensor, drawn: tuple[Drawn, ...]) -> Tensor:
        """The batch augmented by what was drawn for it."""
        if self.choose == "all" or not self.steps:
            for step, parameters in zip(self.steps, drawn, strict=True):
                ecg = step.apply(ecg, mask, parameters)
            return ecg
        augmented, (chosen,) = ecg, drawn[-1]
        for number, (step, parameters) in enumerate(zip(self.steps, drawn[:-1], strict=True)):
            augmented = torch.where(chosen == number, step.apply(ecg, mask, parameters), augmented)
        return augmented


def share_of(drawn: tuple[Drawn, ...], part: slice) -> tuple[Drawn, ...]:
    """What was drawn for some records of a batch: the share of one device."""
    return tuple(tuple(parameter[part] for parameter in parameters) for parameters in drawn)


def _uniform(size: tuple[int, ...], rng: torch.Generator, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=rng, device=rng.device)


def _draw_wave(
    amplitude: tuple[float, float], frequency: tuple[float, float], shape: torch.Size, rate: float, rng: torch.Generator
) -> Drawn:
    size = (shape[0], 1, 1)
    return _uniform(size, rng, *amplitude), _uniform(size, rng, *frequency) / rate, _uniform(size, rng)


def _cycles(ecg: Tensor, frequency: Tensor, phase: Tensor) -> Tensor:
    """Cycles of a wave since its start at each sample: `[batch, 1, samples]`."""
    return torch.arange(ecg.shape[-1], device=ecg.device) * frequency + phase


def _add(ecg: Tensor, mask: Tensor, amplitude: Tensor, wave: Tensor) -> Tensor:
    """Add a wave of an amplitude in the record's standard deviations: the root mean square of those of its leads."""
    _, deviation = deviations(ecg, mask)
    scale = deviation.square().mean(dim=1, keepdim=True).sqrt()
    return torch.addcmul(ecg, amplitude.to(ecg.dtype) * scale * mask, wave.to(ecg.dtype))
