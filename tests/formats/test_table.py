"""Tables of numbers: every delimiter, both orientations, and the cell that is wrong named."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats.table import TableLayout, read_table, stated_layout

ONE_TWO = TableLayout(500, "mV", ("I", "II"), "samples-by-leads")


def table(folder: Path, text: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n5,6\n", "1,2\n3,4\n5,6", "1,2\r\n3,4\r\n5,6\r\n", "1,2\r3,4\r5,6\r", "\ufeff1,2\n3,4\n5,6\n",
        "1;2\n3;4\n5;6\n", "1\t2\n3\t4\n5\t6\n", "1|2\n3|4\n5|6\n", "1 2\n3 4\n5 6\n", "  1   2\n  3   4 \n5\t6\n\n\n",
        "1, 2\n3 ,4\n 5,6 \n", '"1","2"\n"3","4"\n5,6\n', "1.0,+2e0\n3.,.4E1\n5,6.000\n",
    ],
)  # fmt: skip
def test_any_usual_text_is_read(tmp_path: Path, text: str) -> None:
    ecg = read_table(table(tmp_path, text), ONE_TWO)
    assert ecg.signal.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert (ecg.leads, ecg.rate) == (("I", "II"), 500)


@pytest.mark.parametrize(
    ("delimiter", "text"), [(":", "1:2\n3:4\n"), (" ", "1   2\n3 4\n"), ("§", "1§2\n3§4\n"), (",", "1,2\n3,4\n")]
)
def test_a_stated_delimiter_is_taken(tmp_path: Path, delimiter: str, text: str) -> None:
    layout = TableLayout(500, "mV", ("I", "II"), "samples-by-leads", delimiter=delimiter)
    assert read_table(table(tmp_path, text), layout).signal.tolist() == [[1, 3], [2, 4]]


def test_headings_and_index_columns_are_left_out(tmp_path: Path) -> None:
    """As PhysioNet's rdsamp writes it: two lines of headings, a first column of times."""
    text = "'Elapsed time','I','II'\n'hh:mm:ss.mmm','mV','mV'\n'0:00.000',-0.5,1\n'0:00.002',0.25,2\n"
    layout = TableLayout(500, "mV", ("I", "II"), "samples-by-leads", skip_columns=1, skip_rows=2)
    assert read_table(table(tmp_path, text), layout).signal.tolist() == [[-0.5, 0.25], [1, 2]]


def test_more_rows_to_skip_than_there_are_take_no_time(tmp_path: Path) -> None:
    """A request may ask for any number; each row used to cost a copy of all that followed it."""
    layout = TableLayout(500, "mV", ("I", "II"), "samples-by-leads", skip_rows=10**8)
    started = time.perf_counter()
    with pytest.raises(BrokenRecord, match="has no rows after the 100000000 to be left out"):
        read_table(table(tmp_path, "1,2\n3,4\n"), layout)
    assert time.perf_counter() - started < 1


def test_a_second_line_of_headings_is_advised_on_as_the_first(tmp_path: Path) -> None:
    layout = TableLayout(500, "mV", ("I", "II"), "samples-by-leads", skip_rows=1)
    with pytest.raises(BrokenRecord, match="Headings are left out with skip_rows: 2 of the layout, or --skip-rows 2"):
        read_table(table(tmp_path, "I,II\nmV,mV\n1,2\n"), layout)


def test_a_lead_a_line_is_read(tmp_path: Path) -> None:
    """As MedalCare-XL lays its leads out; here with a name before each."""
    layout = TableLayout(500, "uV", ("I", "II"), "leads-by-samples")
    path = table(tmp_path, "1000,2000,3000,4000\n-1,-2,-3,-4\n")
    np.testing.assert_array_equal(
        read_table(path, layout).signal, np.float32([[1, 2, 3, 4], [-1e-3, -2e-3, -3e-3, -4e-3]])
    )
    named = TableLayout(500, "uV", ("I", "II"), "leads-by-samples", skip_columns=1)
    path = table(tmp_path, "I,1000,2000,3000\nII,-1,-2,-3\n")
    np.testing.assert_array_equal(read_table(path, named).signal, np.float32([[1, 2, 3], [-1e-3, -2e-3, -3e-3]]))


def test_counts_a_millivolt_are_divided(tmp_path: Path) -> None:
    layout = TableLayout(500, "200/mV", ("I", "II"), "samples-by-leads", skip_columns=1)
    assert read_table(table(tmp_path, "0,200,-100\n1,50,0\n"), layout).signal.tolist() == [[1, 0.25], [-0.5, 0]]


