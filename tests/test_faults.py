"""The campaign of faults runs whole at its smallest, and its judgement finds what is wrong."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.faults import REMOVED, Reference, _differing, _of_the_same_stores, _unfit
from benchmarks.faults_commands import commands, results
from benchmarks.faults_inflicted import Ended

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("status", "said", "why"),
    [
        (0, "", ""),
        (-9, "epoch 1", ""),
        (1, "a line\necgenough: out: Read-only file system. Choose another folder.\n", ""),
        (1, "ecgenough: out: Read-only file system.\n", "the sentence does not say what to do"),
        (1, "Traceback (most recent call last):\nValueError: no\n", "a traceback"),
        (0, "Traceback (most recent call last):\n", "a traceback"),
        (1, "it broke; choose another folder\n", "no sentence"),
        (-11, "", "it died of signal 11"),
    ],
)
def test_an_end_that_helps_nobody_is_wrong(status: int, said: str, why: str) -> None:
    assert _unfit(Ended(status, said)) == why


def test_what_hangs_is_wrong() -> None:
    assert "did not end" in _unfit(Ended(0, "", hung=True))


def test_other_results_are_told_and_times_do_not_count(tmp_path: Path) -> None:
    train = commands("")["train"]
    (tmp_path / "metrics.json").write_text('{"auc": 0.5, "seconds": 1}')
    (tmp_path / "log.csv").write_text("epoch,seconds\n1,2\n")
    before = results(tmp_path, train)
    (tmp_path / "metrics.json").write_text('{"auc": 0.5, "seconds": 7}')
    (tmp_path / "log.csv").write_text("epoch,seconds\n1,9\n")
    assert results(tmp_path, train) == before
    (tmp_path / "metrics.json").write_text('{"auc": 0.6, "seconds": 1}')
    (tmp_path / ".log.csv.12.part").write_text("")
    (tmp_path / "log.csv").unlink()
    told = _differing(results(tmp_path, train), before)
    assert told == ".log.csv.12.part too many, log.csv absent, metrics.json differs"


def test_a_whole_store_of_other_records_may_lie_beside_and_half_a_one_may_not() -> None:
    reference = Reference({"a/store.json": "1", "a/table.npz": "2"}, 1, 1)
    beside = {"b/store.json": "3", "b/table.npz": "4"}
    assert _of_the_same_stores({**reference.results, **beside}, reference) == reference.results
    half = {"b.part/table.npz": "4"}
    assert _of_the_same_stores({**reference.results, **half}, reference) != reference.results


def test_a_sentence_that_names_what_to_remove_is_understood() -> None:
    for sentence in (
        "the store stores/a-1 is damaged: signals.i16 is absent. Remove the folder and prepare it again.",
        "stores/a-1 cannot be read (UnpicklingError); delete it to train from the start.",
    ):
        found = REMOVED.search(sentence)
        assert found is not None
        assert "stores/a-1" in found.groups()


def test_a_small_campaign_goes_on_where_it_was_and_writes_its_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "--only", "prepare", "--only", "kill", "--out", str(tmp_path)]
    for faults in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [*command, "--faults", faults], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("prepare, kill: ") == 1
    cases = list(csv.DictReader((tmp_path / "faults.csv").open()))
    assert [(case["command"], case["number"]) for case in cases] == [("prepare", "0"), ("prepare", "1")]
    assert {case["fate"] for case in cases} <= {"identical", "missed"}
    page = (tmp_path / "faults.md").read_text()
    assert "0 went wrong" in page
    assert "| prepare | kill |" in page or all(case["fate"] == "missed" for case in cases)
