"""Feed every reader damaged files, for as long as asked: `python -m benchmarks.fuzz --seconds 60 --out DIR`.

Seeds are small whole recordings, damaged in the ways files are damaged and forged; `python -m benchmarks.fuzz_atheris`
takes the same arguments and looks for new branches of the readers instead (it needs the package atheris). A finding is a
file that ends in anything but an Ecg or one sentence with its name, that takes more than `SLOWEST` seconds, or that makes
the reader open something else. Findings are kept in DIR, and a table of executions is printed and written to
DIR/fuzz.json.
"""

import argparse
import hashlib
import io
import json
import random
import re
import resource
import shutil
import struct
import time
import zipfile
from binascii import crc_hqx
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.broken import ENDINGS, broken_files
from benchmarks.guarded import Guard, Outcome
from benchmarks.samples import WRITERS, counts_of
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.files import write_text
from ecgenough.formats import TableLayout
from ecgenough.formats.wfdb import write_wfdb

SLOWEST = 10.0  # seconds for one file; a slow answer counts only where it is slow again when it is read alone
MOST_BYTES = 1 << 16
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 20, 1 << 31, (1 << 31) - 1, (1 << 32) - 1)
WORDS = (
    b"0", b"-1", b"1e999", b"nan", b"inf", b"99999999999999999999", b"\x00", b"\xff\xff\xff\xff", b"<", b">", b"]]>",
    b"<!ENTITY x SYSTEM 'file:///etc/passwd'>", b"&x;", b"../", b"%s%n", b"\xc3\x28", b"DICM", b"EDF+D", b" ", b"=",
)  # fmt: skip
_WORD = re.compile(rb"(?<![A-Za-z0-9])[-+.A-Za-z0-9]{1,12}(?![A-Za-z0-9])")
TABLE = TableLayout(500.0, "mV", ("I", "II"), "samples-by-leads")


class Target:
    """One reader: its seeds, and where a damaged file of it is put."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.layout = TABLE if name in ("table", "npy") else None
        self.place = self.folder / f"damaged.{'hea' if name.startswith('wfdb') else ENDINGS.get(name, 'bin')}"
        self.seeds = self._seeds()

    def _seeds(self) -> list[bytes]:
        if self.name in WRITERS:
            seconds = 50 if self.name not in ("edf", "bdf") else 500
            like = [content for name, content in broken_files().items() if name.endswith(ENDINGS[self.name])]
            whole = [WRITERS[self.name](counts_of(12, seconds, seed), 2.5, 500, STANDARD_LEADS) for seed in range(2)]
            return whole + [content for content in like if 0 < len(content) <= MOST_BYTES]
        if self.name == "wfdb":
            return [self._wfdb()]
        if self.name == "npy":
            return [_npy(), _npy()[:90]]
        if self.name == "npz-signal":
            return [_npy()]
        return [b"0.1,0.2\n-0.3,0.4\n1e-3,nan\n", b"1;2\n3;4\n", b"0,1 2,0\n", b"I\tII\n1\t2\n"]

    def _wfdb(self) -> bytes:
        write_wfdb(self.folder, "damaged", Ecg(counts_of(2, 50) * 1e-3, 500, ("I", "II")), ["Age: 61", "Sex: Female"])
        return (self.folder / "damaged.hea").read_bytes()

    def run(self, content: bytes, guard: Guard) -> Outcome:
        self.place.write_bytes(_npz_around(content) if self.name == "npz-signal" else content)
        return guard.read(self.place, self.layout)


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((20, 2)))
    return buffer.getvalue()


def _npz_around(signal: bytes) -> bytes:
    """An NPZ file whose checksums fit, around a damaged array."""
    buffer = io.BytesIO()
    np.savez(buffer, rate=500, unit="mV", leads=np.array([f"lead {i}" for i in range(20)]))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("signal.npy", signal)
    return buffer.getvalue()


class Tally:
    """What a target has seen: counts, the slowest file, and findings, one for each kind of crash."""

    def __init__(self, target: Target, out: Path) -> None:
        self.target, self.out = target, out
        self.kinds: Counter[str] = Counter()
        self.sentences: set[str] = set()
        self.slowest = 0.0
        self.findings: dict[str, str] = {}
        self.start = time.monotonic()

    def add(self, content: bytes, outcome: Outcome, guard: Guard) -> None:
        self.kinds[outcome.kind] += 1
        if outcome.kind == "refused" and len(self.sentences) < 10_000:
            self.sentences.add("".join("0" if letter.isdigit() else letter for letter in outcome.what[:60]))
        seconds = outcome.seconds
        if seconds > SLOWEST:
            seconds = min(seconds, self.target.run(content, guard).seconds)  # the machine may have been busy
        self.slowest = max(self.slowest, seconds)
        why = outcome.what if outcome.kind == "crashed" else "; ".join(outcome.elsewhere)
        if seconds > SLOWEST:
            why = why or f"{seconds:.1f} s"
        if why and (key := why.split(": ")[0][:80]) not in self.findings:
            self.findings[key] = why[:300]
            name = hashlib.sha256(content).hexdigest()[:12]
            (self.out / f"finding-{self.target.name}-{name}.bin").write_bytes(content)

    def row(self) -> dict[str, Any]:
        return {
            "target": self.target.name, "seconds": round(time.monotonic() - self.start), "executions": self.kinds.total(),
            "read": self.kinds["read"], "refused": self.kinds["refused"], "sentences": len(self.sentences),
            "slowest_s": round(self.slowest, 3), "findings": self.findings,
        }  # fmt: skip


def mutated(seeds: list[bytes], rng: random.Random, scp: bool) -> bytes:
    """A seed with one to eight damages; where the format has a checksum, mostly one that fits."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
        at = rng.randrange(len(content) + 1) if rng.random() < 0.5 else rng.randrange(min(len(content), 700) + 1)
        size = rng.choice((1, 2, 4, 8, 30, 300))
        match rng.randrange(10):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                content[at : at + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in content[at : at + 1])
            case 2:
                number = rng.choice(NUMBERS)
                packed = struct.pack(rng.choice("<>") + "Q", number)
                width = rng.choice((1, 2, 4))
                content[at : at + width] = packed[:width] if packed[0] or not number else packed[-width:]
            case 3:
                del content[at : at + size]
            case 4:
                content[at:at] = content[at : at + size] * rng.choice((1, 2, 20))
            case 5:
                content[at : at + (size if rng.random() < 0.5 else 0)] = rng.choice(WORDS)
            case 6:
                other = rng.choice(seeds)
                begin = rng.randrange(len(other) + 1)
                content[at : at + size] = other[begin : begin + size]
            case 7:
                del content[at:]
            case _:  # a number or word in a text, its surroundings left whole
                if places := [found.span() for found in _WORD.finditer(content, 0, 5000)]:
                    begin, stop = rng.choice(places)
                    content[begin:stop] = rng.choice((*WORDS, str(rng.choice(NUMBERS)).encode()))
    whole = bytes(content[:MOST_BYTES])
    return with_scp_checksum(whole) if scp and rng.random() < 0.9 else whole


