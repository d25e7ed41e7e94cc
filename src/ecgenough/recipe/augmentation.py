"""How training records are varied: the settings of the steps in `signals.augmentation`.

Amplitudes are relative to each record's own standard deviation.
"""

from typing import Annotated, Literal

from pydantic import Field

from ecgenough.recipe.section import Fraction, Seconds, Section


class Nothing(Section):
    """Leave the record as it is: a choice among others with `choose: one`."""

    kind: Literal["nothing"] = "nothing"


class Flip(Section):
    """Turn the sign of the whole record. Swaps ST elevation and depression: only for the paper's recipes."""

    kind: Literal["flip"] = "flip"


class SampleDropout(Section):
    """Set single samples to zero."""

    kind: Literal["sample-dropout"] = "sample-dropout"
    fraction: Fraction = 0.1
    """Of the samples of each lead."""


class LeadDropout(Section):
    """Silence whole leads, as a loose electrode does."""

    kind: Literal["lead-dropout"] = "lead-dropout"
    probability: Fraction = 0.2
    """For each lead on its own."""


class Sine(Section):
    """Add a sine; amplitude relative to the record's standard deviation, frequency in Hz."""

    kind: Literal["sine"] = "sine"
    amplitude: tuple[float, float] = (0.25, 1.0)
    """From, to."""
    frequency: Annotated[tuple[float, float], "Hz"] = (0.5, 10.0)
    """From, to."""


class Square(Section):
    """Add a square wave; amplitude relative to the record's standard deviation, frequency in Hz."""

    kind: Literal["square"] = "square"
    amplitude: tuple[float, float] = (0.005, 0.02)
    """From, to."""
    frequency: Annotated[tuple[float, float], "Hz"] = (0.5, 50.0)
    """From, to."""


class Noise(Section):
    """Add white noise; amplitude relative to the record's standard deviation."""

    kind: Literal["noise"] = "noise"
    amplitude: tuple[float, float] = (0.0, 0.05)
    """From, to."""


class CircularShift(Section):
    """Roll the record in time by a random amount, all leads together."""

    kind: Literal["circular-shift"] = "circular-shift"


class LeadScale(Section):
    """Multiply each lead by a factor drawn from 1 - spread to 1 + spread."""

    kind: Literal["lead-scale"] = "lead-scale"
    spread: Fraction = 0.1
    """How far from 1 a factor may be."""


class TimeMask(Section):
    """Silence one stretch of all leads, up to `seconds` long."""

    kind: Literal["time-mask"] = "time-mask"
    seconds: Seconds = 1.0
    """The longest stretch."""


AugmentationStep = Annotated[
    Nothing | Flip | SampleDropout | LeadDropout | Sine | Square | Noise | CircularShift | LeadScale | TimeMask,
    Field(discriminator="kind"),
]


class Augmentation(Section):
    """Steps applied in training: all in order, or one drawn uniformly for each record."""

    choose: Literal["all", "one"] = "all"
    """All steps in order, or one of them for each record."""
    of: tuple[AugmentationStep, ...] = ()
    """The steps; none is no augmentation."""
