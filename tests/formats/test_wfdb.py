"""WFDB records: the values are those of the wfdb package, and the dirt of real folders gets one clear sentence."""

import os
import struct
import tempfile
import tracemalloc
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.formats import read, record_files
from ecgenough.formats.wfdb import is_plain, read_header, read_wfdb, write_wfdb

MILLIVOLTS = {"": 1.0, "/mV": 1.0, "/mv": 1.0, "/uV": 1e-3, "/V": 1e3}


def write(folder: Path, header: str, samples: bytes = b"", name: str = "x", file: str = "x.dat") -> Path:
    """A record written by hand, byte for byte."""
    (folder / file).write_bytes(samples)
    path = folder / f"{name}.hea"
    path.write_bytes(header.encode("latin-1"))
    return path


def counts(*frames: Sequence[int]) -> bytes:
    return np.array(frames, dtype="<i2").tobytes()


def sixteen(header: str = "x 2 500 3\nx.dat 16 200 16 0 0 0 0 I\nx.dat 16 200 16 0 0 0 0 II\n") -> tuple[str, bytes]:
    return header, counts((200, -200), (100, 0), (-32768, 50))


# --- the same values as the wfdb package ---------------------------------------------------------------------------


@st.composite
def plain_records(draw: st.DrawFn) -> tuple[str, bytes, list[str]]:
    """A header of format 16 in any of the ways one may be written, its file, and the unit of each lead."""
    leads, samples = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    offset = draw(st.sampled_from([0, 24, 7]))
    shape = (leads, samples)
    digital = draw(arrays(np.int16, shape, elements=st.integers(-32768, 32767)))
    rate = draw(st.sampled_from(["100", "500", "257", "360.5", "1000/1000(0)"]))
    length = draw(st.sampled_from([str(samples), "" if offset == 0 else str(samples)]))
    lines, units = [f"x {leads} {rate} {length}".rstrip()], []
    for lead in range(leads):
        gain = draw(st.sampled_from(["1000", "1000.0", "200.5", "1e3", "0", "-500", "3.7", "16384.25"]))
        baseline = draw(st.sampled_from(["", "(0)", "(-12)", "(1024)", "(99999999)"]))
        unit = draw(st.sampled_from(sorted(MILLIVOLTS)))
        checksum = int(digital[lead].sum(dtype=np.int64)) % 65536
        fields = ["16", str(draw(st.integers(-9, 9))), str(int(digital[lead, 0])), str(checksum), "0"]
        fields = fields[: draw(st.integers(0, 5))]
        description = draw(st.sampled_from([[f"V{lead}"], [f"channel no. {lead}"], []]))
        # Of the fields, the description needs none but the gain; the gain itself may be absent with all behind it.
        calibrated = draw(st.integers(0, 9)) > 0
        words = ["x.dat", f"16+{offset}" if offset else "16"]
        words += [f"{gain}{baseline}{unit}", *fields, *description] if calibrated else []
        units.append(unit if calibrated else "")
        lines.append(draw(st.sampled_from([" ", "\t", "   "])).join(words))
    comments = draw(st.lists(st.sampled_from(["#Age: 74", "# Sex: Male", "#"]), max_size=3))
    header = draw(st.sampled_from(["\n", "\r\n"])).join([*comments[:1], *lines, *comments[1:]])
    return header, bytes(offset) + digital.T.astype("<i2").tobytes(), units


@settings(max_examples=80, deadline=None)
@given(plain_records())
def test_plain_records_have_the_values_of_the_wfdb_package(record: tuple[str, bytes, list[str]]) -> None:
    header, samples, units = record
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), header, samples)
        expected = wfdb.rdrecord(str(path.with_suffix("")))
        told = read_header(path)
        assert is_plain(told)
        assert told.gains == tuple(expected.adc_gain)
        assert told.baselines == tuple(expected.baseline)
        assert list(told.comments) == expected.comments
        voltages = [signal * MILLIVOLTS[unit] for signal, unit in zip(expected.p_signal.T, units, strict=True)]
        ecg = read_wfdb(path)
        np.testing.assert_array_equal(ecg.signal, np.array(voltages, dtype=np.float32))
        assert ecg.rate == expected.fs


