"""NPZ and Parquet: the words they say, layouts where they say none, and what is refused."""

import io
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import TableLayout, read

LAYOUT = TableLayout(rate=250, unit="200/mV", leads=("I", "II"), orientation="leads-by-samples")
SIGNAL = np.arange(8.0).reshape(2, 4)


def _npz(tmp_path: Path, **words: object) -> Path:
    np.savez(tmp_path / "x.npz", **words)  # type: ignore[arg-type]
    return tmp_path / "x.npz"


def _parquet(tmp_path: Path, columns: dict[str, object], **words: str) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata(words), tmp_path / "x.parquet")
    return tmp_path / "x.parquet"


def test_counts_per_millivolt_and_words_make_an_ecg(tmp_path: Path) -> None:
    """Count 7 at 200 a mV is 0.035 mV."""
    ecg = read(_npz(tmp_path, signal=SIGNAL.astype(np.int16), rate=250, unit="200/mV", leads=["DI", "avr"], sex="m"))
    assert ecg.signal[1, 3] == pytest.approx(0.035)
    assert (ecg.rate, ecg.leads, ecg.sex, ecg.age, ecg.patient) == (250.0, ("I", "aVR"), "male", None, None)


def test_one_array_or_bare_columns_are_read_by_a_layout(tmp_path: Path) -> None:
    assert read(_npz(tmp_path, voltages=SIGNAL), LAYOUT).signal == pytest.approx(SIGNAL / 200)
    columns = {"time": np.arange(4), "II": SIGNAL[1], "I": SIGNAL[0]}
    by_column = TableLayout(250, "200/mV", ("I", "II"), "samples-by-leads")
    assert read(_parquet(tmp_path, columns), by_column).signal == pytest.approx(SIGNAL / 200)


def test_fortran_order_and_big_endian_numbers_are_read(tmp_path: Path) -> None:
    odd = np.asfortranarray(SIGNAL).astype(">f4")
    assert read(_npz(tmp_path, signal=odd, rate=250, unit="mV", leads=["I", "II"])).signal == pytest.approx(SIGNAL)


def test_nan_of_any_kind_is_a_lost_sample_without_a_warning(tmp_path: Path) -> None:
    """0x7FF0000000000001 is a signalling NaN, of which numpy warns: the fuzzer found that."""
    column = np.array([0x3FF0000000000000, 0x7FF0000000000001], dtype=np.uint64).view(np.float64)
    place = _parquet(tmp_path, {"I": column}, rate="500", unit="mV")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert np.isnan(read(place).signal).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"signal": SIGNAL, "unit": "mV", "leads": ["I", "II"]}, WrongRequest, "does not say its rate"),
        ({"signal": SIGNAL}, WrongRequest, "does not say its rate and unit and leads"),
        ({"signals": SIGNAL, "rate": 500}, BrokenRecord, 'no array "signal"'),
        (
            {"signal": SIGNAL, "rate": 500, "unit": "mV", "leads": ["I"]},
            BrokenRecord,
            r"\(2, 4\), not \[leads, samples\]",
        ),
        ({"signal": SIGNAL, "rate": 500, "unit": "bar", "leads": ["I", "II"]}, BrokenRecord, '"bar" is not a voltage'),
        ({"signal": SIGNAL, "rate": "often", "unit": "mV", "leads": ["I", "II"]}, BrokenRecord, "often"),
        ({"signal": SIGNAL, "rate": 0, "unit": "mV", "leads": ["I", "II"]}, BrokenRecord, "rate of 0.0 Hz"),
        ({"signal": np.zeros((1, 2, 3)), "rate": 500, "unit": "mV", "leads": ["I"]}, BrokenRecord, "3-dimensional"),
        ({"signal": SIGNAL + 1j, "rate": 500, "unit": "mV", "leads": ["I", "II"]}, BrokenRecord, "complex128"),
    ],
)
def test_what_is_missing_or_no_voltage_is_named(
    tmp_path: Path, words: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"^x\.npz \(NPZ\): .*{message}"):
        read(_npz(tmp_path, **words))


def test_a_column_of_words_and_an_absent_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(BrokenRecord, match='column "I" holds object, not voltages'):
        read(_parquet(tmp_path, {"I": ["a", "b"]}, rate="500", unit="mV"))
    with pytest.raises(BrokenRecord, match=r'no column "II"\. Nearest: "III"'):
        read(_parquet(tmp_path, {"I": [1.0], "III": [1.0]}), LAYOUT)


def test_a_column_shorter_than_declared_is_named(tmp_path: Path) -> None:
    table = pyarrow.table({"I": [0.1, 0.2, 0.3], "II": [0.1, 0.2, 0.3]}).replace_schema_metadata(
        {"rate": "500", "unit": "mV"}
    )
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", use_dictionary=False, compression="none")
    whole = (tmp_path / "x.parquet").read_bytes()
    header = b"\x2c\x15\x06"  # of the first page: three values, as zigzag number
    (tmp_path / "x.parquet").write_bytes(whole.replace(header, b"\x2c\x15\x00", 1))
    with pytest.raises(BrokenRecord, match='column "I" holds 0 samples where the file declares 3'):
        read(tmp_path / "x.parquet")


def test_nothing_but_npy_is_taken_from_the_archive(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, signal=SIGNAL, rate=500, unit="mV", leads=["I", "II"])
    (tmp_path / "x.npz").write_bytes(buffer.getvalue())
    read(tmp_path / "x.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
