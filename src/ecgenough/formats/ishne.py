"""ISHNE Holter recordings -> Ecg. Format: Badilini 1998, "The ISHNE Holter standard output file format" (A.N.E. 3).

A header of 522 bytes, a block of free text, then 16-bit counts, the leads interleaved; little-endian throughout.
"""

import os
import struct
from binascii import crc_hqx
from datetime import date, datetime
from pathlib import Path

import numpy as np

from ecgenough.ecg import Ecg, Sex
from ecgenough.errors import BrokenRecord, quoted
from ecgenough.formats.bounds import check_size
from ecgenough.formats.people import age_on

MAGIC = b"ISHNE1.0"
HEADER = 522  # bytes
LOST = -32768  # the count of a sample during lead fault
MOST_LEADS = 12
_LEADS = {
    2: "X", 3: "Y", 4: "Z", 5: "I", 6: "II", 7: "III", 8: "aVR", 9: "aVL", 10: "aVF", 11: "V1", 12: "V2", 13: "V3",
    14: "V4", 15: "V5", 16: "V6", 17: "ES", 18: "AS", 19: "AI",
}  # fmt: skip
_SEX: dict[int, Sex] = {1: "male", 2: "female"}


def read_ishne(place: Path) -> Ecg:
    """Read an ISHNE recording; samples that the recorder marks as lost are NaN.

    Raises BrokenRecord for a header that contradicts itself or the size of the file, and for a lead without a stated
    resolution. A wrong checksum of the header is told in a comment: writers differ in how they compute it.
    """
    try:
        with place.open("rb") as file:
            header = file.read(HEADER)
            if len(header) < HEADER or header[:8] != MAGIC:
                raise BrokenRecord(f"it ends within the {HEADER} bytes of an ISHNE header.")
            text, start = _sizes(header)
            note = file.read(min(text, 1 << 16))
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise BrokenRecord(f"it cannot be read: {error.strerror or error}.") from None
    leads, resolutions = _leads(header)
    samples = _samples(header, size - start, len(leads))
    signal = np.empty((len(leads), samples), dtype=np.float32)
    counts = np.memmap(place, dtype="<i2", mode="r", offset=start, shape=(samples, len(leads)))
    for lead, resolution in enumerate(resolutions):
        column = counts[:, lead]
        signal[lead] = column * np.float32(resolution * 1e-6)
        signal[lead][column == LOST] = np.nan
    recorded = _moment(header)
    return Ecg(
        signal, _short(header, 272), leads,
        patient=_text(header[108:128]) or None, sex=_SEX.get(_short(header, 128)),
        age=age_on(_date(header, 132), recorded), recorded=recorded, comments=_comments(header, note),
    )  # fmt: skip


def _sizes(header: bytes) -> tuple[int, int]:
    """Bytes of the free text, and where the counts start."""
    text, _, text_at, counts_at = struct.unpack_from("<4i", header, 10)
    if text < 0 or text_at not in (0, HEADER) or counts_at not in (0, HEADER + text):
        raise BrokenRecord(
            f"its header says that {text:,} bytes of text start at {text_at:,} and the samples at {counts_at:,}; "
            f"the text starts at {HEADER} and the samples follow it."
        )
    return text, HEADER + text


def _leads(header: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the leads, and their resolutions in nV a count."""
    count = _short(header, 156)
    if not 0 < count <= MOST_LEADS:
        raise BrokenRecord(f"its header says {count} leads; ISHNE has 1 to {MOST_LEADS}.")
    codes = struct.unpack_from(f"<{count}h", header, 158)
    resolutions = struct.unpack_from(f"<{count}h", header, 206)
    names = tuple(_LEADS.get(code, f"lead {i + 1}") for i, code in enumerate(codes))
    for name, resolution in zip(names, resolutions, strict=True):
        if resolution <= 0:
            raise BrokenRecord(
                f"the resolution of lead {name} is {resolution} nV a count, so its voltages are unknown."
            )
    if _short(header, 272) <= 0:
        raise BrokenRecord(f"its header says a sampling rate of {_short(header, 272)} Hz.")
    return names, resolutions


def _samples(header: bytes, held: int, leads: int) -> int:
    """Samples of each lead. Writers declare them for one lead or for all together."""
    (declared,) = struct.unpack_from("<i", header, 14)
    frames = max(0, held) // (2 * leads)
    if declared > 0 and declared not in (frames, frames * leads):
        if declared > frames:
            raise BrokenRecord(f"it has {frames:,} of {declared:,} samples of each lead.")
        frames = declared
    check_size(leads, frames)
    return frames


def _moment(header: bytes) -> datetime | None:
    day, clock = _date(header, 138), struct.unpack_from("<3h", header, 150)
    try:
        return None if day is None else datetime(day.year, day.month, day.day, *clock)
    except ValueError:
        return None


def _comments(header: bytes, note: bytes) -> tuple[str, ...]:
    lines = [line.strip() for line in _text(note).splitlines() if line.strip()]
    (stated,) = struct.unpack_from("<H", header, 8)
    computed = crc_hqx(header[10:] + note, 0xFFFF)
    if stated not in (0, computed, (computed & 0xFF) << 8 | computed >> 8):
        lines.append("the header's checksum does not fit the header")
    return tuple(quoted(line, 200)[1:-1] for line in lines)


def _date(header: bytes, at: int) -> date | None:
    day, month, year = struct.unpack_from("<3h", header, at)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _short(header: bytes, at: int) -> int:
    return int(struct.unpack_from("<h", header, at)[0])


def _text(field: bytes) -> str:
    return field.partition(b"\x00")[0].decode("latin-1").strip()
