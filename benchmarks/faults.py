"""Commands under faults: killed, without space, without memory, without their files; and what comes of it.

    python -m benchmarks.faults [--faults 210] [--only prepare] [--only kill] [--seed 0] [--out FOLDER]

Each command runs unbroken twice, which must give the same results. Then each is disturbed at a random file operation,
the fault is mended, and the same command is given again. Its results must be those of the unbroken run; or the error
must be one sentence that says what to do, and doing that must lead to them. What the sentence says to remove is removed.
What was judged is kept in faults.csv beside the table: the same command goes on, and tries again what went wrong.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import csv
import io
import re
import shlex
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from datetime import date
from errno import ENOSPC, EROFS
from importlib import import_module
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import torch

from benchmarks.ending import end_with_a_sentence
from benchmarks.faults_commands import Command, commands, give, make_world, publisher, results
from benchmarks.faults_inflicted import (
    DISK,
    Act,
    Ended,
    Operations,
    disk,
    done_to,
    flipped,
    killed,
    may_mount,
    memory_limited,
    memory_refused,
    run,
    worker_killed,
    writing_refused,
)  # fmt: skip
from ecgenough.errors import EcgenoughError, WrongRequest, nearest
from ecgenough.files import write_text

KINDS = {
    "kill": "SIGKILL to the main process or to all of its processes",
    "full disk": "a disk with less room than the results need",
    "read-only": "a disk that cannot be written to, from the start or from some moment on",
    "vanished file": "a file of the input is gone, from the start or from some moment on; it comes back before the restart",
    "damaged file": "one bit of a store, of a fetched file or of what a killed run left is turned over",
    "memory": "a worker is killed, an allocation refused, or the address space ends 0 to 8 MiB further on",
    "clock": "killed; files dated up to ten years off; the clock a day back or ahead at the restart",
}
CASES = "faults.csv"
IDENTICAL, REFUSED, WRONG, MISSED = "identical", "refused", "WRONG", "missed"
ADVICE = re.compile(
    r"\b(again|free some|make room|choose|remove|delete|give|lower|fewer|smaller|say|prepare|set|make one|fetch it)\b",
    re.IGNORECASE,
)
# What a sentence may say to remove, its path in brackets.
REMOVED = re.compile(
    r"the store (\S+) is damaged|(\S+) cannot be read\b.*; delete it|delete (\S+) to do|(\S+) cannot be unpacked"
)
PAGE = """\
# Commands under faults

- Command: `{command}`
- Machine: {machine}
- Date: {date}
- {faults:,} faults: after {identical:,} the restart gave the results of the unbroken run; after {refused:,} a sentence said
  what to do first, and then it gave them; {wrong:,} went wrong.
- {how}

{kinds}

| command | fault | runs | identical after a restart | a sentence, and identical after doing what it says | WRONG |
| --- | --- | ---: | ---: | ---: | ---: |
{rows}

## What was said

A sentence of each kind of fault, as the command ended with it:

