"""The Recipe value: everything that decides a result.

Durations are in seconds, frequencies in Hz, amplitudes relative to each record's own standard deviation, so that a
recipe means the same at 100 and at 500 Hz. A recipe prints and reads as YAML; an unknown key is refused with the nearest known one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ecgenough.complaints import first_complaint
from ecgenough.ecg import STANDARD_LEADS, check_leads
from ecgenough.errors import WrongRequest, quoted
from ecgenough.settings import read_mapping, read_settings, read_value, shipped_names

Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0), "s"]  # the text is the unit, for docs/recipes.md
Hertz = Annotated[float, Field(gt=0), "Hz"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Order = Annotated[int, Field(ge=1, le=12)]  # of a filter: beyond it the coefficients are no longer exact

# What a recipe may ask of one record: a recipe or a model's card may come from anywhere.
MOST_SAMPLES = 10_000_000  # of a lead: a day at 100 Hz has fewer


class Section(BaseModel):
    """A part of a recipe: frozen, no key that is not known, no number that is not finite.

    The text under a key tells what it is; the page of every recipe key is made from these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- conditioning: what is done once to every record ---------------------------------------------------------------


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


# --- batches: what is done to every record each time it is shown ---------------------------------------------------


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


# --- network, loss, learning ---------------------------------------------------------------------------------------


class Network(Section):
    """A name from `ecgenough networks` and the options of that network."""

    name: str = "resnet18"
    """Which network."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its own settings, such as width; changing the name takes them back to their defaults."""


PositiveWeight = Literal["counts"] | tuple[Positive, ...] | None


class Bce(Section):
    """Binary cross-entropy on logits."""

    kind: Literal["bce"] = "bce"
    positive_weight: PositiveWeight = None
    """Multiplies the loss of positives: a number a class, or counts for (negatives / positives) ** power in training."""
    power: Fraction = 1.0
    """Of the ratio, with positive_weight: counts."""
    label_smoothing: Fraction = 0.0
    """How far labels are drawn from 0 and 1 toward one half."""


class Focal(Section):
    """Lin et al. 2017: cross-entropy scaled by alpha and by (1 - p of the truth) ** gamma."""

    kind: Literal["focal"] = "focal"
    alpha: Fraction = 0.7
    """The weight of positives; negatives have 1 - alpha."""
    gamma: Annotated[float, Field(ge=0)] = 2.0
    """How much what is right already counts less."""
    label_smoothing: Fraction = 0.0
    """How far labels are drawn from 0 and 1 toward one half."""


class Asymmetric(Section):
    """Ridnik et al. 2021: separate focusing for positives and negatives, and a margin that drops easy negatives."""

    kind: Literal["asymmetric"] = "asymmetric"
    gamma_positive: Annotated[float, Field(ge=0)] = 1.0
    """How much positives that are right already count less."""
    gamma_negative: Annotated[float, Field(ge=0)] = 4.0
    """The same for negatives."""
    margin: Fraction = 0.05
    """Negatives with a probability below it do not count."""
    label_smoothing: Fraction = 0.0
    """How far labels are drawn from 0 and 1 toward one half."""


class LogitAdjusted(Section):
    """Menon et al. 2021, per class: logits shifted by tau times the log odds of the class in the training set."""

    kind: Literal["logit-adjusted"] = "logit-adjusted"
    tau: Annotated[float, Field(ge=0)] = 1.0
    """How far the logits are shifted; 0 is binary cross-entropy."""
    label_smoothing: Fraction = 0.0
    """How far labels are drawn from 0 and 1 toward one half."""


Loss = Annotated[Bce | Focal | Asymmetric | LogitAdjusted, Field(discriminator="kind")]


class Optimizer(Section):
    """AdamW (Loshchilov & Hutter 2019); the decay spares biases, norms and the dynamics of state spaces."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Positive = 2e-3
    """The highest rate of the schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """How much weights shrink, times the rate, a step."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    """How much of the running means of gradient and squared gradient is kept a step."""


class Constant(Section):
    """The optimiser's rate throughout."""

    kind: Literal["constant"] = "constant"


class Step(Section):
    """Multiply the rate by `factor` every `every` epochs."""

    kind: Literal["step"] = "step"
    every: Annotated[Count, "epochs"] = 10
    """How often the rate changes."""
    factor: Positive = 0.1
    """What it is multiplied by."""


