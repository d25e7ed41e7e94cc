"""Every file of benchmarks/broken.py through `ecgenough predict` and through the service: an answer, or one sentence."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest
from benchmarks.broken import broken_files

SECONDS = 20  # for one file, on a busy machine; the slowest takes about 1 on a free one
MEMORY = 1 << 30  # bytes beyond what packages and the model take

_CHILD = """
import contextlib, functools, io, json, resource, sys, tempfile, time
from pathlib import Path
from benchmarks.guarded import Guard
from benchmarks.harnesses.models import small_model
from benchmarks.samples import WRITERS, sample
from ecgenough.cli import main
from ecgenough.commands import predict
from ecgenough.serving import reading
from ecgenough.serving.limits import Limits
from ecgenough.serving.service import build_app
from starlette.testclient import TestClient

FORM = {"rate": "500", "unit": "mV", "leads": "I,II", "orientation": "samples-by-leads"}

def ask(place):
    said = io.StringIO()
    sys.argv = ["ecgenough", "predict", str(place), "--model", "model", "--json"]
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            return [end.code or 0, said.getvalue()]
        except Exception as error:
            return [99, f"{type(error).__name__}: {error}"]

def post(client, place):
    with contextlib.redirect_stderr(io.StringIO()):
        answer = client.post("/v1/predict", files=[("files", (place.name, place.read_bytes()))])
    return [answer.status_code, answer.json().get("detail", "")]

def run(folder, memory):
    reading.STARTING = 250.0  # a busy machine's
    small_model("eegnet", {}).save(Path("model"))
    predict._load = functools.cache(predict._load)  # once for all files
    guard, warm = Guard(folder), folder / "warm"
    warm.mkdir()
    for name in WRITERS:  # packages are imported before anything is watched
        (warm / name).write_bytes(sample(name, 500)[0])
        ask(warm / name)
    door, _ = build_app(small_model("eegnet", {}), "small", Limits(readers=1))
    with TestClient(door) as client:
        post(client, warm / "scp")
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, -1))
        for place in sorted(folder.iterdir()):
            if place.is_file():
                guard.seen.clear()
                begun, guard.armed = time.monotonic(), True
                cli = ask(place)
                guard.armed = False
                seconds = time.monotonic() - begun
                print(json.dumps([place.name, *cli, seconds, list(guard.seen), *post(client, place)]), flush=True)

if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
"""


class Row(NamedTuple):
    """What the command and the service said of one file."""

    name: str
    status: int
    said: str
    seconds: float
    elsewhere: list[str]
    http: int
    detail: str


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    folder, beside = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("beside")
    for name, content in broken_files().items():
        (folder / name).write_bytes(content)
    (beside / "child.py").write_text(_CHILD)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "child.py", str(folder), str(MEMORY)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=beside, env=environment, timeout=290)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not [*folder.rglob("trap*"), *beside.rglob("trap*")]
    return [Row(*json.loads(line)) for line in done.stdout.splitlines()]


def test_the_command_says_one_sentence_with_the_file_s_name(rows: list[Row]) -> None:
    assert len(rows) == len(broken_files())
    assert {row.name: row.said for row in rows if row.status not in (0, 1, 2)} == {}
    refused = [row for row in rows if row.status]
    wrong = [row.said for row in refused if row.said.count("\n") != 1 or row.name.rpartition(".")[0] not in row.said]
    assert wrong == []
    assert not [row.said for row in refused if "Traceback" in row.said or len(row.said) > 800]
    assert {row.name: row.seconds for row in rows if row.seconds > SECONDS} == {}


def test_the_command_opens_nothing_else(rows: list[Row]) -> None:
    assert {row.name: row.elsewhere for row in rows if any("model" not in seen for seen in row.elsewhere)} == {}


def test_the_service_answers_what_the_command_does(rows: list[Row]) -> None:
    assert {row.name: row.http for row in rows if row.http not in (200, 400, 413, 422)} == {}
    unnamed = [row.detail for row in rows if row.http == 422 and row.name.rpartition(".")[0] not in row.detail]
    assert unnamed == []
    assert not [row.detail for row in rows if "cannot be read (" in row.detail or "\n" in row.detail]
    alone = {row.name for row in rows if row.name.endswith((".hea", ".dat"))}  # sent without the files beside them
    assert {row.name for row in rows if (row.status == 0) != (row.http == 200)} <= alone
