"""Small recordings in every format that ecgenough reads, written from counts: for tests, and as seeds for fuzzing.

DICOM, EDF, BDF, Parquet and NPZ are written by the libraries that know them, the others byte by byte from their
standards. Each function takes counts `[leads, samples]` (int), the µV of a count, the rate in Hz and lead names.
"""

import io
import itertools
import struct
import warnings
import zlib
from base64 import b64encode
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow
import pyarrow.parquet
import pyedflib
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence

from ecgenough.ecg import STANDARD_LEADS

Counts = NDArray[np.int64]
Bits = list[tuple[int, int]]  # (value, how many bits)

EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
ISHNE_CODES = {lead: 5 + i for i, lead in enumerate(STANDARD_LEADS)} | {"lead 1": 0}
SCP_CODES = {"I": 1, "II": 2, "III": 61, "aVR": 62, "aVL": 63, "aVF": 64} | {f"V{i}": 2 + i for i in range(1, 7)}


def counts_of(leads: int, samples: int, seed: int = 0, largest: int = 1500) -> Counts:
    """A slow wander with noise, of all sizes a recorder stores."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples)
    waves = largest * 0.8 * np.sin(2 * np.pi * time / 97 + np.arange(leads)[:, None])
    return np.rint(waves + rng.normal(0, largest * 0.05, (leads, samples))).astype(np.int64).clip(-largest, largest)


def ishne(counts: Counts, microvolts: float, rate: int, leads: Sequence[str], note: bytes = b"at rest") -> bytes:
    """A header of 522 bytes, a text, interleaved counts; born 2 March 1950, recorded 4 May 2020 at 06:07:08."""
    count = len(leads)
    pad = [-9] * (12 - count)
    head = struct.pack("<4ih", len(note), counts.shape[1], 522, 522 + len(note), 1)
    head += b"Ann".ljust(40, b"\0") + b"Example".ljust(40, b"\0") + b"p-17".ljust(20, b"\0")
    head += struct.pack("<2h", 2, 0) + struct.pack("<12h", 2, 3, 1950, 4, 5, 2020, 5, 5, 2020, 6, 7, 8)
    head += struct.pack("<h12h", count, *[ISHNE_CODES.get(lead, 0) for lead in leads], *pad)
    head += struct.pack("<12h", *[1] * count, *pad) + struct.pack("<12h", *[round(1000 * microvolts)] * count, *pad)
    head += struct.pack("<h40sh", 0, b"digital", rate) + bytes(80 + 80 + 88)
    return (
        b"ISHNE1.0" + struct.pack("<H", crc_hqx(head + note, 0xFFFF)) + head + note + counts.T.astype("<i2").tobytes()
    )


def muse(counts: Counts, microvolts: float, rate: int, leads: Sequence[str], median: bool = True) -> bytes:
    """Rhythm of all leads and, like real exports, median beats of 1.2 s."""

    def waveform(kind: str, values: Counts) -> str:
        parts = [f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>{rate}</SampleBase>"]
        parts.append("<SampleExponent>0</SampleExponent>")
        for lead, row in zip(leads, values, strict=True):
            raw = row.astype("<i2").tobytes()
            parts.append(
                f"<LeadData><LeadByteCountTotal>{len(raw)}</LeadByteCountTotal><LeadTimeOffset>0</LeadTimeOffset>"
                f"<LeadSampleCountTotal>{row.size}</LeadSampleCountTotal>"
                f"<LeadAmplitudeUnitsPerBit>{microvolts}</LeadAmplitudeUnitsPerBit>"
                "<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>"
                f"<LeadID>{lead}</LeadID><LeadSampleSize>2</LeadSampleSize>"
                f"<LeadDataCRC32>{zlib.crc32(raw)}</LeadDataCRC32>"
                f"<WaveFormData>{b64encode(raw).decode()}</WaveFormData></LeadData>"
            )
        return "".join([*parts, "</Waveform>"])

    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd"><RestingECG>'
        "<PatientDemographics><PatientID>p-17</PatientID><PatientAge>61</PatientAge><AgeUnits>YEARS</AgeUnits>"
        "<Gender>FEMALE</Gender><PatientLastName>Müller</PatientLastName></PatientDemographics>"
        "<TestDemographics><AcquisitionTime>06:07:08</AcquisitionTime>"
        "<AcquisitionDate>05-04-2020</AcquisitionDate></TestDemographics>"
        + (waveform("Median", counts[:, : rate * 6 // 5]) if median else "")
        + waveform("Rhythm", counts)
        + "</RestingECG>"
    ).encode("latin-1")


def aecg(counts: Counts, microvolts: float, rate: float, leads: Sequence[str], origin: float = 0.0) -> bytes:
    """One rhythm series with a namespace, and a derived series of representative beats."""

    def sequences(values: Counts) -> str:
        parts = [
            '<component><sequence><code code="TIME_ABSOLUTE" codeSystem="2.16.840.1.113883.5.4"/>'
            '<value xsi:type="GLIST_TS"><head value="20200504060708.000"/>'
            f'<increment value="{1 / rate!r}" unit="s"/></value></sequence></component>'
        ]
        for lead, row in zip(leads, values, strict=True):
            parts.append(
                f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}" codeSystem="2.16.840.1.113883.6.24"/>'
                f'<value xsi:type="SLIST_PQ"><origin value="{origin}" unit="uV"/>'
                f'<scale value="{microvolts}" unit="uV"/><digits>{" ".join(map(str, row))}</digits></value>'
                "</sequence></component>"
            )
        return f"<component><sequenceSet>{''.join(parts)}</sequenceSet></component>"

    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3"/>'
        '<effectiveTime><low value="20200504060708"/><high value="20200504060718"/></effectiveTime>'
        "<componentOf><timepointEvent><componentOf><subjectAssignment><subject><trialSubject>"
        '<id root="1.2" extension="p-17"/><subjectDemographicPerson><administrativeGenderCode code="F"/>'
        '<birthTime value="19500302"/></subjectDemographicPerson></trialSubject></subject></subjectAssignment>'
        '</componentOf></timepointEvent></componentOf><component><series><code code="RHYTHM"/>'
        '<effectiveTime><low value="20200504060708"/></effectiveTime>'
        f'{sequences(counts)}<derivation><derivedSeries><code code="REPRESENTATIVE_BEAT"/>'
        f"{sequences(counts[:, : max(1, counts.shape[1] // 10)])}</derivedSeries></derivation></series></component>"
        "</AnnotatedECG>"
    ).encode()


def scp(
    counts: Counts, microvolts: float, rate: int, leads: Sequence[str], coding: str = "plain", differences: int = 0
) -> bytes:
    """Sections 0, 1, 3 and 6, and 2 where Huffman coded (`coding`: plain, standard, or own: two tables that switch)."""
    coded = [_huffman(_differences(row, differences), coding) for row in counts]
    rhythm = struct.pack("<HHBB", round(1000 * microvolts), round(1e6 / rate), differences, 0)
    rhythm += struct.pack(f"<{len(leads)}H", *map(len, coded)) + b"".join(coded)
    spans = [struct.pack("<IIB", 1, counts.shape[1], SCP_CODES[lead]) for lead in leads]
    sections = {1: SCP_PERSON, 3: bytes([len(leads), 4 | len(leads) % 32 << 3]) + b"".join(spans), 6: rhythm}
    if coding == "standard":
        sections[2] = struct.pack("<H", 19999)
    elif coding == "own":
        sections[2] = OWN_TABLES
    return scp_record(sections)


SCP_PERSON = b"".join(
    struct.pack("<BH", tag, len(value)) + value
    for tag, value in (
        (2, b"p-17\0"), (4, struct.pack("<HB", 61, 1)), (5, struct.pack("<HBB", 1950, 3, 2)), (8, b"\x02"),
        (25, struct.pack("<HBB", 2020, 5, 4)), (26, bytes([6, 7, 8])), (255, b""),
    )
)  # fmt: skip


def scp_record(sections: dict[int, bytes]) -> bytes:
    """The sections with headers, pointers and checksums around them."""
    pointers, bodies, at = [], [], 7 + 16 + 10 * 12
    pointers.append(struct.pack("<HII", 0, 16 + 10 * 12, 7))
    for number in range(1, 12):
        content = sections.get(number, b"")
        content += b"\0" * (len(content) % 2)
        length = 16 + len(content) if number in sections else 0
        pointers.append(struct.pack("<HII", number, length, at if length else 0))
        if length:
            bodies.append(_scp_section(number, content))
            at += length
    record = _scp_section(0, b"".join(pointers), b"SCPECG") + b"".join(bodies)
    record = struct.pack("<I", 6 + len(record)) + record
    return struct.pack("<H", crc_hqx(record, 0xFFFF)) + record


def _scp_section(number: int, content: bytes, reserved: bytes = b"") -> bytes:
    head = struct.pack("<HIBB6s", number, 16 + len(content), 20, 20, reserved)
    return struct.pack("<H", crc_hqx(head + content, 0xFFFF)) + head + content


# Table 1: 0 -> 0, 10 -> 6 bits in full, 11 -> table 2. Table 2: 0 -> 16 bits in full, 1 -> table 1. First bit lowest.
OWN_TABLES = struct.pack("<H", 2) + b"".join(
    [
        struct.pack("<H", 3), struct.pack("<BBBhI", 1, 1, 1, 0, 0b0), struct.pack("<BBBhI", 2, 8, 1, 0, 0b01),
        struct.pack("<BBBhI", 2, 2, 0, 2, 0b11),
        struct.pack("<H", 2), struct.pack("<BBBhI", 1, 17, 1, 0, 0b0), struct.pack("<BBBhI", 1, 1, 0, 1, 0b1),
    ]
)  # fmt: skip


def _differences(row: Counts, order: int) -> list[int]:
    """The first `order` values as they are, then differences of that order: EN 1064, section 6."""
    values = [int(value) for value in row]
    if order == 0:
        return values
    if order == 1:
        return values[:1] + [b - a for a, b in itertools.pairwise(values)]
    return values[:2] + [c - 2 * b + a for a, b, c in zip(values, values[1:], values[2:], strict=False)]


def _huffman(values: list[int], coding: str) -> bytes:
    if coding == "plain":
        return struct.pack(f"<{len(values)}h", *values)
    coded = _own_bits(values) if coding == "own" else [bits for value in values for bits in _standard_bits(value)]
    text = "".join(f"{value & (1 << size) - 1:0{size}b}" for value, size in coded)
    text += "0" * (-len(text) % 8)
    return int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:]


def _standard_bits(value: int) -> Bits:
    if value == 0:
        return [(0, 1)]
    if abs(value) <= 8:
        return [((1 << abs(value)) - 1, abs(value)), (0, 1), (value < 0, 1)]
    return [(0b1111111110, 10), (value, 8)] if -128 <= value < 128 else [(0b1111111111, 10), (value, 16)]


def _own_bits(values: list[int]) -> Bits:
    bits: Bits = []
    for value in values:
        if value == 0:
            bits.append((0, 1))
        elif -32 <= value < 32:
            bits += [(0b10, 2), (value, 6)]
        else:
            bits += [(0b11, 2), (0, 1), (value, 16), (1, 1)]
    return bits


def philips(
    counts: Counts, microvolts: float, rate: int, leads: Sequence[str], compressed: bool = True, wide: bool = False
) -> bytes:
    """Version 1.04 in UTF-8 or UTF-16; XLI needs at least 2 samples and, of the limb leads, all six in order."""
    if compressed:
        stored = _without_limb_leads(counts) if tuple(leads[:6]) == STANDARD_LEADS[:6] else counts
        content, coding = b"".join(map(_xli, stored)), ' compressflag="True" compressmethod="XLI"'
    else:
        content, coding = counts.astype("<i2").tobytes(), ' compressflag="False"'
    text = (
        f'<?xml version="1.0" encoding="{"UTF-16" if wide else "UTF-8"}"?>'
        '<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo><documenttype>PhilipsECG</documenttype>'
        "<documentversion>1.04</documentversion></documentinfo>"
        '<dataacquisition date="2020-05-04" time="06:07:08"><signalcharacteristics>'
        f"<samplingrate>{rate}</samplingrate><resolution>{microvolts}</resolution>"
        "<acquisitiontype>STD-12</acquisitiontype><signaloffset>0</signaloffset><signalsigned>True</signalsigned>"
        f"<numberchannelsallocated>{len(leads)}</numberchannelsallocated></signalcharacteristics></dataacquisition>"
        "<patient><generalpatientdata><patientid>p-17</patientid><age><dateofbirth>1950-03-02</dateofbirth></age>"
        "<sex>Female</sex></generalpatientdata></patient>"
        f'<waveforms><parsedwaveforms dataencoding="Base64"{coding} numberofleads="{len(leads)}" '
        f'leadlabels="{" ".join(leads)}" durationperchannel="{1000 * counts.shape[1] // rate}">'
        f"{b64encode(content).decode()}</parsedwaveforms></waveforms></restingecgdata>"
    )
    return text.encode("utf-16" if wide else "utf-8")


def _without_limb_leads(counts: Counts) -> Counts:
    """What is stored of III, aVR, aVL and aVF: the difference to what I and II tell."""
    one, two, three, right, left, foot = counts[:6]
    stored = counts.copy()
    stored[2] = two - one - three
    stored[3] = -right - (one + two) // 2
    stored[4] = (one - three) // 2 - left
    stored[5] = (two + three) // 2 - foot
    return stored


def _xli(row: Counts) -> bytes:
    """Second differences from 64, high bytes before low bytes, in 10-bit Lempel-Ziv-Welch codes."""
    values = [int(value) for value in row]
    # A sample is what its two forerunners and the correction before it tell; so a correction is one sample ahead.
    corrections = [2 * b - a - c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    start, later = (corrections[0], corrections[1:]) if corrections else (0, [])
    words = values[:2] + [value + 64 for value in later] + [64] * bool(corrections)
    pairs = [word.to_bytes(2, "big", signed=True) for word in words]
    codes = _lzw(bytes(pair[0] for pair in pairs) + bytes(pair[1] for pair in pairs))
    text = "".join(f"{code:010b}" for code in codes) + "1" * 10
    text += "1" * (-len(text) % 8)
    packed = int("1" + text, 2).to_bytes(len(text) // 8 + 1, "big")[1:]
    return struct.pack("<iHh", len(packed), 0, start) + packed


def _lzw(content: bytes) -> list[int]:
    known = {bytes([i]): i for i in range(256)}
    codes, current = [], b""
    for byte in content:
        longer = current + bytes([byte])
        if longer in known:
            current = longer
            continue
        codes.append(known[current])
        if len(known) <= 1022:
            known[longer] = len(known)
        current = bytes([byte])
    return [*codes, known[current]]


def dicom(
    counts: Counts, microvolts: float, rate: float, leads: Sequence[str], syntax: str = "1.2.840.10008.1.2.1"
) -> bytes:
    """A 12-lead ECG of one RHYTHM group and one MEDIAN BEAT group."""
    whole = Dataset()
    whole.SOPClassUID, whole.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3.4"
    whole.PatientID, whole.PatientSex, whole.PatientBirthDate = "p-17", "F", "19500302"
    whole.AcquisitionDateTime = "20200504060708"
    groups = [("MEDIAN BEAT", "DERIVED", counts[:, : max(1, counts.shape[1] // 10)]), ("RHYTHM", "ORIGINAL", counts)]
    whole.WaveformSequence = DicomSequence([_group(*group, microvolts, rate, leads) for group in groups])
    whole.file_meta = FileMetaDataset()
    whole.file_meta.MediaStorageSOPClassUID = whole.SOPClassUID
    whole.file_meta.MediaStorageSOPInstanceUID = whole.SOPInstanceUID
    whole.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dcmwrite(buffer, whole, enforce_file_format=True)
    return buffer.getvalue()


def _group(
    label: str, originality: str, counts: Counts, microvolts: float, rate: float, leads: Sequence[str]
) -> Dataset:
    group = Dataset()
    group.MultiplexGroupLabel, group.WaveformOriginality = label, originality
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = counts.shape
    group.SamplingFrequency = rate
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.ChannelDefinitionSequence = DicomSequence([_channel(lead, microvolts) for lead in leads])
    group.WaveformData = counts.T.astype("<i2").tobytes()
    return group


def _channel(lead: str, microvolts: float) -> Dataset:
    channel, source, unit = Dataset(), Dataset(), Dataset()
    source.CodeValue, source.CodingSchemeDesignator = f"2:{SCP_CODES[lead]}", "MDC"
    source.CodeMeaning = f"Lead {lead}"
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "uV", "UCUM", "microvolt"
    channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = (
        DicomSequence([source]),
        DicomSequence([unit]),
    )
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = microvolts, 1, 0
    channel.WaveformBitsStored = 16
    return channel


def edf(
    counts: Counts, microvolts: float, rate: int, leads: Sequence[str], kind: int = pyedflib.FILETYPE_EDFPLUS
) -> bytes:
    """EDF+ (or, by `kind`, EDF or BDF+) written by pyedflib, in records of a second, with an EEG signal beside."""
    is_bdf = kind in (pyedflib.FILETYPE_BDF, pyedflib.FILETYPE_BDFPLUS)
    largest = 400_000 if is_bdf else 32767  # of 24 bits no more, as a header's field of 8 letters must hold it in uV
    names = [*(f"ECG {lead}" for lead in leads), "EEG Fpz-Cz"]
    rows = np.vstack([counts, counts[:1]])
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "x.edf"
        with pyedflib.EdfWriter(str(path), len(names), kind) as file:
            file.setPatientCode("p-17")
            file.setSex("Female")
            file.setBirthdate("02.03.1950")
            file.setStartdatetime(datetime(2020, 5, 4, 6, 7, 8))
            for i, name in enumerate(names):
                file.setSignalHeader(
                    i,
                    {
                        "label": name, "dimension": "uV", "sample_frequency": rate,
                        "physical_max": largest * microvolts, "physical_min": -largest * microvolts,
                        "digital_max": largest, "digital_min": -largest, "transducer": "", "prefilter": "",
                    },
                )  # fmt: skip
            file.writeSamples([np.ascontiguousarray(row, dtype=np.int32) for row in rows], digital=True)
        return path.read_bytes()


def npz(counts: Counts, microvolts: float, rate: float, leads: Sequence[str]) -> bytes:
    """The words that ecgenough looks for, in µV."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, signal=counts * microvolts, rate=rate, unit="uV", leads=np.array(leads), patient="p-17", age=61,
        sex="female", recorded="2020-05-04T06:07:08",
    )  # fmt: skip
    return buffer.getvalue()


