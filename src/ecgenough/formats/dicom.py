"""DICOM waveforms -> Ecg, read by pydicom. Standard: DICOM PS3.3 A.34.3 to A.34.5 and C.10.9."""

import warnings
import zlib
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, lead_name, millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, quoted
from ecgenough.extras import needed
from ecgenough.formats.bounds import check_size, read_whole
from ecgenough.formats.lead_codes import LEAD_CODES
from ecgenough.formats.people import age_of, age_on, digits_to_datetime, sex_of
from ecgenough.sentences import counted

START = 132  # where the data elements start: 128 bytes of anything and "DICM"
DEFLATED = "1.2.840.10008.1.2.1.99"
MOST_INFLATED = 1 << 26  # bytes; ten seconds of twelve leads are some 250,000
# Transfer syntaxes: whether value representations are implied, whether integers are little-endian.
SYNTAXES = {
    "1.2.840.10008.1.2": (True, True),
    "1.2.840.10008.1.2.1": (False, True),
    "1.2.840.10008.1.2.2": (False, False),
    DEFLATED: (False, True),
}
ECGS = {
    "1.2.840.10008.5.1.4.1.1.9.1.1": "12-lead ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.2": "general ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.3": "ambulatory ECG",
    "1.2.840.10008.5.1.4.1.1.9.1.4": "general 32-bit ECG",
}
_COUNTS = {(8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4"}
_LEAD_CODINGS = {"SCPECG": "5.6.3-9-", "MDC": "2:"}  # what stands before the number of a lead, by coding scheme


def read_dicom(place: Path) -> Ecg:
    """Read the rhythm of a DICOM ECG: of its multiplex groups the original one of most leads, of those the longest.

    What else the file holds (median beats, rhythm strips) is told in the comments. Samples of the padding value are
    NaN. Raises BrokenRecord for objects that are no ECG, encodings that are not linear, and units that are no voltage.
    """
    pydicom = needed("pydicom", "formats", "a DICOM file")
    content = read_whole(place)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom warns of values that break rules which do not matter here
            return _ecg(*_dataset(needed("pydicom.filereader", "formats", "a DICOM file"), content))
    except (BrokenRecord, WrongRequest):
        raise
    except Exception as error:  # pydicom raises whatever comes: KeyError, NotImplementedError, RecursionError ...
        why = quoted(str(error).split("\n")[0] or type(error).__name__, 160)
        raise BrokenRecord(f"pydicom {pydicom.__version__} cannot read it: {why}.") from None


def _dataset(filereader: Any, content: bytes) -> tuple[Any, str]:
    """The data set, and the byte order of its samples. pydicom inflates without a limit, so that is done here."""
    buffer = BytesIO(content)
    buffer.seek(START)
    meta = filereader.read_dataset(buffer, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = str(meta.get("TransferSyntaxUID", "") or "")
    if syntax not in SYNTAXES:
        raise BrokenRecord(f"its transfer syntax, {quoted(syntax)}, is none that waveforms are stored in.")
    implicit, little = SYNTAXES[syntax]
    if syntax == DEFLATED:
        buffer = BytesIO(_inflated(buffer.read()))
    return filereader.read_dataset(buffer, implicit, little), "<" if little else ">"


def _inflated(deflated: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(deflated, MOST_INFLATED + 1)
    except zlib.error as error:
        raise BrokenRecord(f"its deflated content is damaged: {error}.") from None
    if len(content) > MOST_INFLATED:
        raise BrokenRecord(f"it inflates to more than {MOST_INFLATED >> 20} MiB.")
    if not inflater.eof:
        raise BrokenRecord("its deflated content ends too early.")
    return content


def _ecg(dataset: Any, order: str) -> Ecg:
    kind = str(dataset.get("SOPClassUID", ""))
    if kind not in ECGS:
        raise BrokenRecord(f"it is a DICOM object of SOP class {quoted(kind)}, not a {', '.join(ECGS.values())}.")
    group, notes = _rhythm(list(dataset.get("WaveformSequence") or []))
    leads, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    check_size(leads, samples)
    channels = list(group.ChannelDefinitionSequence)
    if len(channels) != leads:
        raise BrokenRecord(f"it declares {counted(leads, 'lead')} and defines {len(channels):,}.")
    names = tuple(_name(channel, i) for i, channel in enumerate(channels))
    counts = _counts(group, leads, samples, order)
    padding = _padding(group, counts.dtype)
    signal = np.empty((leads, samples), dtype=np.float32)
    for i, channel in enumerate(channels):
        scale, baseline = _calibration(channel, names[i])
        with np.errstate(over="ignore"):  # the Ecg refuses infinite voltages
            signal[i] = counts[:, i] * scale + baseline
        if padding is not None:
            signal[i][counts[:, i] == padding] = np.nan
    recorded = _moment(dataset)
    age, birth = str(dataset.get("PatientAge") or ""), digits_to_datetime(str(dataset.get("PatientBirthDate") or ""))
    return Ecg(
        signal, float(group.SamplingFrequency), names,
        patient=str(dataset.get("PatientID") or "") or None, sex=sex_of(str(dataset.get("PatientSex") or "")),
        age=age_of(age[:-1], age[-1:]) or age_on(birth.date() if birth else None, recorded),
        recorded=recorded, comments=notes,
    )  # fmt: skip


def _rhythm(groups: list[Any]) -> tuple[Any, tuple[str, ...]]:
    """The multiplex group to read, and what is left out."""
    if not groups:
        raise BrokenRecord("it holds no waveforms.")

    def rank(group: Any) -> tuple[bool, int, float]:
        derived = str(group.get("WaveformOriginality", "")) == "DERIVED" or "MEDIAN" in _label(group).upper()
        seconds = int(group.NumberOfWaveformSamples) / (float(group.SamplingFrequency) or 1.0)
        return not derived, int(group.NumberOfWaveformChannels), seconds

    best = max(groups, key=rank)
    return best, tuple(
        f"left out: {_label(group)}, {counted(group.NumberOfWaveformChannels, 'lead')} of "
        f"{counted(group.NumberOfWaveformSamples, 'sample')}"
        for group in groups
        if group is not best
    )


def _label(group: Any) -> str:
    return quoted(str(group.get("MultiplexGroupLabel") or "a group without a label"))[1:-1]


def _counts(group: Any, leads: int, samples: int, order: str) -> NDArray[Any]:
    """The counts as stored, `[samples, leads]`."""
    bits, kind = int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation)
    if (bits, kind) not in _COUNTS:
        raise BrokenRecord(f"its samples are {quoted(kind)} of {bits} bits; only linear 8, 16 and 32 bits are read.")
    content = bytes(group.WaveformData)
    needed = leads * samples * bits // 8
    if len(content) < needed:
        raise BrokenRecord(f"it has {len(content):,} of the {needed:,} bytes that its leads need.")
    counts = np.frombuffer(content, dtype=order + _COUNTS[bits, kind], count=leads * samples)
    return counts.reshape(samples, leads)


def _padding(group: Any, dtype: np.dtype[Any]) -> int | None:
    """The count that stands for a lost sample. pydicom leaves it as bytes, or as a number where its type is known."""
    value = group.get("WaveformPaddingValue")
    if isinstance(value, bytes) and len(value) >= dtype.itemsize:
        return int(np.frombuffer(value, dtype, 1)[0])
    return int(value) if isinstance(value, int) else None


def _name(channel: Any, index: int) -> str:
    """The lead by its code; by its meaning or label where the code is none that is known."""
    source = channel.ChannelSourceSequence[0]
    prefix = _LEAD_CODINGS.get(str(source.get("CodingSchemeDesignator", "")))
    code = str(source.get("CodeValue", ""))
    if prefix and code.startswith(prefix) and code[len(prefix) :].isdecimal():
        known = LEAD_CODES.get(int(code[len(prefix) :]))
        if known:
            return known
    meaning = str(source.get("CodeMeaning") or channel.get("ChannelLabel") or f"lead {index + 1}")
    return lead_name(meaning.partition("(")[0])  # "Lead I (Einthoven)"


def _calibration(channel: Any, name: str) -> tuple[float, float]:
    """The mV of a count, and the mV of count 0."""
    if "ChannelSensitivity" not in channel:
        raise BrokenRecord(f"lead {quoted(name)} has no sensitivity, so its voltages are unknown.")
    unit = str(channel.ChannelSensitivityUnitsSequence[0].get("CodeValue", ""))
    try:
        factor = millivolts(unit)
    except WrongRequest:
        raise BrokenRecord(f"lead {quoted(name)} is in {quoted(unit)}, which is no voltage.") from None
    correction = float(channel.get("ChannelSensitivityCorrectionFactor") or 1.0)
    scale = float(channel.ChannelSensitivity) * correction * factor
    baseline = float(channel.get("ChannelBaseline") or 0.0) * factor
    if not np.isfinite([scale, baseline]).all() or scale == 0:
        raise BrokenRecord(f"lead {quoted(name)} has a sensitivity of {scale:g} mV and a baseline of {baseline:g} mV.")
    return scale, baseline


def _moment(dataset: Any) -> datetime | None:
    whole = digits_to_datetime(str(dataset.get("AcquisitionDateTime") or ""))
    for what in ("Acquisition", "Content", "Study"):
        if whole:
            break
        day, clock = str(dataset.get(f"{what}Date") or ""), str(dataset.get(f"{what}Time") or "")
        whole = digits_to_datetime(day + clock.partition(".")[0]) or digits_to_datetime(day)
    return whole
