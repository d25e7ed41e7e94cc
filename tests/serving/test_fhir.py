"""FHIR that fhir.resources takes, and what it does not check: codes, status, references, and that nothing is invented."""

import csv
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation

from ecgenough.datasets import ptbxl
from ecgenough.ecg import Ecg
from ecgenough.prediction import Prediction
from ecgenough.serving.fhir import NOT_A_DEVICE, bundle, diagnostic_report
from ecgenough.serving.snomed import PTB_XL, concept

SAID = Prediction(
    classes=("AFIB", "IMI", "CD"),
    titles=("atrial fibrillation", "inferior myocardial infarction", "conduction disturbance"),
    probabilities=(0.91, 0.4, 0.2),
    thresholds=(0.5, 0.4, 0.3),
)


def ecg(**known: Any) -> Ecg:
    return Ecg(np.zeros((1, 100)), 100.0, ("I",), **known)


def report(said: Prediction = SAID, **known: Any) -> dict[str, Any]:
    made = diagnostic_report(said, ecg(**known), "resnet18", "ab12")
    DiagnosticReport.model_validate(made)
    return made


def observations(made: dict[str, Any]) -> list[dict[str, Any]]:
    return [held for held in made["contained"] if held["resourceType"] == "Observation"]


def test_it_is_a_preliminary_report_asserted_by_artificial_intelligence() -> None:
    made = report()
    assert made["status"] == "preliminary"
    assert {held["status"] for held in observations(made)} == {"preliminary"}
    [label] = made["meta"]["security"]
    assert (label["system"], label["code"]) == ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "AIAST")
    assert made["code"]["coding"][0]["code"] == "11524-6"
    assert "not a medical device" in made["conclusion"]
    assert "resnet18" in made["contained"][0]["deviceName"][0]["name"]


def test_each_class_is_an_observation_with_its_probability_threshold_and_code() -> None:
    impression, fibrillation, infarction, disturbance = observations(report())
    assert impression["code"]["coding"][0] == {
        "system": "http://loinc.org",
        "code": "8601-7",
        "display": "EKG impression",
    }
    assert (
        impression["valueString"]
        == "Probabilities: atrial fibrillation (AFIB) 0.91, inferior myocardial infarction (IMI) 0.4."
    )
    assert fibrillation["code"]["coding"][0]["code"] == "164889003"
    assert "coding" not in infarction["code"]  # the Challenge knows infarction, not where it is
    assert disturbance["code"] == {"text": "conduction disturbance (CD)"}  # a group of statements has no code
    said = [held["interpretation"][0]["coding"][0]["code"] for held in (fibrillation, infarction, disturbance)]
    assert said == ["POS", "POS", "NEG"]  # at the threshold is called
    assert fibrillation["valueQuantity"]["value"] == 0.91
    assert fibrillation["component"][0]["valueQuantity"]["value"] == 0.5


def test_references_lead_to_what_is_contained_and_all_that_is_contained_is_referred_to() -> None:
    made = report()
    referred = {held["reference"] for held in made["result"]} | {
        held["device"]["reference"] for held in observations(made)
    }
    assert referred == {f"#{held['id']}" for held in made["contained"]}
    assert all("meta" not in held for held in made["contained"])  # dom-4 and dom-5 of FHIR


def test_only_called_statements_with_a_code_are_conclusions() -> None:
    assert [held["coding"][0]["code"] for held in report()["conclusionCode"]] == ["164889003"]
    quiet = Prediction(SAID.classes, SAID.titles, (0.1, 0.1, 0.1), SAID.thresholds)
    made = report(quiet)
    assert "conclusionCode" not in made
    assert made["conclusion"].startswith("No statement of this model reaches its threshold.")


def test_what_is_called_but_unlikely_is_no_coded_conclusion() -> None:
    made = report(Prediction(("AFIB",), ("atrial fibrillation",), (0.3,), (0.02,)))
    assert "conclusionCode" not in made
    assert made["conclusion"].startswith("Probabilities: atrial fibrillation (AFIB) 0.3. ")


