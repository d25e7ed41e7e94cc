"""WFDB headers (.hea): which leads a record has, where their samples lie, and how counts become voltages.

Format: the header(5) page of the WFDB Applications Guide, physionet.org/physiotools/wag/header-5.htm. It is kept
strictly: a line that says something else is refused, not half understood.
"""

import math
import os
import re
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from ecgenough.ecg import Sex, lead_name
from ecgenough.errors import BrokenRecord, quoted
from ecgenough.formats.recognition import HEAD, foreign
from ecgenough.sentences import counted

MOST_BYTES = 1 << 20  # of a header; real ones have a few thousand
DEFAULT_RATE = 250.0  # Hz, where a header does not say: header(5)
DEFAULT_GAIN = 200.0  # counts per mV, where a header does not say or says 0: header(5)

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RECORD_LINE = re.compile(
    rf"""(?P<name>[^\s/]+) (?:/(?P<segments>\d{{1,9}}))?
    \s+ (?P<leads>\d{{1,9}})
    (?: \s+ (?P<rate>{_NUMBER}) (?:/-?{_NUMBER})? (?:\(-?{_NUMBER}\))?
      (?: \s+ (?P<samples>\d{{1,18}}) (?: \s+ (?P<start>\S.*) )? )?
    )? $""",
    re.VERBOSE | re.ASCII,
)
# Every field after the format may be left out together with all fields behind it, but for the description.
SIGNAL_LINE = re.compile(
    rf"""(?P<file>\S+)
    \s+ (?P<format>\d{{1,4}}) (?:x(?P<per_frame>\d{{1,9}}))? (?::(?P<skew>\d{{1,9}}))? (?:\+(?P<offset>\d{{1,18}}))?
    (?: \s+ (?P<gain>-?{_NUMBER}) (?:\((?P<baseline>-?\d{{1,18}})\))? (?:/(?P<unit>\S+))?
      (?: \s+ (?P<resolution>\d{{1,9}}) (?=\s|$)
        (?: \s+ (?P<zero>-?\d{{1,18}}) (?=\s|$)
          (?: \s+ (?P<initial>-?\d{{1,18}}) (?=\s|$)
            (?: \s+ (?P<checksum>-?\d{{1,18}}) (?=\s|$)
              (?: \s+ (?P<block>-?\d{{1,18}}) (?=\s|$) )? )? )? )? )?
      (?: \s+ (?P<lead>\S.*) )?
    )? $""",
    re.VERBOSE | re.ASCII,
)
SEGMENT_LINE = re.compile(r"(?P<name>[-\w]+|~)\s+(?P<samples>\d{1,18})$", re.ASCII)
_CLOCK = re.compile(r"(?<!\d)(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?!\d)", re.ASCII)
_DATE = re.compile(r"(?<!\d)(\d{1,2})[/-](\d{1,2}|[A-Za-z]{3})[/-](\d{4})(?!\d)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_AGE = re.compile(r"<?\bage\b>?\s*:\s*(\d{1,3}(?:\.\d+)?)\s*(?:y|yrs?|years?)?\s*(?:$|[<,;])", re.IGNORECASE | re.ASCII)
_SEX = re.compile(r"<?\bsex\b>?\s*:\s*(female|male|f|m)\b", re.IGNORECASE)


class Lead(NamedTuple):
    """One signal line of a header: where a lead's counts lie, and how they become voltages.

    Voltage = (count - baseline) / gain, in `unit`. `initial` and `checksum` are None where the header does not say.
    """

    name: str
    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    initial: int | None
    checksum: int | None


class Segment(NamedTuple):
    """One part of a record that comes in several: the name of its own header, or ~ for a gap, and its length."""

    name: str
    samples: int


@dataclass(frozen=True)
class Header:
    """What a WFDB header says.

    `rate` in Hz; `samples` per lead, None where the header does not say. A record in several `segments` has its
    signals described by their headers: `signals` are then those of the first one.
    """

    path: Path
    name: str
    rate: float
    samples: int | None
    signals: tuple[Lead, ...]
    recorded: datetime | None = None
    comments: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def leads(self) -> tuple[str, ...]:
        """The leads by their usual names, in the order of the signals."""
        return tuple(lead_name(signal.name) for signal in self.signals)

    @property
    def files(self) -> tuple[str, ...]:
        """The signal file of each lead, as the header names it."""
        return tuple(signal.file for signal in self.signals)

    @property
    def formats(self) -> tuple[str, ...]:
        """The sample format of each lead: signal(5)."""
        return tuple(signal.format for signal in self.signals)

    @property
    def gains(self) -> tuple[float, ...]:
        """Counts of each lead for one of its unit."""
        return tuple(signal.gain for signal in self.signals)

    @property
    def baselines(self) -> tuple[int, ...]:
        """The count of each lead that stands for 0."""
        return tuple(signal.baseline for signal in self.signals)

    @property
    def units(self) -> tuple[str, ...]:
        """The unit of each lead as the header spells it."""
        return tuple(signal.unit for signal in self.signals)

    @property
    def age(self) -> float | None:
        """Years, from a comment such as "Age: 74"; None where unknown."""
        found = (_AGE.search(comment) for comment in self.comments)
        return next((float(match[1]) for match in found if match), None)

    @property
    def sex(self) -> Sex | None:
        """From a comment such as "Sex: Male"; None where unknown."""
        found = (_SEX.search(comment) for comment in self.comments)
        sexes: dict[str, Sex] = {"f": "female", "m": "male"}
        return next((sexes[match[1][0].lower()] for match in found if match), None)


def header_path(path: Path) -> Path:
    """The header of a record named by its .hea, by a file beside it (x.dat, x.mat), or by its bare name.

    Raises BrokenRecord where there is none.
    """
    candidates = (path,) if path.suffix == ".hea" else (path.with_name(f"{path.name}.hea"), path.with_suffix(".hea"))
    for candidate in candidates if path.name else ():
        if candidate.is_file():
            return candidate
    raise BrokenRecord(f"{path} is not there: no WFDB header of that name.")


def read_header(path: str | Path) -> Header:
    """Read the header of a record named as `header_path` takes it. Raises BrokenRecord saying which line is wrong."""
    return open_header(header_path(Path(path)))


def open_header(place: Path) -> Header:
    """Read the header in the file `place`, whatever the file is called."""
    header = parse(place, _text(place))
    if header.segments:
        first = read_segment_header(header, next(segment for segment in header.segments if segment.name != "~"))
        header = Header(**(vars(header) | {"signals": first.signals}))
    return header


def read_segment_header(header: Header, segment: Segment) -> Header:
    """The header of one segment. Raises BrokenRecord if it is absent, outside the folder or itself in segments."""
    place = inside(header.path, f"{segment.name}.hea")
    inner = parse(place, _text(place))
    if inner.segments:
        raise BrokenRecord(f"{header.path.name}: its segment {segment.name} is itself in segments, which WFDB forbids.")
    return inner


def inside(header: Path, name: str) -> Path:
    """The path of a file that a header names. Raises BrokenRecord if that is no file, or not in the header's folder.

    A header comes from strangers: "../../x", "/etc/x" or a symbolic link out of the folder would read anything.
    """
    place = header.parent / name
    try:
        if "/" in name or "\\" in name or place.is_symlink():
            _check_inside(header, name)
        if stat.S_ISREG(os.stat(place).st_mode):
            return place
    except (OSError, RuntimeError):  # absent, a name too long, links in a circle
        pass
    raise BrokenRecord(f"{header.name}: its file {quoted(name)} is missing; put it beside the header.")


def _check_inside(header: Path, name: str) -> None:
    if not (header.parent / name).resolve().is_relative_to(header.parent.resolve()):
        raise BrokenRecord(f"{header.name} names {quoted(name)}, which lies outside its folder; it is not read.")


def parse(path: Path, text: str) -> Header:
    """Understand the text of the header at `path`; `read_header` does the reading."""
    comments, lines = [], []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line.startswith("#"):
            comments.append(line.strip(" \t#"))
        elif line:
            lines.append((number, line))
    record = RECORD_LINE.match(lines[0][1]) if lines else None
    if record is None:
        what = foreign(text[:HEAD].encode()) or "something else"
        raise BrokenRecord(f"{path.name} is not a WFDB header: it looks like {what}.")
    rate = float(record["rate"] or DEFAULT_RATE)
    if not 0 < rate < math.inf:
        raise BrokenRecord(f"{path.name}: a sampling rate of {record['rate']} Hz is not possible.")
    described = lines[1:]
    declared, what = (int(record["segments"]), "segments") if record["segments"] else (int(record["leads"]), "leads")
    if not declared:
        raise BrokenRecord(f"{path.name} has no {what}.")
    if len(described) != declared:
        raise BrokenRecord(f"{path.name} declares {counted(declared, what[:-1])} and describes {len(described):,}.")
    segmented = what == "segments"
    return Header(
        path=path,
        name=record["name"],
        rate=rate,
        samples=int(record["samples"] or 0) or None,
        signals=() if segmented else tuple(_lead(path, index, *line) for index, line in enumerate(described)),
        recorded=_moment(record["start"] or ""),
        comments=tuple(comments),
        segments=_segments(path, described) if segmented else (),
    )


def _text(path: Path) -> str:
    """The text of a header. Latin-1 where it is not UTF-8: every byte means something there."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BrokenRecord(f"{path.name} cannot be read: {error.strerror}.") from None
    if len(content) > MOST_BYTES or b"\0" in content:
        what = foreign(content[:HEAD]) or "binary data"
        raise BrokenRecord(f"{path.name} is not a WFDB header: it looks like {what}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lead(path: Path, index: int, number: int, line: str) -> Lead:
    field = SIGNAL_LINE.match(line)
    if field is None:
        raise BrokenRecord(f"{path.name}, line {number} does not describe a lead as WFDB does: {quoted(line)}.")
    file, form, per_frame, skew, offset, gain, baseline, unit, _, zero, initial, checksum, _, lead = field.groups()
    counts = float(gain or 0) or DEFAULT_GAIN
    if math.isinf(counts):
        raise BrokenRecord(f"{path.name}, line {number}: a gain of {quoted(gain)} is not possible.")
    return Lead(
        name=lead or f"record {path.stem}, signal {index}",  # what header(5) calls a signal without a description
        file=file,
        format=form,
        per_frame=int(per_frame or 0) or 1,
        skew=int(skew or 0),
        offset=int(offset or 0),
        gain=counts,
        baseline=int(baseline or zero or 0),
        unit=unit or "mV",
        initial=None if initial is None else int(initial),
        checksum=None if checksum is None else int(checksum),
    )


def _segments(path: Path, lines: list[tuple[int, str]]) -> tuple[Segment, ...]:
    segments = []
    for number, line in lines:
        field = SEGMENT_LINE.match(line)
        if field is None:
            raise BrokenRecord(f"{path.name}, line {number} does not describe a segment as WFDB does: {quoted(line)}.")
        segments.append(Segment(field["name"], int(field["samples"])))
    if all(segment.name == "~" for segment in segments):
        raise BrokenRecord(f"{path.name} consists of gaps only.")
    return tuple(segments)


def _moment(start: str) -> datetime | None:
    """When the record begins: "11:39:16 05/02/2020" as header(5) has it, or "05-Feb-2020 11:39:16" as others do."""
    clock, date = _CLOCK.search(start), _DATE.search(start)
    if clock is None or date is None:
        return None
    month = date[2].lower()
    try:
        return datetime(
            int(date[3]), _MONTHS.index(month) + 1 if month.isalpha() else int(month), int(date[1]),
            int(clock[1]), int(clock[2]), int(clock[3]), int((clock[4] or "0").ljust(6, "0")),
        )  # fmt: skip
    except ValueError:
        return None
