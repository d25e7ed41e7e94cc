"""A run as a report sees it: what was asked, what the data were, what came out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, field_validator

from ecgenough import networks
from ecgenough.recipe import Recipe, Signal

RECORD_COUNTS = ("listed", "rejected", "in_task", "train", "validation", "test")


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def overlaps(self, other: "Estimate") -> bool:
        """Whether the two intervals share a point; False where one of them is not known."""
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return False
        return self.low <= other.high and other.low <= self.high


UNDEFINED = Estimate(None)


@dataclass(frozen=True)
class ClassScores:
    """The figures of one class, its positives among the records shown and the threshold chosen for it."""

    figures: dict[str, Estimate]
    positives: int
    threshold: float | None


@dataclass(frozen=True)
class Metrics:
    """metrics.json of one evaluation."""

    dataset: str
    task: str
    records: int
    patients: int | None
    macro: dict[str, Estimate]
    overall: dict[str, Estimate]
    classes: dict[str, ClassScores]  # without the absent ones, which have no figures
    absent: tuple[str, ...]
    folds: tuple[int, ...] = ()
    seen: int = 0  # how many of the records the model learned from or was chosen on

    @property
    def auc(self) -> Estimate:
        return self.macro.get("auc", UNDEFINED)


class Kept(BaseModel):
    """Records that were kept from training and validation: the patients of another task, or copies of a waveform."""

    task: str | None = None
    records: int = 0
    patients: int = 0
    left_out: int = 0


class Data(BaseModel):
    """data.json: what was listed, left out and shared out.

    `untuned` are the classes that the validation records could not decide, `validation_patients` those who have each
    class and those who have not; runs from before do not state them.
    """

    dataset: str
    task: str
    classes: tuple[str, ...]
    titles: tuple[str, ...] = ()
    records: dict[str, int]
    patients: dict[str, int]
    positives: dict[str, dict[str, int]]
    validation_patients: dict[str, tuple[int, int]] = {}
    folds: dict[str, list[int]] = {}
    left_out: Kept | None = None
    repeated: Kept = Kept()
    untuned: tuple[str, ...] = ()
    store: str | None = None

    @field_validator("records")
    @classmethod
    def _counted(cls, records: dict[str, int]) -> dict[str, int]:
        if missing := [key for key in RECORD_COUNTS if key not in records]:
            raise ValueError(f"{missing[0]} is not counted")
        return records

    def title(self, name: str) -> str:
        """The full name of a class, or its name where no other was given."""
        return dict(zip(self.classes, self.titles, strict=False)).get(name) or name


class TransferNote(BaseModel):
    """transfer.json: where the weights came from and how many of them learned."""

    source: str
    mode: str
    trained_parameters: int
    all_parameters: int
    messages: tuple[str, ...] = ()


class Baseline(BaseModel):
    """baseline.json: what a baseline was fitted with, in place of a recipe, and what it says of itself."""

    model_config = ConfigDict(extra="allow")

    baseline: str
    seed: int
    signal: Signal
    environment: dict[str, str] = {}
    versions: dict[str, str] = {}  # in place of it in runs from before


@dataclass(frozen=True, eq=False)
class Predictions:
    """predictions.csv: probabilities and labels, both `[records, classes]`."""

    records: tuple[str, ...]
    patients: tuple[str, ...]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.bool_]

    @property
    def people(self) -> list[str]:
        """Whose each record is; one of nobody known is a patient of its own."""
        return [patient or record for patient, record in zip(self.patients, self.records, strict=True)]


@dataclass(frozen=True, eq=False)
class Examples:
    """examples.npz: a few ECGs in mV `[examples, leads, samples]`."""

    records: tuple[str, ...]
    signals: NDArray[np.float32]
    rate: float
    leads: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """Everything a report says about one run. Pieces the folder does not hold are None."""

    name: str
    folder: Path
    method: Recipe | Baseline  # what decided the result
    data: Data
    shown: Literal["test", "validation"]
    metrics: Metrics
    predictions: Predictions | None
    examples: Examples | None
    log: pd.DataFrame | None
    rejected: tuple[tuple[str, str], ...]
    transfer: TransferNote | None
    model: dict[str, Any]

    @property
    def is_baseline(self) -> bool:
        return isinstance(self.method, Baseline)

    @property
    def has_epochs(self) -> bool:
        """Whether it learned step by step; baselines and trees are fitted at once."""
        return isinstance(self.method, Recipe) and self.method.network.name not in networks.FITTED

    @property
    def reader(self) -> str:
        """Who read the ECGs: the name of a network, or "baseline: intervals"."""
        if isinstance(self.method, Baseline):
            return f"baseline: {self.method.baseline}"
        return self.method.network.name

    @property
    def mode(self) -> str:
        """How the weights were found: "scratch", or the mode of the transfer; "baseline" where there are none."""
        if self.is_baseline:
            return "baseline"
        return self.transfer.mode if self.transfer else "scratch"

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights were kept, counted from 1 as in the log."""
        epoch = self.origin.get("epoch")
        return epoch if isinstance(epoch, int) else None

    @property
    def origin(self) -> dict[str, Any]:
        """Where the model says it came from: `origin` of model.json."""
        origin = self.model.get("origin")
        return origin if isinstance(origin, dict) else {}

    @property
    def environment(self) -> dict[str, str]:
        """Versions and machine, as far as the run states them."""
        if isinstance(self.method, Baseline):
            return self.method.environment or self.method.versions
        stated = self.origin.get("environment")
        return {str(key): str(value) for key, value in stated.items()} if isinstance(stated, dict) else {}

    def present(self) -> list[str]:
        """The classes with both positives and negatives among the records shown."""
        return [name for name in self.data.classes if name in self.metrics.classes]

    def threshold(self, name: str) -> float | None:
        """The chosen threshold of a class; None for one that is absent."""
        scores = self.metrics.classes.get(name)
        return scores.threshold if scores else None