def test_every_count_divides_as_in_float64() -> None:
    """Float32 division of all 65,536 counts by awkward gains equals the float64 quotient rounded to float32."""
    every = np.arange(-32768, 32768, dtype=np.int16)
    for gain in ("1000", "200.5", "7", "4.88", "0.1", "1638.4"):
        with tempfile.TemporaryDirectory() as folder:
            path = write(Path(folder), f"x 1 500 65536\nx.dat 16 {gain}(-3)/mV 16 0", every.tobytes())
            expected = (every.astype(np.float64) + 3) / float(gain)
            expected[0] = np.nan
            np.testing.assert_array_equal(read_wfdb(path).signal[0], expected.astype(np.float32))


def test_counts_become_millivolts(tmp_path: Path) -> None:
    """By hand: (count - baseline) / gain, -32768 is lost; the baseline is the ADC zero where none is given."""
    header = "x 3 500 2\nx.dat 16 200(100)/mV I\nx.dat 16 0 16 50 II\nx.dat 16 2/uV 16 0 V1\n"
    path = write(tmp_path, header, counts((300, 250, 4000), (-32768, 50, -1)))
    expected = [[1.0, np.nan], [1.0, 0.0], [2.0, -0.0005]]
    np.testing.assert_array_equal(read_wfdb(path).signal, np.array(expected, dtype=np.float32))


def test_the_challenge_s_matlab_file_is_read_at_its_offset(tmp_path: Path) -> None:
    """MATLAB 4 writes 20 bytes of header and the name "val" before the samples: 24 bytes in all."""
    matlab = struct.pack("<5i4s", 30, 2, 3, 0, 4, b"val\0")
    header = "A0001 2 500 3 05-Feb-2020 11:39:16\n" + "".join(
        f"A0001.mat 16+24 1000/mV 16 0 {initial} {checksum} 0 {lead}\n"
        for initial, checksum, lead in [(28, 30, "I"), (7, -5, "II")]
    )
    path = write(tmp_path, header, matlab + counts((28, 7), (1, -6), (1, -6)), "A0001", "A0001.mat")
    for name in (path, path.with_suffix(".mat"), path.with_suffix("")):
        ecg = read(name)
        np.testing.assert_array_equal(ecg.signal, np.float32([[0.028, 0.001, 0.001], [0.007, -0.006, -0.006]]))
    assert ecg.recorded == datetime(2020, 2, 5, 11, 39, 16)


@pytest.mark.parametrize("form", ["16", "24", "32", "80", "212", "508", "516", "524"])
def test_formats_that_the_package_writes_are_read(tmp_path: Path, form: str) -> None:
    digital = np.random.default_rng(0).integers(-100, 100, (30, 2))
    wfdb.wrsamp("x", 250, ["mV", "uV"], ["I", "V1"], d_signal=digital, fmt=[form] * 2, adc_gain=[200.0, 2.0],
                baseline=[0, 5], write_dir=str(tmp_path))  # fmt: skip
    expected = np.array([digital[:, 0] / 200, (digital[:, 1] - 5) / 2 / 1000])
    ecg = read_wfdb(tmp_path / "x")
    np.testing.assert_allclose(ecg.signal, expected, rtol=1e-6)
    assert (ecg.leads, ecg.rate) == (("I", "V1"), 250)


@pytest.mark.parametrize(("form", "size"), [("8", 6), ("61", 12), ("160", 12), ("310", 8), ("311", 8)])
def test_formats_that_are_only_read_are_read(tmp_path: Path, form: str, size: int) -> None:
    samples = bytes(np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8))
    path = write(tmp_path, f"x 2 250 3\nx.dat {form} 200 12 0 I\nx.dat {form} 200 12 0 II\n", samples)
    expected = wfdb.rdrecord(str(tmp_path / "x")).p_signal.T.astype(np.float32)
    np.testing.assert_array_equal(read_wfdb(path).signal, expected)
    if form == "61":  # big-endian 16 bits: by hand
        np.testing.assert_array_equal(expected.T.ravel(), np.frombuffer(samples, ">i2") / np.float32(200))


def test_two_files_of_one_record_are_read(tmp_path: Path) -> None:
    (tmp_path / "y.dat").write_bytes(counts([7], [8]))
    path = write(tmp_path, "x 2 250 2\nx.dat 16 100 I\ny.dat 16 100 II\n", counts([1], [2]))
    assert not is_plain(read_header(path))
    np.testing.assert_array_equal(read_wfdb(path).signal, np.float32([[0.01, 0.02], [0.07, 0.08]]))
    assert record_files(path) == (path, tmp_path / "x.dat", tmp_path / "y.dat")