class OneCycle(Section):
    """Rise to the optimiser's rate over `warmup` of the steps, then fall to nothing along a cosine (Smith 2018)."""

    kind: Literal["one-cycle"] = "one-cycle"
    warmup: Fraction = 0.3
    """The share of the steps in which the rate rises."""


class Cosine(Section):
    """Fall from the optimiser's rate to nothing along a cosine."""

    kind: Literal["cosine"] = "cosine"


Schedule = Annotated[Constant | Step | OneCycle | Cosine, Field(discriminator="kind")]


class Training(Section):
    """How long, how many at once, and which epoch is kept."""

    epochs: Count = 20
    """How often the training records are gone through."""
    batch: Annotated[Count, "records"] = 128
    """How many are shown for one step of the optimiser."""
    clip: Positive | None = 1.0
    """The largest norm of the gradient; null leaves it."""
    ema: Annotated[float, Field(ge=0, lt=1)] | None = 0.999
    """The decay a step of the averaged weights that are evaluated and kept; null keeps the weights themselves."""
    select: Literal["macro_auc", "macro_average_precision", "loss", "last"] = "macro_auc"
    """The validation figure that picks the epoch that is kept."""
    patience: Annotated[Count, "epochs"] | None = None
    """Stop after so many without a better one; null never."""
    sampling: Literal["shuffle", "class-balanced", "patient-balanced"] = "shuffle"
    """How often a record is shown: once an epoch, or drawn so that classes or patients come equally often."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Of the computation; auto is bf16 on a GPU that knows it, float32 elsewhere."""


class Transfer(Section):
    """Which parameters of a pretrained network learn, and how fast.

    frozen: the head alone. full: everything. lp-ft: the head for `head_epochs`, then everything (Kumar et al. 2022).
    gradual: stages thaw from the head down, evenly over the epochs. layerwise: rates fall by `decay` per stage toward
    the input. lora: low-rank updates of rank `rank` beside frozen weights (Hu et al. 2022).
    """

    mode: Literal["frozen", "full", "lp-ft", "gradual", "layerwise", "lora"] = "full"
    """The way."""
    head_epochs: Annotated[Count, "epochs"] = 5
    """Of lp-ft: how long the head learns alone."""
    decay: Fraction = 0.65
    """Of layerwise: what the rate is multiplied by a stage toward the input."""
    rank: Count = 8
    """Of lora: the rank of the updates."""


class Distillation(Section):
    """Learn from what trained models answer as well as from the labels (Hinton et al. 2015).

    `teachers` are shipped models or folders that know the task; the target of a record is its label with 1 - `weight`
    and the mean of the teachers' calibrated probabilities with `weight`.
    """

    teachers: Annotated[tuple[str, ...], Field(min_length=1)] = ("ptbxl-base",)
    """Names or folders of models."""
    weight: Fraction = 0.5
    """How much their answers count; the labels have the rest."""


class Masked(Section):
    """Hide `fraction` of the signal, all leads together in stretches of `seconds`, and rebuild it from the rest.

    As masked autoencoders do (He et al. 2022), for any body; the error is counted over the hidden signal only.
    """

    objective: Literal["masked"] = "masked"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """How much is hidden."""
    seconds: Seconds = 0.4
    """How long a hidden stretch is."""


class Contrastive(Section):
    """Tell two views of one record from those of all others: NT-Xent (Chen et al. 2020).

    A view is a crop (`crop.seconds`) and an augmentation. `positives: patient` takes the second view from the patient's
    next record and counts all views of a patient as alike (Kiyasseh et al. 2021).
    """

    objective: Literal["contrastive"] = "contrastive"
    positives: Literal["record", "patient"] = "record"
    """Whose other view is the right answer."""
    temperature: Positive = 0.1
    """What similarities are divided by; the smaller, the more the nearest wrong one counts."""
    width: Count = 128
    """Of the projection in which views are compared."""


Pretraining = Annotated[Masked | Contrastive, Field(discriminator="objective")]


