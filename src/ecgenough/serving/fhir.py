"""What a model says, as a FHIR R4 DiagnosticReport: preliminary, and marked as asserted by artificial intelligence.

Nothing is invented: a subject or a time that the recording does not tell is absent, a statement without a code of its own
is text. What makes one doubt an answer is in the `note` of each Observation; a DiagnosticReport has one only from R5 on, so its
`conclusion` says it too. Codes: LOINC 11524-6 (EKG study) and 8601-7 (EKG impression), HL7 v2-0074 EC (electrocardiac),
v3-ObservationInterpretation, v3-ObservationValue AIAST as in HL7's guide AI Transparency on FHIR, SNOMED CT as `snomed` says.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from ecgenough.ecg import Ecg
from ecgenough.prediction import Prediction
from ecgenough.sentences import numeral
from ecgenough.serving.snomed import SYSTEM, concept

Resource = dict[str, Any]
LOINC = "http://loinc.org"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
NOT_A_DEVICE = "Computed by research software that is not a medical device; no physician has read it."
LIKELY = 0.5  # probability of what is coded as a conclusion: of rare classes most calls are false
_MODEL = "model"  # the id of the contained Device


def diagnostic_report(prediction: Prediction, ecg: Ecg, network: str, weights_sha256: str = "") -> Resource:
    """A DiagnosticReport that holds an Observation a class, and the impression; plain values for JSON.

    `network` and `weights_sha256` tell which model it was. An Observation's value is the probability, its component
    the threshold, its interpretation POS from the threshold on and NEG below.
    """
    statements = [_statement(number, prediction, ecg) for number in range(len(prediction.classes))]
    impression = _impression(prediction, ecg)
    likely = [(label, title) for chance, label, title in _called(prediction) if chance >= LIKELY]
    coded = list(dict.fromkeys(found for label, title in likely if (found := concept(label, title))))
    report = {
        "resourceType": "DiagnosticReport",
        "meta": {
            "security": [_coding(f"{TERMINOLOGY}/v3-ObservationValue", "AIAST", "Artificial Intelligence asserted")]
        },
        "contained": [_device(network, weights_sha256), impression, *statements],
        "status": "preliminary",
        "category": [{"coding": [_coding(f"{TERMINOLOGY}/v2-0074", "EC", "Electrocardiac (e.g., EKG, EEC, Holter)")]}],
        "code": {"coding": [_coding(LOINC, "11524-6", "EKG study")]},
        **_who_and_when(ecg),
        "result": [{"reference": f"#{held['id']}"} for held in (impression, *statements)],
        "conclusion": " ".join([impression["valueString"], *prediction.notes, NOT_A_DEVICE]),
    }
    if coded:
        report["conclusionCode"] = [{"coding": [_coding(SYSTEM, one.code, one.display)]} for one in coded]
    return report


def bundle(reports: Sequence[Resource]) -> Resource:
    """Several reports as a Bundle of the type collection."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": report} for report in reports]}


def _statement(number: int, prediction: Prediction, ecg: Ecg) -> Resource:
    label, title = prediction.classes[number], prediction.titles[number]
    found, called = concept(label, title), prediction.calls[number]
    code: Resource = {"text": title if title == label else f"{title} ({label})"}
    if found is not None:
        code = {"coding": [_coding(SYSTEM, found.code, found.display)], **code}
    meaning = ("POS", "Positive") if called else ("NEG", "Negative")
    return {
        **_observation(f"statement-{number + 1}", code, prediction, ecg),
        "valueQuantity": _share(prediction.probabilities[number]),
        "interpretation": [{"coding": [_coding(f"{TERMINOLOGY}/v3-ObservationInterpretation", *meaning)]}],
        "component": [
            {"code": {"text": "threshold of the probability"}, "valueQuantity": _share(prediction.thresholds[number])}
        ],
    }


def _impression(prediction: Prediction, ecg: Ecg) -> Resource:
    said = ", ".join(f"{title} ({label}) {numeral(chance, '.2g')}" for chance, label, title in _called(prediction))
    return {
        **_observation("impression", {"coding": [_coding(LOINC, "8601-7", "EKG impression")]}, prediction, ecg),
        "valueString": f"Probabilities: {said}." if said else "No statement of this model reaches its threshold.",
    }


def _observation(name: str, code: Resource, prediction: Prediction, ecg: Ecg) -> Resource:
    observation = {
        "resourceType": "Observation",
        "id": name,
        "status": "preliminary",
        "code": code,
        **_who_and_when(ecg),
        "device": {"reference": f"#{_MODEL}"},
    }
    if prediction.notes:  # on each: whoever files Observations apart from their report must not lose them
        observation["note"] = [{"text": note} for note in prediction.notes]
    return observation


def _device(network: str, weights_sha256: str) -> Resource:
    device: Resource = {
        "resourceType": "Device",
        "id": _MODEL,
        "deviceName": [{"name": f"ecgenough {network}", "type": "model-name"}],
        "version": [{"value": version("ecgenough")}],
    }
    if weights_sha256:
        device["identifier"] = [{"type": {"text": "SHA-256 of the weights"}, "value": weights_sha256}]
    return device


def _who_and_when(ecg: Ecg) -> Resource:
    known: Resource = {}
    if ecg.patient:
        known["subject"] = {"identifier": {"value": ecg.patient}}
    if ecg.recorded is not None:
        known["effectiveDateTime"] = _moment(ecg.recorded)
    return known


def _moment(when: datetime) -> str:
    """FHIR wants a time zone with a time of day; where the recording tells none, the day is all that can be said."""
    return when.isoformat() if when.tzinfo is not None else when.date().isoformat()


def _called(prediction: Prediction) -> list[tuple[float, str, str]]:
    """Probability, name and title of each statement that is called, the likeliest first.

    One that several tasks call is told once, as the task tells it that is surest.
    """
    rows = zip(prediction.probabilities, prediction.classes, prediction.titles, prediction.calls, strict=True)
    told: dict[str, tuple[float, str, str]] = {}
    for chance, label, title, call in sorted(rows, key=lambda row: -row[0]):
        if call:
            told.setdefault(title, (chance, label, title))
    return list(told.values())


def _share(value: float) -> Resource:
    return {"value": round(value, 6), "system": "http://unitsofmeasure.org", "code": "1"}


def _coding(system: str, code: str, display: str) -> Resource:
    return {"system": system, "code": code, "display": display}
