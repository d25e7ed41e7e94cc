"""What the service says: the shapes of its JSON, which its OpenAPI document describes."""

from typing import Any

from pydantic import BaseModel, Field

from ecgenough.baselines.delineation import RHYTHM, measure
from ecgenough.ecg import Ecg
from ecgenough.prediction import Prediction

MICROVOLTS = 1000


class ClassAnswer(BaseModel):
    """One class: its name, full title, calibrated probability, the threshold, and whether it is called."""

    name: str
    title: str
    probability: float = Field(ge=0, le=1)
    threshold: float
    call: bool


class RecordAnswer(BaseModel):
    """One recording: its classes and what makes one doubt them, or the sentence that says why there are none."""

    file: str
    classes: list[ClassAnswer] = []
    notes: list[str] = []
    error: str | None = None

    @classmethod
    def of(cls, file: str, said: Prediction) -> "RecordAnswer":
        rows = zip(said.classes, said.titles, said.probabilities, said.thresholds, said.calls, strict=True)
        classes = [
            ClassAnswer(name=name, title=title, probability=probability, threshold=threshold, call=call)
            for name, title, probability, threshold, call in rows
        ]
        return cls(file=file, classes=classes, notes=list(said.notes))


class PredictAnswer(BaseModel):
    """Every recording of a request, in its order, and the model that answered."""

    model: str
    records: list[RecordAnswer]
    notice: str = "Research software, not a medical device."


class EcgAnswer(BaseModel):
    """A recording as it was read: microvolts by lead, null where the recorder lost a sample, and computed measurements."""

    file: str
    rate: float
    leads: list[str]
    microvolts: list[list[int | None]]
    age: float | None
    sex: str | None
    recorded: str | None
    measurements: dict[str, float | None] = Field(description="Computed: rate (bpm), intervals (ms), axis (degrees).")

    @classmethod
    def of(cls, file: str, ecg: Ecg) -> "EcgAnswer":
        rounded = (ecg.signal.astype("float64") * MICROVOLTS).round()
        counts = [[None if value != value else int(value) for value in lead] for lead in rounded.tolist()]
        found = measure(ecg.signal, ecg.rate, ecg.leads)[: len(RHYTHM)]
        return cls(
            file=file,
            rate=ecg.rate,
            leads=list(ecg.leads),
            microvolts=counts,
            age=ecg.age,
            sex=ecg.sex,
            recorded=ecg.recorded.isoformat() if ecg.recorded else None,
            measurements={name: _number(value) for name, value in zip(RHYTHM, found.tolist(), strict=True)},
        )


class Complaint(BaseModel):
    """Why a request was not answered, in one sentence."""

    detail: str


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The statuses other than 200 that a route may answer with, for the OpenAPI document."""
    return {status: {"model": Complaint, "description": _REASONS[status]} for status in statuses}


_REASONS = {
    400: "The request is not what this route reads.",
    401: "A bearer token is needed.",
    408: "The request took too long.",
    413: "The request is too large.",
    422: "No recording could be used.",
    429: "Too many requests are in work.",
    503: "The service is shutting down or not ready.",
}


def _number(value: float) -> float | None:
    return None if value != value else round(value, 3)
