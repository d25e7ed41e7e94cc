"""SCP-ECG recordings -> Ecg. Standard: EN 1064:2005+A1:2007 (ISO 11073-91064), protocol versions 1.x and 2.x.

A checksum and a size, then sections that section 0 points to: 1 the patient, 2 the Huffman tables, 3 the leads,
4 and 5 the beats and the reference beat that was subtracted, 6 the rhythm. All integers are little-endian.
"""

import struct
from binascii import crc_hqx
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, Sex
from ecgenough.errors import BrokenRecord
from ecgenough.formats.bounds import check_size, read_whole
from ecgenough.formats.huffman import Table, decode, read_tables
from ecgenough.formats.lead_codes import LEAD_CODES
from ecgenough.formats.people import age_of, age_on
from ecgenough.sentences import counted

MOST_BYTES = 1 << 25
HEADER = 16  # bytes before the content of each section
_AGE_UNITS = {1: "years", 2: "months", 3: "weeks", 4: "days", 5: "hours"}
_SEX: dict[int, Sex] = {1: "male", 2: "female"}

Counts = NDArray[np.int64]


class _Lead(NamedTuple):
    """First and last sample of a lead, counted from 1, and its name."""

    start: int
    end: int
    name: str


class _Beat(NamedTuple):
    """Type of a beat, and where its reference was subtracted: first sample, fiducial, last sample, counted from 1."""

    type: int
    start: int
    fiducial: int
    end: int


def read_scp(place: Path) -> Ecg:
    """Read the rhythm of an SCP-ECG recording; where leads start or end apart, the rest of them is NaN.

    Plain and Huffman coding, first and second differences, and subtracted reference beats are understood. Raises
    BrokenRecord for a wrong checksum, bimodal compression (decimated between the QRS complexes), version 3's
    section 12, and whatever contradicts itself.
    """
    try:
        return _read(_sections(read_whole(place, MOST_BYTES)))
    except (struct.error, IndexError):
        raise BrokenRecord("one of its SCP-ECG sections ends too early.") from None


def _read(sections: dict[int, bytes]) -> Ecg:
    for number, what in ((3, "of leads"), (6, "of the rhythm")):
        if number not in sections:
            more = " (its section 12, a long recording of SCP-ECG 3, is not read)" if 12 in sections else ""
            raise BrokenRecord(f"it has no section {number}, {what}{more}.")
    leads, subtracted = _leads(sections[3])
    first = min(lead.start for lead in leads)
    samples = max(lead.end for lead in leads) - first + 1
    check_size(len(leads), samples)
    tables = read_tables(sections[2]) if 2 in sections else None
    microseconds, voltages = _rhythm(sections, leads, tables, subtracted)
    signal = np.full((len(leads), samples), np.nan, dtype=np.float32)
    for row, lead, values in zip(signal, leads, voltages, strict=True):
        row[lead.start - first : lead.end - first + 1] = values
    told = _told(sections.get(1, b""))
    recorded = _moment(told)
    age, birth = told.get(4, b""), _date(told.get(5, b""))
    stated = age_of(str(_word(age)), _AGE_UNITS.get(age[2], "")) if len(age) >= 3 else None
    return Ecg(
        signal, 1e6 / microseconds, tuple(lead.name for lead in leads),
        patient=told.get(2, b"").partition(b"\x00")[0].decode("latin-1").strip() or None,
        sex=_SEX.get(told.get(8, b"\x00")[0]) if told.get(8) else None,
        age=stated or age_on(birth, recorded), recorded=recorded,
        comments=("left out: the reference beat",) if 5 in sections else (),
    )  # fmt: skip


def _sections(content: bytes) -> dict[int, bytes]:
    """The content of each section, without its header."""
    stated, size = struct.unpack_from("<HI", content)
    if not 6 + HEADER <= size <= len(content):
        raise BrokenRecord(f"it declares {size:,} bytes and has {len(content):,}.")
    record = content[:size]
    if crc_hqx(record[2:], 0xFFFF) != stated:
        raise BrokenRecord("its checksum does not fit its content: the file is damaged.")
    sections = {}
    pointers = record[6 + HEADER : 6 + struct.unpack_from("<I", record, 10)[0]]
    for at in range(0, len(pointers) - 9, 10):
        number, length, start = struct.unpack_from("<HII", pointers, at)
        if not length or number == 0:
            continue
        if start < 1 or start - 1 + length > size or length < HEADER:
            raise BrokenRecord(f"its section {number} lies outside the record.")
        if number <= 11 and struct.unpack_from("<H", record, start + 1)[0] != number:
            raise BrokenRecord(f"where section {number} should be, there is another one.")
        sections[number] = record[start - 1 + HEADER : start - 1 + length]
    return sections


def _leads(section: bytes) -> tuple[list[_Lead], bool]:
    """The leads, and whether reference beats were subtracted from them."""
    count, flags = section[0], section[1]
    if not count:
        raise BrokenRecord("it has no leads.")
    leads = []
    for at in range(2, 2 + 9 * count, 9):
        start, end, code = struct.unpack_from("<IIB", section, at)
        if not 1 <= start <= end:
            raise BrokenRecord(f"a lead lies from sample {start:,} to {end:,}.")
        leads.append(_Lead(start, end, LEAD_CODES.get(code, f"lead {code}")))
    return leads, bool(flags & 1)


