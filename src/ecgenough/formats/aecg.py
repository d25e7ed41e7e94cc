"""HL7 annotated ECG (root element AnnotatedECG) -> Ecg. Standard: ANSI/HL7 V3 ECG, R1-2004; units by UCUM.

A series holds sets of sequences; one sequence counts the time, each other one is a lead: digits, a scale, an origin.
"""

import re
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, millivolts, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, quoted
from ecgenough.formats.bounds import check_size
from ecgenough.formats.markup import number_of, parse_xml
from ecgenough.formats.people import age_of, age_on, digits_to_datetime, sex_of
from ecgenough.sentences import counted

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_LEAD = re.compile(r"^\w*?_?ECG_LEAD_(.+)$")
_DIGITS = re.compile(r"[-+.\deE\s]*", re.ASCII)
_REPORTED_AGE = "21612-7"  # LOINC


def read_aecg(place: Path) -> Ecg:
    """Read the first rhythm series; other series, representative beats and unknown sequences are told as left out.

    Raises BrokenRecord where the time does not advance by equal steps (GLIST_TS, GLIST_PQ), leads differ in length,
    or a scale or unit is missing.
    """
    root = parse_xml(place)
    series, notes = _rhythm(root)
    sets = series.findall("component/sequenceSet")
    if not sets:
        raise BrokenRecord("its rhythm series has no set of sequences.")
    if len(sets) > 1:
        notes += [f"left out: {counted(len(sets) - 1, 'more set', 'more sets')} of sequences in the rhythm series"]
    times, leads = [], []
    for sequence in sets[0].findall("component/sequence"):
        code = _attribute(sequence, "code", "code")
        if code.upper().startswith("TIME_"):
            times.append(sequence)
        elif lead := _LEAD.match(code):
            leads.append((lead[1], sequence))
        else:
            notes.append(f"left out: sequence {quoted(code)[1:-1]}")
    if not times or not leads:
        raise BrokenRecord(f"its rhythm series has no {'lead' if times else 'sequence of times'}.")
    signals = [_voltages(name, sequence) for name, sequence in leads]
    if len({signal.size for signal in signals}) > 1:
        raise BrokenRecord("its leads have different numbers of samples.")
    check_size(len(signals), signals[0].size)
    return _ecg(root, series, times[0], (np.stack(signals), tuple(name for name, _ in leads), tuple(notes)))


def _ecg(
    root: Element, series: Element, time: Element, what: tuple[NDArray[np.float32], tuple[str, ...], tuple[str, ...]]
) -> Ecg:
    signal, leads, notes = what
    subject = root.find(".//subjectAssignment/subject/trialSubject")
    told = [_attribute(place, path, "value") for place in (series, root) for path in _MOMENTS]
    recorded = next((moment for text in told if (moment := digits_to_datetime(text))), None)
    recorded = recorded or digits_to_datetime(_attribute(time, "value/head", "value"))
    birth = digits_to_datetime(_attribute(subject, ".//birthTime", "value"))
    return Ecg(
        signal, _rate(time), leads,
        patient=_attribute(subject, "id", "extension") or None,
        sex=sex_of(_attribute(subject, ".//administrativeGenderCode", "code")),
        age=_reported_age(root) or age_on(birth.date() if birth else None, recorded), recorded=recorded, comments=notes,
    )  # fmt: skip


_MOMENTS = ("effectiveTime/low", "effectiveTime/center", "effectiveTime")


def _rhythm(root: Element) -> tuple[Element, list[str]]:
    """The first series that is no representative beat, and what is left out beside it."""
    found = root.findall("component/series")
    rhythms = [each for each in found if _attribute(each, "code", "code").upper() != "REPRESENTATIVE_BEAT"]
    if not rhythms:
        raise BrokenRecord("it has no rhythm series.")
    beats = len(found) - len(rhythms) + len(root.findall("component/series/derivation/derivedSeries"))
    notes = [f"left out: {beats} series of representative beats"] if beats else []
    return rhythms[0], notes + ([f"left out: {len(rhythms) - 1} more rhythm series"] if len(rhythms) > 1 else [])


def _rate(time: Element) -> float:
    """Samples a second, from the step of the sequence of times."""
    step, unit = _attribute(time, "value/increment", "value"), _attribute(time, "value/increment", "unit")
    if unit not in _SECONDS:
        raise BrokenRecord(f"its time advances by {quoted(step)} {quoted(unit)}; a step in s, ms or us is needed.")
    seconds = number_of(step, "step of time") * _SECONDS[unit]
    if not 1e-6 <= seconds <= 1:
        raise BrokenRecord(f"its time advances by {seconds:g} s a sample, which is no sampling of an ECG.")
    return float(round(1 / seconds, 6))


def _voltages(lead: str, sequence: Element) -> NDArray[np.float32]:
    """One lead in mV: origin + scale x digits."""
    shown = quoted(lead)
    digits = sequence.findtext("value/digits") or ""
    if not _DIGITS.fullmatch(digits):
        raise BrokenRecord(f"lead {shown} has digits that are no numbers.")
    scale = number_of(_attribute(sequence, "value/scale", "value"), f"scale of lead {shown}")
    origin = number_of(_attribute(sequence, "value/origin", "value") or "0", f"origin of lead {shown}")
    unit = _attribute(sequence, "value/scale", "unit")
    try:
        counts = np.array(digits.split(), dtype=np.float64)
        start = origin * millivolts(_attribute(sequence, "value/origin", "unit") or unit)
        with np.errstate(over="ignore"):  # the Ecg refuses infinite voltages
            return to_millivolts(counts * (scale * millivolts(unit)) + start, "mV")
    except WrongRequest:
        raise BrokenRecord(f"lead {shown} is in {quoted(unit)}, which is no voltage.") from None
    except ValueError:
        raise BrokenRecord(f"lead {shown} has digits that are no numbers.") from None


def _reported_age(root: Element) -> float | None:
    for observation in root.iter("relatedObservation"):
        if _attribute(observation, "code", "code") == _REPORTED_AGE:
            unit = _attribute(observation, "value", "unit") or "a"  # UCUM: a is a year, mo a month, wk a week
            return age_of(_attribute(observation, "value", "value"), "y" if unit == "a" else unit)
    return None


def _attribute(element: Element | None, path: str, name: str) -> str:
    found = None if element is None else element.find(path)
    return "" if found is None else (found.get(name) or "").strip()