def test_several_samples_a_frame_and_skew_are_those_of_the_package(tmp_path: Path) -> None:
    header = "x 2 250 4\nx.dat 16x2 100 I\nx.dat 16:1 100 II\n"
    path = write(tmp_path, header, counts((1, 3, 5), (2, 4, 6), (3, 5, 7), (4, 6, 8)))
    expected = wfdb.rdrecord(str(tmp_path / "x")).p_signal.T.astype(np.float32)
    np.testing.assert_array_equal(read_wfdb(path).signal, expected)
    assert expected[0].tolist() == np.float32([0.02, 0.03, 0.04, 0.05]).tolist()  # the mean of each pair


def test_other_formats_need_a_header_named_hea(tmp_path: Path) -> None:
    """The wfdb package would look for header.hea, and might find another record's."""
    path = write(tmp_path, "x 1 500 2\nx.dat 212 200 12 0 I\n", bytes(3)).rename(tmp_path / "header.txt")
    with pytest.raises(BrokenRecord, match=r"header\.txt: .* only if the header is named \.hea"):
        read(path)


@pytest.mark.parametrize("layout", ["fixed", "variable"])
def test_segments_are_joined_as_the_package_joins_them(tmp_path: Path, layout: str) -> None:
    write(tmp_path, "a 2 250 2\na.dat 16 200 12 0 I\na.dat 16 200 12 0 II\n", counts((1, 2), (3, 4)), "a", "a.dat")
    if layout == "fixed":
        write(tmp_path, "b 2 250 1\nb.dat 16 100 12 0 I\nb.dat 16 100 12 0 II\n", counts((5, 6)), "b", "b.dat")
        path = write(tmp_path, "x/2 2 250 3\na 2\nb 1\n# Age: 60\n")
    else:
        write(tmp_path, "b 1 250 1\nb.dat 212 100 12 0 II\n", bytes([6, 0, 0]), "b", "b.dat")
        write(tmp_path, "l 2 250 0\n~ 0 200 12 0 I\n~ 0 200 12 0 II\n", b"", "l", "l.dat")
        path = write(tmp_path, "x/4 2 250 6\nl 0\na 2\n~ 3\nb 1\n# Age: 60\n")
    expected = wfdb.rdrecord(str(tmp_path / "x"))
    ecg = read_wfdb(path)
    np.testing.assert_array_equal(ecg.signal, expected.p_signal.T.astype(np.float32))
    assert (ecg.leads, ecg.age, read_header(path).leads) == (("I", "II"), 60, ("I", "II"))
    assert {"x.hea", "a.hea", "a.dat", "b.hea", "b.dat"} <= {file.name for file in record_files(path)}


def test_segments_may_have_different_units(tmp_path: Path) -> None:
    """The wfdb package takes the unit of the first segment for all; a V in the second would be a mV."""
    write(tmp_path, "a 1 250 1\na.dat 16 1000/mV I\n", counts([5]), "a", "a.dat")
    write(tmp_path, "b 1 250 1\nb.dat 16 1000/V I\n", counts([5]), "b", "b.dat")
    path = write(tmp_path, "x/2 1 250 2\na 1\nb 1\n")
    np.testing.assert_array_equal(read_wfdb(path).signal, np.float32([[0.005, 5.0]]))


# --- what the header tells besides ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comments", "age", "sex"),
    [
        (["Age: 74", "Sex: Male"], 74.0, "male"),
        (["Age: NaN", "Sex: Female"], None, "female"),
        (["age: 0.5", "sex: f"], 0.5, "female"),
        (["Age: Unknown", "Sex: Unknown"], None, None),
        (["Age: -1", "Sex: "], None, None),
        (["Age: 6 months", "Sex: Femalish"], None, None),
        (["Age: 60 years", "Sex: M"], 60.0, "male"),
        (["<age>: 65 <sex>: F <diagnoses> arterial hypertension"], 65.0, "female"),
        (["Dosage: 20", "Dx: 59118001"], None, None),
        ([], None, None),
    ],
)
def test_comments_tell_age_and_sex(tmp_path: Path, comments: list[str], age: float | None, sex: str | None) -> None:
    header, samples = sixteen()
    ecg = read_wfdb(write(tmp_path, header + "".join(f"#{comment}\n" for comment in comments), samples))
    assert (ecg.age, ecg.sex) == (age, sex)
    assert ecg.comments == tuple(comment.strip() for comment in comments)


