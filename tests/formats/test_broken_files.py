"""Every file of benchmarks/broken.py is read or refused in one sentence: soon, in little memory, and nowhere else."""

import json
import os
import subprocess
import sys

import pytest
from benchmarks.broken import broken_files
from benchmarks.samples import WRITERS

SECONDS = 20  # for one file, on a busy machine; the slowest takes about 1 on a free one

_CHILD = """
import json, resource, sys
from pathlib import Path
from benchmarks.guarded import Guard
from benchmarks.samples import WRITERS, sample
folder = Path(sys.argv[1])
guard = Guard(folder)
(folder / "warm").mkdir()
for name in WRITERS:  # packages are imported before anything is watched
    (folder / "warm" / name).write_bytes(sample(name, 500)[0])
    assert guard.read(folder / "warm" / name).kind == "read", name
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[2]),) * 2)
for place in sorted(folder.iterdir()):
    if place.is_file():
        outcome = guard.read(place)
        print(json.dumps([place.name, outcome.kind, outcome.what, outcome.seconds, outcome.elsewhere]))
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str, float, list[str]]]:
    """What came of each file, read in one process that may take 1 GiB beyond what its packages take."""
    folder = tmp_path_factory.mktemp("broken")
    for name, content in broken_files().items():
        (folder / name).write_bytes(content)
    command = [sys.executable, "-c", _CHILD, str(folder), str(1 << 30)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_environment(), timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not list(folder.rglob("trap*"))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {name: (kind, what, seconds, elsewhere) for name, kind, what, seconds, elsewhere in rows}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}


def test_none_crashes_a_reader_or_makes_it_slow_or_open_something_else(
    outcomes: dict[str, tuple[str, str, float, list[str]]],
) -> None:
    assert len(outcomes) == len(broken_files())
    assert {name: what for name, (kind, what, _, _) in outcomes.items() if kind == "crashed"} == {}
    assert {name: seconds for name, (_, _, seconds, _) in outcomes.items() if seconds > SECONDS} == {}
    assert {name: elsewhere for name, (_, _, _, elsewhere) in outcomes.items() if elsewhere} == {}


def test_those_that_lie_explode_or_lead_away_are_refused(
    outcomes: dict[str, tuple[str, str, float, list[str]]],
) -> None:
    harmful = ("cut", "lies", "laughs", "quadratic", "entity", "parameter", "bomb", "nested", "page", "code", "outside")
    # Read all the same: an element behind the waveforms that runs past the end, and more leads than there are labels.
    harmless = {"lies-element.dcm", "lies-numberofleads-1e9.xml"}
    read = {name for name, (kind, *_) in outcomes.items() if kind == "read" and name.startswith(harmful)}
    assert read <= harmless


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bomb.dcm", "inflates to more than 64 MiB"),
        ("bomb.npz", "unpacks to more than"),
        ("bomb.parquet", "300,000,000 samples"),
        ("bomb-lzw.xml", "its codes expand to"),
        ("laughs-restingecg.xml", "its XML declares entities"),
        ("entity-file-annotatedecg.xml", "its XML declares entities"),
        ("nested.xml", "nest deeper than 100"),
        ("elements.xml", "more than 200,000 XML elements"),
        ("lies-samples.dcm", "declares 4,294,967,295 samples"),
        ("lies-lead-to-4294967295.scp", "declares 4,294,967,295 samples"),
        ("lies-code.npz", "is not a whole NPZ file"),
        ("code.npz", "holds 2-dimensional object"),
        ("page.dcm", "an HTML page"),
        ("odd-2000-leads.npz", "2,000 leads"),
        ("odd-same-lead-twice.xml", "lead I is there twice"),
    ],
)
def test_the_sentence_says_what_is_wrong(
    outcomes: dict[str, tuple[str, str, float, list[str]]], name: str, message: str
) -> None:
    kind, what, _, _ = outcomes[name]
    assert kind == "refused"
    assert message in what


@pytest.mark.parametrize("name", WRITERS)
def test_unusual_but_whole_files_are_read(outcomes: dict[str, tuple[str, str, float, list[str]]], name: str) -> None:
    if name in ("philips", "edf", "bdf"):
        return
    found = [outcome for file, outcome in outcomes.items() if file.startswith(f"odd-one-sample-{name}.")]
    assert [what for _, what, _, _ in found] == ["(12, 1) at 500 Hz"]
