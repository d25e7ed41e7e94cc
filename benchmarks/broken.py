"""Files that no reader may stumble over: cut off, lying about their size, nested, explosive, or simply odd.

`python -m benchmarks.broken DIR` writes them to a folder. Each must either be read or be refused in one sentence that
names the file, in little time and memory; nothing may be executed, or opened elsewhere.
"""

import io
import pickle
import struct
import sys
import zipfile
import zlib
from base64 import b64encode
from binascii import crc_hqx
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.samples import (
    OWN_TABLES,
    SCP_PERSON,
    counts_of,
    dicom,
    ishne,
    muse,
    npz,
    parquet,
    philips,
    sample,
    scp,
    scp_record,
)  # fmt: skip
from ecgenough.ecg import STANDARD_LEADS

ENDINGS = {
    "ishne": "ecg", "muse": "xml", "aecg": "xml", "scp": "scp", "scp-huffman": "scp", "scp-own-tables": "scp",
    "philips": "xml", "philips-plain": "xml", "dicom": "dcm", "dicom-deflated": "dcm", "edf": "edf", "bdf": "bdf",
    "npz": "npz", "parquet": "parquet",
}  # fmt: skip
HUGE = 0xFFFFFFFF
MEBIBYTE = 1 << 20
Files = Iterator[tuple[str, bytes]]


@cache
def broken_files() -> dict[str, bytes]:
    """All of them, by file name. Some are whole, but unusual: those are named "odd-..."."""
    return dict([*_cut_off(), *_wrong_checksums(), *_lying(), *_nested(), *_explosive(), *_odd(), *_foreign()])


