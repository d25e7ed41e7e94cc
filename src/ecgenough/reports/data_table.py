"""A table as a value, and its three faces: on the page, as CSV and in LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ecgenough.files import csv_text
from ecgenough.sentences import numeral

Kind = Literal["text", "number", "interval"]
LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": r"\ensuremath{-}", "–": "--", "“": "``", "”": "''",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """`name` heads the column in CSV, `heading` elsewhere; numbers have so many `digits` after the point, signed or not.

    Of a column of `chances`, such as p-values, what its digits would show as 0 is said to be below the least of them.
    """

    name: str
    heading: str
    kind: Kind = "text"
    digits: int = 3
    hint: str = ""
    signed: bool = False
    chances: bool = False

    def number(self, value: float) -> str:
        """A number as this column writes it, with a proper minus sign."""
        if self.chances and value < (least := 10.0**-self.digits):
            return f"below {least:.{self.digits}f}"
        return numeral(value, f"{'+' if self.signed else ''},.{self.digits}f")


@dataclass(frozen=True)
class Entry:
    """What stands in a table: words, or a number with its interval. None where there is nothing to say."""

    value: str | float | None
    low: float | None = None
    high: float | None = None
    note: str = ""

    def text(self, column: Column) -> str:
        """What stands in the cell, a dash for nothing; the interval comes apart."""
        if self.value is None:
            return "–"
        return self.value if isinstance(self.value, str) else column.number(self.value)

    def interval(self, column: Column) -> str:
        """ "0.825–0.904", or nothing; signed ends are joined by words."""
        if self.low is None or self.high is None:
            return ""
        joint = " to " if column.signed else "–"
        return f"{column.number(self.low)}{joint}{column.number(self.high)}"


@dataclass(frozen=True)
class Table:
    """Rows under columns; `name` is that of its CSV file. `wide` columns are for CSV only."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    wide: tuple[str, ...] = ()

    def shown(self) -> "Table":
        """The table without the columns that are for CSV only."""
        kept = [place for place, column in enumerate(self.columns) if column.name not in self.wide]
        rows = tuple(tuple(row[place] for place in kept) for row in self.rows)
        return replace(self, columns=tuple(self.columns[place] for place in kept), rows=rows, wide=())


def as_csv(tables: Sequence[Table], before: Sequence[tuple[str, ...]], names: tuple[str, ...]) -> str:
    """Tables of the same columns below each other, each with its own values of the columns `names` in front."""
    rows = []
    for table, first in zip(tables, before, strict=True):
        for row in table.rows:
            entries = zip(row, table.columns, strict=True)
            rows.append([*first, *(cell for entry, column in entries for cell in _csv_cells(entry, column))])
    return csv_text([*names, *(name for column in tables[0].columns for name in _csv_names(column))], rows)


def _csv_names(column: Column) -> list[str]:
    return [column.name, f"{column.name}_low", f"{column.name}_high"] if column.kind == "interval" else [column.name]


def _csv_cells(entry: Entry, column: Column) -> list[str]:
    values = [entry.value, entry.low, entry.high] if column.kind == "interval" else [entry.value]
    return ["" if value is None else value if isinstance(value, str) else f"{value:.6g}" for value in values]


def as_latex(table: Table, label: str) -> str:
    """A floating table for the package booktabs, wide ones shrunk to the line."""
    shown = table.shown()
    sides = "".join("l" if column.kind == "text" else "r" for column in shown.columns)
    lines = [_latex_row([escaped(column.heading) for column in shown.columns]), r"\midrule"]
    for row in shown.rows:
        lines.append(_latex_row([_latex_cell(entry, column) for entry, column in zip(row, shown.columns, strict=True)]))
    body = "\n".join(lines)
    return (
        f"\\begin{{table}}\n\\centering\n\\caption{{{escaped(table.caption)}}}\n\\label{{tab:{label}}}\n"
        f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n"
        f"\\begin{{tabular}}{{{sides}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}}}\n\\end{{table}}\n"
    )


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(entry: Entry, column: Column) -> str:
    interval = entry.interval(column)
    return escaped(entry.text(column) + (f" ({interval})" if interval else ""))


def escaped(text: str) -> str:
    """Text as LaTeX sets it."""
    return "".join(LATEX.get(letter, letter) for letter in text)
