"""What reads the ECGs and how it learns: network, loss, optimiser, schedule, training, transfer, pretraining."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ecgenough.recipe.section import Count, Fraction, Positive, Seconds, Section


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
    """Learn from what trained models and sober baselines answer as well as from the labels (Hinton et al. 2015).

    The target of a record is its label with 1 - `weight` and the mean of all teachers' probabilities with `weight`.
    """

    teachers: tuple[str, ...] = ("ptbxl-base",)
    """Names or folders of models that know the task; their answers are calibrated."""
    baselines: tuple[str, ...] = ()
    """Baselines that teach too, such as intervals: each patient is answered by one fitted on other training patients."""
    weight: Fraction = 0.5
    """How much their answers count; the labels have the rest."""

    @model_validator(mode="after")
    def _has_somebody_to_ask(self) -> Self:
        if not self.teachers and not self.baselines:
            raise ValueError("needs a teacher or a baseline; without either, set distillation=null")
        return self


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


class Measured(Section):
    """Say what calipers read off the ECG: rhythm, intervals, the shape of each wave in each lead, and how beats vary.

    The measurements are worked out from the records themselves, once, as for the baseline `intervals`.
    """

    objective: Literal["measured"] = "measured"


Pretraining = Annotated[Masked | Contrastive | Measured, Field(discriminator="objective")]
