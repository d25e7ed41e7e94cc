"""DICOM: units, calibration, padding, encodings, and objects that are no ECG."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.samples import counts_of, dicom
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian

from ecgenough.errors import BrokenRecord
from ecgenough.formats import read


def _changed(tmp_path: Path, change: Any, counts: Any = None) -> Path:
    """A good file, with `change` applied to the data set and its rhythm group."""
    dataset = dcmread(BytesIO(dicom(counts_of(2, 50) if counts is None else counts, 2.5, 500, ("I", "II"))))
    change(dataset, dataset.WaveformSequence[1])
    place = tmp_path / "x.dcm"
    dataset.save_as(place)
    return place


def test_sensitivity_correction_baseline_and_unit_make_the_voltage(tmp_path: Path) -> None:
    """Count 100 at 0.5 mV a count, corrected by 1.1, from a baseline of -3 mV: 100 x 0.55 - 3 = 52 mV."""

    def change(_: Dataset, group: Dataset) -> None:
        channel = group.ChannelDefinitionSequence[1]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = 0.5, 1.1, -3
        channel.ChannelSensitivityUnitsSequence[0].CodeValue = "mV"

    ecg = read(_changed(tmp_path, change, np.full((2, 50), 100)))
    assert ecg.signal[:, 0] == pytest.approx([0.25, 52.0])


def test_the_padding_value_is_a_lost_sample(tmp_path: Path) -> None:
    def change(_: Dataset, group: Dataset) -> None:
        group.add_new(0x5400100A, "OW", (-32768).to_bytes(2, "little", signed=True))

    counts = np.array([[1, -32768, 3], [4, 5, -32768]])
    ecg = read(_changed(tmp_path, change, counts))
    assert np.isnan(ecg.signal).tolist() == [[False, True, False], [False, False, True]]
    assert ecg.signal[1, 0] == pytest.approx(0.01)


def test_leads_are_known_by_the_code_of_either_scheme_or_by_their_meaning(tmp_path: Path) -> None:
    def change(_: Dataset, group: Dataset) -> None:
        first, second = (channel.ChannelSourceSequence[0] for channel in group.ChannelDefinitionSequence)
        first.CodeValue, first.CodingSchemeDesignator, first.CodeMeaning = "5.6.3-9-62", "SCPECG", "whatever"
        second.CodeValue, second.CodingSchemeDesignator, second.CodeMeaning = "99", "99ACME", "Lead V3 (chest)"

    assert read(_changed(tmp_path, change)).leads == ("aVR", "V3")


@pytest.mark.parametrize(
    ("syntax", "bits", "kind", "dtype"),
    [
        ("1.2.840.10008.1.2", 16, "SS", "<i2"), (ExplicitVRBigEndian, 16, "SS", ">i2"),
        ("1.2.840.10008.1.2.1", 16, "US", "<u2"), ("1.2.840.10008.1.2.1", 8, "SB", "i1"),
        ("1.2.840.10008.1.2.1", 8, "UB", "u1"), ("1.2.840.10008.1.2.1", 32, "SL", "<i4"),
    ],
)  # fmt: skip
def test_every_linear_encoding_is_read(tmp_path: Path, syntax: str, bits: int, kind: str, dtype: str) -> None:
    counts = np.array([[1, 2, 100], [3, 4, 101]])

    def change(dataset: Dataset, group: Dataset) -> None:
        group.WaveformBitsAllocated, group.WaveformSampleInterpretation = bits, kind
        content = counts.T.astype(dtype).tobytes()
        group.WaveformData = content + b"\0" * (len(content) % 2)
        group["WaveformData"].VR = "OB" if bits == 8 else "OW"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.set_original_encoding(syntax == "1.2.840.10008.1.2", syntax != ExplicitVRBigEndian)

    dataset = dcmread(BytesIO(dicom(counts, 2.5, 500, ("I", "II"))))
    del dataset.WaveformSequence[0]
    change(dataset, dataset.WaveformSequence[0])
    fresh = Dataset()
    fresh.update(dataset)
    fresh.file_meta = dataset.file_meta
    little = syntax != ExplicitVRBigEndian
    fresh.save_as(
        tmp_path / "x.dcm", implicit_vr=syntax == "1.2.840.10008.1.2", little_endian=little, enforce_file_format=True
    )
    assert read(tmp_path / "x.dcm").signal == pytest.approx(counts * 2.5e-3, abs=1e-6)


def _no_ecg(dataset: Dataset, _: Dataset) -> None:
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.2.1"  # hemodynamic waveforms


def _no_waveforms(dataset: Dataset, _: Dataset) -> None:
    del dataset.WaveformSequence


def _mu_law(_: Dataset, group: Dataset) -> None:
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 8, "MB"


def _no_sensitivity(_: Dataset, group: Dataset) -> None:
    del group.ChannelDefinitionSequence[0].ChannelSensitivity


def _pressure(_: Dataset, group: Dataset) -> None:
    group.ChannelDefinitionSequence[0].ChannelSensitivityUnitsSequence[0].CodeValue = "mm[Hg]"


def _few_channels(_: Dataset, group: Dataset) -> None:
    group.NumberOfWaveformChannels = 3


def _no_rate(_: Dataset, group: Dataset) -> None:
    group.SamplingFrequency = 0


def _jpeg(dataset: Dataset, _: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_ecg, 'SOP class "1.2.840.10008.5.1.4.1.1.9.2.1", not a 12-lead ECG'),
        (_no_waveforms, "it holds no waveforms"),
        (_mu_law, 'its samples are "MB" of 8 bits'),
        (_no_sensitivity, 'lead "I" has no sensitivity'),
        (_pressure, 'lead "I" is in "mm[Hg]", which is no voltage'),
        (_few_channels, "it declares 3 leads and defines 2"),
        (_no_rate, "rate of 0"),
        (_jpeg, 'its transfer syntax, "1.2.840.10008.1.2.4.50"'),
    ],
)
def test_what_is_not_understood_is_named(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(BrokenRecord) as refused:
        read(_changed(tmp_path, change))
    assert str(refused.value).startswith("x.dcm (DICOM): ")
    assert message in str(refused.value)
