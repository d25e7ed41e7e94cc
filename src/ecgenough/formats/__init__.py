"""One file on disk -> Ecg. What a file is, its content decides, not its name."""

from collections.abc import Callable
from pathlib import Path

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import wfdb
from ecgenough.formats.aecg import read_aecg
from ecgenough.formats.arrays import read_npz, read_parquet
from ecgenough.formats.bounds import check_rate
from ecgenough.formats.dicom import read_dicom
from ecgenough.formats.edf import read_edf
from ecgenough.formats.header import RECORD_LINE, SIGNAL_LINE, open_header
from ecgenough.formats.ishne import read_ishne
from ecgenough.formats.matlab import MATLAB_5, read_matlab
from ecgenough.formats.muse import read_muse
from ecgenough.formats.philips import read_philips
from ecgenough.formats.recognition import HEAD, file_format, foreign, is_text
from ecgenough.formats.scp import read_scp
from ecgenough.formats.table import NPY, TableLayout, read_table

__all__ = ["TableLayout", "is_there", "read", "record_files", "states_itself"]

# Formats whose files say what they are, and those whose arrays may also be told it by a layout.
_READERS: dict[str, Callable[[Path], Ecg]] = {
    "DICOM": read_dicom,
    "EDF": read_edf,
    "GE MUSE XML": read_muse,
    "HL7 aECG": read_aecg,
    "ISHNE": read_ishne,
    "Philips XML": read_philips,
    "SCP-ECG": read_scp,
}
_ARRAYS: dict[str, Callable[[Path, TableLayout | None], Ecg]] = {"NPZ": read_npz, "Parquet": read_parquet}


def read(path: str | Path, layout: TableLayout | None = None) -> Ecg:
    """Read one recording of any format that docs/formats.md lists; its content says which, not its name.

    A WFDB record may be given by its header, a file of its samples, or its bare name. A table (CSV, TSV, other text,
    NPY) needs a `layout`, which says what the numbers mean, and so do NPZ and Parquet files that do not say it; the
    others take no notice of it. Raises WrongRequest for a table without layout or a package that is not installed,
    BrokenRecord for a file that is absent, broken or something else.

    >>> ecg = ecgenough.read("ecgs/records100/00000/00001_lr.hea")
    >>> ecg.signal.shape, ecg.rate, ecg.leads[:3]
    ((12, 1000), 100.0, ('I', 'II', 'III'))
    """
    place = Path(path)
    header = _header(place, by_name=layout is None)
    if header is not None:
        return wfdb.read_record(open_header(header))
    head = _head(place)
    known = file_format(head)
    if known is not None:
        return _read_known(place, known, layout)
    if head.startswith(NPY) or (is_text(head) and foreign(head) is None):
        if layout is None:
            raise WrongRequest(
                f"{place.name} is a table of numbers; state its rate, unit, leads and orientation: with --rate, --unit, "
                "--leads and --orientation, in a request's fields of these names, or for a manifest under layout in the YAML "
                "file beside it."
            )
        return read_table(place, layout)
    if head.startswith(MATLAB_5):
        return read_matlab(place)
    what = foreign(head)
    if what is None and place.suffix in (".dat", ".mat"):
        raise BrokenRecord(f"{place.name} has samples only; the header that names it, {place.stem}.hea, is missing.")
    formats = f"WFDB, {', '.join([*_READERS, *_ARRAYS])}, CPSC-2018's own MATLAB files, or a table of numbers"
    raise BrokenRecord(f"{place.name} is none of {formats}: it looks like {what or 'other binary data'}.")


def _read_known(place: Path, known: str, layout: TableLayout | None) -> Ecg:
    """Read a file of a format that says what it is; errors get the file's name."""
    try:
        ecg = _ARRAYS[known](place, layout) if known in _ARRAYS else _READERS[known](place)
        check_rate(ecg.rate)
        return ecg
    except (BrokenRecord, WrongRequest) as error:
        raise type(error)(f"{place.name} ({known}): {error}") from None


def states_itself(path: str | Path) -> bool:
    """Whether a file says itself what its numbers mean, so that it needs no layout: all but tables, NPZ and Parquet do.

    Raises BrokenRecord for a file that is absent or cannot be read.
    """
    place = Path(path)
    if _header(place, by_name=False) is not None:
        return True
    head = _head(place)
    return head.startswith(MATLAB_5) or file_format(head) in _READERS


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