def _rhythm(
    sections: dict[int, bytes], leads: list[_Lead], tables: list[Table] | None, subtracted: bool
) -> tuple[int, list[NDArray[np.float64]]]:
    """The time between samples in µs, and the voltages of each lead in mV."""
    section = sections[6]
    nanovolts, microseconds, _, bimodal = struct.unpack_from("<HHBB", section)
    if bimodal:
        raise BrokenRecord("its rhythm is compressed bimodally (decimated between QRS complexes), which is not read.")
    if not nanovolts or not microseconds:
        raise BrokenRecord(f"its rhythm has {nanovolts} nV a count and {microseconds} µs a sample.")
    counts = _coded(section, [lead.end - lead.start + 1 for lead in leads], tables)
    voltages = [values * (nanovolts * 1e-6) for values in counts]
    if subtracted:
        if 4 not in sections or 5 not in sections:
            raise BrokenRecord("reference beats were subtracted from its rhythm, but sections 4 and 5 lack.")
        _add_reference(voltages, leads, sections, tables)
    return microseconds, voltages


def _add_reference(
    voltages: list[NDArray[np.float64]], leads: list[_Lead], sections: dict[int, bytes], tables: list[Table] | None
) -> None:
    """Put the reference beat back where it was subtracted: around the fiducials of beats of type 0."""
    milliseconds, fiducial, count = struct.unpack_from("<HHH", sections[4])
    nanovolts, microseconds = struct.unpack_from("<HH", sections[5])
    if microseconds != struct.unpack_from("<H", sections[6], 2)[0]:
        raise BrokenRecord("its reference beat is sampled at another rate than its rhythm, which is not read.")
    length = round(milliseconds * 1000 / microseconds) if microseconds else 0
    references = _coded(sections[5], [length] * len(leads), tables)
    for i in range(count):
        beat = _Beat(*struct.unpack_from("<HIII", sections[4], 6 + 14 * i))
        if beat.type:
            continue
        behind = beat.fiducial - fiducial  # samples of the recording before the first of the reference
        for values, lead, reference in zip(voltages, leads, references, strict=True):
            first = max(beat.start, lead.start, behind + 1)
            last = min(beat.end, lead.end, behind + length)
            if first <= last:
                part = reference[first - behind - 1 : last - behind] * (nanovolts * 1e-6)
                values[first - lead.start : last - lead.start + 1] += part


def _coded(section: bytes, lengths: list[int], tables: list[Table] | None) -> list[Counts]:
    """The counts of each lead of section 5 or 6: decoded, and summed up where they are differences."""
    differences = section[4]
    if differences > 2:
        raise BrokenRecord(f"its samples are coded in a way ({differences}) that EN 1064 does not know.")
    sizes = struct.unpack_from(f"<{len(lengths)}H", section, 6)
    at = 6 + 2 * len(lengths)
    decoded = []
    for i, (size, length) in enumerate(zip(sizes, lengths, strict=True)):
        chunk = section[at : at + size]
        at += size
        held = 8 * len(chunk) if tables else len(chunk) // 2  # a sample takes one bit at least
        if length > held:
            raise BrokenRecord(
                f"lead {i + 1} of {len(lengths)} declares {counted(length, 'sample')} and has at most {held:,}."
            )
        counts = decode(chunk, length, tables) if tables else np.frombuffer(chunk, "<i2", length).astype(np.int64)
        decoded.append(_summed(counts, differences))
    return decoded


def _summed(counts: Counts, order: int) -> Counts:
    """Undo first or second differences, in 16 bits as recorders compute them."""
    if order == 1:
        counts = np.cumsum(counts)
    elif order == 2 and counts.size > 2:
        slopes = counts.copy()
        slopes[1] -= counts[0]
        slopes[1:] = np.cumsum(slopes[1:])
        counts = np.cumsum(slopes)
    return counts.astype(np.int16).astype(np.int64) if order else counts


def _told(section: bytes) -> dict[int, bytes]:
    """What section 1 says of the patient and the recording: values by tag, the first where one is repeated."""
    return dict(reversed(list(_tags(section))))


def _tags(section: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 3 <= len(section) and section[at] != 255:
        length = _word(section[at + 1 :])
        yield section[at], section[at + 3 : at + 3 + length]
        at += 3 + length


def _moment(told: dict[int, bytes]) -> datetime | None:
    day, clock = _date(told.get(25, b"")), told.get(26, b"")
    try:
        return datetime.combine(day, time(*clock[:3])) if day and len(clock) >= 3 else None
    except ValueError:
        return None


def _date(value: bytes) -> date | None:
    try:
        return date(_word(value), value[2], value[3]) if len(value) >= 4 else None
    except ValueError:
        return None


def _word(value: bytes) -> int:
    return int.from_bytes(value[:2], "little")
