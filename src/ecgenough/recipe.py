"""The Recipe value: everything that decides a result.

Durations are in seconds, frequencies in Hz, amplitudes relative to each record's own standard deviation, so that a
recipe means the same at 100 and at 500 Hz. A recipe prints and reads as YAML; an unknown key is refused with the nearest known one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ecgenough.complaints import first_complaint
from ecgenough.ecg import STANDARD_LEADS, check_leads
from ecgenough.errors import WrongRequest
from ecgenough.settings import read_mapping, read_settings, shipped_names

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of a recipe: frozen, no key that is not known, no number that is not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


# --- conditioning: what is done once to every record ---------------------------------------------------------------


class NoFilter(Section):
    kind: Literal["none"] = "none"


class BandPass(Section):
    """Butterworth band-pass designed at the rate of the signal it filters. Source: Marques & Oliveira 2025."""

    kind: Literal["band-pass"] = "band-pass"
    low: Positive = 1.0
    high: Positive = 45.0
    order: Count = 2
    zero_phase: bool = True


class LowPassWavelet(Section):
    """Low-pass, then subtraction of a wavelet baseline.

    `baseline_below` in Hz bounds what may be taken for baseline. null is the rule as Marques & Oliveira 2025 published
    it, their "default" noise removal, which at 100 Hz takes away what lies below 1.6 Hz in nearly half of PTB-XL's leads.
    """

    kind: Literal["low-pass-wavelet"] = "low-pass-wavelet"
    high: Positive = 50.0
    order: Count = 2
    wavelet: str = "db4"
    baseline_below: Positive | None = 0.5


Filter = Annotated[NoFilter | BandPass | LowPassWavelet, Field(discriminator="kind")]


class Signal(Section):
    """Select leads, resample, filter, cut or pad, in this order."""

    leads: tuple[str, ...] = STANDARD_LEADS
    rate: Positive = 100.0
    duration: Positive = 10.0
    filter: Filter = NoFilter()

    @field_validator("leads")
    @classmethod
    def _usual_names(cls, leads: tuple[str, ...]) -> tuple[str, ...]:
        if not leads or len(set(leads)) != len(leads):
            raise ValueError("name each lead once, and at least one")
        return check_leads(leads)


# --- batches: what is done to every record each time it is shown ---------------------------------------------------


class Crop(Section):
    """The section a network sees: random in training; in evaluation the centre, or the mean over spaced crops."""

    seconds: Positive | None = None
    evaluation: Literal["centre", "mean"] = "centre"
    crops: Count = 5


class Normalisation(Section):
    """`scale` divides each lead by its standard deviation over the training set, and so keeps relative amplitudes.

    The others look at one record at a time: each lead alone (`across: lead`) or all leads together (`across: record`).
    """

    kind: Literal["none", "scale", "min-max", "z-score", "robust", "log", "signed-log", "l2"] = "scale"
    across: Literal["lead", "record"] = "lead"


class Nothing(Section):
    kind: Literal["nothing"] = "nothing"


class Flip(Section):
    """Turn the sign of the whole record. Swaps ST elevation and depression: only for the paper's recipes."""

    kind: Literal["flip"] = "flip"


class SampleDropout(Section):
    kind: Literal["sample-dropout"] = "sample-dropout"
    fraction: Fraction = 0.1


class LeadDropout(Section):
    kind: Literal["lead-dropout"] = "lead-dropout"
    probability: Fraction = 0.2


class Sine(Section):
    """Add a sine; amplitude relative to the record's standard deviation, frequency in Hz."""

    kind: Literal["sine"] = "sine"
    amplitude: tuple[float, float] = (0.25, 1.0)
    frequency: tuple[float, float] = (0.5, 10.0)


class Square(Section):
    """Add a square wave; amplitude relative to the record's standard deviation, frequency in Hz."""

    kind: Literal["square"] = "square"
    amplitude: tuple[float, float] = (0.005, 0.02)
    frequency: tuple[float, float] = (0.5, 50.0)


class Noise(Section):
    """Add white noise; amplitude relative to the record's standard deviation."""

    kind: Literal["noise"] = "noise"
    amplitude: tuple[float, float] = (0.0, 0.05)


