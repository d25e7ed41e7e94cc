import csv
import io

import pytest

from ecgenough.reports.data_table import Column, Entry, Table, as_csv, as_latex, escaped

COLUMNS = (
    Column("arm", "Arm"),
    Column("auc", "AUC", "interval"),
    Column("gain", "Gain", "interval", signed=True),
    Column("cells", "Cells", "number", 0),
)
TABLE = Table(
    "table",
    "Arms & figures",
    COLUMNS,
    (
        (Entry("a_b, 50%"), Entry(0.8125, 0.75, 0.875), Entry(-0.0125, -0.05, 0.025), Entry(1234.0)),
        (Entry("none"), Entry(None), Entry(None), Entry(None)),
    ),
    ("cells",),
)


def test_csv_has_a_column_for_each_end_of_an_interval_and_nothing_where_nothing_is_known() -> None:
    text = as_csv([TABLE, TABLE], [("x.csv", "t"), ("y.csv", "t")], ("target", "task"))
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["target", "task", "arm", "auc", "auc_low", "auc_high", "gain", "gain_low", "gain_high", "cells"]
    assert rows[1] == ["x.csv", "t", "a_b, 50%", "0.8125", "0.75", "0.875", "-0.0125", "-0.05", "0.025", "1234"]
    assert rows[2] == ["x.csv", "t", "none", *[""] * 7]
    assert [row[0] for row in rows[1:]] == ["x.csv", "x.csv", "y.csv", "y.csv"]


def test_a_small_p_value_is_not_nothing_but_in_csv_the_number_it_is() -> None:
    column = Column("p", "p", "number", chances=True)
    table = Table("tests", "Tests", (column,), ((Entry(0.00012),), (Entry(0.001),), (Entry(0.25),)))
    assert [row[0].text(column) for row in table.rows] == ["below 0.001", "0.001", "0.250"]
    assert as_csv([table], [()], ()).splitlines() == ["p", "0.00012", "0.001", "0.25"]
    assert "below 0.001" in as_latex(table, "tests-1")


def test_latex_is_booktabs_with_intervals_in_brackets() -> None:
    text = as_latex(TABLE, "arms-1")
    assert r"\caption{Arms \& figures}" in text
    assert r"\label{tab:arms-1}" in text
    assert "\\begin{tabular}{lrr}\n\\toprule\nArm & AUC & Gain \\\\\n\\midrule\n" in text
    assert r"a\_b, 50\% & 0.812 (0.750--0.875) & \ensuremath{-}0.013 (\ensuremath{-}0.050 to +0.025) \\" in text
    assert r"none & -- & -- \\" in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("text", "set_"),
    [("a_b", r"a\_b"), ("“x”", "``x''"), ("5 % of $", r"5 \% of \$"), ("\\x", r"\textbackslash{}x"), ("1–2", "1--2")],
)
def test_what_latex_would_take_for_commands_is_escaped(text: str, set_: str) -> None:
    assert escaped(text) == set_


def test_columns_for_csv_only_are_not_shown() -> None:
    shown = TABLE.shown()
    assert [column.name for column in shown.columns] == ["arm", "auc", "gain"]
    assert [len(row) for row in shown.rows] == [3, 3]
    assert TABLE.rows[0][1].interval(COLUMNS[1]) == "0.750–0.875"
    assert TABLE.rows[0][2].text(COLUMNS[2]) == "−0.013"
    assert TABLE.rows[0][3].text(COLUMNS[3]) == "1,234"
