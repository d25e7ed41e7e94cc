"""SCP-ECG by hand: subtracted reference beats, leads that start apart, tables, and what is refused."""

import struct
from pathlib import Path

import numpy as np
import pytest
from benchmarks.samples import OWN_TABLES, SCP_PERSON, WRITERS, scp, scp_record
from ecgdatakit.parsing.parser import FileParser
from hypothesis import given
from hypothesis import strategies as st

from ecgenough.ecg import to_millivolts
from ecgenough.errors import BrokenRecord
from ecgenough.formats import read
from ecgenough.formats.huffman import DEFAULT_TABLES, decode, read_tables


def _section(values: list[int], nanovolts: int, microseconds: int = 2000, differences: int = 0) -> bytes:
    raw = struct.pack(f"<{len(values)}h", *values)
    return struct.pack("<HHBBH", nanovolts, microseconds, differences, 0, len(raw)) + raw


def _written(tmp_path: Path, sections: dict[int, bytes]) -> Path:
    (tmp_path / "x.scp").write_bytes(scp_record(sections))
    return tmp_path / "x.scp"


def test_the_reference_beat_is_put_back_where_it_was_subtracted(tmp_path: Path) -> None:
    """Residual of 20 samples at 1 µV; a beat of 4 samples at 2 µV, fiducial its 2nd, around samples 5 and 13.

    The beat at 9 is of another type, and of the one at 13 only samples 12 to 14 were subtracted.
    """
    beats = [(0, 4, 5, 7), (1, 8, 9, 11), (0, 12, 13, 14)]
    place = _written(
        tmp_path,
        {
            1: SCP_PERSON,
            3: bytes([1, 1]) + struct.pack("<IIB", 1, 20, 2),
            4: struct.pack("<HHH", 8, 2, len(beats)) + b"".join(struct.pack("<HIII", *beat) for beat in beats),
            5: _section([10, 20, 30, 40], 2000),
            6: _section(list(range(20)), 1000),
        },
    )
    microvolts = np.arange(20.0)
    microvolts[3:7] += [20, 40, 60, 80]
    microvolts[11:14] += [20, 40, 60]
    ecg = read(place)
    assert ecg.signal[0] == pytest.approx(microvolts * 1e-3, abs=1e-7)
    assert (ecg.leads, ecg.comments) == (("II",), ("left out: the reference beat",))
    lead = FileParser().parse(place).leads[0]
    assert to_millivolts(lead.samples, lead.units) == pytest.approx(microvolts * 1e-3, abs=1e-7)


def test_leads_that_start_and_end_apart_are_nan_where_they_were_not_recorded(tmp_path: Path) -> None:
    spans = struct.pack("<IIBIIB", 11, 14, 1, 13, 16, 3)
    rhythm = struct.pack("<HHBBHH", 5000, 4000, 0, 0, 8, 8) + struct.pack("<8h", 1, 2, 3, 4, 5, 6, 7, 8)
    ecg = read(_written(tmp_path, {3: bytes([2, 0]) + spans, 6: rhythm}))
    nan = np.nan
    assert (ecg.leads, ecg.rate) == (("I", "V1"), 250.0)
    expected = np.array([[1, 2, 3, 4, nan, nan], [nan, nan, 5, 6, 7, 8]]) * 5e-3
    np.testing.assert_allclose(ecg.signal, expected, atol=1e-7)


@pytest.mark.parametrize(("order", "stored"), [(1, [5, 2, -4, 1]), (2, [5, 7, -6, 5])])
def test_differences_are_summed_up(tmp_path: Path, order: int, stored: list[int]) -> None:
    """5 7 3 4: first differences 2 -4 1, second ones 3 - 2*7 + 5 = -6 and 4 - 2*3 + 7 = 5."""
    span = bytes([1, 0]) + struct.pack("<IIB", 1, 4, 1)
    ecg = read(_written(tmp_path, {3: span, 6: _section(stored, 1000, differences=order)}))
    assert ecg.signal[0] == pytest.approx([0.005, 0.007, 0.003, 0.004], abs=1e-7)


def test_a_huffman_stream_of_the_standard_by_hand() -> None:
    """0, then 100 is 1, 101 is -1, 11100 is 3, 1111111110 and 8 bits, 1111111111 and 16 bits."""
    bits = "01001011110011111111101000000011111111110111111111111111"
    chunk = int(bits.ljust(64, "0"), 2).to_bytes(8, "big")
    assert decode(chunk, 6, DEFAULT_TABLES).tolist() == [0, 1, -1, 3, -128, 32767]


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=60), st.sampled_from(["standard", "own"]))
def test_any_counts_come_back_from_any_coding(values: list[int], coding: str) -> None:
    record = scp(np.array([values]), 1.0, 500, ("I",), coding=coding)
    section = record[record.index(struct.pack("<HHBB", 1000, 2000, 0, 0)) + 8 :]
    tables = DEFAULT_TABLES if coding == "standard" else read_tables(OWN_TABLES)
    assert decode(section, len(values), tables).tolist() == values


GOOD = {3: bytes([1, 0]) + struct.pack("<IIB", 1, 4, 1), 6: _section([1, 2, 3, 4], 1000)}


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({6: GOOD[6]}, "it has no section 3, of leads"),
        ({3: GOOD[3]}, "it has no section 6, of the rhythm"),
        (GOOD | {6: _section([1, 2, 3, 4], 0)}, "0 nV a count"),
        (GOOD | {6: _section([1, 2, 3, 4], 1000, differences=3)}, "coded in a way (3)"),
        (GOOD | {6: struct.pack("<HHBBH", 1000, 2000, 0, 1, 8) + bytes(8)}, "bimodally"),
        (GOOD | {6: struct.pack("<HHB", 1000, 2000, 0)}, "ends too early"),
        (GOOD | {3: bytes([1, 1]) + struct.pack("<IIB", 1, 4, 1)}, "sections 4 and 5 lack"),
        (GOOD | {2: b"\0\0"}, "an empty Huffman table"),
        (GOOD | {2: struct.pack("<HHBBBhI", 1, 1, 40, 40, 1, 0, 0)}, "a Huffman code of 40 of 40 bits"),
        (GOOD | {2: struct.pack("<HHBBBhI", 1, 1, 1, 1, 0, 9, 0)}, "turns to table 9 of 1"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, sections: dict[int, bytes], message: str) -> None:
    place = _written(tmp_path, sections)
    with pytest.raises(BrokenRecord) as refused:
        read(place)
    assert str(refused.value).startswith("x.scp (SCP-ECG): ")
    assert message in str(refused.value)


def test_any_changed_bit_is_noticed(tmp_path: Path) -> None:
    good = bytearray(WRITERS["scp"](np.ones((12, 9), dtype=np.int64), 2.5, 500, ("I",) * 12))
    for at in range(300, len(good), 97):
        good[at] ^= 4
        (tmp_path / "x.scp").write_bytes(good)
        with pytest.raises(BrokenRecord, match="its checksum does not fit"):
            read(tmp_path / "x.scp")
        good[at] ^= 4
