"""Every format: the voltages that were written, within a quantisation step, by an independent reader as well as ours."""

import subprocess
import sys
import warnings
from datetime import datetime
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyedflib
import pytest
import sierraecg
from benchmarks.broken import ENDINGS
from benchmarks.samples import WRITERS, counts_of, dicom, edf, sample
from ecgdatakit.parsing.parser import FileParser
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file

from ecgenough import extras
from ecgenough.ecg import CHEST_LEADS, STANDARD_LEADS, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import read

TWO_SECONDS = 1000


def _independent(name: str, place: Path) -> NDArray[np.float64]:
    """The voltages in mV by a package that has nothing to do with ours."""
    if name == "npz":
        return np.load(place)["signal"] * 1e-3
    if name == "parquet":
        return np.stack([column.to_numpy() for column in import_module("pyarrow.parquet").read_table(place).columns])
    if name.startswith("dicom"):
        return dcmread(place).waveform_array(1).T * 1e-3
    if name == "bdf":
        with pyedflib.EdfReader(str(place)) as file:
            return np.stack([file.readSignal(i) for i in range(12)]) * 1e-3
    if name == "philips":
        return np.stack([lead.samples for lead in sierraecg.read_file(str(place)).leads]) * 2.5e-3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        leads = FileParser().parse(place).leads[:12]
    return np.stack([_in_millivolts(lead) for lead in leads])


def _in_millivolts(lead: Any) -> NDArray[np.float32]:
    """ecgdatakit's leads are counts or voltages, and say which."""
    if lead.is_raw:
        return to_millivolts(lead.samples * lead.resolution + lead.offset, lead.resolution_unit)
    return to_millivolts(lead.samples, lead.units)


@pytest.mark.parametrize("name", WRITERS)
def test_the_voltages_are_those_written_and_those_an_independent_reader_finds(name: str, tmp_path: Path) -> None:
    content, counts, microvolts = sample(name, TWO_SECONDS)
    place = tmp_path / f"x.{ENDINGS[name]}"
    place.write_bytes(content)
    ecg = read(place)
    step = microvolts * 1e-3
    assert np.abs(ecg.signal - counts * step).max() < step / 100
    assert np.abs(ecg.signal - _independent(name, place)).max() < step
    assert (ecg.rate, ecg.leads) == (500.0, STANDARD_LEADS)
    assert (ecg.patient, ecg.sex, ecg.recorded) == ("p-17", "female", datetime(2020, 5, 4, 6, 7, 8))
    # 61 years where the file says an age; from 2 March 1950 to 4 May 2020 are 25,631 days, 70.18 years
    assert ecg.age in (61.0, 70.18)


@pytest.mark.parametrize(
    "kind", [pyedflib.FILETYPE_EDF, pyedflib.FILETYPE_EDFPLUS, pyedflib.FILETYPE_BDF, pyedflib.FILETYPE_BDFPLUS]
)
def test_edf_and_bdf_of_either_age(kind: int, tmp_path: Path) -> None:
    counts = counts_of(12, TWO_SECONDS)
    (tmp_path / "x.edf").write_bytes(edf(counts, 2.5, 500, STANDARD_LEADS, kind))
    ecg = read(tmp_path / "x.edf")
    with pyedflib.EdfReader(str(tmp_path / "x.edf")) as file:
        theirs = np.stack([file.readSignal(i) for i in range(12)]) * 1e-3
    assert ecg.leads == STANDARD_LEADS
    assert np.abs(ecg.signal - theirs).max() < 2.5e-3
    assert np.abs(ecg.signal - counts * 2.5e-3).max() < 2.5e-5


