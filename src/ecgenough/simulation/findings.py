"""The findings that can be planted: what they are called, what they belong to and where on the ECG they show."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import WrongRequest, nearest

Segment = Literal["P", "PR", "QRS", "ST", "T", "beat"]

INFERIOR = ("II", "III", "aVF")
ANTERIOR = ("V1", "V2", "V3", "V4")
LATERAL = ("I", "aVL", "V5", "V6")


@dataclass(frozen=True)
class Finding:
    """One finding. `statements` are PTB-XL's codes for it; `superclass` is empty for rhythm and form.

    The evidence for it lies in `leads` during `segments` of each beat.
    """

    statements: tuple[str, ...]
    superclass: str
    description: str
    leads: tuple[str, ...]
    segments: tuple[Segment, ...]


FINDINGS: dict[str, Finding] = {
    "CLBBB": Finding(
        ("CLBBB",), "CD", "complete left bundle branch block", ("I", "V1", "V5", "V6"), ("QRS", "ST", "T")
    ),
    "CRBBB": Finding(("CRBBB",), "CD", "complete right bundle branch block", ("I", "V1", "V2", "V6"), ("QRS",)),
    "IRBBB": Finding(("IRBBB",), "CD", "incomplete right bundle branch block", ("V1", "V2"), ("QRS",)),
    "LAFB": Finding(("LAFB",), "CD", "left anterior fascicular block", ("I", "II", "III", "aVL", "aVF"), ("QRS",)),
    "1AVB": Finding(("1AVB",), "CD", "first degree AV block", STANDARD_LEADS, ("PR",)),
    "LVH": Finding(("LVH",), "HYP", "left ventricular hypertrophy", ("V1", "V2", "V5", "V6"), ("QRS",)),
    "RVH": Finding(("RVH",), "HYP", "right ventricular hypertrophy", ("I", "V1", "V2", "V6"), ("QRS", "T")),
    "LAE": Finding(("LAO/LAE",), "HYP", "left atrial overload/enlargement", ("II", "V1"), ("P",)),
    "IMI": Finding(("IMI",), "MI", "inferior myocardial infarction, old", INFERIOR, ("QRS", "T")),
    "IMI-acute": Finding(("IMI",), "MI", "inferior myocardial infarction, acute", INFERIOR, ("ST", "T")),
    "ASMI": Finding(("ASMI",), "MI", "anteroseptal myocardial infarction, old", ("V1", "V2", "V3"), ("QRS", "T")),
    "ASMI-acute": Finding(("ASMI",), "MI", "anteroseptal myocardial infarction, acute", ANTERIOR, ("ST", "T")),
    "LMI": Finding(("LMI",), "MI", "lateral myocardial infarction, old", ("I", "aVL", "V6"), ("QRS", "T")),
    "NDT": Finding(("NDT",), "STTC", "non-diagnostic T abnormalities", LATERAL, ("T",)),
    "ISC_": Finding(("ISC_",), "STTC", "non-specific ischemic ST-T changes", ("V5", "V6"), ("ST", "T")),
    "TINV": Finding(("ISCAN",), "STTC", "T inversion in V1-V4", ANTERIOR, ("T",)),
    "LNGQT": Finding(("LNGQT",), "STTC", "long QT-interval", STANDARD_LEADS, ("ST", "T")),
    "S1Q3T3": Finding((), "", "S in I, Q and inverted T in III", ("I", "III"), ("QRS", "T")),
    "RAD": Finding((), "", "right axis deviation", ("I", "aVF"), ("QRS",)),
    "STE-aVR": Finding((), "", "ST elevation in aVR", ("aVR",), ("ST",)),
    "STACH": Finding(("STACH",), "", "sinus tachycardia", STANDARD_LEADS, ("beat",)),
    "SBRAD": Finding(("SBRAD",), "", "sinus bradycardia", STANDARD_LEADS, ("beat",)),
    "SARRH": Finding(("SARRH",), "", "sinus arrhythmia", STANDARD_LEADS, ("beat",)),
    "AFIB": Finding(("AFIB",), "", "atrial fibrillation", STANDARD_LEADS, ("beat",)),
    "PVC": Finding(("PVC",), "", "ventricular premature complex", STANDARD_LEADS, ("beat",)),
}

# Pairs that cannot be told apart, or cannot be, on one ECG.
CONTRADICTIONS: tuple[frozenset[str], ...] = tuple(
    frozenset(pair.split())
    for pair in (
        "CLBBB CRBBB", "CLBBB IRBBB", "CLBBB LAFB", "CLBBB RVH", "CRBBB IRBBB",
        "RVH LVH", "RVH LAFB", "RVH RAD", "RVH S1Q3T3", "RVH IMI", "RVH ASMI", "RVH LMI", "RAD LAFB", "RAD LVH",
        "CLBBB S1Q3T3", "CLBBB RAD", "LAFB S1Q3T3", "LVH S1Q3T3", "LAFB IMI", "IMI S1Q3T3", "IMI-acute S1Q3T3",
        "CLBBB IMI", "CLBBB ASMI", "CLBBB LMI", "CLBBB IMI-acute", "CLBBB ASMI-acute", "CLBBB LVH",
        "CLBBB NDT", "CLBBB ISC_", "CLBBB TINV", "IMI ASMI", "IMI LMI", "ASMI LMI",
        "IMI ASMI-acute", "IMI-acute ASMI-acute", "IMI-acute STE-aVR", "ASMI-acute STE-aVR",
        "NDT ISC_", "NDT TINV", "ISC_ TINV", "NDT S1Q3T3",
        "AFIB 1AVB", "AFIB STACH", "AFIB SBRAD", "AFIB SARRH", "AFIB LAE", "STACH SBRAD", "STACH SARRH",
    )
)  # fmt: skip


def check_findings(names: Iterable[str]) -> frozenset[str]:
    """The findings as a set; raises WrongRequest for an unknown one or two that contradict each other."""
    findings = frozenset(names)
    for name in sorted(findings):
        if name not in FINDINGS:
            raise WrongRequest(f'finding "{name}" cannot be simulated. {nearest(name, FINDINGS)}')
    for pair in CONTRADICTIONS:
        if pair <= findings:
            raise WrongRequest(f"findings {' and '.join(sorted(pair))} cannot be simulated on one ECG; choose one.")
    return findings
