"""SNOMED CT codes of statements, where a published list gives a statement of the same meaning.

Source of codes and names: dx_mapping_scored.csv and dx_mapping_unscored.csv of the PhysioNet/CinC Challenge 2021
(github.com/physionetchallenges/evaluation-2021), by which PTB-XL's statements were translated for the Challenge. Left out
are statements that it translated by something broader or different: PTB-XL's inferior infarction became infarction,
its bigeminy of unknown origin a ventricular one. Superclasses and other groups of statements have no code at all.
"""

from dataclasses import dataclass

from ecgenough.datasets.statements import CHALLENGE_2021, CPSC_2018

SYSTEM = "http://snomed.info/sct"


@dataclass(frozen=True)
class Concept:
    """A SNOMED CT code and what the Challenge's list calls it."""

    code: str
    display: str


# A statement of PTB-XL: its description in scp_statements.csv, then the concept.
PTB_XL: dict[str, tuple[str, Concept]] = {
    "1AVB": ("first degree AV block", Concept("270492004", "1st degree av block")),
    "2AVB": ("second degree AV block", Concept("195042002", "2nd degree av block")),
    "3AVB": ("third degree AV block", Concept("27885002", "complete heart block")),
    "ABQRS": ("abnormal QRS", Concept("164951009", "abnormal QRS")),
    "AFIB": ("atrial fibrillation", Concept("164889003", "atrial fibrillation")),
    "AFLT": ("atrial flutter", Concept("164890007", "atrial flutter")),
    "AMI": ("anterior myocardial infarction", Concept("54329005", "anterior myocardial infarction")),
    "CLBBB": ("complete left bundle branch block", Concept("733534002", "complete left bundle branch block")),
    "CRBBB": ("complete right bundle branch block", Concept("713427006", "complete right bundle branch block")),
    "ILBBB": ("incomplete left bundle branch block", Concept("251120003", "incomplete left bundle branch block")),
    "INVT": ("inverted T-waves", Concept("59931005", "t wave inversion")),
    "IRBBB": ("incomplete right bundle branch block", Concept("713426002", "incomplete right bundle branch block")),
    "ISCAN": ("ischemic in anterior leads", Concept("426434006", "anterior ischemia")),
    "ISCIN": ("ischemic in inferior leads", Concept("425419005", "inferior ischaemia")),
    "ISCLA": ("ischemic in lateral leads", Concept("425623009", "lateral ischaemia")),
    "IVCD": (
        "non-specific intraventricular conduction disturbance (block)",
        Concept("698252002", "nonspecific intraventricular conduction disorder"),
    ),
    "LAFB": ("left anterior fascicular block", Concept("445118002", "left anterior fascicular block")),
    "LAO/LAE": ("left atrial overload/enlargement", Concept("67741000119109", "left atrial enlargement")),
    "LNGQT": ("long QT-interval", Concept("111975006", "prolonged qt interval")),
    "LPFB": ("left posterior fascicular block", Concept("445211001", "left posterior fascicular block")),
    "LPR": ("prolonged PR interval", Concept("164947007", "prolonged pr interval")),
    "LVH": ("left ventricular hypertrophy", Concept("164873001", "left ventricular hypertrophy")),
    "LVOLT": ("low QRS voltages in the frontal and horizontal leads", Concept("251146004", "low qrs voltages")),
    "NST_": ("non-specific ST changes", Concept("55930002", "s t changes")),
    "PAC": ("atrial premature complex", Concept("284470004", "premature atrial contraction")),
    "PACE": ("normal functioning artificial pacemaker", Concept("10370003", "pacing rhythm")),
    "PSVT": ("paroxysmal supraventricular tachycardia", Concept("67198005", "paroxysmal supraventricular tachycardia")),
    "PVC": ("ventricular premature complex", Concept("427172004", "premature ventricular contractions")),
    "QWAVE": ("Q waves present", Concept("164917005", "qwave abnormal")),
    "RVH": ("right ventricular hypertrophy", Concept("89792004", "right ventricular hypertrophy")),
    "SARRH": ("sinus arrhythmia", Concept("427393009", "sinus arrhythmia")),
    "SBRAD": ("sinus bradycardia", Concept("426177001", "sinus bradycardia")),
    "SR": ("sinus rhythm", Concept("426783006", "sinus rhythm")),
    "STACH": ("sinus tachycardia", Concept("427084000", "sinus tachycardia")),
    "STD_": ("non-specific ST depression", Concept("429622005", "st depression")),
    "STE_": ("non-specific ST elevation", Concept("164931005", "st elevation")),
    "SVTAC": ("supraventricular tachycardia", Concept("426761007", "supraventricular tachycardia")),
    "TAB_": ("T-wave abnormality", Concept("164934002", "t wave abnormal")),
    "WPW": ("Wolf-Parkinson-White syndrome", Concept("74390002", "wolff parkinson white pattern")),
}


def concept(label: str, title: str) -> Concept | None:
    """The concept of a class, known by its name and what it is said to stand for; None where there is none.

    Both must be those of a collection whose statements were coded: "AF" titled otherwise may be anything. Of a joint task
    the class is known by its own name, without the task's.
    """
    label = label.rpartition(":")[2]
    if label in PTB_XL and PTB_XL[label][0] == title:
        return PTB_XL[label][1]
    for known in (CHALLENGE_2021, CPSC_2018):
        if label in known and known[label].title == title:
            codes = sorted(spelling for spelling in known[label].spellings if spelling.isdigit())
            return Concept(_PREFERRED.get(label, codes[0]), title) if codes else None
    return None


# Where the Challenge counted several codes as one diagnosis: the one that says no more than the class.
_PREFERRED = {"LBBB": "164909002", "RBBB": "59118001", "PAC": "284470004", "PVC": "427172004"}