@pytest.mark.parametrize("lost", ["", "nan", "NaN", "NAN", "NA", " ", '""', "-nan"[1:]])
def test_empty_cells_and_nan_are_lost_samples(tmp_path: Path, lost: str) -> None:
    path = table(tmp_path, f"1,2\n{lost},4\n5,6\n")
    np.testing.assert_array_equal(read_table(path, ONE_TWO).signal, np.float32([[1, np.nan, 5], [2, 4, 6]]))
    wide = TableLayout(500, "mV", ("I", "II"), "leads-by-samples")
    path = table(tmp_path, f"1,{lost},5\n2,4,6\n")
    np.testing.assert_array_equal(read_table(path, wide).signal, np.float32([[1, np.nan, 5], [2, 4, 6]]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("I,II\n1,2\n", 't.csv, row 1, column 1: "I" is not a number. Headings are left out with skip_rows: 1'),
        ("1,2\n3,x4\n", 't.csv, row 2, column 2: "x4" is not a number.'),
        ("1,2\n3,inf\n", 'row 2, column 2: "inf" is not a number'),
        ("1,2\n3,1e999\n", 'row 2, column 2: "1e999" is not a number'),
        ("1,2\n3,1_0\n", 'row 2, column 2: "1_0" is not a number'),
        ("1,2\n3,True\n", 'row 2, column 2: "True" is not a number'),
        ("1,2\n3,null\n", 'row 2, column 2: "null" is not a number'),
        ("1,2\n3,0x10\n", 'row 2, column 2: "0x10" is not a number'),
        ("0,5;0,6\n", 'row 1, column 1: "0,5" is not a number'),
        ("1,2\n3\n5,6\n", "t.csv, row 2 has 1 column; the rows before have 2."),
        ("1,2\n3,4,5\n", "row 2 has 3 columns; the rows before have 2."),
        ("1,2\n3,4,5\n6\n", "row 2 has 3 columns"),
        ("1,2\n\n5,6\n", "row 2 has 1 column"),
        ("1,2,3\n4,5,6\n", "t.csv has 2 rows and 3 columns; samples-by-leads needs 2 columns. Is it leads-by-samples?"),
        ("1,2,3\n4,5,6\n7,8,9\n", "needs 2 columns. Is one column an index, to be left out with skip_columns?"),
        ("1\n2\n3\n", "t.csv has 3 rows and 1 column; samples-by-leads needs 2 columns."),
        ("1,1e39\n", "t.csv: lead II holds an infinite voltage"),
        ("", "t.csv is not a table of numbers: it looks like an empty file"),
        ("\n\n", "t.csv has no rows"),
        ("<html>", "t.csv is not a table of numbers: it looks like an HTML page"),
        (b"1,2\n\0,4\n", "t.csv is not a table of numbers: it looks like binary data"),
        (b"1,2\n\xe4,4\n", 'row 2, column 1: "ä" is not a number'),
        ("1,2\n\x0b3,4\n" + "1,2\n" * 3 + "9" * 400 + ",1\n", "row 6, column 1"),
    ],
)
def test_a_wrong_table_gets_one_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(BrokenRecord) as caught:
        read_table(table(tmp_path, text), ONE_TWO)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_cell_is_counted_in_the_file(tmp_path: Path) -> None:
    layout = TableLayout(500, "mV", ("I", "II"), "samples-by-leads", skip_columns=1, skip_rows=2)
    with pytest.raises(BrokenRecord, match='row 4, column 3: "oops"'):
        read_table(table(tmp_path, "a\nb\n0,1,2\n1,1,oops\n"), layout)


