"""What headers of the PhysioNet/CinC Challenges 2020 and 2021 diagnose.

Codes are SNOMED CT. Source of names, abbreviations and of which codes count as one diagnosis: dx_mapping_scored.csv and
dx_mapping_unscored.csv of github.com/physionetchallenges/evaluation-2020 and evaluation-2021.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """A class of records: its full name and every spelling of it that may stand after `#Dx:`."""

    title: str
    spellings: frozenset[str]

    def is_among(self, written: frozenset[str]) -> bool:
        """Whether any spelling of this diagnosis is written."""
        return not self.spellings.isdisjoint(written)


def _diagnosis(title: str, *spellings: str) -> Diagnosis:
    return Diagnosis(title, frozenset(spellings))


# The nine classes of CPSC-2018 in their publisher's order, 1 to 9 in REFERENCE.csv. The Challenge wrote its PVC as
# 164884008 (ventricular ectopics), which later sources write as 427172004 or 17338001.
CPSC_2018 = {
    "SNR": _diagnosis("sinus rhythm, nothing abnormal", "Normal", "NSR", "SNR", "426783006"),
    "AF": _diagnosis("atrial fibrillation", "AF", "164889003"),
    "IAVB": _diagnosis("first-degree atrioventricular block", "I-AVB", "IAVB", "270492004"),
    "LBBB": _diagnosis("left bundle branch block", "LBBB", "164909002", "733534002"),
    "RBBB": _diagnosis("right bundle branch block", "RBBB", "59118001", "713427006"),
    "PAC": _diagnosis("premature atrial contraction", "PAC", "284470004", "63593006"),
    "PVC": _diagnosis("premature ventricular contraction", "PVC", "164884008", "427172004", "17338001"),
    "STD": _diagnosis("ST-segment depression", "STD", "429622005"),
    "STE": _diagnosis("ST-segment elevation", "STE", "164931005"),
}

# The diagnoses the Challenge of 2021 scored; codes it scored as the same diagnosis are one class here.
CHALLENGE_2021 = {
    "AF": _diagnosis("atrial fibrillation", "164889003"),
    "AFL": _diagnosis("atrial flutter", "164890007"),
    "BBB": _diagnosis("bundle branch block", "6374002"),
    "Brady": _diagnosis("bradycardia", "426627000"),
    "LBBB": _diagnosis("left bundle branch block", "164909002", "733534002"),
    "RBBB": _diagnosis("right bundle branch block", "59118001", "713427006"),
    "IAVB": _diagnosis("first-degree atrioventricular block", "270492004"),
    "IRBBB": _diagnosis("incomplete right bundle branch block", "713426002"),
    "LAD": _diagnosis("left axis deviation", "39732003"),
    "LAnFB": _diagnosis("left anterior fascicular block", "445118002"),
    "LQRSV": _diagnosis("low QRS voltages", "251146004"),
    "NSIVCB": _diagnosis("nonspecific intraventricular conduction disorder", "698252002"),
    "NSR": _diagnosis("sinus rhythm", "426783006"),
    "PAC": _diagnosis("premature atrial contraction", "284470004", "63593006"),
    "PR": _diagnosis("pacing rhythm", "10370003"),
    "PRWP": _diagnosis("poor R wave progression", "365413008"),
    "PVC": _diagnosis("premature ventricular contraction", "427172004", "17338001"),
    "LPR": _diagnosis("prolonged PR interval", "164947007"),
    "LQT": _diagnosis("prolonged QT interval", "111975006"),
    "QAb": _diagnosis("abnormal Q wave", "164917005"),
    "RAD": _diagnosis("right axis deviation", "47665007"),
    "SA": _diagnosis("sinus arrhythmia", "427393009"),
    "SB": _diagnosis("sinus bradycardia", "426177001"),
    "STach": _diagnosis("sinus tachycardia", "427084000"),
    "TAb": _diagnosis("abnormal T wave", "164934002"),
    "TInv": _diagnosis("inverted T wave", "59931005"),
}


def written_diagnoses(comments: Iterable[str]) -> frozenset[str]:
    """The diagnoses of a header as they are written there, from a comment such as "Dx: AF,RBBB"."""
    written: set[str] = set()
    for comment in comments:
        key, _, value = comment.partition(":")
        if key.strip().lower() == "dx":
            written |= {part.strip() for part in value.split(",")}
    return frozenset(written - {""})
