"""The fuzzer of benchmarks/fuzz.py, guided by which branches of the readers a file reaches: needs the package atheris.

libFuzzer ends the process itself, so one target is run at a time, and its row is written as it goes.
"""

import json
import sys

import atheris

READERS = ["ecgenough.formats", "pydicom", "edfio", "sierraecg", "defusedxml"]
with atheris.instrument_imports(include=READERS):
    from benchmarks import fuzz
from benchmarks.guarded import Guard  # noqa: E402 (the readers are imported first, to be counted)
from ecgenough.files import write_text  # noqa: E402


def by_atheris(tally: fuzz.Tally, guard: Guard, seconds: float, seed: int) -> None:
    """Let libFuzzer choose the files; its corpus is kept, so that a later run starts from it."""
    corpus = tally.out / f"corpus-{tally.target.name}"
    corpus.mkdir(exist_ok=True)
    for i, content in enumerate(tally.target.seeds):
        (corpus / f"seed-{i}").write_bytes(content)

    def once(content: bytes) -> None:
        if tally.target.name.startswith("scp"):
            content = fuzz.with_scp_checksum(content)
        tally.add(content, tally.target.run(content, guard), guard)
        if tally.kinds.total() % 200 == 0:
            write_text(tally.out / f"atheris-{tally.target.name}.json", json.dumps(tally.row(), indent=2))

    flags = [f"-max_total_time={seconds:.0f}", f"-max_len={fuzz.MOST_BYTES}", f"-seed={seed + 1}", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz.main(by_atheris)