{sentences}
{failures}"""


@dataclass(frozen=True)
class Reference:
    """An unbroken run: its results, its file operations, and the bytes that it added to its disk."""

    results: dict[str, str]
    operations: int
    bytes: int


@dataclass(frozen=True)
class Case:
    """What came of one fault: the fate, what was said, and of a wrong one why it is wrong."""

    command: str
    kind: str
    number: int
    fate: str
    said: str = ""
    why: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.command, self.kind, self.number


@dataclass
class Plight:
    """A fault about to happen to a command in a folder: at which operation, and what is done before and after."""

    act: Act | None = None
    at: int = 0
    before: Callable[[], None] = lambda: None
    mend: Callable[[], None] = lambda: None
    clock: float = 0.0


class Campaign:
    """The commands, their unbroken runs, and a folder for all of it."""

    def __init__(self, folder: Path, address: str, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.commands = commands(address)

    def reference(self, command: Command) -> Reference:
        """Run it unbroken, twice. Raises EcgenoughError where it fails, or differs."""
        found = []
        for _ in range(2):
            with disk(self.folder / "case"):
                place = self.folder / "case"
                give(self.folder / "world", command, place)
                before = _used(place)
                operations = Operations(place)
                ended = run(command.arguments, place, operations)
                if ended.status:
                    raise EcgenoughError(f"{command.name} fails without any fault: {ended.said}")
                found.append(Reference(results(place / "out", command), operations.count, _used(place) - before))
            shutil.rmtree(self.folder / "case")
        first, second = found
        if first.results != second.results:
            raise EcgenoughError(
                f"{command.name} gives other results when it is run twice: {_differing(second.results, first.results)}"
            )
        return first

    def case(self, command: Command, kind: str, reference: Reference, number: int) -> Case:
        """One fault, from a fresh folder to its judgement."""
        random = Random(f"{self.seed} {command.name} {kind} {number}")
        place = self.folder / "case"
        try:
            with disk(place) as mount:
                give(self.folder / "world", command, place)
                plight = self._plight(command, kind, reference, place, random, mount)
                plight.before()
                fate, *why = self._judged(command, kind == "damaged file", reference, place, plight)
                return Case(command.name, kind, number, fate, *map(_placeless, why))
        finally:
            shutil.rmtree(place)

    def _judged(
        self, command: Command, damaged: bool, reference: Reference, place: Path, plight: Plight
    ) -> tuple[str, str, str]:
        """The fate, what was said, and why it is wrong."""
        operations = Operations(place, plight.at, plight.act)
        disturbed = run(command.arguments, place, operations)
        plight.mend()
        if plight.act is not None and not operations.happened:
            return MISSED, "", ""
        said = "" if disturbed.status in (0, -9) else disturbed.last
        if why := _unfit(disturbed):
            return WRONG, said, why
        told = damaged and disturbed.status > 0 and _obey(disturbed, place)
        for _ in range(3):
            again = run(command.arguments, place, Operations(place), plight.clock)
            if again.status == 0:
                break
            if why := _unfit(again):
                return WRONG, again.last, f"at the restart {why}"
            said = again.last
            if not _obey(again, place):
                return WRONG, said, "the restart refuses, and what it says does not help"
            told = True
        found = _of_the_same_stores(results(place / "out", command), reference)
        if found != reference.results:
            return WRONG, said, f"other results: {_differing(found, reference.results)}"
        return REFUSED if told else IDENTICAL, said, ""

    def _plight(
        self,
        command: Command,
        kind: str,
        reference: Reference,
        place: Path,
        random: Random,
        mount: Callable[[str], None] | None,
    ) -> Plight:
        at = random.randint(1, reference.operations)
        match kind:
            case "kill":
                return Plight(killed(random.choice((0, 0, random.uniform(0, 0.3))), random.random() < 0.5), at)
            case "full disk" if mount:
                size = _used(place) + int(random.uniform(0.02, 0.98) * reference.bytes)
                return Plight(before=lambda: mount(f"size={size}"), mend=lambda: mount(f"size={DISK}"))
            case "full disk":
                return Plight(writing_refused(ENOSPC), at)
            case "read-only" if mount and random.random() < 0.5:
                return Plight(before=lambda: mount("ro"), mend=lambda: mount("rw"))
            case "read-only":
                return Plight(writing_refused(EROFS), at)
            case "vanished file":
                return self._vanished(command, place, random, at)
            case "damaged file":
                return self._damaged(command, place, random, at)
            case "memory":
                ways: list[Act] = [memory_refused, memory_limited(random.randrange(8 << 20))]
                return Plight(
                    random.choice([*ways, worker_killed] if command.name in ("prepare", "study") else ways), at
                )
            case _:
                off = random.choice((-1, 1)) * random.uniform(0, 10 * 365 * 86400)
                day = random.choice((-86400.0, 86400.0))
                return Plight(killed(0, True), at, mend=lambda: _date(place / "out", off), clock=day)

    def _vanished(self, command: Command, place: Path, random: Random, at: int) -> Plight:
        path = self._source(command, place, random)
        hidden = self.folder / "hidden"

        def hide(path: Path) -> None:
            shutil.move(path, hidden)

        def restore() -> None:
            if hidden.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(hidden, path)

        if command.address or random.random() < 0.5:
            return Plight(before=lambda: hide(path), mend=restore)
        return Plight(done_to(path, hide), at, mend=restore)

    def _damaged(self, command: Command, place: Path, random: Random, at: int) -> Plight:
        """A bit of a store; or, where a command makes files that others trust, of what it has made when it is killed."""
        if command.name in ("prepare", "fetch"):

            def spoil() -> None:
                made = sorted(path for path in (place / "out").rglob("*") if path.is_file() and path.stat().st_size)
                made = [path for path in made if path.suffix not in (".lock", ".csv") or command.address]
                if made:
                    flipped(random.choice(made), random)

            if random.random() < 0.5:
                return Plight(killed(0, True), at, mend=spoil)
            return Plight(mend=spoil)
        stores = [path for pattern in command.sources if pattern.startswith("stores") for path in place.glob(pattern)]
        path = random.choice(sorted(stores))
        if random.random() < 0.5:
            return Plight(before=lambda: flipped(path, random))
        return Plight(done_to(path, lambda path: flipped(path, random)), at)

    def _source(self, command: Command, place: Path, random: Random) -> Path:
        root = self.folder / "world" / "publisher" if command.address else place
        pattern = random.choice(command.sources)
        return random.choice(sorted(path for path in root.glob(pattern) if path.is_file()))


def _unfit(ended: Ended) -> str:
    """What is wrong with how a run ended; nothing where it was done, killed, or refused with a sentence."""
    if ended.hung:
        return "it, or a process it had started, did not end"
    if "Traceback" in ended.said:
        return "a traceback"
    if ended.status in (0, -9):
        return ""
    if ended.status < 0:
        return f"it died of signal {-ended.status}"
    if not ended.last.startswith("ecgenough: "):
        return "no sentence"
    return "" if ADVICE.search(ended.last) else "the sentence does not say what to do"


def _obey(ended: Ended, place: Path) -> bool:
    """Do what the last sentence says; whether there was something to do. Another --out is a fresh one."""
    if found := REMOVED.search(ended.last):
        path = place / next(filter(None, found.groups()))
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return True
    if "delete that folder" in ended.last:
        shutil.rmtree(place / "out")
        return True
    return False


def _of_the_same_stores(found: dict[str, str], reference: Reference) -> dict[str, str]:
    """Without whole stores of other records: while a file is gone, there is one without it beside that of all of them."""
    others = {
        name.partition("/")[0] for name in found if name.endswith("/store.json") and name not in reference.results
    }
    return {name: digest for name, digest in found.items() if name.partition("/")[0] not in others}


def _date(folder: Path, off: float) -> None:
    then = time.time() + off
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def _used(place: Path) -> int:
    return shutil.disk_usage(place).used if os.path.ismount(place) else 0


def _differing(found: dict[str, str], wanted: dict[str, str]) -> str:
    names = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
    kinds = {name: "absent" if name not in found else "too many" if name not in wanted else "differs" for name in names}
    return ", ".join(f"{name} {kinds[name]}" for name in names[:4]) + (
        f" and {len(names) - 4} more" if names[4:] else ""
    )


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    for name in ("prepare", "train", "transfer", "study", "tune", "fetch"):
        import_module(f"ecgenough.commands.{name}")
    known = (*commands(""), *KINDS)
    for name in asked.only:
        if name not in known:
            raise WrongRequest(f'--only "{name}" is unknown. {nearest(name, known)}')
    chosen = [name for name in commands("") if name in asked.only] or list(commands(""))
    pairs = list(product(chosen, [kind for kind in KINDS if kind in asked.only] or list(KINDS)))
    wanted = [(*pair, number) for number in range(-(-asked.faults // len(pairs))) for pair in pairs]
    cases = _judged_before(asked.out / CASES, asked.seed)
    for case in _inflicted([key for key in wanted if key not in cases], asked.seed):
        cases[case.key] = case
        print(f"{len(cases)}: {case.command}, {case.kind}: {case.fate} {case.why} {case.said}", flush=True)
        _note(asked.out / CASES, asked.seed, cases)
    write_text(asked.out / "faults.md", _page(list(cases.values())))


def _inflicted(keys: Sequence[tuple[str, str, int]], seed: int) -> Iterator[Case]:
    """The case of every key, in a temporary folder."""
    if not keys:
        return
    with TemporaryDirectory(prefix="ecgenough-faults-") as name, ExitStack() as serving:
        folder = Path(name)
        (folder / "world").mkdir()
        inputs = {given for command in {command for command, *_ in keys} for given in commands("")[command].inputs}
        _in_a_process(make_world, folder / "world", inputs | ({"super"} if "source" in inputs else set()))
        address = serving.enter_context(publisher(folder / "world" / "publisher"))
        campaign = Campaign(folder, address, seed)
        references: dict[str, Reference] = {}
        for command, kind, number in keys:
            if command not in references:
                references[command] = campaign.reference(campaign.commands[command])
            yield campaign.case(campaign.commands[command], kind, references[command], number)


def _judged_before(path: Path, seed: int) -> dict[tuple[str, str, int], Case]:
    """What an earlier call with the same seed found; what went wrong then is tried again."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row.pop("seed")) == seed]
    found = [Case(**{**row, "number": int(row["number"])}) for row in rows]  # type: ignore[arg-type]
    return {case.key: case for case in found if case.fate != WRONG}


