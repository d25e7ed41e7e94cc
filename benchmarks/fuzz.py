"""Feed whatever takes strangers' files damaged ones: `python -m benchmarks.fuzz --seconds 600 --only dicom --out DIR`.

Seeds are small whole files, damaged in the ways files are damaged and forged; `python -m benchmarks.fuzz_atheris` takes
the same arguments and looks for new branches of the code instead (it needs the package atheris). A finding is a file that
ends in anything but a value or one sentence that names it, that takes more than `SLOWEST` seconds or `MEMORY` bytes, or
that makes the process open or run something else. Findings are kept in DIR, and a table of executions is printed and
written to DIR/fuzz.json. With --together all harnesses take turns for --seconds in all, instead of one after the other.
"""

import argparse
import faulthandler
import hashlib
import json
import random
import resource
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.guarded import Guard, Outcome
from benchmarks.harnesses import NAMES, Harness, harness
from benchmarks.mutations import mutated
from ecgenough.files import write_text

SLOWEST = 10.0  # seconds for one file; a slow answer counts only where it is slow again when it is read alone
MEMORY = 1 << 30  # bytes that files may take beyond what packages and harnesses take before the first one
IN_MEMORY = Path("/dev/shm")  # a disk takes ten times as long as most readers
TURN = 5.0  # seconds, of those that take turns
DEAD = 300.0  # seconds without a word from a file: the process ends and says where it was


class Tally:
    """What a harness has seen: counts, the slowest file, and findings, one for each kind of crash."""

    def __init__(self, fed: Harness, out: Path, seed: int) -> None:
        self.fed, self.out = fed, out
        self.rng, self.seeds = random.Random(f"{fed.name}-{seed}"), list(fed.seeds)
        self.kinds: Counter[str] = Counter()
        self.sentences: set[str] = set()
        self.slowest = self.worked = self.cpu = 0.0
        self.findings: dict[str, str] = {}
        self.start = self.end = time.monotonic()

    def add(self, content: bytes, outcome: Outcome, guard: Guard) -> None:
        self.kinds[outcome.kind] += 1
        if outcome.kind == "refused" and len(self.sentences) < 10_000:
            said = outcome.what.split("damaged", 1)[-1][:80]
            self.sentences.add("".join("0" if letter.isdigit() else letter for letter in said))
        seconds = outcome.seconds
        if seconds > SLOWEST:
            seconds = min(seconds, self.fed.run(content, guard).seconds)  # the machine may have been busy
        self.slowest = max(self.slowest, seconds)
        why = outcome.what if outcome.kind == "crashed" else "; ".join(outcome.elsewhere)
        if seconds > SLOWEST:
            why = f"{seconds:.1f} s: {why}"
        if why and (key := why.split(": ")[0][:80]) not in self.findings:
            self.findings[key] = why[:300]
            name = hashlib.sha256(content).hexdigest()[:12]
            (self.out / f"finding-{self.fed.name}-{name}.bin").write_bytes(content)

    def restore(self, row: dict[str, Any]) -> None:
        """Take over what a process of its own has counted."""
        self.kinds.update(read=row["read"], refused=row["refused"])
        self.kinds["crashed"] += row["executions"] - row["read"] - row["refused"]
        self.end = self.start + 60 * row["minutes"]
        self.worked, self.cpu, self.slowest = row["worked_s"], row["cpu_s"], row["slowest_s"]
        self.findings |= row["findings"]

    def row(self) -> dict[str, Any]:
        return {
            "harness": self.fed.name, "minutes": round((self.end - self.start) / 60, 2), "worked_s": round(self.worked),
            "cpu_s": round(self.cpu), "executions": self.kinds.total(), "read": self.kinds["read"],
            "refused": self.kinds["refused"], "sentences": len(self.sentences), "slowest_s": round(self.slowest, 3),
            "findings": self.findings,
        }  # fmt: skip


def by_mutations(tally: Tally, guard: Guard, seconds: float) -> None:
    """Our own engine: keeps as seeds what was refused in a new sentence."""
    faulthandler.dump_traceback_later(seconds + DEAD, exit=True)
    start, cpu = time.monotonic(), time.process_time()
    while (now := time.monotonic()) < start + seconds:
        content = mutated(tally.seeds, tally.rng)
        known = len(tally.sentences)
        tally.add(content, tally.fed.run(content, guard), guard)
        if len(tally.sentences) > known and len(tally.seeds) < 500:
            tally.seeds.append(content)
    tally.end = now
    tally.worked += now - start
    tally.cpu += time.process_time() - cpu
    faulthandler.cancel_dump_traceback_later()


Engine = Callable[[Tally, Guard, float], None]


def main(engine: Engine = by_mutations, patience: float = 3 * SLOWEST) -> None:
    """Run the harnesses with an engine; write the table as it grows."""
    asked = _arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="ecgenough-fuzz-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    print(f"the file in work lies in {folder}, also where it ends the process", flush=True)
    tallies = [Tally(harness(name, folder / name), asked.out, asked.seed) for name in asked.only or NAMES]
    guard = Guard(folder, patience)
    for tally in tallies:
        for content in tally.fed.seeds[:2]:
            tally.fed.run(content, guard)  # imports what it needs before it is watched
    _bound_memory()
    for tally in tallies:
        tally.start = tally.end = time.monotonic()
        for content in tally.fed.seeds if asked.together else ():
            tally.add(content, tally.fed.run(content, guard), guard)
    for tally in _turns(tallies, asked.seconds) if asked.together else tallies:
        tally.start = tally.start if asked.together else time.monotonic()
        engine(tally, guard, min(TURN, asked.seconds) if asked.together else asked.seconds)
        _write(tallies, asked.out)
    for tally in tallies:
        print(json.dumps(tally.row()), flush=True)
    print(f"peak memory {_peak():,} MiB; {sum(len(tally.findings) for tally in tallies)} findings")
    shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each harness; with --together for all")
    parser.add_argument("--only", choices=NAMES, action="append", help="one harness; all unless told")
    parser.add_argument("--together", action="store_true", help="in turns")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz"))
    return parser.parse_args()


def _turns(tallies: list[Tally], seconds: float) -> Iterator[Tally]:
    """Each in its turn, until the time is up after a whole round."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield from tallies


def _bound_memory() -> None:
    """From here on the process may take `MEMORY` more; those it starts have bounds of their own."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _write(tallies: list[Tally], out: Path) -> None:
    rows = [tally.row() for tally in tallies if tally.kinds]
    write_text(out / "fuzz.json", json.dumps({"peak_mib": _peak(), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