@pytest.mark.parametrize(
    ("start", "recorded"),
    [
        ("11:39:16 05/02/2020", datetime(2020, 2, 5, 11, 39, 16)),
        ("11:39:16.25 5/2/2020", datetime(2020, 2, 5, 11, 39, 16, 250_000)),
        ("05-Feb-2020 11:39:16", datetime(2020, 2, 5, 11, 39, 16)),
        ("11:39:16", None),
        ("31-Feb-2020 11:39:16", None),
        ("05-Foo-2020 11:39:16", None),
        ("whenever", None),
    ],
)
def test_the_record_line_tells_when_it_was_recorded(tmp_path: Path, start: str, recorded: datetime | None) -> None:
    header, samples = sixteen(sixteen()[0].replace("500 3", f"500 3 {start}", 1))
    assert read_wfdb(write(tmp_path, header, samples)).recorded == recorded


def test_a_header_is_understood(tmp_path: Path) -> None:
    path = write(tmp_path, "x 2 500 3\nx.dat 16+8 200(3)/uV 12 -7 5 9 0 AVR\nx.dat 16+8\n#Dx: RBBB\n")
    header = read_header(tmp_path / "x")
    assert (header.path, header.name, header.rate, header.samples) == (path, "x", 500.0, 3)
    assert (header.files, header.formats) == (("x.dat", "x.dat"), ("16", "16"))
    assert (header.gains, header.baselines, header.units) == ((200.0, 200.0), (3, 0), ("uV", "mV"))
    assert header.leads == ("aVR", "record x, signal 1")  # header(5) names a signal without description so
    assert header.comments == ("Dx: RBBB",)
    assert (header.signals[0].offset, header.signals[0].initial, header.signals[0].checksum) == (8, 5, 9)


def test_bytes_that_are_not_utf8_are_latin_1(tmp_path: Path) -> None:
    header = "x 1 500 3\nx.dat 16 1/\xb5V 16 0 0 0 0 I\n# Zst. n. H\xe4modialyse\x85 #\n"
    ecg = read_wfdb(write(tmp_path, header, counts([1], [2], [3])))
    assert ecg.comments[0].startswith("Zst. n. Hämodialyse")
    assert ecg.signal[0, 0] == np.float32(0.001)  # the wfdb package drops the µ and reads V


# --- dirt and danger -----------------------------------------------------------------------------------------------