def test_a_wide_table_is_checked_as_a_tall_one(tmp_path: Path) -> None:
    layout = TableLayout(500, "mV", ("I", "II"), "leads-by-samples")
    for text, sentence in [
        ("1,2,3\n4,5\n", "row 2 has 2 columns"),
        ("1,2,3\n4,x,6\n", 'row 2, column 2: "x"'),
        ("1,2,3\n4,5,6\n7,8,9\n", "3 rows and 3 columns; leads-by-samples needs 2 rows"),
        ("1,2\n3,4\n5,6\n", "leads-by-samples needs 2 rows. Is it samples-by-leads?"),
    ]:
        with pytest.raises(BrokenRecord) as caught:
            read_table(table(tmp_path, text), layout)
        assert sentence in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.floats(-1e4, 1e4) | st.just(np.nan) | st.integers(-32768, 32767).map(float),
    ),
    st.sampled_from([",", ";", "\t", " "]),
)  # fmt: skip
def test_numbers_are_what_python_reads_in_them(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray, delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    path.write_text("\n".join(delimiter.join(repr(float(value)) for value in row) for row in values))
    for orientation, leads in (("samples-by-leads", values.T), ("leads-by-samples", values)):
        layout = TableLayout(1, "mV", STANDARD_LEADS[: len(leads)], orientation, delimiter=delimiter)
        np.testing.assert_array_equal(read_table(path, layout).signal, leads.astype(np.float32))


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int16", ">i4", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_number_is_read(tmp_path: Path, kind: str, order: str) -> None:
    values = np.array([[1, 2], [3, 4], [5, 6]], dtype=kind, order=order)
    np.save(tmp_path / "t.npy", values)
    assert read_table(tmp_path / "t.npy", ONE_TWO).signal.tolist() == [[1, 3, 5], [2, 4, 6]]
    layout = TableLayout(500, "mV", ("II",), "samples-by-leads", skip_columns=1, skip_rows=1)
    assert read_table(tmp_path / "t.npy", layout).signal.tolist() == [[4, 6]]


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([{"a": 1}], dtype=object), "t.npy is not a whole NPY file of numbers"),
        (np.array([["1", "2"]]), "t.npy holds 2-dimensional <U1, not rows of numbers"),
        (np.zeros((2, 2), dtype=complex), "not rows of numbers"),
        (np.zeros((2, 2), dtype=bool), "not rows of numbers"),
        (np.zeros(4), "t.npy holds 1-dimensional float64"),
        (np.zeros((2, 2, 2)), "t.npy holds 3-dimensional float64"),
        (np.zeros((2, 5)), "2 rows and 5 columns; samples-by-leads needs 2 columns. Is it leads-by-samples?"),
        (np.array([[1.0, np.inf]]), "t.npy: lead II holds an infinite voltage"),
        (np.zeros((0, 2)), "t.npy"),
    ],
)
def test_npy_of_anything_else_is_refused(tmp_path: Path, array: np.ndarray, sentence: str) -> None:
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    with pytest.raises(BrokenRecord) as caught:
        read_table(tmp_path / "t.npy", ONE_TWO)
    assert sentence in str(caught.value)


def test_npy_that_is_cut_short_or_declares_too_much_takes_no_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.zeros((3, 2)))
    whole = (tmp_path / "t.npy").read_bytes()
    absurd = whole.replace(b"(3, 2)", b"(999999999999, 2)").replace(b" " * 11, b"", 1)
    tracemalloc.start()
    for content in (whole[:-1], whole[:20], whole[:7], absurd):
        (tmp_path / "t.npy").write_bytes(content)
        with pytest.raises(BrokenRecord, match=r"t\.npy is not a whole NPY file"):
            read_table(tmp_path / "t.npy", ONE_TWO)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rate": 0}, "rate of 0 Hz"),
        ({"rate": float("nan")}, "rate of nan Hz"),
        ({"unit": "mmHg"}, 'unit "mmHg" is not a voltage'),
        ({"leads": ()}, "given: none"),
        ({"leads": ("AVR", "aVR")}, "named once each; given: aVR, aVR"),
        ({"orientation": "sideways"}, 'orientation "sideways" is neither samples-by-leads nor leads-by-samples'),
        ({"skip_columns": -1}, "fewer than 0"),
        ({"skip_rows": -1}, "fewer than 0"),
        ({"delimiter": ", "}, "cannot part numbers"),
        ({"delimiter": "\n"}, "cannot part numbers"),
        ({"delimiter": "."}, "cannot part numbers"),
        ({"delimiter": ""}, "cannot part numbers"),
    ],
)
def test_an_impossible_layout_is_refused(change: dict[str, object], sentence: str) -> None:
    stated = {"rate": 500.0, "unit": "mV", "leads": ("I", "II"), "orientation": "samples-by-leads"}
    with pytest.raises(WrongRequest, match=sentence):
        TableLayout(**(stated | change))


def test_lead_names_of_a_layout_are_brought_to_their_usual_spelling() -> None:
    assert TableLayout(500, "mV", ("lead i", "AVR"), "samples-by-leads").leads == ("I", "aVR")


def test_a_table_is_described_whole_or_not_at_all() -> None:
    layout = stated_layout(250, "uV", "I, II", "samples-by-leads")
    assert layout is not None
    assert (layout.rate, layout.unit, layout.leads) == (250, "uV", ("I", "II"))
    assert stated_layout(None, None, None, None) is None
    with pytest.raises(WrongRequest, match="all of rate"):
        stated_layout(250, "uV", None, "samples-by-leads")
