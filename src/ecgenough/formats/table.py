"""Tables of numbers -> Ecg: CSV, TSV, text parted by any character or white space, and NPY."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, lead_name, millivolts, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, quoted
from ecgenough.formats.recognition import HEAD, foreign, is_text
from ecgenough.later import Later
from ecgenough.sentences import counted

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = Later("pandas")

Orientation = Literal["samples-by-leads", "leads-by-samples"]
NPY = b"\x93NUMPY"
LOST = ("", "nan", "na")  # cells that stand for a lost sample, in any case
_DELIMITERS = (";", "\t", "|", ",")  # in the order they are looked for: "0,5;0,6" is parted by its semicolon


@dataclass(frozen=True)
class TableLayout:
    """What a table of numbers does not say about itself.

    `rate` in Hz; `unit` as in `ecg.to_millivolts`; `leads` in the order of the table; `orientation` tells whether a
    lead is a column or a row. `skip_columns` leaves out leading columns, such as a sample index, and `skip_rows`
    leading rows, such as headings. `delimiter` is one character, a space for any white space, None to look for it.
    Raises WrongRequest for a value that is not possible.
    """

    rate: float
    unit: str
    leads: tuple[str, ...]
    orientation: Orientation
    skip_columns: int = 0
    skip_rows: int = 0
    delimiter: str | None = None

    def __post_init__(self) -> None:
        leads = tuple(lead_name(lead) for lead in self.leads)
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise WrongRequest(f"a table cannot have a rate of {self.rate} Hz.")
        if not leads or len(set(leads)) != len(leads):
            raise WrongRequest(f"the leads of a table must be named once each; given: {', '.join(leads) or 'none'}.")
        if self.orientation not in ("samples-by-leads", "leads-by-samples"):
            raise WrongRequest(f'orientation "{self.orientation}" is neither samples-by-leads nor leads-by-samples.')
        if self.skip_columns < 0 or self.skip_rows < 0:
            raise WrongRequest("a table cannot leave out fewer than 0 rows or columns.")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n".+-0123456789eE'):
            raise WrongRequest(f"delimiter {quoted(self.delimiter)} cannot part numbers; say one character, such as ;.")
        millivolts(self.unit)
        object.__setattr__(self, "leads", leads)


def stated_layout(
    rate: float | None,
    unit: str | None,
    leads: str | None,
    orientation: str | None,
    skip_columns: int = 0,
    skip_rows: int = 0,
) -> TableLayout | None:
    """The layout that somebody states in words, None where nothing is said. Raises WrongRequest for half of it."""
    if rate is None and not (unit or leads or orientation or skip_columns or skip_rows):
        return None
    if rate is None or not unit or not leads or orientation not in ("samples-by-leads", "leads-by-samples"):
        raise WrongRequest(
            "a table needs all of rate, unit, leads and orientation (samples-by-leads or leads-by-samples)."
        )
    names = tuple(name.strip() for name in leads.split(","))
    return TableLayout(rate, unit, names, orientation, skip_columns=skip_columns, skip_rows=skip_rows)  # type: ignore[arg-type]


def read_table(path: str | Path, layout: TableLayout) -> Ecg:
    """Read a table of numbers; empty cells and NaN are lost samples.

    Raises BrokenRecord naming the row and column (counted from 1, in the file) of a cell that is no number, or the
    shape that contradicts the layout.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            head = file.read(len(NPY))
            values = _read_npy(place, layout) if head == NPY else _read_text(place, head + file.read(), layout)
    except OSError as error:
        raise BrokenRecord(f"{place.name} cannot be read: {error.strerror or error}.") from None
    leads = values.T if layout.orientation == "samples-by-leads" else values
    if leads.shape[0] != len(layout.leads) or not leads.shape[1]:
        raise BrokenRecord(_contradiction(place, values, layout))
    try:
        with np.errstate(over="ignore"):  # the Ecg refuses infinite voltages
            return Ecg(to_millivolts(leads, layout.unit), layout.rate, layout.leads)
    except BrokenRecord as error:
        raise BrokenRecord(f"{place.name}: {error}") from None


def _contradiction(place: Path, values: NDArray[np.float64], layout: TableLayout) -> str:
    rows, columns = values.shape
    turned = "samples-by-leads" if layout.orientation == "leads-by-samples" else "leads-by-samples"
    across, down = (columns, rows) if layout.orientation == "samples-by-leads" else (rows, columns)
    wanted = f"{len(layout.leads)} {'columns' if layout.orientation == 'samples-by-leads' else 'rows'}"
    advice = ""
    if down == len(layout.leads):
        advice = f" Is it {turned}?"
    elif across == len(layout.leads) + 1 and layout.orientation == "samples-by-leads":
        advice = " Is one column an index, to be left out with skip_columns?"
    return f"{place.name} has {counted(rows, 'row')} and {counted(columns, 'column')}; {layout.orientation} needs {wanted}.{advice}"


