"""Is a recording the twelve leads of a heart that it says it is? What a model cannot tell, and answers all the same."""

from ecgenough.ecg import Ecg
from ecgenough.inspection.record import look_at
from ecgenough.inspection.suspicions import raised

SAID = ("exchanged electrodes", "limb leads do not add up", "unit or gain of a lead", "poor quality")


def doubts(ecg: Ecg) -> tuple[str, ...]:
    """A sentence for each suspicion about one recording that nothing else says: see `inspection.suspicions`.

    Raises BrokenRecord for one that cannot be used at all.
    """
    found = look_at(ecg)
    return tuple(sentence for kind, _, sentence, _ in raised(found, float("nan"), found.leads) if kind in SAID)
