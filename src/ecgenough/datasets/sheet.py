"""Tables about records: CSV with any usual delimiter, or Parquet, as columns of text."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.errors import WrongRequest, doubled, nearest, quoted
from ecgenough.extras import needed
from ecgenough.sentences import counted

DELIMITERS = (",", ";", "\t", "|")
LARGEST_WHOLE = 2**53  # from there on, a number in floating point is whole whatever was written
MOST_CELLS = 50_000_000  # a Parquet file of some kilobytes can declare billions


@dataclass(frozen=True)
class Sheet:
    """A table read as text: `columns` maps each name of the header to its values, in row order.

    Rows are counted as a spreadsheet shows them: the header is row 1, `lines[i]` is the row of value i.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> list[str]:
        """The values of a column. Raises WrongRequest with the nearest name if there is none of that name."""
        if name not in self.columns:
            raise WrongRequest(f"{self.path.name} has no column {quoted(name)}. {nearest(name, self.columns)}")
        return self.columns[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as numbers, NaN where it is empty. Raises WrongRequest naming the row of anything else."""
        return np.array([self._number(name, row, text) for row, text in enumerate(self.column(name))], dtype=np.float64)

    def whole_numbers(self, name: str) -> NDArray[np.int64]:
        """A column as whole numbers. Raises WrongRequest naming the row of anything else, emptiness included."""
        numbers = self.numbers(name)
        whole = (numbers == np.rint(numbers)) & (np.abs(numbers) <= LARGEST_WHOLE)
        for row in np.flatnonzero(~whole)[:1]:
            raise self.complaint(name, row, f"{quoted(self.columns[name][row])} is not a whole number")
        return numbers.astype(np.int64)

    def complaint(self, column: str, row: int, what: str) -> WrongRequest:
        """The error that says which cell is wrong."""
        return WrongRequest(f"{self.path.name} row {self.lines[row]}, column {quoted(column)}: {what}.")

    def where(self, kept: NDArray[np.bool_]) -> "Sheet":
        """The rows that are `kept`."""
        if kept.all():
            return self
        rows = np.flatnonzero(kept).tolist()
        columns = {name: [values[row] for row in rows] for name, values in self.columns.items()}
        return Sheet(self.path, columns, [self.lines[row] for row in rows])

    def _number(self, name: str, row: int, text: str) -> float:
        try:
            return float(text) if text else float("nan")
        except ValueError:
            raise self.complaint(name, row, f"{quoted(text)} is not a number") from None


def read_sheet(path: Path) -> Sheet:
    """Read a table of records; Parquet is recognised by its content.

    Raises WrongRequest for a missing, empty or unreadable file, a row of another length or a column named twice.
    """
    if not path.is_file():
        raise WrongRequest(f"{path} is not a file. Name a CSV or Parquet table.")
    with path.open("rb") as file:
        magic = file.read(4)
    sheet = _read_parquet(path) if magic == b"PAR1" else _read_text(path)
    if not len(sheet):
        raise WrongRequest(f"{path.name} is empty: it needs a header and one row a record.")
    return sheet


def _read_text(path: Path) -> Sheet:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WrongRequest(f"{path.name} is not UTF-8 text; save it as UTF-8 CSV, or as Parquet.") from None
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        numbered = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise WrongRequest(f"{path.name} is not a table that can be read: {error}.") from None
    if not numbered:
        raise WrongRequest(f"{path.name} is empty: it needs a header and one row a record.")
    names, rows = _header(path, numbered[0][1]), numbered[1:]
    for line, row in rows:
        if len(row) != len(names):
            raise WrongRequest(
                f"{path.name} row {line} has {counted(len(row), 'value')} for {counted(len(names), 'column')}."
            )
    values = zip(*(row for _, row in rows), strict=True)
    columns = {name: list(map(str.strip, column)) for name, column in zip(names, values, strict=bool(rows))}
    return Sheet(path, columns, [line for line, _ in rows])


def _read_parquet(path: Path) -> Sheet:
    arrow, parquet = (needed(module, "formats", path.name) for module in ("pyarrow", "pyarrow.parquet"))
    try:
        about = parquet.read_metadata(path)
        if about.num_rows * about.num_columns > MOST_CELLS:
            raise WrongRequest(
                f"{path.name} has {about.num_rows:,} rows of {about.num_columns:,} columns, too many to read."
            )
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        raise WrongRequest(f"{path.name} is not Parquet that can be read: {str(error).splitlines()[0]}") from None
    names = _header(path, table.column_names)
    columns = {name: _texts(column.to_pylist()) for name, column in zip(names, table.columns, strict=True)}
    return Sheet(path, columns, list(range(2, table.num_rows + 2)))


def _header(path: Path, cells: Iterable[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if (twice := doubled(filter(None, names))) is not None:
        raise WrongRequest(f"{path.name} has column {quoted(twice)} twice; column names must differ.")
    return names


def _texts(values: Iterable[object]) -> list[str]:
    return ["" if value is None or value != value else str(value).strip() for value in values]