TWO = "x.dat 16 200 16 0 0 0 0 I\nx.dat 16 200 16 0 0 0 0 II\n"


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("x 0 500 3\n", "x.hea has no leads"),
        ("x 3 500 3\n" + TWO, "x.hea declares 3 leads and describes 2"),
        ("x 1 500 3\n" + TWO, "x.hea declares 1 lead and describes 2"),
        ("x 999999999 500 3\n" + TWO, "declares 999,999,999 leads and describes 2"),
        ("x 2 0 3\n" + TWO, "x.hea: a sampling rate of 0 Hz is not possible"),
        ("x 2 -500 3\n" + TWO, "x.hea is not a WFDB header"),
        ("x 2 500 4\n" + TWO, 'x.hea: "x.dat" has 3 of 4 samples of each lead'),
        ("x 2 500 1000000000000000\n" + TWO, 'x.dat" has 3 of 1,000,000,000,000,000 samples'),
        ("x 2 500 3\n" + TWO.replace("x.dat", "y.dat"), 'x.hea: its file "y.dat" is missing'),
        ("x 2 500 3\n" + TWO.replace("x.dat", "~"), 'lead "I" has no file of samples'),
        ("x 2 500 3\n" + TWO.replace(" 16 200", " 17 200"), "there is no WFDB sample format 17"),
        ("x 2 500 3\n" + TWO.replace(" 16 200", " 212 200", 1), "more than one sample format"),
        ("x 2 500 3\n" + TWO.replace("200", "200/mmHg", 1), 'lead "I" is in "mmHg", which is no voltage'),
        ("x 2 500 3\n" + TWO.replace("200", "200/mV/cm", 1), 'is in "mV/cm", which is no voltage'),
        ("x 2 500 3\n" + TWO.replace("200", "gain", 1), "x.hea, line 2 does not describe a lead as WFDB does"),
        ("x 2 500 3\n" + TWO.replace("200", "1e999", 1), "line 2: a gain of"),
        ("x 2 500 3\n" + TWO.replace("200", "1e-300", 1), "x.hea: lead I holds an infinite voltage"),
        ("x 2 500 3\n" + TWO.replace("16 200", "16:999999999 200", 1), "shifts a lead by more than its 3 samples"),
        ("x 2 500 3\n" + TWO.replace("16 200", "16x999999999 200"), 'x.dat" has 0 of 3 samples'),
        ("x 2 500 3\n" + TWO.replace(" II", " I"), "x.hea: lead I is there twice"),
        ("x 2 500 3\n" + TWO.replace("16 200", "16+999999999999 200"), 'x.dat" has 0 of 3 samples'),
        ("\n#only comments\n", "x.hea is not a WFDB header"),
        ("", "x.hea is not a WFDB header: it looks like an empty file"),
        ("<html><body>404 Not Found</body></html>", "x.hea is not a WFDB header: it looks like an HTML page"),
        ("PK\x03\x04\0\0", "x.hea is not a WFDB header: it looks like a zip archive"),
        ("x/2 2 500 6\nx 3\nx 3\n", "its segment x is itself in segments"),
        ("x/2 2 500 6\n../x 3\nx 3\n", "line 2 does not describe a segment"),
        ("x/2 2 500 6\n~ 3\n~ 3\n", "consists of gaps only"),
        ("x/2 2 500 6\ny 3\n~ 3\n", 'its file "y.hea" is missing'),
        ("x/0 2 500 6\n", "x.hea has no segments"),
        ("x/3 2 500 6\ny 3\n", "declares 3 segments and describes 1"),
    ],
)
def test_a_broken_header_gets_one_sentence(tmp_path: Path, header: str, sentence: str) -> None:
    path = write(tmp_path, header, sixteen()[1])
    with pytest.raises(BrokenRecord) as caught:
        read(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["16", "212", "516"])
@pytest.mark.parametrize("name", ["../out.dat", "sub/../../out.dat", "/etc/hostname", "link.dat", "sub/out.dat"])
def test_a_header_cannot_name_a_file_outside_its_folder(tmp_path: Path, form: str, name: str) -> None:
    folder = tmp_path / "records"
    (folder / "real").mkdir(parents=True)
    (tmp_path / "out.dat").write_bytes(bytes(100))
    (folder / "link.dat").symlink_to(tmp_path / "out.dat")
    (folder / "sub").symlink_to(tmp_path)
    path = write(folder, f"x 1 500 3\n{name} {form} 200 16 0 0 0 0 I\n", file="real/x.dat")
    for ask in (read, record_files):
        with pytest.raises(BrokenRecord, match=r"x\.hea names .* which lies outside its folder"):
            ask(path)


def test_a_segment_s_header_cannot_lie_outside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    folder.mkdir()
    write(tmp_path, "a 1 500 1\na.dat 16 200\n", counts([1]), "a", "a.dat")
    (folder / "a.hea").symlink_to(tmp_path / "a.hea")
    with pytest.raises(BrokenRecord, match="lies outside its folder"):
        read(write(folder, "x/1 1 500 1\na 1\n"))


def test_links_and_folders_inside_are_followed(tmp_path: Path) -> None:
    header, samples = sixteen()
    (tmp_path / "sub").mkdir()
    path = write(tmp_path, header.replace("x.dat", "sub/y.dat"), samples, file="sub/z.dat")
    (tmp_path / "sub/y.dat").symlink_to("z.dat")
    assert read(path).signal[0, 0] == 1.0


def test_links_in_a_circle_and_pipes_are_missing_files(tmp_path: Path) -> None:
    path = write(tmp_path, "x 1 500 3\ny.dat 16 200 16 0 0 0 0 I\n")
    (tmp_path / "y.dat").symlink_to("y.dat")
    with pytest.raises(BrokenRecord, match=r"y\.dat"):
        read(path)
    (tmp_path / "y.dat").unlink()
    os.mkfifo(tmp_path / "y.dat")
    with pytest.raises(BrokenRecord, match="is missing"):
        read(path)


