"""What the service says: the shapes of its JSON, which its OpenAPI document describes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel, Field

from ecgenough.ecg import Ecg
from ecgenough.errors import EcgenoughError
from ecgenough.prediction import Prediction
from ecgenough.serving.beats import r_peaks
from ecgenough.serving.explanation import Explanation
from ecgenough.serving.explanation_files import numbers, shade
from ecgenough.signals.conditioning import readable
from ecgenough.signals.measurements import printed
from ecgenough.signals.store import MICROVOLTS

NOTICE = "Research software, not a medical device."


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


class PredictAnswer(BaseModel):
    """Every recording of a request, in its order, and the model that answered."""

    model: str
    records: list[RecordAnswer]
    notice: str = NOTICE


class PredictJson:
    """The JSON of a PredictAnswer, put together from pieces that are made once.

    All but probabilities and calls is the same in every answer, and what would check a row a class takes longer than the
    network does.
    """

    def __init__(self, model: str, classes: Sequence[str], titles: Sequence[str], thresholds: Sequence[float]) -> None:
        self._rows = [
            (
                f'{{"name":{json.dumps(name)},"title":{json.dumps(title)},"probability":',
                f',"threshold":{json.dumps(threshold)},"call":false}}',
                f',"threshold":{json.dumps(threshold)},"call":true}}',
            )
            for name, title, threshold in zip(classes, titles, thresholds, strict=True)
        ]
        self._begin = f'{{"model":{json.dumps(model)},"records":['
        self._end = f'],"notice":{json.dumps(NOTICE)}}}'

    def of(self, files: Sequence[str], said: Sequence[Prediction | EcgenoughError]) -> bytes:
        """The answer to a request: a prediction, or the error, for each file."""
        records = (self._record(file, one) for file, one in zip(files, said, strict=True))
        return f"{self._begin}{','.join(records)}{self._end}".encode()

    def _record(self, file: str, said: Prediction | EcgenoughError) -> str:
        name = json.dumps(file)
        if isinstance(said, EcgenoughError):
            return f'{{"file":{name},"classes":[],"notes":[],"error":{json.dumps(str(said))}}}'
        answers = zip(self._rows, said.probabilities, said.calls, strict=True)
        classes = ",".join([f"{row[0]}{probability!r}{row[1 + call]}" for row, probability, call in answers])
        return f'{{"file":{name},"classes":[{classes}],"notes":{json.dumps(said.notes)},"error":null}}'


class EcgAnswer(BaseModel):
    """A recording as it was read: microvolts by lead, null where the recorder lost a sample, and computed measurements."""

    file: str
    rate: float
    leads: list[str]
    microvolts: list[list[int | None]]
    age: float | None
    sex: str | None
    recorded: str | None
    measurements: dict[str, float | None] = Field(
        description="Computed: rate (bpm), spread of RR (ms), share of odd beats, intervals (ms), axis (degrees), height of P "
        "in all leads together, the length of their vector (mV)."
    )
    beats: list[float] = Field(description="Computed: R peaks, in seconds.")

    @classmethod
    def of(cls, file: str, ecg: Ecg) -> "EcgAnswer":
        """Whole microvolts, beats to 0.1 ms; measurements of a recording without readable beats are null.

        What was lost is bridged before it is measured, as for a model; a lead that lacks more than half is not measured.
        """
        read = readable(ecg)
        rounded = (ecg.signal.astype("float64") * MICROVOLTS).round()
        counts = [[None if value != value else int(value) for value in lead] for lead in rounded.tolist()]
        return cls(
            file=file,
            rate=ecg.rate,
            leads=list(ecg.leads),
            microvolts=counts,
            age=ecg.age,
            sex=ecg.sex,
            recorded=ecg.recorded.isoformat() if ecg.recorded else None,
            measurements={name: _number(value) for name, value in printed(read.signal, read.rate, read.leads).items()},
            beats=[round(beat, 4) for beat in r_peaks(read)],
        )


class ExplainAnswer(BaseModel):
    """How much each sample of a recording speaks for (above 0) or against one class, at the model's rate.

    `relevance` `[leads, samples]` is in logits; where `sum` is given, it is what all of it sums to. `shade` is the same for
    the eye: smoothed over 20 ms, from -1 to 1. `beats` are the R peaks in seconds, in the first `seconds` of the recording,
    which are what is explained; `part` says so of a longer one, whose answer is the mean over all of it.
    """

    file: str
    model: str
    method: str
    label: str = Field(serialization_alias="class")
    title: str
    probability: float
    logit: float
    logit_of_silence: float
    rate: float
    seconds: float
    part: str | None
    leads: list[str]
    relevance: list[list[float]]
    shade: list[list[float]]
    beats: list[float]
    sum: float | None
    lead_sums: dict[str, float] | None
    wave_sums: dict[str, float] | None
    lead_losses: dict[str, float] | None
    wave_losses: dict[str, float] | None
    notice: str = f"It shows what the answer rested on, not a cause. {NOTICE}"

    @classmethod
    def of(cls, file: str, model: str, explanation: Explanation) -> "ExplainAnswer":
        """Relevance keeps five significant digits, shades two decimals."""
        told = numbers(explanation)
        shades = shade(explanation.course, explanation.rate).round(2)
        return cls(
            file=file,
            model=model,
            label=told.pop("class"),
            relevance=[[float(f"{value:.5g}") for value in lead] for lead in explanation.course.tolist()],
            shade=shades.tolist(),
            **told | {"rate": explanation.rate},
        )


def without_folders(origin: Mapping[str, Any]) -> dict[str, Any]:
    """A model's origin for strangers: the models it came from by their own names, not by where they lie on this machine."""
    told = dict(origin)
    if told.get("source"):
        told["source"] = PurePath(told["source"]).name
    if "teachers" in told:
        told["teachers"] = _by_own_names(told["teachers"])
    if "members" in told:
        told["members"] = {name: without_folders(of) for name, of in _by_own_names(told["members"]).items()}
    return told


def _by_own_names(by_path: Mapping[str, Any]) -> dict[str, Any]:
    """By the last part of each path, numbered where several end alike."""
    told: dict[str, Any] = {}
    for path, value in by_path.items():
        name, number = PurePath(path).name, 2
        while name in told:
            name, number = f"{PurePath(path).name} ({number})", number + 1
        told[name] = value
    return told


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
    500: "The model is damaged.",
    501: "This service was installed without what this route needs.",
    429: "Too many requests are in work.",
    503: "The service is shutting down or not ready.",
}


def _number(value: float) -> float | None:
    return None if value != value else round(value, 3)