def test_a_statement_of_several_tasks_is_concluded_once_by_the_surest() -> None:
    twice = Prediction(("all:AFIB", "rhythm:AFIB"), ("atrial fibrillation",) * 2, (0.6, 0.8), (0.5, 0.5))
    made = report(twice)
    assert made["conclusion"].startswith("Probabilities: atrial fibrillation (rhythm:AFIB) 0.8. ")
    assert len(made["conclusionCode"]) == 1
    assert len(observations(made)) == 3  # the impression, and each task's own


def test_who_and_when_are_told_where_the_recording_tells_them() -> None:
    unknown = json.dumps(report())
    assert "subject" not in unknown
    assert "effective" not in unknown
    made = report(patient="p17", recorded=datetime(2020, 6, 4, 15, 11, 55))
    assert made["subject"] == {"identifier": {"value": "p17"}}
    assert made["effectiveDateTime"] == "2020-06-04"  # FHIR takes no time of day without its zone
    assert observations(made)[1]["effectiveDateTime"] == "2020-06-04"
    assert report(recorded=datetime(2020, 6, 4, 15, tzinfo=UTC))["effectiveDateTime"] == "2020-06-04T15:00:00+00:00"


def test_what_makes_one_doubt_the_answer_is_a_note_of_each_observation_and_in_the_conclusion() -> None:
    assert not any("note" in held for held in observations(report()))
    doubts = ("Fewer than three beats were found.", "3 of its samples are absent.")
    made = report(replace(SAID, notes=doubts))
    for held in observations(made):
        assert [note.text for note in Observation.model_validate(held).note] == list(doubts)
    begun, _, rest = made["conclusion"].partition("(IMI) 0.4. ")
    assert begun.startswith("Probabilities: atrial fibrillation")
    assert rest == "Fewer than three beats were found. 3 of its samples are absent. " + NOT_A_DEVICE


def test_several_reports_are_a_collection() -> None:
    both = bundle([report(), report(patient="2")])
    Bundle.model_validate(both)
    assert both["type"] == "collection"
    assert len(both["entry"]) == 2


@pytest.mark.parametrize(
    ("label", "title", "code"),
    [
        ("AFIB", "atrial fibrillation", "164889003"),
        ("AF", "atrial fibrillation", "164889003"),
        ("rhythm:AFIB", "atrial fibrillation", "164889003"),  # of a joint task
        ("LBBB", "left bundle branch block", "164909002"),
        ("RBBB", "right bundle branch block", "59118001"),
        ("PVC", "premature ventricular contraction", "427172004"),
        ("PVC", "ventricular premature complex", "427172004"),
        ("AF", "atrial flutter", None),
        ("NORM", "normal ECG", None),
        ("MI", "myocardial infarction", None),
        ("embolism", "embolism", None),
    ],
)
def test_a_class_has_a_code_where_name_and_meaning_are_known(label: str, title: str, code: str | None) -> None:
    found = concept(label, title)
    assert (found.code if found else None) == code


def test_snomed_codes_are_well_formed() -> None:
    """SNOMED CT identifiers end in a check digit (Verhoeff 1969, over the dihedral group D5): their release guide, 5.5."""
    multiply = [[(i + j) % 5 if i < 5 and j < 5 else (i + j % 5) % 5 + 5 if i < 5 else
                 (i - j) % 5 + 5 if j < 5 else (i - j) % 5 for j in range(10)] for i in range(10)]  # fmt: skip
    first = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    turns = [list(range(10))]
    for _ in range(7):
        turns.append([turns[-1][first[digit]] for digit in range(10)])
    for _, known in PTB_XL.values():
        check = 0
        for place, digit in enumerate(reversed(known.code)):
            check = multiply[check][turns[place % 8][int(digit)]]
        assert check == 0, known


def test_the_descriptions_are_those_of_ptb_xl(real_data: Path) -> None:
    with (real_data / "ptb-xl" / ptbxl.STATEMENTS).open(newline="", encoding="utf-8") as file:
        described = {row[""]: row["description"] for row in csv.DictReader(file)}
    assert {label: described[label] for label in PTB_XL} == {label: title for label, (title, _) in PTB_XL.items()}
    assert not [label for label, times in Counter(known.code for _, known in PTB_XL.values()).items() if times > 1]