@pytest.mark.parametrize(
    "header",
    [
        "x 2 500 1000000000000\n" + TWO,
        "x 2 500 1000000000000\n" + TWO.replace(" 16 200", " 516 200"),
        "x 2 500 3\n" + TWO.replace(" 16 200", " 516x999999999 200"),
        "x/2 1 500 999999999999\na 1\n~ 999999999998\n",
        "x 2 500 3\n" + TWO.replace(" 16 200", " 212:999999999 200"),
    ],
)
def test_an_absurd_size_takes_no_memory(tmp_path: Path, header: str) -> None:
    write(tmp_path, "a 1 500 1\na.dat 16 200\n", counts([1]), "a", "a.dat")
    path = write(tmp_path, header, sixteen()[1])
    tracemalloc.start()
    with pytest.raises(BrokenRecord):
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_an_empty_file_has_no_samples(tmp_path: Path) -> None:
    with pytest.raises(BrokenRecord, match=r"x\.hea has no samples"):
        read(write(tmp_path, "x 1 500\nx.dat 16 200\n"))


@pytest.mark.parametrize(
    ("stated", "samples", "accepted"),
    [
        ([(1, 4), (2, 6)], [(1, 2), (3, 4)], True),
        ([(0, 0), (0, 0)], [(1, 2), (3, 4)], True),  # filled in by hand: says nothing
        ([(9, 4), (2, 6)], [(1, 2), (3, 4)], True),  # only the initial value is wrong
        ([(1, 9), (2, 6)], [(1, 2), (3, 4)], True),  # only the checksum is wrong
        ([(9, 9), (2, 6)], [(1, 2), (3, 4)], False),
        ([(9, 9), (2, 6)], [(1, 2), (-32768, 4)], True),  # lost samples: writers differ in how they count them
        ([(1, 4 + 65536), (2, 6 - 65536)], [(1, 2), (3, 4)], True),  # checksums are modulo 65536
        ([(1, 4), (2, 6)], [(1, 2), (3, 4), (5, 6)], True),  # more than declared, but the leads are right
        ([(0, 0), (0, 0)], [(1, 2), (3, 4), (5, 6)], False),
        ([(1, 4), (2, 9)], [(1, 2), (3, 4), (5, 6)], False),
    ],
)
def test_samples_that_belong_to_another_header_are_refused(
    tmp_path: Path, stated: list[tuple[int, int]], samples: list[tuple[int, int]], accepted: bool
) -> None:
    lines = [f"x.dat 16 200 16 0 {first} {total} 0 V{lead}\n" for lead, (first, total) in enumerate(stated, 1)]
    path = write(tmp_path, "x 2 500 2\n" + "".join(lines), counts(*samples))
    if accepted:
        assert read(path).samples == 2
    else:
        with pytest.raises(BrokenRecord, match=r"x\.hea.*(belong|damaged)"):
            read(path)


@pytest.mark.parametrize("error", [KeyError("x"), IndexError(), RecursionError(), MemoryError(), Exception("a\nb")])
def test_whatever_the_package_raises_becomes_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(wfdb, "rdrecord", fail)
    path = write(tmp_path, "x 1 500 2\nx.dat 212 200 12 0 I\n", bytes(3))
    with pytest.raises(BrokenRecord, match=r"x\.hea: the wfdb package cannot read it: "):
        read(path)


def test_a_header_that_the_package_understands_otherwise_is_refused(tmp_path: Path) -> None:
    """It would take 1e3 for a rate of 1 Hz, in silence."""
    path = write(tmp_path, "x 1 1e3 2\nx.dat 212 200 12 0 I\n", bytes(3))
    with pytest.raises(BrokenRecord, match="understands this header otherwise"):
        read(path)


