"""What is done to a recording: once to every one (`signal`), and each time that it is shown (`crop`, `normalisation`)."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from ecgenough.ecg import STANDARD_LEADS, check_leads
from ecgenough.recipe.section import Hertz, Order, Seconds, Section

# What a recipe may ask of one record: a recipe or a model's card may come from anywhere.
MOST_SAMPLES = 10_000_000  # of a lead: a day at 100 Hz has fewer


class NoFilter(Section):
    """The signal as it was recorded."""

    kind: Literal["none"] = "none"


class BandPass(Section):
    """Butterworth band-pass designed at the rate of the signal it filters. Source: Marques & Oliveira 2025."""

    kind: Literal["band-pass"] = "band-pass"
    low: Hertz = 1.0
    """The lower edge of what passes."""
    high: Hertz = 45.0
    """The upper edge of what passes."""
    order: Order = 2
    """Of the filter; run both ways it counts twice."""
    zero_phase: bool = True
    """Run it forward and backward, so that nothing is delayed; false is causal."""


class LowPassWavelet(Section):
    """Low-pass, then subtraction of a wavelet baseline.

    `baseline_below` in Hz bounds what may be taken for baseline. null is the rule as Marques & Oliveira 2025 published
    it, their "default" noise removal, which at 100 Hz takes away what lies below 1.6 Hz in nearly half of PTB-XL's leads.
    """

    kind: Literal["low-pass-wavelet"] = "low-pass-wavelet"
    high: Hertz = 50.0
    """The edge of the low-pass."""
    order: Order = 2
    """Of the low-pass, which is run both ways."""
    wavelet: str = "db4"
    """A discrete wavelet's name, as PyWavelets spells it."""
    baseline_below: Hertz | None = 0.5
    """Only what lies below it may be taken for baseline; null is the published rule."""


Filter = Annotated[NoFilter | BandPass | LowPassWavelet, Field(discriminator="kind")]


class Signal(Section):
    """Select leads, resample, filter, cut or pad, in this order."""

    leads: tuple[str, ...] = STANDARD_LEADS
    """Which leads, in this order; III, aVR, aVL and aVF are derived where they are missing."""
    rate: Annotated[float, Field(gt=0, le=100_000), "Hz"] = 100.0
    """What every recording is resampled to."""
    duration: Seconds = 10.0
    """What every recording is cut or zero-padded to."""
    filter: Filter = NoFilter()
    """What noise is taken away, and how."""

    @field_validator("leads")
    @classmethod
    def _usual_names(cls, leads: tuple[str, ...]) -> tuple[str, ...]:
        if not leads or len(set(leads)) != len(leads):
            raise ValueError("name each lead once, and at least one")
        return check_leads(leads)

    @model_validator(mode="after")
    def _can_be_held(self) -> Self:
        if self.rate * self.duration > MOST_SAMPLES:
            raise ValueError(f"rate times duration is more than {MOST_SAMPLES:,} samples; choose less of one")
        return self


class Crop(Section):
    """The section a network sees: random in training; in evaluation the centre, or the mean over spaced crops."""

    seconds: Seconds | None = None
    """How long the section is; null is the whole recording."""
    evaluation: Literal["centre", "mean"] = "centre"
    """One section from the centre, or the mean of the logits of several."""
    crops: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many sections the mean is over, spaced evenly."""


class Normalisation(Section):
    """`scale` divides each lead by its standard deviation over the training set, and so keeps relative amplitudes.

    The others look at one record at a time: each lead alone (`across: lead`) or all leads together (`across: record`).
    """

    kind: Literal["none", "scale", "min-max", "z-score", "robust", "log", "signed-log", "l2"] = "scale"
    """How the voltages become numbers of about one size."""
    across: Literal["lead", "record"] = "lead"
    """What min-max, z-score, robust and l2 look at."""