@pytest.mark.parametrize(("last", "bits"), [("1.1", 16), ("1.2", 16), ("1.3", 16), ("1.4", 32)])
def test_every_dicom_class_of_ecgs(last: str, bits: int, tmp_path: Path) -> None:
    """12-lead, general, ambulatory and general 32-bit ECG (PS3.4 B.5)."""
    counts = counts_of(12, TWO_SECONDS)
    whole = dcmread(BytesIO(dicom(counts, 2.5, 500, STANDARD_LEADS)))
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.9.{last}"
    if bits == 32:
        for group, part in zip(whole.WaveformSequence, (counts[:, : counts.shape[1] // 10], counts), strict=True):
            group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 32, "SL"
            group.WaveformData = part.T.astype("<i4").tobytes()
            for channel in group.ChannelDefinitionSequence:
                channel.WaveformBitsStored = 32
    whole.save_as(tmp_path / "x.dcm")
    ecg = read(tmp_path / "x.dcm")
    assert ecg.leads == STANDARD_LEADS
    assert np.abs(ecg.signal - dcmread(tmp_path / "x.dcm").waveform_array(1).T * 1e-3).max() < 2.5e-3
    assert np.abs(ecg.signal - counts * 2.5e-3).max() < 2.5e-5


@pytest.mark.parametrize("name", WRITERS)
def test_content_decides_what_a_file_is_not_its_name(name: str, tmp_path: Path) -> None:
    content, counts, microvolts = sample(name, TWO_SECONDS, seed=1)
    for wrong in ("report.pdf", "notes.csv", "nothing"):
        (tmp_path / wrong).write_bytes(content)
        assert read(tmp_path / wrong).signal == pytest.approx(counts * microvolts * 1e-3, abs=1e-5)


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_cut_off_is_refused_by_name_and_never_read_in_part(name: str, tmp_path: Path) -> None:
    content, _, _ = sample(name, TWO_SECONDS)
    for part in (0.3, 0.7, 0.999):
        (tmp_path / "cut.bin").write_bytes(content[: int(len(content) * part)])
        with pytest.raises(BrokenRecord, match=r"^cut\.bin "):
            read(tmp_path / "cut.bin")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("dicom", "pydicom"), ("edf", "edfio"), ("bdf", "edfio"), ("muse", "defusedxml"), ("aecg", "defusedxml"),
        ("philips", "sierraecg"), ("parquet", "pyarrow"),
    ],
)  # fmt: skip
def test_an_absent_package_is_named_with_its_extra(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(module: str) -> object:
        if module.startswith(package):
            raise ImportError(module)
        return import_module(module)

    monkeypatch.setattr(extras, "import_module", absent)
    (tmp_path / "x").write_bytes(sample(name, TWO_SECONDS)[0])
    with pytest.raises(WrongRequest, match=rf"needs the package {package}: pip install 'ecgenough\[formats\]'"):
        read(tmp_path / "x")


def test_importing_the_room_imports_none_of_the_packages() -> None:
    code = "import sys, ecgenough.formats; print([m for m in sys.modules if m.split('.')[0] in sys.argv[1:]])"
    packages = ["pydicom", "edfio", "sierraecg", "defusedxml", "pyarrow.parquet", "ecgdatakit"]
    done = subprocess.run([sys.executable, "-c", code, *packages], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_pydicom_s_own_ecg() -> None:
    """12 leads of 10 s at 1000 Hz, 1.25 µV a count, of a woman of 42 years; a group of median beats beside."""
    place = get_testdata_file("waveform_ecg.dcm")
    ecg = read(place)
    assert ecg.signal == pytest.approx(dcmread(place).waveform_array(0).T * 1e-3, abs=1e-6)
    assert (ecg.rate, ecg.samples, ecg.leads) == (1000.0, 10_000, STANDARD_LEADS)
    assert (ecg.age, ecg.sex, ecg.recorded) == (42.0, "female", datetime(2013, 1, 25, 10, 59, 19))
    assert ecg.comments == ("left out: MEDIAN BEAT, 12 leads of 1,200 samples",)
    # Einthoven's law and Goldberger's leads hold in a recording of a real machine, but for its rounding.
    derived = ecg.select(("I", "II")).select(STANDARD_LEADS[:6])
    assert np.abs(derived.signal - ecg.signal[:6]).max() < 0.003


def test_eight_stored_leads_are_enough_for_twelve(tmp_path: Path) -> None:
    """MUSE stores I, II and V1-V6 only."""
    eight = ("I", "II", *CHEST_LEADS)
    counts = counts_of(8, 1000)
    (tmp_path / "x.xml").write_bytes(WRITERS["muse"](counts, 4.88, 500, eight))
    ecg = read(tmp_path / "x.xml")
    assert ecg.leads == eight
    assert ecg.select(("III",)).signal[0] == pytest.approx((counts[1] - counts[0]) * 4.88e-3, abs=1e-5)
