"""MUSE, aECG and Philips XML: scales, offsets, what is left out, and the dialects that are refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks.samples import aecg, counts_of, muse, philips

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import BrokenRecord
from ecgenough.formats import read

COUNTS = counts_of(2, 100)
WRITTEN = {
    "muse": muse(COUNTS, 4.88, 500, ("I", "II")).decode("latin-1"),
    "aecg": aecg(COUNTS, 4.88, 500, ("I", "II")).decode(),
    "philips": philips(COUNTS, 4.88, 500, ("I", "II"), compressed=False).decode(),
}


def _changed(tmp_path: Path, name: str, old: str, new: str) -> Path:
    text, changes = re.subn(old, new, WRITTEN[name])
    assert changes, old
    place = tmp_path / "x.xml"
    place.write_text(text, encoding="latin-1" if name == "muse" else "utf-8")
    return place


@pytest.mark.parametrize(
    ("name", "old", "new", "factor", "shift"),
    [
        ("muse", "MICROVOLTS", "MILLIVOLTS", 1000, 0),
        ("muse", "<LeadAmplitudeUnitsPerBit>4.88<", "<LeadAmplitudeUnitsPerBit>2.44<", 0.5, 0),
        ("aecg", '<scale value="4.88" unit="uV"/>', '<scale value="0.00488" unit="mV"/>', 1, 0),
        ("aecg", '<origin value="0.0" unit="uV"/>', '<origin value="250" unit="uV"/>', 1, 0.25),
        ("aecg", '<origin value="0.0" unit="uV"/>', '<origin value="-1" unit="mV"/>', 1, -1.0),
        ("philips", "<resolution>4.88<", "<resolution>9.76<", 2, 0),
        ("philips", "<signaloffset>0<", "<signaloffset>100<", 1, -0.488),
    ],
)
def test_scale_offset_and_unit_make_the_voltage(
    tmp_path: Path, name: str, old: str, new: str, factor: float, shift: float
) -> None:
    ecg = read(_changed(tmp_path, name, old, new))
    assert ecg.signal == pytest.approx(COUNTS * 4.88e-3 * factor + shift, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "old", "new", "rate"),
    [
        ("muse", "<SampleBase>500<(.*?)<SampleExponent>0<", r"<SampleBase>5<\1<SampleExponent>2<", 500.0),
        ("aecg", '<increment value="0.002" unit="s"/>', '<increment value="4" unit="ms"/>', 250.0),
        ("aecg", '<increment value="0.002" unit="s"/>', '<increment value="7812.5" unit="us"/>', 128.0),
        ("aecg", '<increment value="0.002" unit="s"/>', '<increment value="0.003" unit="s"/>', 333.333333),
    ],
)
def test_the_rate_is_kept_as_exactly_as_it_is_written(
    tmp_path: Path, name: str, old: str, new: str, rate: float
) -> None:
    assert read(_changed(tmp_path, name, old, new)).rate == rate


@pytest.mark.parametrize(
    ("name", "old", "new", "comment"),
    [
        (
            "muse",
            "<LeadID>I<",
            "<FirstSampleBaseline>7</FirstSampleBaseline><LeadID>I<",
            "FirstSampleBaseline is not 0",
        ),
        ("muse", r"<LeadDataCRC32>\d+<", "<LeadDataCRC32>1<", "its checksum, 1, does not fit"),
        ("aecg", 'code="MDC_ECG_LEAD_II"', 'code="MDC_PRESS_CUFF"', "left out: sequence MDC_PRESS_CUFF"),
        (
            "aecg",
            "</AnnotatedECG>",
            "<component><series/></component></AnnotatedECG>",
            "left out: 1 more rhythm series",
        ),
    ],
)
def test_what_is_doubtful_or_left_out_is_told(tmp_path: Path, name: str, old: str, new: str, comment: str) -> None:
    assert any(comment in each for each in read(_changed(tmp_path, name, old, new)).comments)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("muse", "MICROVOLTS", "COUNTS", 'lead "I" is in "COUNTS", which is no voltage'),
        ("muse", "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>", "", 'lead "I" is in "", which is no voltage'),
        ("muse", "<LeadTimeOffset>0<", "<LeadTimeOffset>2500<", "starts later than others"),
        ("muse", "<LeadSampleCountTotal>100<", "<LeadSampleCountTotal>99<", "has 100 samples, but declares 99"),
        ("muse", "<WaveFormData>.", "<WaveFormData>!", "are not base64"),
        ("muse", "Rhythm", "Rhythmus", 'it has no rhythm waveform; waveforms: "Median", "Rhythmus"'),
        ("muse", "<SampleBase>500<", "<SampleBase>often<", 'its SampleBase is "often", not a number'),
        ("aecg", '<increment value="0.002" unit="s"/>', "", "a step in s, ms or us is needed"),
        ("aecg", 'unit="uV"/><digits>', 'unit="mmHg"/><digits>', 'is in "mmHg", which is no voltage'),
        ("aecg", "<digits>", "<digits>x ", "has digits that are no numbers"),
        ("aecg", "<digits>", "<digits>1 2 3</digits><digits>", "have different numbers of samples"),
        ("aecg", "MDC_ECG_LEAD_", "MDC_PRESS_", "its rhythm series has no lead"),
        ("aecg", 'code="RHYTHM"', 'code="REPRESENTATIVE_BEAT"', "it has no rhythm series"),
        ("philips", "<documentversion>1.04<", "<documentversion>2.0<", 'it is Philips XML of version "2.0"'),
        ("philips", 'dataencoding="Base64"', 'dataencoding="Plain"', 'its waveforms are coded as "Plain"'),
        ("philips", 'compressflag="False"', 'compressmethod="ZIP"', 'coded as "Base64", "ZIP"'),
        ("philips", "<resolution>4.88</resolution>", "", "it does not say the resolution"),
        ("philips", 'leadlabels="I II"', 'leadlabels=""', "names none of its leads"),
        ("philips", 'durationperchannel="200"', 'durationperchannel="400"', "of the 800 bytes that its leads need"),
    ],
)
def test_dialects_that_are_not_understood_are_named(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    if name == "aecg" and "<digits>1 2 3" in new:
        place = tmp_path / "x.xml"
        place.write_text(WRITTEN["aecg"].replace(old, new, 1))
    else:
        place = _changed(tmp_path, name, old, new)
    with pytest.raises(BrokenRecord) as refused:
        read(place)
    assert str(refused.value).startswith("x.xml (")
    assert message in str(refused.value)


def test_halves_of_the_augmented_leads_round_as_in_the_recorder(tmp_path: Path) -> None:
    """Odd sums of I and II, both signs: the compressed limb leads must come back to the count."""
    rng = np.random.default_rng(3)
    counts = rng.integers(-999, 999, (12, 64))
    (tmp_path / "x.xml").write_bytes(philips(counts, 1.0, 500, STANDARD_LEADS))
    assert np.rint(read(tmp_path / "x.xml").signal * 1000).astype(int).tolist() == counts.tolist()


def test_recorders_that_write_chinese_or_utf_16_are_read(tmp_path: Path) -> None:
    text = WRITTEN["muse"].replace("ISO-8859-1", "GB2312").replace("Müller", "李")
    (tmp_path / "g.xml").write_bytes(text.encode("gb2312"))
    (tmp_path / "u.xml").write_bytes(WRITTEN["philips"].replace("UTF-8", "UTF-16").encode("utf-16"))
    assert read(tmp_path / "g.xml").signal == pytest.approx(read(tmp_path / "u.xml").signal, abs=1e-6)
