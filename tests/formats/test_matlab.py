"""CPSC-2018's own files, written with scipy.io.savemat as MATLAB writes them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from ecgenough.datasets import open_dataset
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import read
from ecgenough.recipe import Signal
from ecgenough.signals.preparation import prepare

VOLTAGES = np.random.default_rng(0).normal(0, 0.3, (12, 3000)).round(4)


def write(path: Path, *, compressed: bool = False, name: str = "ECG", **fields: Any) -> Path:
    struct = {"sex": "Male", "age": 74.0, "data": VOLTAGES} | fields
    scipy.io.savemat(path, {name: struct}, do_compression=compressed)
    return path


@pytest.mark.parametrize("name", ["A0001.mat", "A0001.csv", "A0001"])
@pytest.mark.parametrize("compressed", [False, True])
def test_the_struct_is_an_ecg_whatever_the_file_is_called(tmp_path: Path, name: str, compressed: bool) -> None:
    ecg = read(write(tmp_path / "made.mat", compressed=compressed).rename(tmp_path / name))
    assert (ecg.rate, ecg.leads, ecg.age, ecg.sex) == (500, STANDARD_LEADS, 74, "male")
    np.testing.assert_array_equal(ecg.signal, VOLTAGES.astype(np.float32))


def test_a_header_beside_the_file_makes_it_a_wfdb_record(tmp_path: Path) -> None:
    """The Challenge's A0001.mat is MATLAB 4: 24 bytes, then 16-bit counts, which its header describes."""
    content = np.arange(24, dtype="<i2").tobytes()
    (tmp_path / "A0001.mat").write_bytes(bytes(24) + content)
    (tmp_path / "A0001.hea").write_text(
        "A0001 12 500 2\n" + "".join(f"A0001.mat 16+24 1000/mV 16 0 0 0 0 {lead}\n" for lead in STANDARD_LEADS)
    )
    assert read(tmp_path / "A0001.mat").signal[:, 1].tolist() == pytest.approx((np.arange(12, 24) / 1000).tolist())


@pytest.mark.filterwarnings("error")
def test_a_signalling_nan_is_a_lost_sample_and_warns_of_nothing(tmp_path: Path) -> None:
    data = VOLTAGES.copy()
    data.view(np.uint64)[3, 7] = 0x7FF0_0000_0000_0001
    ecg = read(write(tmp_path / "A0001.mat", data=data))
    assert np.argwhere(np.isnan(ecg.signal)).tolist() == [[3, 7]]


@pytest.mark.parametrize(
    ("fields", "age", "sex"),
    [
        ({"age": np.nan, "sex": "Female"}, None, "female"),
        ({"age": -1, "sex": ""}, None, None),
        ({"age": np.zeros((0, 0)), "sex": "Unknown"}, None, None),
    ],
)
def test_what_is_not_known_of_a_person_stays_unknown(
    tmp_path: Path, fields: dict[str, Any], age: float | None, sex: str | None
) -> None:
    ecg = read(write(tmp_path / "A0001.mat", **fields))
    assert (ecg.age, ecg.sex) == (age, sex)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"data": VOLTAGES.T}, r"ECG\.data is 3000 x 12 float64; 12 leads x samples"),
        ({"data": VOLTAGES[:8]}, r"ECG\.data is 8 x 3000"),
        ({"data": "a word"}, r"ECG\.data is .* 12 leads x samples of numbers are needed"),
        ({"data": VOLTAGES * np.inf}, "lead I holds an infinite voltage"),
        ({"name": "val"}, "MATLAB file without a struct ECG of sex, age and data"),
    ],
)
def test_any_other_content_is_one_sentence_with_the_file(tmp_path: Path, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BrokenRecord, match=rf"^A0001\.mat.*{sentence}"):
        read(write(tmp_path / "A0001.mat", **fields))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_torn_file_is_one_sentence(tmp_path: Path, compressed: bool) -> None:
    content = write(tmp_path / "whole.mat", compressed=compressed).read_bytes()
    for size in range(20, len(content) - 1, len(content) // 60):
        (tmp_path / "A0001.mat").write_bytes(content[:size])
        with pytest.raises(BrokenRecord, match=r"^A0001\.mat is [^\n]*$"):
            read(tmp_path / "A0001.mat")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (struct.pack("<IIii", 5, 8, 12, 3000), struct.pack("<IIii", 5, 8, -0x40FFFFF4, 0x872B02), "dimensions"),
        (struct.pack("<IIii", 5, 8, 12, 3000), struct.pack("<IIii", 5, 8, 12, 1 << 30), "dimensions"),
        (struct.pack("<II", 9, 8 * VOLTAGES.size), struct.pack("<II", 0x9DE0, 8 * VOLTAGES.size), "class asks for"),
        (struct.pack("<III", 6, 8, 6) + bytes(4) + struct.pack("<IIii", 5, 8, 12, 3000),
         struct.pack("<III", 6, 8, 200) + bytes(4) + struct.pack("<IIii", 5, 8, 12, 3000), "kind that is not read"),
        (struct.pack("<IIII", 1, 0, 9, 8), struct.pack("<IIII", 1, 16, 9, 8), "class asks for"),
    ],
)  # fmt: skip
def test_a_matrix_that_lies_never_reaches_scipy(tmp_path: Path, old: bytes, new: bytes, sentence: str) -> None:
    """SciPy 1.17 reads beyond its memory for negative dimensions and absent data: fuzzing ended the process."""
    content = write(tmp_path / "whole.mat").read_bytes()
    assert content.count(old) == 1
    (tmp_path / "A0001.mat").write_bytes(content.replace(old, new))
    with pytest.raises(BrokenRecord, match=rf"^A0001\.mat is not a whole MATLAB 5 file: .*{sentence}"):
        read(tmp_path / "A0001.mat")


def test_the_original_collection_is_listed_and_prepared(tmp_path: Path) -> None:
    root = tmp_path / "TrainingSet"
    root.mkdir()
    names = [f"A{number:04d}" for number in range(1, 13)]
    for place, name in enumerate(names):
        write(root / f"{name}.mat", data=VOLTAGES * (place + 1))
    lines = [f"{name},{place % 9 + 1},," for place, name in enumerate(names)]
    (root / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\n" + "\n".join(lines) + "\n")
    store = prepare(open_dataset("cpsc-2018", root), Signal(rate=500, duration=6), tmp_path / "stores")
    assert store.records == tuple(names)
    np.testing.assert_array_equal(store.signals[2], np.rint((VOLTAGES * 3).astype(np.float32) * 1000))


def test_such_a_folder_without_its_reference_asks_for_it(tmp_path: Path) -> None:
    write(tmp_path / "A0001.mat")
    with pytest.raises(WrongRequest, match=r"neither headers such as A0001\.hea nor REFERENCE\.csv"):
        open_dataset("cpsc-2018", tmp_path)