def with_scp_checksum(content: bytes) -> bytes:
    """An SCP-ECG record whose size and checksum fit, so that what lies behind them is reached."""
    if len(content) <= 6:
        return content
    content = content[:2] + struct.pack("<I", len(content)) + content[6:]
    return struct.pack("<H", crc_hqx(content[2:], 0xFFFF)) + content[2:]


def by_mutations(tally: Tally, guard: Guard, seconds: float, seed: int) -> None:
    """Our own engine: keeps as seeds what was refused in a new sentence, or read."""
    rng, seeds = random.Random(f"{tally.target.name}-{seed}"), list(tally.target.seeds)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = mutated(seeds, rng, tally.target.name.startswith("scp"))
        known = len(tally.sentences)
        tally.add(content, tally.target.run(content, guard), guard)
        if len(tally.sentences) > known and len(seeds) < 500:
            seeds.append(content)


Engine = Callable[[Tally, Guard, float, int], None]


def main(engine: Engine = by_mutations) -> None:
    """Run the targets one after the other with an engine; write the table."""
    names = [*WRITERS, "npz-signal", "wfdb", "table", "npy"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--target", choices=names, action="append", help="one reader; all unless told")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with TemporaryDirectory(prefix="ecgenough-fuzz-") as name:
        folder = Path(name)
        targets = [Target(target, folder) for target in asked.target or names]
        guard = Guard(folder)
        for target in targets:
            for content in target.seeds[:2]:
                guard.read(target.place.with_name("absent"))
                target.run(content, guard)  # imports what the reader needs before it is watched
        for target in targets:
            tally = Tally(target, asked.out)
            engine(tally, guard, asked.seconds, asked.seed)
            rows.append(tally.row())
            print(json.dumps(rows[-1]), flush=True)
            shutil.rmtree(target.folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    write_text(asked.out / "fuzz.json", json.dumps({"peak_mib": peak, "rows": rows}, indent=2))
    print(f"peak memory {peak:,} MiB; {sum(len(row['findings']) for row in rows)} findings")


if __name__ == "__main__":
    main()
