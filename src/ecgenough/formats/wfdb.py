"""WFDB records: a header and its samples -> Ecg, and back.

Almost every collection of ECGs is one file of 16-bit samples beside each header. That case is read here, 20 times
faster than by the wfdb package and with the same values; every other sample format is left to the package.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, quoted
from ecgenough.formats.bounds import MOST_VALUES
from ecgenough.formats.header import Header, Lead, Segment, inside, read_header, read_segment_header
from ecgenough.later import Later
from ecgenough.sentences import counted

if TYPE_CHECKING:
    import wfdb
else:
    wfdb = Later("wfdb")  # it brings pandas and requests, and few records need it

__all__ = ["Header", "read_header", "read_record", "read_wfdb", "record_files", "write_wfdb"]

INVALID = -32768  # the count of format 16 that stands for a lost sample: signal(5)
LARGEST = 32767
GAIN = 1000  # counts per mV that are written: a count is 1 µV
# Samples that fill whole bytes, and how many bytes: signal(5). Compressed formats have no such size.
_PACKED = {
    "8": (1, 1), "16": (1, 2), "24": (1, 3), "32": (1, 4), "61": (1, 2), "80": (1, 1), "160": (1, 2),
    "212": (2, 3), "310": (3, 4), "311": (3, 4),
}  # fmt: skip
_COMPRESSED = ("508", "516", "524")
_RECORD_NAME = re.compile(r"[-\w]+", re.ASCII)


def read_wfdb(path: str | Path) -> Ecg:
    """Read a record by its header, by a file beside it (x.dat, x.mat) or by its bare name.

    The voltages are those of `wfdb.rdrecord` in mV, lost samples NaN. Raises BrokenRecord with one sentence on
    whatever is wrong; nothing outside the folder of the header is opened, nothing is fetched from a network.
    """
    return read_record(read_header(path))


def read_record(header: Header) -> Ecg:
    """Read the record that a header describes; see `read_wfdb`."""
    return _join(header) if header.segments else _read_single(header)


def is_plain(header: Header) -> bool:
    """Whether all leads lie interleaved in one file of format 16, at one offset: what `_read_plain` reads."""
    ways = {(lead.format, lead.per_frame, lead.skew) for lead in header.signals}
    places = {(lead.file, lead.offset) for lead in header.signals}
    return ways == {("16", 1, 0)} and len(places) == 1 and not header.segments


def record_files(header: Header) -> tuple[Path, ...]:
    """The files a record consists of: its header, the headers of its segments, and the files of its samples.

    Raises BrokenRecord where one is missing or lies outside the folder.
    """
    headers = [header]
    for segment in header.segments:
        if segment.name != "~":
            headers.append(read_segment_header(header, segment))
    signals = [inside(one.path, file) for one in headers for file in one.files if file != "~"]
    return tuple(dict.fromkeys([*(one.path for one in headers), *signals]))


def write_wfdb(folder: Path, name: str, ecg: Ecg, comments: Sequence[str] = ()) -> None:
    """Write `name`.hea and `name`.dat: format 16, 1000 counts per mV, NaN as the invalid sample.

    `comments` go into the header as they are, a line each; age and sex are not added to them. The two files are
    written in place, replacing what is there: a collection's folder is written aside and renamed as a whole.
    Raises BrokenRecord for voltages beyond ±32.767 mV, WrongRequest for a name or comment that WFDB cannot hold.
    """
    _check_words(name, ecg.leads, comments)
    with np.errstate(over="ignore"):
        counts = np.rint(ecg.signal * np.float32(GAIN))
    if not ecg.samples or not len(ecg.leads):
        raise BrokenRecord(f"{name} has no samples; there is nothing to write.")
    # fmin and fmax pass over NaN; only where all samples are lost is their result NaN.
    most = max(float(np.fmax.reduce(counts, axis=None)), -float(np.fmin.reduce(counts, axis=None)))
    if most > LARGEST:
        raise BrokenRecord(f"{name} reaches {most / GAIN:,.3f} mV; WFDB format 16 at 1000/mV holds up to ±32.767 mV.")
    lost = np.isnan(counts)
    if lost.any():
        counts[lost] = INVALID
    digital = counts.astype("<i2")
    sums = digital.sum(axis=1, dtype=np.int64).tolist()
    with open(folder / f"{name}.dat", "wb") as file:
        file.write(np.ascontiguousarray(digital.T).data)
    lines = [_record_line(name, ecg)]
    for lead, initial, total in zip(ecg.leads, digital[:, 0].tolist(), sums, strict=True):
        lines.append(f"{name}.dat 16 {GAIN}/mV 16 0 {initial} {_checksum(total)} 0 {lead}")
    lines.extend(f"# {comment}" for comment in comments)
    with open(folder / f"{name}.hea", "w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


def _read_single(header: Header) -> Ecg:
    factors = [_factor(header, lead) for lead in header.signals]
    with np.errstate(over="ignore"):  # the Ecg refuses infinite voltages
        voltages = _read_plain(header) if is_plain(header) else _read_by_package(header)
        if set(factors) != {1.0}:
            voltages = voltages * np.array(factors)[:, None]
        return _ecg(header, voltages.astype(np.float32, copy=False))


def _read_plain(header: Header) -> NDArray[Any]:
    """Voltages `[leads, samples]` of 16-bit samples interleaved in one file, in the units of the header."""
    file, offset, leads = header.signals[0].file, header.signals[0].offset, len(header.signals)
    size = _sizes(header)[file]
    samples = _samples(header, {file: size})
    try:
        counts = np.fromfile(header.path.parent / file, dtype="<i2", count=samples * leads, offset=offset)
    except OSError as error:
        raise BrokenRecord(f"{header.path.name}: {quoted(file)} cannot be read: {error.strerror or error}.") from None
    digital = np.ascontiguousarray(counts.reshape(samples, leads).T)
    _check_belongs(header, header.samples is not None and size > 2 * digital.size, digital)
    precision = np.float32 if _exact_in_float32(header) else np.float64
    voltages: NDArray[Any] = digital.astype(precision)
    if any(header.baselines):
        voltages -= np.array(header.baselines, dtype=precision)[:, None]
    voltages /= np.array(header.gains, dtype=precision)[:, None]
    lost = digital == INVALID
    if lost.any():
        voltages[lost] = np.nan
    return voltages


def _exact_in_float32(header: Header) -> bool:
    """Whether dividing in float32 gives the float64 quotient rounded to float32, bit for bit, at half the time.

    So it is where count - baseline and gain are exact in float32: 53 bits are more than 2 x 24 + 2, and rounding twice
    then changes nothing (Figueroa 1995, "When is double rounding innocuous?"). A unit other than mV multiplies again.
    """
    return all(
        millivolts(unit) == 1
        and abs(baseline) < 1 << 23
        and 1e-30 < abs(gain) < 1e30  # far from where float32 loses digits
        and float(np.float32(gain)) == gain
        for unit, gain, baseline in {(lead.unit, lead.gain, lead.baseline) for lead in header.signals}
    )


def _read_by_package(header: Header) -> NDArray[np.float64]:
    """Voltages `[leads, samples]` by the wfdb package, which knows every format of samples."""
    _samples(header, _sizes(header))
    stem = header.path.parent.resolve() / header.path.stem
    if header.path.suffix != ".hea":
        raise BrokenRecord(f"{header.path.name}: the wfdb package reads this format only if the header is named .hea.")
    if "::" in str(stem):
        raise BrokenRecord(f'{stem}.hea: the wfdb package cannot read from a path with "::" in it.')
    try:
        record = wfdb.rdrecord(str(stem))
    except Exception as error:  # the package raises whatever comes: KeyError, IndexError, plain Exception ...
        why = quoted(str(error).split("\n")[0] or type(error).__name__, 200)
        raise BrokenRecord(f"{header.path.name}: the wfdb package cannot read it: {why}.") from None
    understood = (tuple(record.file_name), tuple(record.adc_gain), tuple(record.baseline))
    if understood != (header.files, header.gains, header.baselines) or record.fs != header.rate:
        raise BrokenRecord(f"{header.path.name}: the wfdb package understands this header otherwise than WFDB says.")
    return np.asarray(record.p_signal, dtype=np.float64).T


def _join(header: Header) -> Ecg:
    """One Ecg out of a record in segments, NaN where a segment lacks a lead.

    A first segment of no samples only lists the leads ("variable layout" in header(5)).
    """
    total = sum(segment.samples for segment in header.segments)
    if header.samples not in (None, total):
        raise BrokenRecord(
            f"{header.path.name} declares {counted(header.samples, 'sample')}; its segments have {total:,}."
        )
    _check_size(header, total)
    joined = np.full((len(header.leads), total), np.nan, dtype=np.float32)
    start = 0
    for segment in header.segments:
        if segment.samples and segment.name != "~":
            part = _read_segment(header, segment)
            for lead, voltages in zip(part.leads, part.signal, strict=True):
                joined[header.leads.index(lead), start : start + segment.samples] = voltages
        start += segment.samples
    return _ecg(header, joined)


def _read_segment(header: Header, segment: Segment) -> Ecg:
    part = _read_single(read_segment_header(header, segment))
    if (part.samples, part.rate) != (segment.samples, header.rate):
        raise BrokenRecord(
            f"{header.path.name}: its segment {segment.name} has {counted(part.samples, 'sample')} at {part.rate:g} Hz, "
            f"not {segment.samples:,} at {header.rate:g} Hz."
        )
    if strange := [lead for lead in part.leads if lead not in header.leads]:
        raise BrokenRecord(f"{header.path.name}: only its segment {segment.name} has a lead {quoted(strange[0])}.")
    return part


def _ecg(header: Header, signal: NDArray[np.float32]) -> Ecg:
    if not signal.shape[1]:
        raise BrokenRecord(f"{header.path.name} has no samples.")
    try:
        return Ecg(
            signal, header.rate, header.leads,
            age=header.age, sex=header.sex, recorded=header.recorded, comments=header.comments,
        )  # fmt: skip
    except BrokenRecord as error:
        raise BrokenRecord(f"{header.path.name}: {error}") from None


def _factor(header: Header, lead: Lead) -> float:
    """How many mV the unit of a lead is."""
    try:
        if "/" not in lead.unit:
            return millivolts(lead.unit)
    except WrongRequest:
        pass
    raise BrokenRecord(f"{header.path.name}: lead {quoted(lead.name)} is in {quoted(lead.unit)}, which is no voltage.")


def _sizes(header: Header) -> dict[str, int]:
    """Bytes of samples in each file. Raises BrokenRecord where one is not there or cannot be read."""
    sizes = {}
    for lead in header.signals:
        if lead.file in sizes:
            continue
        if lead.file in ("~", "-"):
            raise BrokenRecord(f"{header.path.name}: lead {quoted(lead.name)} has no file of samples.")
        formats = {other.format for other in header.signals if other.file == lead.file}
        if unknown := formats - _PACKED.keys() - set(_COMPRESSED):
            raise BrokenRecord(f"{header.path.name}: there is no WFDB sample format {min(unknown)}.")
        if len(formats) > 1:
            raise BrokenRecord(f"{header.path.name} gives {quoted(lead.file)} more than one sample format.")
        sizes[lead.file] = max(0, inside(header.path, lead.file).stat().st_size - lead.offset)
    return sizes


def _samples(header: Header, sizes: dict[str, int]) -> int:
    """How many samples each lead has. Raises BrokenRecord where a file holds fewer than the header declares."""
    held: list[tuple[int, str]] = []
    for file, size in sizes.items():
        leads = [lead for lead in header.signals if lead.file == file]
        if leads[0].format in _PACKED:
            count, fill = _PACKED[leads[0].format]
            held.append((size * count // fill // sum(lead.per_frame for lead in leads), file))
    fewest, file = min(held, default=(0, ""))
    if held and fewest < (header.samples or 0):
        raise BrokenRecord(
            f"{header.path.name}: {quoted(file)} has {fewest:,} of {header.samples:,} samples of each lead."
        )
    samples = header.samples or fewest
    if any(lead.skew > samples for lead in header.signals):
        raise BrokenRecord(f"{header.path.name} shifts a lead by more than its {samples:,} samples.")
    if any(lead.format in _COMPRESSED for lead in header.signals):
        _check_size(header, samples)
    return samples


def _check_size(header: Header, samples: int) -> None:
    """Refuse a declared size before memory is taken for it."""
    values = samples * sum(signal.per_frame for signal in header.signals)
    if values > MOST_VALUES:
        raise BrokenRecord(
            f"{header.path.name} declares {samples:,} samples of {len(header.signals):,} leads; "
            f"at most {MOST_VALUES:,} values of such a record are read at once."
        )


def _check_belongs(header: Header, surplus: bool, digital: NDArray[np.int16]) -> None:
    """Refuse samples that are not those the header was written for: of another record, or of other leads.

    A lead speaks against the file where both its initial value and its checksum differ. One of the two is not enough:
    no WFDB reader looks at them, and writers fill them in carelessly or, by hand, with zeros. Where the file holds
    more than the header declares, though, the leads are taken apart rightly only if the checksums say so.
    """
    stated = any(lead.initial or lead.checksum for lead in header.signals)
    first = digital[:, 0].tolist() if digital.size else []
    moved = [i for i, value in enumerate(first) if header.signals[i].initial not in (None, value)] if stated else []
    if not (surplus or moved):
        return
    sums = digital.sum(axis=1, dtype=np.int64).tolist()
    wrong = [i for i, lead in enumerate(header.signals) if (sums[i] - (lead.checksum or 0)) % 65536]
    if surplus and (wrong or not stated):
        raise BrokenRecord(
            f"{header.path.name} declares {counted(digital.shape[1], 'sample')} of {counted(len(sums), 'lead')}; its file "
            "holds more, so the two do not belong together."
        )
    for i in moved:
        if i in wrong and header.signals[i].checksum is not None and INVALID not in digital[i]:
            raise BrokenRecord(
                f"{header.path.name}: lead {header.leads[i]} has neither the initial value nor the checksum the header "
                "states; these samples belong to another header, or are damaged."
            )


def _check_words(name: str, leads: Sequence[str], comments: Sequence[str]) -> None:
    """A line break in a word would forge lines of the header."""
    if not _RECORD_NAME.fullmatch(name):
        raise WrongRequest(f"{quoted(name)} cannot name a WFDB record: use letters, digits, _ and -.")
    for word in (*leads, *comments):
        if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in word):
            raise WrongRequest(f"{name}: {quoted(word)} cannot stand in a WFDB header: it has control characters.")
    if not all(lead.strip() for lead in leads):
        raise WrongRequest(f"{name}: a lead without a name cannot stand in a WFDB header.")


def _record_line(name: str, ecg: Ecg) -> str:
    rate = np.format_float_positional(ecg.rate, trim="-")
    line = f"{name} {len(ecg.leads)} {rate} {ecg.samples}"
    return line if ecg.recorded is None else f"{line} {ecg.recorded:%H:%M:%S.%f %d/%m/%Y}"


def _checksum(total: int) -> int:
    """The sum of all counts of a lead as a signed 16-bit number: header(5)."""
    return (total + 32768) % 65536 - 32768