def _read_npy(place: Path, layout: TableLayout) -> NDArray[np.float64]:
    """The numbers of an NPY file. Mapped, so that a header that declares more than there is takes no memory."""
    try:
        mapped = np.load(place, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, TypeError, OverflowError, MemoryError, TokenError) as error:
        raise BrokenRecord(f"{place.name} is not a whole NPY file of numbers: {quoted(str(error), 120)}.") from None
    if mapped.dtype.kind not in "iuf" or mapped.ndim != 2:
        raise BrokenRecord(f"{place.name} holds {mapped.ndim}-dimensional {mapped.dtype}, not rows of numbers.")
    return np.asarray(mapped[layout.skip_rows :, layout.skip_columns :], dtype=np.float64)


def _read_text(place: Path, content: bytes, layout: TableLayout) -> NDArray[np.float64]:
    """The numbers of a text. The fast way counts only where it leaves no doubt; else each cell is looked at."""
    what = foreign(content[:HEAD]) or (None if is_text(content[:HEAD]) else "binary data")
    if what:
        raise BrokenRecord(f"{place.name} is not a table of numbers: it looks like {what}.")
    body = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n ")
    skipped = min(layout.skip_rows, len(body))
    body = b"".join(body.split(b"\n", skipped)[skipped:])
    if not body:
        raise BrokenRecord(f"{place.name} has no rows after the {layout.skip_rows} to be left out.")
    delimiter = layout.delimiter or _delimiter(body)
    values = _parse_fast(body, delimiter, layout.skip_columns)
    return _parse_carefully(place, body, delimiter, layout) if values is None else values


def _delimiter(body: bytes) -> str:
    first = body.partition(b"\n")[0].decode("latin-1")
    return next((delimiter for delimiter in _DELIMITERS if delimiter in first), " ")


def _parse_fast(body: bytes, delimiter: str, skip_columns: int) -> NDArray[np.float64] | None:
    """All cells by a parser in C, or None where any is not a finite number or the rows are not of one length."""
    rows = body.count(b"\n") + 1
    first = _cells(body.partition(b"\n")[0], delimiter)
    try:
        if len(first) > rows:  # thousands of columns are slow to parse as columns: one long column instead
            lines = [_cells(line, delimiter)[skip_columns:] for line in body.split(b"\n")]
            if len({len(line) for line in lines}) > 1:
                return None
            column = _parse_columns(b"\n".join(cell for line in lines for cell in line), ",")
            values = column.reshape(rows, len(lines[0]))  # a ValueError where a cell is empty or has a comma
        else:
            values = _parse_columns(body, r"\s+" if delimiter == " " else delimiter)[:, skip_columns:]
    except ValueError:  # pandas' ParserError is one
        return None
    return values if values.shape[0] == rows and np.isfinite(values).all() else None


def _parse_columns(text: bytes, separator: str) -> NDArray[np.float64]:
    table = pd.read_csv(BytesIO(text), sep=separator, header=None, dtype=np.float64, engine="c", encoding="latin-1")
    return table.to_numpy()


def _parse_carefully(place: Path, body: bytes, delimiter: str, layout: TableLayout) -> NDArray[np.float64]:
    """All cells, one by one: the lost samples as NaN, and an error that names the first cell that is no number."""
    rows: list[list[float]] = []
    for number, line in enumerate(body.split(b"\n"), start=layout.skip_rows + 1):
        cells = _cells(line, delimiter)
        if rows and len(cells) - layout.skip_columns != len(rows[0]):
            raise BrokenRecord(
                f"{place.name}, row {number:,} has {counted(len(cells), 'column')}; the rows before have "
                f"{len(rows[0]) + layout.skip_columns:,}."
            )
        kept = cells[layout.skip_columns :]
        rows.append(
            [_number(place, number, column, cell, layout) for column, cell in enumerate(kept, layout.skip_columns + 1)]
        )
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1)


def _cells(line: bytes, delimiter: str) -> list[bytes]:
    return line.split() if delimiter == " " else line.split(delimiter.encode())


def _number(place: Path, row: int, column: int, cell: bytes, layout: TableLayout) -> float:
    text = cell.decode("latin-1").strip().strip('"')
    if text.lower() in LOST:
        return np.nan
    try:
        number = float(text)
        if np.isfinite(number) and text.isascii() and "_" not in text:
            return number
    except ValueError:
        pass
    advice = ""
    if row == layout.skip_rows + 1:
        advice = f" Headings are left out with skip_rows: {row} of the layout, or --skip-rows {row}."
    raise BrokenRecord(f"{place.name}, row {row:,}, column {column:,}: {quoted(text)} is not a number.{advice}")
