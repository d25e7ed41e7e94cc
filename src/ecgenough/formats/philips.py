"""Philips XML (root element restingecgdata, versions 1.03 to 1.04.02) -> Ecg; sierraecg undoes its compression.

Waveforms are base64 of 16-bit counts, one lead after the other, plain or compressed ("XLI": Lempel-Ziv-Welch of
second differences; of III, aVR, aVL and aVF only what I and II do not tell is stored).
"""

import binascii
from base64 import b64decode
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import LIMB_LEADS, STANDARD_LEADS, Ecg, lead_name
from ecgenough.errors import BrokenRecord, quoted
from ecgenough.extras import needed
from ecgenough.formats.bounds import check_size
from ecgenough.formats.markup import number_of, parse_xml, text_of
from ecgenough.formats.people import age_of, age_on, sex_of

VERSIONS = ("1.03", "1.04", "1.04.01", "1.04.02")
MOST_SAMPLES = 1 << 20  # of one lead: 17 minutes at 1000 Hz; a resting ECG has some ten seconds

Counts = NDArray[np.int64]


def read_philips(place: Path) -> Ecg:
    """Read the rhythm of a Philips XML; representative beats are told as left out.

    Raises BrokenRecord for another version, encoding or compression, a missing resolution, and too few samples.
    """
    root = parse_xml(place)
    version = text_of(root, "documentinfo/documentversion")
    if version not in VERSIONS:
        raise BrokenRecord(f"it is Philips XML of version {quoted(version)}; {', '.join(VERSIONS)} are read.")
    waveforms, details = root.find(".//parsedwaveforms"), root.find(".//dataacquisition/signalcharacteristics")
    if waveforms is None or details is None:
        raise BrokenRecord("it has no waveforms, or does not say what they are.")
    rate = number_of(waveforms.get("samplespersecond") or text_of(details, "samplingrate"), "sampling rate")
    leads = _leads(waveforms, details)
    milliseconds = number_of(waveforms.get("durationperchannel", ""), "duration")
    if not (0 < rate <= 1e5 and 0 < milliseconds * rate / 1000 <= MOST_SAMPLES):
        raise BrokenRecord(f"it declares {milliseconds:g} ms at {rate:g} Hz, which is no resting ECG.")
    samples = round(milliseconds * rate / 1000)
    check_size(len(leads), samples)
    counts = _counts(waveforms, details, leads, samples)
    microvolts, zero = _calibration(waveforms, details)
    recorded = _moment(root)
    person = root.find("patient/generalpatientdata")
    birth = text_of(person, "age/dateofbirth") or text_of(person, "dateofbirth")
    return Ecg(
        (counts - zero) * (microvolts * 1e-3), rate, leads,
        patient=text_of(person, "patientid") or text_of(person, "MRN") or None, sex=sex_of(text_of(person, "sex")),
        age=age_of(text_of(person, "age/years"), "years") or age_on(_day(birth), recorded), recorded=recorded,
        comments=("left out: the representative beats",) if root.find(".//repbeats/repbeat") is not None else (),
    )  # fmt: skip


def _leads(waveforms: Element, details: Element) -> tuple[str, ...]:
    count = number_of(waveforms.get("numberofleads") or text_of(details, "numberchannelsallocated"), "number of leads")
    labels = tuple(lead_name(label) for label in waveforms.get("leadlabels", "").split())[: max(0, int(count))]
    if labels:
        return labels
    kind = text_of(details, "acquisitiontype")
    if kind in ("STD-12", "10-WIRE") and count == len(STANDARD_LEADS):
        return STANDARD_LEADS
    raise BrokenRecord(f"it names none of its leads ({count:g}, acquisition type {quoted(kind)}).")


