"""The fuzzer of benchmarks/fuzz.py, guided by which branches of the code a file reaches: needs the package atheris.

libFuzzer ends its process, so each harness works in a process of its own, which writes its row as it goes. The service is
left to the other engine: its threads do not survive the start of a process.
"""

import json
import os
import sys
import time
from pathlib import Path

import atheris

CODE = ["ecgenough", "pydicom", "edfio", "sierraecg", "defusedxml", "yaml"]
with atheris.instrument_imports(include=CODE):
    from benchmarks import fuzz
from benchmarks.guarded import Guard  # noqa: E402 (the readers are imported first, to be counted)
from benchmarks.mutations import MOST_BYTES  # noqa: E402
from ecgenough.files import write_text  # noqa: E402

OFTEN = 100  # files between two writings of the row


def by_atheris(tally: fuzz.Tally, guard: Guard, seconds: float) -> None:
    """Let libFuzzer choose the files; its corpus is kept, so that a later run starts from it."""
    if tally.fed.name == "service":
        return
    corpus = tally.out / f"corpus-{tally.fed.name}"
    corpus.mkdir(exist_ok=True)
    for i, content in enumerate(tally.fed.seeds):
        (corpus / f"seed-{i}").write_bytes(content)
    row = tally.out / f"atheris-{tally.fed.name}.json"
    flags = [f"-max_total_time={seconds:.0f}", f"-artifact_prefix={artefacts(tally)}", str(corpus)]
    if (child := os.fork()) == 0:
        _feed(tally, guard, flags, row)
    os.waitpid(child, 0)
    if row.is_file():
        tally.restore(json.loads(row.read_text(encoding="utf-8")))


def artefacts(tally: fuzz.Tally) -> str:
    """Where libFuzzer leaves the files that it finds slow, large or deadly, made here; else it takes the working folder."""
    folder = tally.out / f"artefacts-{tally.fed.name}"
    folder.mkdir(exist_ok=True)
    return f"{folder}{os.sep}"


def _feed(tally: fuzz.Tally, guard: Guard, arguments: list[str], row: Path) -> None:
    begun = time.process_time()

    def once(content: bytes) -> None:
        tally.add(content, tally.fed.run(content, guard), guard)
        if tally.kinds.total() % OFTEN == 0:
            tally.end, tally.cpu = time.monotonic(), time.process_time() - begun
            tally.worked = tally.end - tally.start
            write_text(row, json.dumps(tally.row(), indent=2))

    flags = [f"-max_len={MOST_BYTES}", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, *arguments], once)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz.main(by_atheris, patience=0)
