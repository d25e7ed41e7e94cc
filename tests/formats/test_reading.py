"""read and record_files: a file is known by its content, and what is not an ECG is called by its name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.formats import TableLayout, read, record_files
from ecgenough.formats.wfdb import write_wfdb

LAYOUT = TableLayout(500, "mV", ("I", "II"), "samples-by-leads")
VOLTAGES = np.float32([[0.5, -1.25, 0.001], [1.0, 2.0, -3.0]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_wfdb(tmp_path, "a1", Ecg(VOLTAGES, 500, ("I", "II")))
    np.savetxt(tmp_path / "a2.csv", VOLTAGES.T, delimiter=",", fmt="%.3f")
    np.save(tmp_path / "a3.npy", VOLTAGES.T)
    return tmp_path


@pytest.mark.parametrize("name", ["a1.hea", "a1.dat", "a1", "a2.csv", "a3.npy"])
def test_the_same_voltages_are_read_from_any_format(folder: Path, name: str) -> None:
    ecg = read(str(folder / name), LAYOUT)
    np.testing.assert_array_equal(ecg.signal, VOLTAGES)
    assert (ecg.leads, ecg.rate) == (("I", "II"), 500)


@pytest.mark.parametrize("real", ["a1.hea", "a2.csv", "a3.npy"])
@pytest.mark.parametrize("name", ["b.txt", "b.csv", "b.npy", "b.dat", "b.mat", "b.hea", "b", "b.tar.gz"])
def test_a_name_does_not_decide_what_a_file_is(folder: Path, real: str, name: str) -> None:
    (folder / name).write_bytes((folder / real).read_bytes())
    np.testing.assert_array_equal(read(folder / name, LAYOUT).signal, VOLTAGES)


@pytest.mark.parametrize("line", ["100 12 500 1000", "1 2 3 4", "0 16 200 16 0 0 0 0 1"])
def test_rows_of_numbers_are_not_taken_for_a_header(tmp_path: Path, line: str) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text(f"{line}\n{line}\n{line}\n")
    layout = TableLayout(500, "uV", STANDARD_LEADS[: len(line.split())], "samples-by-leads")
    assert read(path, layout).samples == 3


def test_a_record_named_by_a_number_is_a_header(tmp_path: Path) -> None:
    (tmp_path / "100.dat").write_bytes(bytes(6))
    (tmp_path / "header.txt").write_text("# of the MIT kind\n100 1 360 3\n100.dat 16 200 11 1024 0 0 0 MLII\n")
    assert read(tmp_path / "header.txt").leads == ("MLII",)


def test_a_table_beside_a_header_is_still_a_table(folder: Path) -> None:
    (folder / "a1.csv").write_bytes((folder / "a2.csv").read_bytes())
    with pytest.raises(WrongRequest):
        read(folder / "a1.csv")


@pytest.mark.parametrize("name", ["a2.csv", "a3.npy"])
def test_a_table_without_a_layout_asks_for_it(folder: Path, name: str) -> None:
    with pytest.raises(WrongRequest, match=f"{name} is a table of numbers; state its rate, unit, leads and orient"):
        read(folder / name)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"\n <!DOCTYPE html>\n<html><head>", "an HTML page"),
        (b"<HTML>", "an HTML page"),
        (b"<?xml version='1.0'?><ClinicalDocument>", "an XML document"),
        (b'{"leads": []}', "a JSON document"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"MATLAB 7.3 MAT-file, Platform", "a MATLAB 7.3 file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a Git LFS pointer"),
        ("1,2\n".encode("utf-16"), "UTF-16 text"),
        (b"\x80\x04\x95", "a Python pickle"),
        (bytes(range(256)), "other binary data"),
    ],
)
@pytest.mark.parametrize("layout", [None, LAYOUT])
def test_what_is_no_ecg_is_called_by_its_name(
    tmp_path: Path, content: bytes, what: str, layout: TableLayout | None
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(BrokenRecord, match=rf"x\.csv .*: it looks like {what}"):
        read(tmp_path / "x.csv", layout)


def test_a_zip_archive_is_called_so(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.hea", "w") as archive:
        archive.writestr("x.csv", "1,2")
    with pytest.raises(BrokenRecord, match=r"x\.hea is not a WFDB header: it looks like a zip archive"):
        read(tmp_path / "x.hea")


def test_a_table_that_starts_like_edf_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("0       0.125\n1       0.250\n")
    layout = TableLayout(500, "mV", ("I",), "samples-by-leads", skip_columns=1)
    assert read(tmp_path / "x.txt", layout).signal.tolist() == [[0.125, 0.25]]


@pytest.mark.parametrize("name", ["a1.dat", "a1.mat"])
def test_samples_without_their_header_ask_for_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(100))
    with pytest.raises(BrokenRecord, match=rf"{name} has samples only; the header that names it, a1\.hea, is missing"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "sentence"), [("absent", "is not there"), ("absent.csv", "is not there"), ("absent.hea", "is not there"),
                           ("", "is a folder")]
)  # fmt: skip
@pytest.mark.parametrize("ask", [read, record_files])
def test_an_absent_file_is_said_to_be_absent(tmp_path: Path, name: str, sentence: str, ask) -> None:
    with pytest.raises(BrokenRecord, match=sentence):
        ask(tmp_path / name)


def test_record_files_are_all_that_a_recording_consists_of(folder: Path) -> None:
    record = (folder / "a1.hea", folder / "a1.dat")
    assert all(record_files(folder / name) == record for name in ("a1", "a1.hea", "a1.dat"))
    assert record_files(str(folder / "a2.csv")) == (folder / "a2.csv",)
    (folder / "a1.dat").unlink()
    with pytest.raises(BrokenRecord, match=r"a1\.dat"):
        record_files(folder / "a1")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=80).map(str.encode)), st.sampled_from(["x.csv", "x.hea"]))
def test_any_bytes_are_read_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    for layout in (None, LAYOUT):
        sentence = f"{name} is read"
        try:
            read(path, layout)
        except EcgenoughError as error:
            sentence = str(error)
        assert name in sentence
        assert "\n" not in sentence