class CircularShift(Section):
    """Roll the record in time by a random amount, all leads together."""

    kind: Literal["circular-shift"] = "circular-shift"


class LeadScale(Section):
    """Multiply each lead by a factor drawn from 1 - spread to 1 + spread."""

    kind: Literal["lead-scale"] = "lead-scale"
    spread: Fraction = 0.1


class TimeMask(Section):
    """Silence one stretch of all leads, up to `seconds` long."""

    kind: Literal["time-mask"] = "time-mask"
    seconds: Positive = 1.0


AugmentationStep = Annotated[
    Nothing | Flip | SampleDropout | LeadDropout | Sine | Square | Noise | CircularShift | LeadScale | TimeMask,
    Field(discriminator="kind"),
]


class Augmentation(Section):
    """Steps applied in training: all in order, or one drawn uniformly for each record."""

    choose: Literal["all", "one"] = "all"
    of: tuple[AugmentationStep, ...] = ()


# --- network, loss, learning ---------------------------------------------------------------------------------------


class Network(Section):
    """A name from `ecgenough networks` and the options of that network."""

    name: str = "resnet18"
    options: dict[str, Any] = Field(default_factory=dict)


PositiveWeight = Literal["counts"] | tuple[Positive, ...] | None


class Bce(Section):
    """Binary cross-entropy on logits.

    `positive_weight` multiplies the loss of positives: given per class, or "counts" for
    (negatives / positives) ** `power` over the training set.
    """

    kind: Literal["bce"] = "bce"
    positive_weight: PositiveWeight = None
    power: Fraction = 1.0
    label_smoothing: Fraction = 0.0


class Focal(Section):
    """Lin et al. 2017: cross-entropy scaled by alpha and by (1 - p of the truth) ** gamma."""

    kind: Literal["focal"] = "focal"
    alpha: Fraction = 0.7
    gamma: Annotated[float, Field(ge=0)] = 2.0
    label_smoothing: Fraction = 0.0


class Asymmetric(Section):
    """Ridnik et al. 2021: separate focusing for positives and negatives, and a margin that drops easy negatives."""

    kind: Literal["asymmetric"] = "asymmetric"
    gamma_positive: Annotated[float, Field(ge=0)] = 1.0
    gamma_negative: Annotated[float, Field(ge=0)] = 4.0
    margin: Fraction = 0.05
    label_smoothing: Fraction = 0.0


class LogitAdjusted(Section):
    """Menon et al. 2021, per class: logits shifted by tau times the log odds of the class in the training set."""

    kind: Literal["logit-adjusted"] = "logit-adjusted"
    tau: Annotated[float, Field(ge=0)] = 1.0
    label_smoothing: Fraction = 0.0


Loss = Annotated[Bce | Focal | Asymmetric | LogitAdjusted, Field(discriminator="kind")]


class Optimizer(Section):
    """AdamW (Loshchilov & Hutter 2019); the decay spares biases, norms and the dynamics of state spaces."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)


class Constant(Section):
    kind: Literal["constant"] = "constant"


class Step(Section):
    """Multiply the rate by `factor` every `every` epochs."""

    kind: Literal["step"] = "step"
    every: Count = 10
    factor: Positive = 0.1


class OneCycle(Section):
    """Rise to the optimiser's rate over `warmup` of the steps, then fall to nothing along a cosine (Smith 2018)."""

    kind: Literal["one-cycle"] = "one-cycle"
    warmup: Fraction = 0.3


class Cosine(Section):
    """Fall from the optimiser's rate to nothing along a cosine."""

    kind: Literal["cosine"] = "cosine"


Schedule = Annotated[Constant | Step | OneCycle | Cosine, Field(discriminator="kind")]


class Training(Section):
    """How long, how many at once, and which epoch is kept.

    `select` names the validation figure that picks the epoch; `patience` stops after that many epochs without a better
    one. `ema` is the decay per step of the averaged weights that are evaluated and kept. `clip` bounds the gradient's norm.
    """

    epochs: Count = 20
    batch: Count = 128
    clip: Positive | None = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] | None = 0.999
    select: Literal["macro_auc", "macro_average_precision", "loss", "last"] = "macro_auc"
    patience: Count | None = None
    sampling: Literal["shuffle", "class-balanced", "patient-balanced"] = "shuffle"
    precision: Literal["auto", "float32", "bf16"] = "auto"