def _note(path: Path, seed: int, cases: dict[tuple[str, str, int], Case]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["seed", *(field.name for field in fields(Case))], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"seed": seed, **asdict(case)} for case in cases.values())
    write_text(path, text.getvalue())


def _in_a_process(make: Callable[..., None], *arguments: object) -> None:
    """Elsewhere, since PyTorch's backward pass does not survive a fork once it has been used."""
    process = get_context("fork").Process(target=make, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise EcgenoughError("what the commands are given could not be made; the reason is above.")


def _page(cases: Sequence[Case]) -> str:
    counted: dict[tuple[str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.fate != MISSED:
            counted[case.command, case.kind].append(case)
    fates = [case.fate for found in counted.values() for case in found]
    rows = [
        f"| {command} | {kind} | {len(found)} | "
        + " | ".join(str(sum(case.fate == fate for case in found)) for fate in (IDENTICAL, REFUSED, WRONG))
        + " |"
        for (command, kind), found in sorted(counted.items())
    ]
    told = [case for found in counted.values() for case in found if case.said and case.fate != WRONG]
    said = {(case.command, case.kind): case.said for case in told}
    wrong = [f"- {case.command}, {case.kind}: {case.why}: `{case.said}`" for case in cases if case.fate == WRONG]
    return PAGE.format(
        command=shlex.join(["python", "-m", "benchmarks.faults", *sys.argv[1:]]),
        machine=f"{os.cpu_count()} cores, {sys.platform}, Python {sys.version.split()[0]}, PyTorch {torch.__version__}, one thread",
        date=date.today(),
        faults=len(fates),
        identical=fates.count(IDENTICAL),
        refused=fates.count(REFUSED),
        wrong=fates.count(WRONG),
        how="The disk is a tmpfs of its own, mounted small, large and read-only."
        if may_mount()
        else "Nothing could be mounted here: a full and a read-only disk are ENOSPC and EROFS at the opening of files.",
        kinds="\n".join(f"- **{kind}**: {what}" for kind, what in KINDS.items()),
        rows="\n".join(rows),
        sentences="\n".join(
            f"- {command}, {kind}: {_placeless(line)}" for (command, kind), line in sorted(said.items())
        ),
        failures="\n## Wrong\n\n" + "\n".join(map(_placeless, wrong)) + "\n" if wrong else "",
    )


def _placeless(line: str) -> str:
    return re.sub(r"/\S*?/case\b", ".", line.removeprefix("ecgenough: ")).replace(" ./", " ")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=210, help="how many, spread evenly over commands and kinds (210)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a command or a kind of fault")
    parser.add_argument("--seed", type=int, default=0, help="what the draws follow from (0)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="the table's folder")
    return parser.parse_args()


if __name__ == "__main__":
    end_with_a_sentence(main)