class Recipe(Section):
    """Everything that decides a result. Same recipe, same data, same machine: same result.

    >>> recipe = ecgenough.Recipe().with_changes(["optimizer.learning_rate=1e-4"])
    >>> print(recipe.to_yaml().splitlines()[0], recipe.optimizer.learning_rate)
    task: null 0.0001
    """

    task: str | None = None
    """Which labels, or several tasks at once: form+rhythm; null is the data set's default."""
    leave_out: str | None = None
    """A task of the same data whose patients are kept from training and validation, to carry the model over to it."""
    labels: Literal["hard", "likelihood"] = "hard"
    """Learn 0 and 1, or how likely the annotator thought each statement, where that is known."""
    signal: Signal = Signal()
    """What is done once to every recording."""
    crop: Crop = Crop()
    """What section of it the network sees."""
    normalisation: Normalisation = Normalisation()
    """How its voltages are scaled."""
    augmentation: Augmentation = Augmentation()
    """How it is varied in training."""
    network: Network = Network()
    """What reads it."""
    loss: Loss = Bce()
    """What is minimised."""
    optimizer: Optimizer = Optimizer()
    """How it is minimised."""
    schedule: Schedule = OneCycle()
    """How the learning rate changes."""
    training: Training = Training()
    """How long, and what is kept."""
    transfer: Transfer | None = None
    """What learns when a model is carried over; null in a training from scratch."""
    distillation: Distillation | None = None
    """Which trained models teach beside the labels; null is none."""
    pretraining: Pretraining | None = None
    """What is learned without labels; null in a training with them."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Decides every random number."""

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str = "recipe") -> Self:
        """Validate plain values. Raises WrongRequest naming the first wrong key, what is wrong and what fits."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise WrongRequest(first_complaint(error, cls, where)) from None

    @classmethod
    def from_yaml(cls, text: str, where: str = "recipe") -> Self:
        """Read a recipe from YAML text; `where` is named in errors."""
        return cls.of(read_mapping(text, where, "recipe"), where)

    def to_yaml(self) -> str:
        """The whole recipe as YAML, every value spelled out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, width=120, default_flow_style=None)

    def with_changes(self, changes: Iterable[str]) -> Self:
        """The recipe after `key=value` changes such as `training.epochs=5`; values are read as YAML."""
        return self.with_values(_parsed(change) for change in changes)

    def with_values(self, values: Iterable[tuple[str, Any]]) -> Self:
        """The recipe with plain values put at keys such as "training.epochs", one after the other.

        A value of `kind`, or of `network.name`, takes the other keys beside it back to their defaults.
        """
        settings = self.model_dump(mode="json")
        for key, value in values:
            _put(settings, key, value)
        return self.of(settings)

    def fingerprint(self) -> str:
        """Sixteen hex digits that differ whenever any value does."""
        return fingerprint(self.model_dump(mode="json"))


FOLDER = "recipes"  # of the package


def fingerprint(settings: Any) -> str:
    """Sixteen hex digits of SHA-256 over plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def shipped() -> tuple[str, ...]:
    """The names of the recipes that come with the package."""
    return shipped_names(FOLDER)


def load_recipe(name_or_path: str, changes: Iterable[str] = ()) -> Recipe:
    """A shipped recipe by name or one of your own by path, after `key=value` changes.

    Raises WrongRequest when there is neither, or a key or value does not fit.

    >>> recipe = ecgenough.load_recipe("fast", ["network.options.width=4", "training.epochs=1"])
    >>> recipe.training.epochs
    1
    """
    return Recipe.of(read_settings(name_or_path, FOLDER, "recipe"), name_or_path).with_changes(changes)


def change_setting(settings: dict[str, Any], change: str, what: str = "recipe") -> None:
    """Put a `key=value` change into plain settings. Raises WrongRequest for one that is none of `what`."""
    _put(settings, *_parsed(change), what)


def _parsed(change: str) -> tuple[str, Any]:
    """The key and the value of `key=value`, the value read as YAML."""
    key, equals, value = change.partition("=")
    if not equals:
        raise WrongRequest(f"change {quoted(change)} is not of the form key=value, such as training.epochs=5.")
    return key.strip(), read_value(value, f"change {quoted(change)}: the value")


def _put(settings: dict[str, Any], key: str, value: Any, what: str = "recipe") -> None:
    *sections, last = key.split(".")
    place = settings
    for section in sections:
        inner = place.get(section)
        if inner is None:
            inner = place[section] = {}
        if not isinstance(inner, dict):
            raise WrongRequest(f"{what} key {quoted(key)} is unknown: {quoted(section)} has no keys inside.")
        place = inner
    if last in _CHOICES:  # another kind has other keys: the old ones go
        place.clear()
    if last == "name" and sections == ["network"]:
        place["options"] = {}
    place[last] = value


_CHOICES = ("kind", "objective")  # keys whose value says which other keys there are