def _counts(waveforms: Element, details: Element, leads: tuple[str, ...], samples: int) -> Counts:
    """The counts of all leads, `[leads, samples]`."""
    encoding = waveforms.get("dataencoding", "")
    compression = waveforms.get("compressmethod") or waveforms.get("compression") or "Uncompressed"
    if encoding != "Base64" or compression not in ("Uncompressed", "XLI"):
        raise BrokenRecord(f"its waveforms are coded as {quoted(encoding)}, {quoted(compression)}; that is not read.")
    try:
        content = b64decode("".join((waveforms.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise BrokenRecord("its waveforms are not base64.") from None
    if compression == "XLI":
        counts = _expanded(content, len(leads), samples)
        return _with_limb_leads(counts) if leads[:6] == LIMB_LEADS else counts
    signed = (waveforms.get("signalsigned") or text_of(details, "signalsigned")).lower() != "false"
    if len(content) < 2 * len(leads) * samples:
        raise BrokenRecord(f"it has {len(content):,} of the {2 * len(leads) * samples:,} bytes that its leads need.")
    plain = np.frombuffer(content, "<i2" if signed else "<u2", len(leads) * samples)
    return plain.reshape(len(leads), samples).astype(np.int64)


def _expanded(content: bytes, leads: int, samples: int) -> Counts:
    """Undo the compression of each lead: 4 bytes of size, 2 unused, 2 of a start, and so many bytes of codes."""
    lzw, xli = needed("sierraecg.lzw", "formats", "Philips XML"), needed("sierraecg.xli", "formats", "Philips XML")
    counts = np.empty((leads, samples), dtype=np.int64)
    at = 0
    for i in range(leads):
        size, start = (int.from_bytes(content[at + a : at + b], "little", signed=True) for a, b in ((0, 4), (6, 8)))
        chunk = content[at + 8 : at + 8 + max(0, size)]
        at += 8 + len(chunk)
        if size < 1 or len(chunk) < size:
            raise BrokenRecord(f"lead {i + 1} of {leads} has {len(chunk):,} of {size:,} compressed bytes.")
        try:
            counts[i] = _lead(lzw.LzwDecoder(chunk, bits=10), xli.xli_decode_deltas, start, samples)
        except (IndexError, OverflowError, TypeError, ValueError) as error:  # what sierraecg raises for damaged codes
            why = str(error) if isinstance(error, BrokenRecord) else "its compressed samples are damaged."
            raise BrokenRecord(f"lead {i + 1} of {leads}: {why}") from None
    return counts


def _lead(decoder: Any, summed: Callable[[list[int], int], Any], start: int, samples: int) -> Counts:
    """One lead. Codes can grow 600-fold, so what is beyond the samples is not waited for."""
    most = 2 * samples + 4096  # bytes; a lead may be padded
    expanded = [byte & 0xFF for byte in (decoder.read() for _ in range(most)) if byte >= 0]
    if len(expanded) < max(4, 2 * samples) or decoder.read() >= 0:
        raise BrokenRecord(f"its codes expand to {len(expanded) // 2:,} of {samples:,} samples.")
    expanded += [0] * (len(expanded) % 2)
    return np.asarray(summed(expanded, start)[:samples], dtype=np.int64)


def _with_limb_leads(stored: Counts) -> Counts:
    """Turn the stored differences of III, aVR, aVL and aVF into the leads, halves rounded down as in the recorder."""
    counts = stored.copy()
    one, two = counts[0], counts[1]
    counts[2] = two - one - stored[2]
    counts[3] = -stored[3] - (one + two) // 2
    counts[4] = (one - counts[2]) // 2 - stored[4]
    counts[5] = (two + counts[2]) // 2 - stored[5]
    return counts


def _calibration(waveforms: Element, details: Element) -> tuple[float, float]:
    """µV of a count, and the count of 0 V."""
    said = waveforms.get("resolution") or text_of(details, "resolution") or text_of(details, "signalresolution")
    if not said:
        raise BrokenRecord("it does not say the resolution of its waveforms, so their voltages are unknown.")
    resolution = number_of(said, "resolution")
    if resolution <= 0:
        raise BrokenRecord(f"its resolution of {resolution:g} µV is not possible.")
    return resolution, number_of(waveforms.get("signaloffset") or text_of(details, "signaloffset") or "0", "offset")


def _moment(root: Element) -> datetime | None:
    acquired = root.find("dataacquisition")
    day = _day("" if acquired is None else acquired.get("date", ""))
    clock = "" if acquired is None else acquired.get("time", "")
    try:
        return datetime.combine(day, datetime.strptime(clock[:8], "%H:%M:%S").time()) if day else None
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
