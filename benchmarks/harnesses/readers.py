"""Every reader of recordings; their seeds are small whole files, and the broken ones."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.io

from benchmarks.broken import ENDINGS, broken_files
from benchmarks.harnesses.harness import Harness, fits
from benchmarks.mutations import MOST_BYTES, with_scp_checksum
from benchmarks.samples import WRITERS, counts_of
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.formats import TableLayout, read
from ecgenough.formats.wfdb import write_wfdb

LAYOUT = TableLayout(500.0, "mV", ("I", "II"), "samples-by-leads")
READERS = (*WRITERS, "npz-signal", "wfdb", "wfdb-formats", "wfdb-segments", "matlab", "table", "npy")


def reader(name: str, folder: Path) -> Harness:
    place = folder / f"damaged.{'hea' if name.startswith('wfdb') else ENDINGS.get(name, 'bin')}"
    layout = LAYOUT if name in ("table", "npy") else None
    put = place.write_bytes
    if name.startswith("scp"):
        put = lambda content: place.write_bytes(with_scp_checksum(content) if fits(content) else content)  # noqa: E731
    elif name == "npz-signal":
        put = lambda content: place.write_bytes(_npz_around(content))  # noqa: E731

    def use() -> str:
        return shown(read(place, layout))

    return Harness(name, tuple(_seeds(name, folder)), put, use)


def shown(ecg: Ecg) -> str:
    """An Ecg in a few words, once it is sure that it is one."""
    assert ecg.signal.dtype == np.float32
    assert ecg.signal.shape == (len(ecg.leads), ecg.samples)
    assert not np.isinf(ecg.signal).any()
    return f"{ecg.signal.shape} at {ecg.rate:g} Hz"


def _seeds(name: str, folder: Path) -> Iterator[bytes]:
    if name in WRITERS:
        samples = 500 if name in ("edf", "bdf") else 50
        yield from (WRITERS[name](counts_of(12, samples, seed), 2.5, 500, STANDARD_LEADS) for seed in range(2))
        like = (content for file, content in broken_files().items() if file.endswith(ENDINGS[name]))
        yield from (content for content in like if 0 < len(content) <= MOST_BYTES)
    elif name.startswith("wfdb"):
        yield from _headers(name, folder)
    elif name == "matlab":
        yield from (matlab(compressed) for compressed in (False, True))
    elif name == "table":
        yield from (b"0.1,0.2\n-0.3,0.4\n1e-3,nan\n", b"1;2\n3;4\n", b"0,1 2,0\n", b"I\tII\n1\t2\n")
    else:
        yield from (_npy(), _npy()[:90])


def _headers(name: str, folder: Path) -> Iterator[bytes]:
    """Headers whose samples lie beside them: of the plain format, of every other one, and in segments."""
    write_wfdb(folder, "damaged", Ecg(counts_of(2, 50) * 1e-3, 500, ("I", "II")), ["Age: 61", "Sex: Female"])
    plain = (folder / "damaged.hea").read_bytes()
    if name == "wfdb":
        yield plain
    elif name == "wfdb-formats":
        for number in (8, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524):
            yield b"damaged 2 500 20\n" + b"damaged.dat %d 200/mV 16 0 0 0 0 I\n" % number * 2
    else:
        (folder / "part.hea").write_bytes(plain.replace(b"damaged 2", b"part 2"))
        yield b"damaged/3 2 500 130\npart 50\n~ 30\npart 50\n"
        yield b"damaged/2 2 500 100\npart 50\npart 50\n# Age: 61\n"


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((20, 2)))
    return buffer.getvalue()


def matlab(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    struct = {"sex": "Male", "age": 74.0, "data": counts_of(12, 20) * 1e-3}
    scipy.io.savemat(buffer, {"ECG": struct}, do_compression=compressed)  # type: ignore[arg-type]
    return buffer.getvalue()


def _npz_around(signal: bytes) -> bytes:
    """An NPZ file whose checksums fit, around a damaged array."""
    buffer = io.BytesIO()
    np.savez(buffer, rate=500, unit="mV", leads=np.array([f"lead {i}" for i in range(20)]))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("signal.npy", signal)
    return buffer.getvalue()
