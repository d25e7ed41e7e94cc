"""Tables with any usual delimiter, and Parquet."""

from pathlib import Path

import pandas as pd
import pytest

from ecgenough.datasets.sheet import read_sheet
from ecgenough.errors import WrongRequest


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_is_seen(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(
        "\ufeff" + delimiter.join(["file", "label"]) + "\r\n" + delimiter.join(["a b.txt", "1"]) + "\r\n\r\n"
    )
    sheet = read_sheet(path)
    assert sheet.columns == {"file": ["a b.txt"], "label": ["1"]}


def test_quoted_cells_keep_delimiters_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('file,report,label\na,"one, two\nthree",1\nb,x,0\n')
    sheet = read_sheet(path)
    assert sheet.columns["report"] == ["one, two\nthree", "x"]
    assert sheet.lines == [3, 4]


def test_parquet_reads_as_the_same_text(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"file": ["a", "b"], "label": [0, 1], "age": [50.0, None]})
    frame.to_parquet(tmp_path / "table.csv", index=False)  # the name does not matter
    assert read_sheet(tmp_path / "table.csv").columns == {"file": ["a", "b"], "label": ["0", "1"], "age": ["50.0", ""]}


def test_numbers_name_the_cell_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("file,fold,age\na,1,50\nb,1.5,x\n")
    sheet = read_sheet(path)
    with pytest.raises(WrongRequest, match=r'table.csv row 3, column "fold": "1.5" is not a whole number'):
        sheet.whole_numbers("fold")
    path.write_text("file,fold\na,1e300\n")
    with pytest.raises(WrongRequest, match=r'row 2, column "fold": "1e300" is not a whole number'):
        read_sheet(path).whole_numbers("fold")
    with pytest.raises(WrongRequest, match=r'table.csv row 3, column "age": "x" is not a number'):
        sheet.numbers("age")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "table.csv is empty"),
        (b"file,label\n", "table.csv is empty: it needs a header and one row a record"),
        (b"file,label\na,1\nb\n", "row 3 has 1 value for 2 columns"),
        (b"file,file\na,b\n", 'column "file" twice'),
        (b"file,label\n\xff\xfe,1\n", "not UTF-8 text"),
        (b"PAR1 no it is not", "not Parquet that can be read"),
    ],
)
def test_what_is_no_table_gets_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(WrongRequest, match=sentence):
        read_sheet(path)


def test_an_unknown_column_gets_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("patient_id,label\n1,0\n")
    with pytest.raises(WrongRequest, match=r'no column "patientid". Nearest: "patient_id".'):
        read_sheet(path).column("patientid")