@pytest.mark.parametrize("form", ["16", "212"])
@pytest.mark.parametrize("file", ["http://127.0.0.1:9/x.dat", "s3://bucket/x.dat"])
def test_nothing_is_fetched_from_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, file: str
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(BrokenRecord, match="is missing"):
        read(write(tmp_path, f"x 1 500 2\n{file} {form} 200 12 0 I\n"))
    for name in ("http://127.0.0.1:9/x", "s3://bucket/x.hea", "mitdb/100"):
        with pytest.raises(BrokenRecord, match="is not there"):
            read(name)
    chained = tmp_path / "simplecache::http:" / "127.0.0.1:9"
    chained.mkdir(parents=True)
    with pytest.raises(BrokenRecord, match="::"):
        read(write(chained, "x 1 500 2\nx.dat 212 200 12 0 I\n", bytes(3)))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_record_is_read_or_refused_in_one_sentence(data: st.DataObject) -> None:
    header, samples = (part if isinstance(part, bytes) else part.encode() for part in sixteen())
    form = data.draw(st.sampled_from([b" 16 ", b" 212 ", b" 310 "]))
    header = bytearray(header.replace(b" 16 200", form + b"200"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(header) - 1))
        piece = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b"\n", b"~", b"/", b"99999999", b" "])))
        header[place : place + data.draw(st.integers(0, 3))] = piece
    samples = samples[: data.draw(st.integers(0, len(samples)))]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.hea").write_bytes(header)
        (Path(folder) / "x.dat").write_bytes(samples)
        try:
            ecg = read(Path(folder) / "x.hea")
            sentence = "x.hea is read" if ecg.samples else "an ECG of nothing"
        except EcgenoughError as error:
            sentence = str(error)
    assert "x.hea" in sentence
    assert "\n" not in sentence


# --- writing -------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int16, st.tuples(st.integers(1, 12), st.integers(1, 30)), elements=st.integers(-32768, 32767)),
    st.sampled_from([100.0, 500.0, 257.0, 360.25, 1e4]),
    st.sampled_from([None, datetime(2020, 2, 5, 11, 39, 16), datetime(1999, 12, 31, 0, 0, 0, 500_000)]),
)
def test_what_is_written_is_read_back(digital: np.ndarray, rate: float, recorded: datetime | None) -> None:
    voltages = np.where(digital == -32768, np.nan, digital / 1000).astype(np.float32)
    ecg = Ecg(voltages, rate, STANDARD_LEADS[: len(digital)], recorded=recorded)
    with tempfile.TemporaryDirectory() as folder:
        write_wfdb(Path(folder), "00001_lr", ecg, ["Age: 74", "Dx: Hämatom, µ"])
        back = read(Path(folder) / "00001_lr")
        theirs = wfdb.rdrecord(str(Path(folder) / "00001_lr"), physical=False)
    np.testing.assert_array_equal(back.signal, voltages)
    assert (back.rate, back.leads, back.recorded, back.age) == (rate, ecg.leads, recorded, 74)
    assert back.comments == ("Age: 74", "Dx: Hämatom, µ")
    np.testing.assert_array_equal(theirs.d_signal.T, digital)
    assert (theirs.fs, theirs.sig_name, theirs.units) == (rate, list(ecg.leads), ["mV"] * len(digital))
    assert theirs.init_value == digital[:, 0].tolist()
    assert [value % 65536 for value in theirs.checksum] == theirs.calc_checksum()


@pytest.mark.parametrize("voltage", [32.768, -32.768, 3e38])
def test_voltages_that_format_16_cannot_hold_are_refused(tmp_path: Path, voltage: float) -> None:
    with pytest.raises(BrokenRecord, match=r"x reaches .* mV; WFDB format 16 at 1000/mV holds up to"):
        write_wfdb(tmp_path, "x", Ecg(np.array([[0, voltage, np.nan]]), 500, ("I",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "leads", "comments"),
    [
        ("../x", ("I",), ()), ("x.y", ("I",), ()), ("", ("I",), ()), ("x\n", ("I",), ()),
        ("x", ("I\n/etc/passwd 16",), ()), ("x", (" ",), ()), ("x", ("I",), ("Age: 5\nx.dat 16",)),
    ],
)  # fmt: skip
def test_words_that_would_forge_a_header_are_refused(
    tmp_path: Path, name: str, leads: tuple[str, ...], comments: tuple[str, ...]
) -> None:
    with pytest.raises(WrongRequest):
        write_wfdb(tmp_path, name, Ecg(np.zeros((1, 3)), 500, leads), comments)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BrokenRecord, match="x has no samples"):
        write_wfdb(tmp_path, "x", Ecg(np.zeros((1, 0)), 500, ("I",)))