def parquet(counts: Counts, microvolts: float, rate: float, leads: Sequence[str]) -> bytes:
    """A column a lead, in mV, the words in the schema's metadata."""
    table = pyarrow.table({lead: row * microvolts / 1000 for lead, row in zip(leads, counts, strict=True)})
    said = {
        "rate": str(rate),
        "unit": "mV",
        "patient": "p-17",
        "age": "61",
        "sex": "F",
        "recorded": "2020-05-04T06:07:08",
    }
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table.replace_schema_metadata(said), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


Writer = Callable[[Counts, float, int, Sequence[str]], bytes]
WRITERS: dict[str, Writer] = {
    "ishne": ishne,
    "muse": muse,
    "aecg": aecg,
    "scp": scp,
    "scp-huffman": lambda *a: scp(*a, coding="standard", differences=2),
    "scp-own-tables": lambda *a: scp(*a, coding="own", differences=1),
    "philips": philips,
    "philips-plain": lambda *a: philips(*a, compressed=False, wide=True),
    "dicom": dicom,
    "dicom-deflated": lambda *a: dicom(*a, syntax="1.2.840.10008.1.2.1.99"),
    "edf": edf,
    "bdf": lambda *a: edf(*a, kind=pyedflib.FILETYPE_BDFPLUS),
    "npz": npz,
    "parquet": parquet,
}


def sample(name: str, samples: int = 1000, seed: int = 0) -> tuple[bytes, Counts, float]:
    """A 12-lead recording at 500 Hz by one of WRITERS: the file, the counts in it, and the µV of a count."""
    counts = counts_of(12, samples, seed)
    return WRITERS[name](counts, 2.5, 500, STANDARD_LEADS), counts, 2.5