class Transfer(Section):
    """Which parameters of a pretrained network learn, and how fast.

    frozen: the head alone. full: everything. lp-ft: the head for `head_epochs`, then everything (Kumar et al. 2022).
    gradual: stages thaw from the head down, evenly over the epochs. layerwise: rates fall by `decay` per stage toward
    the input. lora: low-rank updates of rank `rank` beside frozen weights (Hu et al. 2022).
    """

    mode: Literal["frozen", "full", "lp-ft", "gradual", "layerwise", "lora"] = "full"
    head_epochs: Count = 5
    decay: Fraction = 0.65
    rank: Count = 8


class Distillation(Section):
    """Learn from what trained models answer as well as from the labels (Hinton et al. 2015).

    `teachers` are shipped models or folders that know the task; the target of a record is its label with 1 - `weight`
    and the mean of the teachers' calibrated probabilities with `weight`.
    """

    teachers: Annotated[tuple[str, ...], Field(min_length=1)] = ("ptbxl-base",)
    weight: Fraction = 0.5


class Masked(Section):
    """Hide `fraction` of the signal, all leads together in stretches of `seconds`, and rebuild it from the rest.

    As masked autoencoders do (He et al. 2022), for any body; the error is counted over the hidden signal only.
    """

    objective: Literal["masked"] = "masked"
    fraction: Annotated[float, Field(gt=0, lt=1)] = 0.5
    seconds: Positive = 0.4


class Contrastive(Section):
    """Tell two views of one record from those of all others: NT-Xent (Chen et al. 2020).

    A view is a crop (`crop.seconds`) and an augmentation. `positives: patient` takes the second view from the patient's
    next record and counts all views of a patient as alike (Kiyasseh et al. 2021). `width` is that of the projection.
    """

    objective: Literal["contrastive"] = "contrastive"
    positives: Literal["record", "patient"] = "record"
    temperature: Positive = 0.1
    width: Count = 128


Pretraining = Annotated[Masked | Contrastive, Field(discriminator="objective")]


class Recipe(Section):
    """Everything that decides a result. Same recipe, same data, same machine: same result.

    `leave_out` names another task of the same data: every patient with a record in it is kept from training and
    validation, so that the model can be carried over to that task.
    """

    task: str | None = None
    leave_out: str | None = None
    labels: Literal["hard", "likelihood"] = "hard"
    signal: Signal = Signal()
    crop: Crop = Crop()
    normalisation: Normalisation = Normalisation()
    augmentation: Augmentation = Augmentation()
    network: Network = Network()
    loss: Loss = Bce()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = OneCycle()
    training: Training = Training()
    transfer: Transfer | None = None
    distillation: Distillation | None = None
    pretraining: Pretraining | None = None
    seed: Annotated[int, Field(ge=0)] = 0

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
    """
    return Recipe.of(read_settings(name_or_path, FOLDER, "recipe"), name_or_path).with_changes(changes)


def change_setting(settings: dict[str, Any], change: str, what: str = "recipe") -> None:
    """Put a `key=value` change into plain settings. Raises WrongRequest for one that is none of `what`."""
    _put(settings, *_parsed(change), what)


def _parsed(change: str) -> tuple[str, Any]:
    """The key and the value of `key=value`, the value read as YAML."""
    key, equals, value = change.partition("=")
    if not equals:
        raise WrongRequest(f'change "{change}" is not of the form key=value, such as training.epochs=5.')
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise WrongRequest(f'change "{change}": the value is not YAML.') from None


def _put(settings: dict[str, Any], key: str, value: Any, what: str = "recipe") -> None:
    *sections, last = key.split(".")
    place = settings
    for section in sections:
        inner = place.get(section)
        if inner is None:
            inner = place[section] = {}
        if not isinstance(inner, dict):
            raise WrongRequest(f'{what} key "{key}" is unknown: "{section}" has no keys inside.')
        place = inner
    if last in _CHOICES:  # another kind has other keys: the old ones go
        place.clear()
    if last == "name" and sections == ["network"]:
        place["options"] = {}
    place[last] = value


_CHOICES = ("kind", "objective")  # keys whose value says which other keys there are