def _cut_off() -> Files:
    for name, ending in ENDINGS.items():
        content, _, _ = sample(name, 200)
        for part, length in (("head", 40), ("half", len(content) // 2), ("almost", len(content) - 3)):
            yield f"cut-{name}-{part}.{ending}", content[:length]
    header = b"cut 12 500 1000\n" + b"".join(b"cut.dat 16 1000/mV 16 0 0 0 0 %s\n" % s.encode() for s in STANDARD_LEADS)
    yield "cut.hea", header
    yield "cut.dat", bytes(2 * 12 * 900)


def _wrong_checksums() -> Files:
    """Whole files of which one byte was changed, where the format has a checksum that tells."""
    for name in ("scp", "npz"):
        content = bytearray(sample(name, 200)[0])
        content[len(content) // 2] ^= 1
        yield f"checksum-{name}.{ENDINGS[name]}", bytes(content)
    yield "checksum.hea", b"checksum 1 500 100\nchecksum.dat 16 200/mV 16 0 0 77 0 I\n"
    yield "checksum.dat", bytes(2 * 100)


def _lying() -> Files:
    """Sizes that are not those of the content, so large that taking memory for them at once would end a service."""
    good = ishne(counts_of(3, 200), 2.5, 200, STANDARD_LEADS[:3])
    yield "lies-samples.ecg", good[:14] + struct.pack("<i", 2**31 - 1) + good[18:]
    yield "lies-text.ecg", good[:10] + struct.pack("<i", 2**31 - 1) + good[14:]
    yield "lies-leads.ecg", good[:156] + struct.pack("<h", 300) + good[158:]
    for end in (HUGE, 0, 100_000):
        lead = struct.pack("<BBIIB", 1, 4, 1, end, 1)
        rhythm = struct.pack("<HHBBH", 2500, 2000, 0, 0, 400) + bytes(400)
        yield f"lies-lead-to-{end}.scp", scp_record({1: SCP_PERSON, 3: lead, 6: rhythm})
        yield f"lies-huffman-to-{end}.scp", scp_record({2: OWN_TABLES, 3: lead, 6: rhythm})
    whole = bytearray(scp(counts_of(12, 200), 2.5, 500, STANDARD_LEADS))
    whole[6 + 16 + 10 + 2 : 6 + 16 + 10 + 6] = struct.pack("<I", HUGE)
    yield "lies-section.scp", _with_scp_checksum(bytes(whole))
    yield "lies-size.scp", bytes(whole[:2]) + struct.pack("<I", HUGE) + bytes(whole[6:])
    good = dicom(counts_of(12, 200), 2.5, 500, STANDARD_LEADS)
    samples = struct.pack("<HH2sHI", 0x003A, 0x0010, b"UL", 4, 200)
    yield "lies-samples.dcm", good.replace(samples, samples[:-4] + struct.pack("<I", HUGE))
    channels = struct.pack("<HH2sHH", 0x003A, 0x0005, b"US", 2, 12)
    yield "lies-channels.dcm", good.replace(channels, channels[:-2] + struct.pack("<H", 65535))
    yield "lies-element.dcm", good[:-2400] + struct.pack("<HH2sHI", 0x5400, 0x1010, b"OW", 0, 0xFFFFFF00) + good[-2400:]
    good = sample("edf", 1000)[0]
    yield "lies-records.edf", good[:236] + b"99999999" + good[244:]
    yield "lies-signals.edf", good[:252] + b"9999" + good[256:]
    yield "lies-none.edf", good[:252] + b"0   " + good[256:]
    for word, value in (("durationperchannel", "1e15"), ("durationperchannel", "nan"), ("numberofleads", "1e9")):
        text = philips(counts_of(12, 500), 2.5, 500, STANDARD_LEADS).decode()
        head, _, tail = text.partition(f'{word}="')
        yield f"lies-{word}-{value}.xml", f'{head}{word}="{value}"{tail[tail.index(chr(34)) + 1 :]}'.encode()
    text = muse(counts_of(8, 200), 4.88, 500, STANDARD_LEADS[:8])
    yield "lies-base.xml", text.replace(b"<SampleBase>500<", b"<SampleBase>1e308<")
    yield "lies-exponent.xml", text.replace(b"<SampleExponent>0<", b"<SampleExponent>999999999<")
    yield "lies-count.xml", text.replace(b"<LeadSampleCountTotal>200<", b"<LeadSampleCountTotal>4294967295<")
    yield "lies-shape.npz", _npz_of(b"{'descr': '<f8', 'fortran_order': False, 'shape': (12, 1099511627776), }")
    yield "lies-negative.npz", _npz_of(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1), }")
    yield "lies-code.npz", _npz_of(b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (1, 1), }")
    yield "lies.hea", b"lies 2 500 99999999999999999\nlies.dat 16\nlies.dat 16\n"
    yield "lies-compressed.hea", b"lies-compressed 2 500 99999999999\nlies.dat 516\nlies.dat 516\n"
    yield "lies.dat", bytes(400)


def _nested() -> Files:
    yield "nested.xml", b'<AnnotatedECG xmlns="urn:hl7-org:v3">' + b"<component>" * 100_000
    yield "nested-closed.xml", b"<RestingECG>" + b"<a>" * 20_000 + b"</a>" * 20_000 + b"</RestingECG>"
    item, sequence = struct.pack("<HHI", 0xFFFE, 0xE000, HUGE), struct.pack("<HH2sHI", 0x5400, 0x0100, b"SQ", 0, HUGE)
    yield "nested.dcm", dicom(counts_of(1, 9), 2.5, 500, ("I",))[:400] + (sequence + item) * 20_000
    yield "nested.hea", b"nested/2 1 500 200\nnested 100\nnested 100\n"
    yield "nested-json.json", b"[" * 1_000_000
    yield "nested-itself.hea", b"nested-itself/2 1 500 200\nnested-itself 100\nnested-itself 100\n"
    yield "nested-gaps.hea", b"nested-gaps/1 1 500 200\n~ 200\n"
    yield "nested.mat", _matlab_of(_nested_cells(5000))


def _explosive() -> Files:
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
    for root in (b"AnnotatedECG", b"RestingECG", b"restingecgdata"):
        name = root.decode().lower()
        yield f"laughs-{name}.xml", b'<!DOCTYPE %s [<!ENTITY l0 "ha">%s]><%s>&l9;</%s>' % (root, laughs, root, root)
        quadratic = b'<!DOCTYPE %s [<!ENTITY a "%s">]><%s>%s</%s>' % (root, b"x" * 9999, root, b"&a;" * 9999, root)
        yield f"quadratic-{name}.xml", quadratic
        for what, address in (
            ("file", b"file:///etc/passwd"),
            ("web", b"http://127.0.0.1:9/x"),
            ("near", b"secret.txt"),
        ):
            entity = b'<!DOCTYPE %s [<!ENTITY x SYSTEM "%s">]><%s>&x;</%s>' % (root, address, root, root)
            yield f"entity-{what}-{name}.xml", entity
        outside = b'<!DOCTYPE %s [<!ENTITY %% x SYSTEM "file:///etc/passwd"> %%x;]><%s/>' % (root, root)
        yield f"parameter-entity-{name}.xml", outside
    yield (
        "include.xml",
        b'<RestingECG xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd"/></RestingECG>',
    )
    yield "newlines.xml", b"<RestingECG>" + b"\n" * (8 * MEBIBYTE) + b"</RestingECG>"
    yield "elements.xml", b"<RestingECG>" + b"<a/>" * 210_000 + b"</RestingECG>"
    yield "attributes.xml", b"<RestingECG %s/>" % b" ".join(b'a%d="1"' % i for i in range(200_000))
    yield "bomb.dcm", _deflated_head() + _zeros_packed(70, -15)
    yield "bomb.npz", _bomb()
    honest = _bomb(8)
    at = honest.rindex(b"PK\x01\x02")
    yield "bomb-hidden.npz", honest[: at + 24] + struct.pack("<I", 1000) + honest[at + 28 :]
    yield "bomb.mat", _matlab_of(_compressed(_zeros_packed(70)))
    codes = b"\0" * 250_000  # 10-bit codes of one letter: each may stand for a longer and longer run
    yield "bomb-lzw.xml", _philips_of(struct.pack("<iHh", len(codes), 0, 0) + codes)
    # A column of 300 million equal numbers takes a few kilobytes of Parquet.
    yield "bomb.parquet", _parquet_of_zeros(300_000_000)


def _odd() -> Files:
    """Whole files that are unusual: one sample, a day, no leads, many leads, names in other scripts, lost samples."""
    for name in ENDINGS:
        if name not in ("philips", "edf", "bdf"):  # Lempel-Ziv-Welch needs 2 samples, and pyedflib whole seconds
            yield f"odd-one-sample-{name}.{ENDINGS[name]}", sample(name, 1)[0]
    yield "odd-two-samples.xml", sample("philips", 2)[0]
    yield "odd-day.ecg", ishne(np.zeros((1, 24 * 3600 * 128), dtype=np.int64), 2.5, 128, ("V5",))
    yield "odd-no-leads.npz", npz(np.zeros((0, 100), dtype=np.int64), 2.5, 500, ())
    yield "odd-no-leads.parquet", parquet(np.zeros((0, 100), dtype=np.int64), 2.5, 500, ())
    yield "odd-no-leads.dcm", dicom(np.zeros((0, 100), dtype=np.int64), 2.5, 500, ())
    yield "odd-no-leads-muse.xml", muse(np.zeros((0, 100), dtype=np.int64), 2.5, 500, ())
    yield "odd-no-leads.scp", scp_record({3: b"\0\0", 6: bytes(8)})
    many = tuple(f"lead {i}" for i in range(300))
    yield "odd-300-leads.npz", npz(counts_of(300, 50), 2.5, 500, many)
    yield "odd-300-leads.parquet", parquet(counts_of(300, 50), 2.5, 500, many)
    yield "odd-300-leads.xml", muse(counts_of(300, 50), 2.5, 500, many)
    yield "odd-2000-leads.npz", npz(counts_of(2000, 5), 2.5, 500, tuple(map(str, range(2000))))
    yield "odd-心電図-Überweisung.xml", muse(counts_of(8, 200), 2.5, 500, STANDARD_LEADS[:8])
    text = muse(counts_of(1, 200), 2.5, 500, ("I",)).decode("latin-1")
    yield "odd-gb2312.xml", text.replace("ISO-8859-1", "GB2312").replace("Müller", "李").encode("gb2312")
    for what, value in (("nan", np.nan), ("inf", np.inf), ("large", 1e300)):
        yield f"odd-{what}.npz", _npz_with(np.full((1, 50), value))
        yield f"odd-{what}.parquet", _parquet_with(np.full(50, value))
    for what in (b"nan", b"inf", b"1e999", b"1_0", b"0x10"):
        good = sample("aecg", 20)[0]
        yield f"odd-digits-{what.decode()}.xml", good.replace(b"<digits>", b"<digits>" + what + b" ", 1)
        yield f"odd-scale-{what.decode()}.xml", good.replace(b'<scale value="2.5"', b'<scale value="' + what + b'"')
    yield "odd-same-lead-twice.xml", muse(counts_of(2, 50), 2.5, 500, ("I", "I"))


def _foreign() -> Files:
    """Files of another kind under the name of a recording."""
    page = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    for ending in ("dcm", "xml", "edf", "scp", "ecg", "npz", "hea"):
        yield f"page.{ending}", page
        yield f"empty.{ending}", b""
        yield f"zeros.{ending}", bytes(5000)
    yield "code.npz", _zip_of("signal.npy", _npy_of_code())
    yield "code.npy", _npy_of_code()
    yield "code.pkl", pickle.dumps(Trap(), protocol=4)
    yield "outside.hea", b"outside 1 500 10\n../../../../etc/passwd 16\n"
    yield "absolute.hea", b"absolute 1 500 10\n/etc/passwd 8\n"
    yield "annotations.ann", b"ANN  1.0" + bytes(600)


class Trap:
    """What an unpickler would run: it writes a file beside, which a test looks for."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, ("trap-was-run", "w"))


def _npy_of_code() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([[Trap()]], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _npz_of(header: bytes) -> bytes:
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return _zip_of("signal.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + bytes(96))


def _npz_with(signal: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, signal=signal, rate=500, unit="mV", leads=["I"])
    return buffer.getvalue()


def _parquet_with(column: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> bytes:
    sink = io.BytesIO()
    table = pyarrow.table({"I": column}).replace_schema_metadata({"rate": "500", "unit": "mV"})
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def _parquet_of_zeros(rows: int) -> bytes:
    """Zeros by the million, in row groups that pack to nearly nothing."""
    sink, some = io.BytesIO(), pyarrow.table({"I": np.zeros(20_000_000, dtype=np.int8)})
    some = some.replace_schema_metadata({"rate": "500", "unit": "mV"})
    with pyarrow.parquet.ParquetWriter(sink, some.schema) as writer:
        for _ in range(rows // 20_000_000):
            writer.write_table(some)
    return sink.getvalue()


def _zip_of(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _bomb(mebibytes: int = 2100) -> bytes:
    """An archive whose directory says it unpacks to more than is read; of its zeros only a few are there."""
    content = bytearray(_zip_of("signal.npy", bytes(8 * MEBIBYTE)))
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", mebibytes * MEBIBYTE)
    return bytes(content)


def _zeros_packed(mebibytes: int, window: int = 15) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(mebibytes)) + packer.flush()


def _compressed(packed: bytes) -> bytes:
    return struct.pack("<II", 15, len(packed)) + packed


def _matlab_of(elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + elements


def _nested_cells(depth: int) -> bytes:
    """A cell in a cell in a cell: the heads of all, each with the size of what is in it."""
    about = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<II", 1, 0)
    named = about[:-8] + struct.pack("<I4s", 3 << 16 | 1, b"ECG\0")
    heads = [struct.pack("<II", 14, (len(about) + 8) * (depth - level) - 8) for level in range(depth)]
    return b"".join(head + (about if level else named) for level, head in enumerate(heads))


def _deflated_head() -> bytes:
    """A DICOM file up to where its deflated content starts."""
    whole = dicom(counts_of(1, 9), 2.5, 500, ("I",), syntax="1.2.840.10008.1.2.1.99")
    (length,) = struct.unpack_from("<I", whole, 140)  # the group length: bytes of the file meta information behind it
    return whole[: 144 + length]


def _philips_of(content: bytes) -> bytes:
    text = philips(counts_of(1, 50), 2.5, 500, ("V1",)).decode()
    head, _, tail = text.partition('durationperchannel="100">')
    return (head + 'durationperchannel="100">' + b64encode(content).decode() + tail[tail.index("<") :]).encode()


def _with_scp_checksum(content: bytes) -> bytes:
    return struct.pack("<H", crc_hqx(content[2:], 0xFFFF)) + content[2:]


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in broken_files().items():
        (folder / name).write_bytes(content)
    print(f"{len(list(folder.iterdir()))} files in {folder}")


if __name__ == "__main__":
    main()
