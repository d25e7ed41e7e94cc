"""GE MUSE XML exports (root element RestingECG) -> Ecg: base64 of 16-bit counts, a lead an element.

Sources: the element names of GE's restecg.dtd as exported files carry them. Dates are written month first.
"""

import binascii
import zlib
from base64 import b64decode
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, to_millivolts
from ecgenough.errors import BrokenRecord, quoted
from ecgenough.formats.bounds import check_size
from ecgenough.formats.markup import number_of, parse_xml, text_of
from ecgenough.formats.people import age_of, age_on, sex_of
from ecgenough.sentences import counted

_UNITS = {"MICROVOLTS": "uV", "MILLIVOLTS": "mV", "VOLTS": "V", "NANOVOLTS": "nV"}


def read_muse(place: Path) -> Ecg:
    """Read the rhythm waveform; median beats are left out, and a comment says so.

    MUSE stores I, II and V1-V6; the other limb leads are derived from them where they are asked for. Raises
    BrokenRecord for counts that are not as many as declared, leads that start at different times, and an unknown unit.
    """
    root = parse_xml(place)
    waveforms = root.findall("Waveform")
    rhythms = [each for each in waveforms if text_of(each, "WaveformType").lower() in ("rhythm", "")]
    if not rhythms:
        kinds = ", ".join(quoted(text_of(each, "WaveformType")) for each in waveforms[:4]) or "none"
        raise BrokenRecord(f"it has no rhythm waveform; waveforms: {kinds}.")
    notes = [f"left out: waveform {quoted(text_of(w, 'WaveformType'))[1:-1]}" for w in waveforms if w is not rhythms[0]]
    leads = rhythms[0].findall("LeadData")
    names: list[str] = []
    signals: list[NDArray[np.float32]] = []
    for lead in leads:
        names.append(text_of(lead, "LeadID") or f"lead {len(names) + 1}")
        signals.append(_voltages(lead, names[-1], notes))
    if len({signal.size for signal in signals}) > 1:
        raise BrokenRecord("its leads have different numbers of samples, so they were not recorded at once.")
    check_size(len(signals), signals[0].size if signals else 0)
    recorded = _moment(
        text_of(root, "TestDemographics/AcquisitionDate"), text_of(root, "TestDemographics/AcquisitionTime")
    )
    person = root.find("PatientDemographics")
    return Ecg(
        np.stack(signals), _rate(rhythms[0]), tuple(names),
        patient=text_of(person, "PatientID") or None, sex=sex_of(text_of(person, "Gender")),
        age=age_of(text_of(person, "PatientAge"), text_of(person, "AgeUnits"))
        or age_on(_moment(text_of(person, "DateofBirth"), "00:00:00"), recorded),
        recorded=recorded, comments=tuple(notes),
    )  # fmt: skip


def _rate(waveform: Element) -> float:
    """Samples a second: SampleBase times ten to the SampleExponent."""
    base = number_of(text_of(waveform, "SampleBase"), "SampleBase")
    exponent = number_of(text_of(waveform, "SampleExponent") or "0", "SampleExponent")
    if not (base > 0 and abs(exponent) <= 9):
        raise BrokenRecord(f"its sampling rate, {base:g} x 10^{exponent:g}, is not possible.")
    return float(base * 10.0**exponent)


def _voltages(lead: Element, name: str, notes: list[str]) -> NDArray[np.float32]:
    """The voltages of one lead in mV. Raises BrokenRecord for whatever makes them doubtful."""
    shown = quoted(name)
    unit = text_of(lead, "LeadAmplitudeUnits")
    if unit.upper() not in _UNITS:
        raise BrokenRecord(f"lead {shown} is in {quoted(unit)}, which is no voltage.")
    scale = number_of(text_of(lead, "LeadAmplitudeUnitsPerBit"), f"LeadAmplitudeUnitsPerBit of lead {shown}")
    if number_of(text_of(lead, "LeadTimeOffset") or "0", f"LeadTimeOffset of lead {shown}"):
        raise BrokenRecord(f"lead {shown} starts later than others; only leads recorded at once are read.")
    payload, counts = _counts(lead, shown)
    for tag in ("LeadOffsetFirstSample", "FirstSampleBaseline"):
        if text_of(lead, tag).lstrip("+-0"):
            notes.append(f"lead {shown[1:-1]}: {tag} is not 0; GE does not say what it means, it was not applied")
    if (stated := text_of(lead, "LeadDataCRC32")) not in ("", "0", str(zlib.crc32(payload))):
        notes.append(f"lead {shown[1:-1]}: its checksum, {quoted(stated, 20)[1:-1]}, does not fit its samples")
    return to_millivolts(counts * scale, _UNITS[unit.upper()])


def _counts(lead: Element, shown: str) -> tuple[bytes, NDArray[np.float64]]:
    size = int(number_of(text_of(lead, "LeadSampleSize") or "2", f"LeadSampleSize of lead {shown}"))
    try:
        payload = b64decode("".join(text_of(lead, "WaveFormData").split()), validate=True)
    except (binascii.Error, ValueError):
        raise BrokenRecord(f"the samples of lead {shown} are not base64.") from None
    if size not in (1, 2, 4) or len(payload) % size:
        raise BrokenRecord(f"lead {shown} has {counted(len(payload), 'byte')} in samples of {counted(size, 'byte')}.")
    counts = np.frombuffer(payload, dtype=f"<i{size}")
    declared = text_of(lead, "LeadSampleCountTotal")
    if declared and number_of(declared, f"LeadSampleCountTotal of lead {shown}") != counts.size:
        raise BrokenRecord(
            f"lead {shown} has {counted(counts.size, 'sample')}, but declares {quoted(declared, 20)[1:-1]}."
        )
    return payload, counts.astype(np.float64)


def _moment(day: str, clock: str) -> datetime | None:
    """A date written month first, or year first, and a time; None where they are written otherwise."""
    for layout in ("%m-%d-%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(f"{day} {clock}", layout)
        except ValueError:
            continue
    return None
