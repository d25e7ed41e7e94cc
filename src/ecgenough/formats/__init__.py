"""One file on disk -> Ecg. What a file is, its content decides, not its name."""

from pathlib import Path

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import wfdb
from ecgenough.formats.header import RECORD_LINE, SIGNAL_LINE, open_header
from ecgenough.formats.matlab import MATLAB_5, read_matlab
from ecgenough.formats.recognition import HEAD, foreign, is_text
from ecgenough.formats.table import NPY, TableLayout, read_table

__all__ = ["TableLayout", "is_there", "read", "record_files", "states_itself"]


def read(path: str | Path, layout: TableLayout | None = None) -> Ecg:
    """Read one recording: a WFDB record (its header, a file of its samples, or its bare name), a file as CPSC-2018
    published it (MATLAB 5), or a table of numbers.

    A table (CSV, TSV, other text, NPY) needs a `layout`, which says what the numbers mean; the others say so
    themselves and take no notice of it. Raises WrongRequest for a table without layout, BrokenRecord for a file that is absent,
    broken or something else.
    """
    place = Path(path)
    header = _header(place, by_name=layout is None)
    if header is not None:
        return wfdb.read_record(open_header(header))
    head = _head(place)
    if head.startswith(NPY) or (is_text(head) and foreign(head) is None):
        if layout is None:
            raise WrongRequest(
                f"{place.name} is a table of numbers; state its rate, unit, leads and orientation: with --rate, --unit, "
                "--leads and --orientation, or for a manifest under layout in the YAML file beside it."
            )
        return read_table(place, layout)
    if head.startswith(MATLAB_5):
        return read_matlab(place)
    what = foreign(head)
    if what is None and place.suffix in (".dat", ".mat"):
        raise BrokenRecord(f"{place.name} has samples only; the header that names it, {place.stem}.hea, is missing.")
    kinds = "a WFDB record, CPSC-2018's own MATLAB file nor a table of numbers (CSV, text, NPY)"
    raise BrokenRecord(f"{place.name} is neither {kinds}: it looks like {what or 'other binary data'}.")


def states_itself(path: str | Path) -> bool:
    """Whether a file says itself what its numbers mean, as WFDB records and CPSC-2018's own files do and tables do not.

    Raises BrokenRecord for a file that is absent or cannot be read.
    """
    place = Path(path)
    return _header(place, by_name=False) is not None or _head(place).startswith(MATLAB_5)


def is_there(path: str | Path) -> bool:
    """Whether `path` is a file, or the bare name of a WFDB record that is there."""
    place = Path(path)
    return place.is_file() or _header(place, by_name=False) is not None


def record_files(path: str | Path) -> tuple[Path, ...]:
    """The files a recording consists of: header and samples of a WFDB record, or the one file of a table.

    Raises BrokenRecord where one of them is missing.
    """
    place = Path(path)
    header = _header(place, by_name=True)
    if header is not None:
        return wfdb.record_files(open_header(header))
    _head(place)
    return (place,)


def _header(place: Path, by_name: bool) -> Path | None:
    """The WFDB header that `place` is, belongs to or names; None where it is something else.

    `by_name` takes a text named .hea for a header at its word: then the error says what is wrong with it as a header.
    """
    if not place.is_file():
        named = place.with_name(f"{place.name}.hea") if place.name else place
        return named if named.is_file() else None
    head = _head(place)
    if place.suffix == ".hea" and by_name and not head.startswith(NPY):
        return place
    beside = place.with_suffix(".hea")
    if place != beside and beside.is_file() and place.name in _words(_head(beside)):
        return beside
    return place if _is_header(head) else None


def _words(head: bytes) -> set[str]:
    """The first words of the lines: in a header, the files it names."""
    return {line.split()[0] for line in _lines(head)}


def _is_header(head: bytes) -> bool:
    """Whether a file begins as a WFDB header does, its first line the record, its second a lead or a segment.

    Rows of numbers can look like that, too, but no signal file is called as a number is.
    """
    if not is_text(head):
        return False
    lines = [line for line in _lines(head) if not line.startswith("#")]
    if len(lines) < 2 or not RECORD_LINE.match(lines[0]) or not SIGNAL_LINE.match(lines[1]):
        return False
    try:
        float(lines[1].split()[0])
    except ValueError:
        return True
    return False


def _lines(head: bytes) -> list[str]:
    stripped = (line.strip() for line in head.decode("latin-1").split("\n"))
    return [line for line in stripped if line]


def _head(place: Path) -> bytes:
    """The first bytes of a file. Raises BrokenRecord where there is none to read."""
    if not place.is_file():
        what = "is a folder, not a recording" if place.is_dir() else "is not there"
        raise BrokenRecord(f"{place} {what}.")
    try:
        with place.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise BrokenRecord(f"{place} cannot be read: {error.strerror or error}.") from None
