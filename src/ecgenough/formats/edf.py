"""EDF, EDF+ and BDF recordings -> Ecg, read by edfio. Formats: edfplus.info/specs; biosemi.com/faq/file_format.htm."""

import os
import re
import warnings
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ecgenough.ecg import STANDARD_LEADS, Ecg, Sex, lead_name, millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, quoted
from ecgenough.extras import needed
from ecgenough.formats.bounds import check_size, read_whole
from ecgenough.formats.people import age_on, sex_of
from ecgenough.sentences import counted

BDF = b"\xffBIOSEMI"
MOST_SIGNALS = 512
# What EDF+ calls an ECG ("ECG V2"), and the names that Holter recorders give leads without saying so.
_NAMED = re.compile(
    r"^(ecg|ekg)\b|^(ML|MV|CM|CC|V|EA)[1-9]R?I{0,2}$|^(MLI{1,3}|MCL[1-6]|[XYZ]|ES|AS|AI)$", re.IGNORECASE
)


def read_edf(place: Path) -> Ecg:
    """Read the ECG signals of an EDF, EDF+C or BDF file: those named ECG, EKG or as a lead, at the rate most have.

    Other signals (EEG, respiration) are told in the comments as left out. Raises BrokenRecord where no signal is an
    ECG, for a discontinuous recording (EDF+D), a file cut off, and a signal whose unit is no voltage.
    """
    edfio = needed("edfio", "formats", "an EDF or BDF file")
    try:
        with place.open("rb") as opened:
            head = opened.read(256 * (MOST_SIGNALS + 1))
            size = os.fstat(opened.fileno()).st_size
    except OSError as error:
        raise BrokenRecord(f"it cannot be read: {error.strerror or error}.") from None
    _check_header(head, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if head.startswith(BDF):
                return _ecg(edfio.read_bdf(read_whole(place)))
            return _ecg(edfio.read_edf(place, lazy_load_data=True))
    except (BrokenRecord, WrongRequest):
        raise
    except Exception as error:  # edfio raises whatever comes: ValueError, IndexError, ZeroDivisionError ...
        why = quoted(str(error).split("\n")[0] or type(error).__name__, 160)
        raise BrokenRecord(f"edfio cannot read it: {why}.") from None


def _check_header(content: bytes, length: int) -> None:
    """Refuse what edfio only warns of, or takes memory for, before it does: its numbers by their place in the header."""
    signals = _whole(content[252:256], "number of signals")
    if not 0 < signals <= MOST_SIGNALS:
        raise BrokenRecord(f"it declares {counted(signals, 'signal')}; 1 to {MOST_SIGNALS} are read.")
    header = 256 * (signals + 1)
    if _whole(content[184:192], "size of the header") != header or length < header:
        raise BrokenRecord(f"its header of {counted(signals, 'signal')} must have {header:,} bytes.")
    if content[192:196] in (b"EDF+", b"BDF+") and content[196:197] == b"D":
        raise BrokenRecord("it is discontinuous (EDF+D): it has gaps, and only whole recordings are read.")
    lengths = content[256 + 216 * signals : 256 + 224 * signals]
    samples = [_whole(lengths[8 * i : 8 * i + 8], "number of samples") for i in range(signals)]
    size = (3 if content.startswith(BDF) else 2) * sum(samples)
    records = _whole(content[236:244], "number of data records")
    held = (length - header) // size if size > 0 and min(samples) >= 0 else 0
    if records > held or held < 1:
        raise BrokenRecord(f"it has {held:,} of {records:,} data records.")


def _whole(field: bytes, what: str) -> int:
    try:
        return int(field)
    except ValueError:
        raise BrokenRecord(f"its {what} is {quoted(field.decode('latin-1').strip())}.") from None


def _ecg(file: Any) -> Ecg:
    named = [(_lead(signal.label), signal) for signal in file.signals]
    ecgs = [(name, signal) for name, signal in named if name]
    if not ecgs:
        labels = ", ".join(quoted(signal.label) for signal in file.signals[:8])
        raise BrokenRecord(f"none of its signals is named as an ECG lead; signals: {labels}.")
    rate = Counter(float(signal.sampling_frequency) for _, signal in ecgs).most_common(1)[0][0]
    chosen = [(name, signal) for name, signal in ecgs if signal.sampling_frequency == rate]
    others = [signal for name, signal in named if not name or signal.sampling_frequency != rate]
    samples = chosen[0][1].samples_per_data_record * file.num_data_records
    check_size(len(chosen), samples)
    signal = np.empty((len(chosen), samples), dtype=np.float32)
    for row, (name, each) in zip(signal, chosen, strict=True):
        factor = _factor(name, each)
        with np.errstate(over="ignore"):  # the Ecg refuses infinite voltages
            row[:] = each.data * factor
    patient, recorded = _patient(file), _moment(file)
    return Ecg(
        signal, rate, tuple(name for name, _ in chosen),
        patient=patient[0], sex=patient[1], age=age_on(patient[2], recorded), recorded=recorded,
        comments=tuple(f"left out: {quoted(s.label)[1:-1]}, {s.sampling_frequency:g} Hz" for s in others),
    )  # fmt: skip


def _lead(label: str) -> str:
    """The lead that a label names, or nothing where it names none."""
    bare = lead_name(label)
    if bare in STANDARD_LEADS:
        return bare
    if not _NAMED.match(label.strip()):
        return ""
    return bare.removeprefix("ECG ").removeprefix("EKG ").strip() or bare


def _factor(name: str, signal: Any) -> float:
    """mV in the unit of a signal. Raises BrokenRecord where counts cannot be turned into voltages."""
    unit = signal.physical_dimension
    if signal.digital_max <= signal.digital_min or signal.physical_max == signal.physical_min:
        raise BrokenRecord(f"lead {quoted(name)} has no range of voltages.")
    try:
        return millivolts(unit)
    except WrongRequest:
        raise BrokenRecord(f"lead {quoted(name)} is in {quoted(unit)}, which is no voltage.") from None


def _patient(file: Any) -> tuple[str | None, Sex | None, date | None]:
    """Code, sex and birth date, where the file has them in the way of EDF+: code sex birth name."""
    words = file.local_patient_identification.split()
    if len(words) < 4 or words[1] not in ("M", "F", "X"):
        return None, None, None
    try:
        birth = datetime.strptime(words[2], "%d-%b-%Y").date()
    except ValueError:
        birth = None
    return (None if words[0] == "X" else words[0]), sex_of(words[1]), birth


def _moment(file: Any) -> datetime | None:
    try:
        moment: datetime = datetime.combine(file.startdate, file.starttime)
    except Exception:  # an anonymised file may have no date, or an impossible one
        return None
    return moment if moment.year > 1985 or moment.month > 1 or moment.day > 1 else None
