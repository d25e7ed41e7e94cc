"""A whole collection with planted faults: what is found, what is written, and the page as a reader of HTML sees it."""

import csv
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from benchmarks.faulty import FAULTS, Planted, write_collection

from ecgenough import __main__ as command
from ecgenough.datasets import open_dataset
from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.inspection import Inspection, as_json, inspect_dataset
from ecgenough.inspection.labels import count_labels
from ecgenough.inspection.record import look_at
from ecgenough.inspection.suspicions import KINDS, middle_height, raised, usual_leads
from ecgenough.reports import write_inspection
from ecgenough.reports.inspection import _answer
from ecgenough.simulation import Case, simulate

MADE = simulate([Case(record=number, patient=number) for number in range(24)], rate=100)
ECGS = [MADE.ecg(row) for row in range(24)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Planted]:
    folder = tmp_path_factory.mktemp("planted")
    return folder, write_collection(folder, ECGS, seed=0)


@pytest.fixture(scope="module")
def found(planted: tuple[Path, Planted]) -> Inspection:
    return inspect_dataset(open_dataset(str(planted[0] / "planted.csv"), None, to_train_on=False), workers=1)


def test_copies_torn_patients_and_files_are_found_and_nothing_else(
    planted: tuple[Path, Planted], found: Inspection
) -> None:
    plan = planted[1]
    records = found.dataset.records
    pairs = {(records[one.first], records[one.second]): one for one in found.copies}
    for what, group in plan.copies.items():
        for pair in group:
            assert pairs[pair].exact == (what == "the same voltages under another patient")
    gains = [pairs[pair].gain for pair in plan.copies["in µV read as mV"]]
    assert gains == pytest.approx([1000] * len(gains), rel=1e-3)
    originals = {pair[0] for group in plan.copies.values() for pair in group}
    assert {name[:5] for pair in pairs for name in pair} == originals
    assert set(found.torn) == set(plan.torn)
    assert sorted(record for record, _ in found.absent) == sorted(plan.absent)
    assert sorted(record for record, _ in found.broken) == sorted(plan.broken)
    units = {one.record for one in found.of_kind("unit or gain")}
    assert units == {pair[1] for pair in plan.copies["in µV read as mV"]}


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.kind != "exchanged electrodes"], ids=lambda one: one.name
)
def test_a_planted_fault_raises_its_suspicion_and_a_sound_record_none(fault: object) -> None:
    assert isinstance(fault, type(FAULTS[0]))
    looks = [look_at(ecg) for ecg in ECGS[:8]]
    middle, usual = middle_height(looks), usual_leads(looks)
    assert not any(raised_one for look in looks for raised_one in raised(look, middle, usual))
    kinds = [{one[0] for one in raised(look_at(fault.plant(ecg)), middle, usual)} for ecg in ECGS[:8]]
    assert sum(fault.kind in of for of in kinds) >= 7


def test_a_header_without_its_samples_is_absent_and_a_short_one_broken(tmp_path: Path) -> None:
    for at in range(4):
        write_wfdb(tmp_path, f"r{at}", ECGS[at])
    (tmp_path / "r1.dat").unlink()
    (tmp_path / "r2.dat").write_bytes(b"short")
    (tmp_path / "m.csv").write_text("path,patient,fold\nr0,0,1\nr1,1,2\nr2,2,3\nr3,3,1\n")
    found = inspect_dataset(open_dataset(str(tmp_path / "m.csv"), None), workers=1)
    assert [record for record, _ in found.absent] == ["r1"]
    assert [record for record, _ in found.broken] == ["r2"]
    assert [place for place, _ in found.read] == [0, 3]
    assert found.labels is None
    page = write_inspection(found, tmp_path / "out").read_text(encoding="utf-8")
    assert "2 records of 2 patients could be read, 2 could not" in page
    assert "of 4 listed, 0 in several folds" in page


def test_a_voltage_that_is_drawn_lower_than_it_is_is_named(tmp_path: Path) -> None:
    """The page doubts voltages held at their end; what its own drawing cuts off looks the same."""
    high = ECGS[1].signal.copy()
    high[ECGS[1].leads.index("V2"), 500:504] += 9
    for name, ecg in (("r0", ECGS[0]), ("r1", replace(ECGS[1], signal=high))):
        write_wfdb(tmp_path, name, ecg)
    (tmp_path / "m.csv").write_text("path,mi\nr0,0\nr1,1\n")
    found = inspect_dataset(open_dataset(str(tmp_path / "m.csv"), None, to_train_on=False), workers=1)
    page = write_inspection(found, tmp_path / "out").read_text(encoding="utf-8")
    drawn = dict(re.findall(r'Record (r\d).*?(class="evidence".*?)<svg', page, flags=re.DOTALL))
    assert "Drawn up to 5 mV; V2 goes beyond." in drawn["r1"]
    assert "Drawn up to" not in drawn["r0"]


def test_a_copy_with_another_label_is_pointed_out(tmp_path: Path) -> None:
    """One of the two labels is wrong, whichever it is."""
    for at, ecg in enumerate([ECGS[0], ECGS[1], ECGS[0], ECGS[1]]):
        write_wfdb(tmp_path, f"r{at}", ecg)
    (tmp_path / "m.csv").write_text("path,patient,mi\nr0,a,1\nr1,b,0\nr2,a,0\nr3,b,0\n")
    found = inspect_dataset(open_dataset(str(tmp_path / "m.csv"), None, to_train_on=False), workers=1)
    write_inspection(found, tmp_path / "out")
    assert [one["same labels"] for one in json.loads((tmp_path / "out/inspection.json").read_text())["copies"]] == [
        False, True,
    ]  # fmt: skip
    assert (
        "2 pairs of records have one waveform, 1 with different labels"
        in (tmp_path / "out/inspection.html").read_text()
    )
    rows = list(csv.DictReader((tmp_path / "out/copies.csv").open()))
    assert [row["same_labels"] for row in rows] == ["no", "yes"]


@pytest.mark.parametrize("rows", ["path\nr0\n", "path,mi\nr0,1\n", "path,mi\nr0,\n"])
def test_a_single_record_is_enough_to_look_at(tmp_path: Path, rows: str) -> None:
    write_wfdb(tmp_path, "r0", ECGS[0])
    (tmp_path / "one.csv").write_text(rows)
    found = inspect_dataset(open_dataset(str(tmp_path / "one.csv"), None, to_train_on=False), workers=1)
    write_inspection(found, tmp_path / "out")
    assert (len(found.read), found.torn) == (1, {})
    with pytest.raises(WrongRequest, match="too few to deal"):
        open_dataset(str(tmp_path / "one.csv"), None)


@pytest.mark.parametrize(
    ("rows", "classes", "said"),
    [
        ("path,label\nr0,AF\nr1,AF\nr2,AF\n", {"AF": 3}, "Every record has “AF”: there is nothing to tell apart"),
        ("path,mi\nr0,1\nr1,1\nr2,1\n", {"mi": 3}, "Every record has “mi”: there is nothing to tell apart"),
        ("path,mi\nr0,0\nr1,0\nr2,0\n", {"mi": 0}, "Every record has no class: there is nothing to tell apart"),
        ("path,mi\nr0,0\nr1,1\nr2,0\n", {"mi": 1}, ""),
        ("path,label,fold\nr0,AF,1\nr1,no,2\nr2,no,2\n", {"AF": 1}, ""),
        ("path,diagnosis\nr0,old MI\nr1,AF\nr2,none\n", None, "3 different words in 3 rows: these are no classes"),
    ],
)
def test_labels_that_nothing_can_be_trained_on_are_counted_and_told(
    tmp_path: Path, rows: str, classes: dict[str, int] | None, said: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for at in range(3):
        write_wfdb(tmp_path, f"r{at}", ECGS[at])
    (tmp_path / "m.csv").write_text(rows)
    words = ["inspect", str(tmp_path / "m.csv"), "--out", str(tmp_path / "out"), "--workers", "1"]
    monkeypatch.setattr(sys, "argv", ["ecgenough", *words])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert not end.value.code
    told, labels = capsys.readouterr(), json.loads((tmp_path / "out" / "inspection.json").read_text())["labels"]
    assert (labels and {name: one["records"] for name, one in labels["classes"].items()}) == classes
    assert said in told.out + told.err
    page = (tmp_path / "out" / "inspection.html").read_text(encoding="utf-8")
    for where in (told.out, page):
        assert ("nothing to tell apart" in where) == ("nothing to tell apart" in said)


def test_one_of_a_kind_is_told_in_the_singular(found: Inspection) -> None:
    patient, folds = next(iter(found.torn.items()))
    alone = replace(found, torn={patient: folds}, copies=found.copies[:1], suspicions=found.suspicions[:1])
    told = _answer(alone)
    assert "; 1 record raises a suspicion; 1 pair of records has one waveform" in told
    assert told.endswith("; 1 patient has records in several folds.")


def test_labels_are_counted_by_hand() -> None:
    """Four records: a, a and b, none, and one that takes no part."""
    task = Task("t", ("a", "b"), np.array([[1, 0], [1, 1], [0, 0], [1, 1]]), np.array([1, 1, 1, 0]))
    counted = count_labels(task, np.ones(4, dtype=bool))
    assert (counted.records, counted.several, counted.none) == (3, 1, 1)
    assert counted.counts.tolist() == [2, 1]
    assert counted.shares.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert counted.together.tolist() == [[2, 1], [1, 1]]


def test_what_is_written_says_the_same_in_json_csv_and_html(found: Inspection, tmp_path: Path) -> None:
    page = write_inspection(found, tmp_path / "out").read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "out" / "inspection.json").read_text(encoding="utf-8"))
    assert numbers == json.loads(json.dumps(as_json(found)))
    assert numbers["records"]["read"] == len(found.read)
    assert numbers["records"]["listed"] == len(found.read) + len(found.absent) + len(found.broken)
    with (tmp_path / "out" / "suspicions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["record"], row["kind"]) for row in rows] == [(one.record, one.kind) for one in found.suspicions]
    assert len((tmp_path / "out" / "records.csv").read_text().splitlines()) == len(found.read) + 1
    outline = _Outline(page)
    assert outline.open == []
    assert outline.asked <= outline.ids | {""}
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for record, reason in (*found.absent, *found.broken):
        assert record in page
        assert reason.split(":")[0].split("“")[0][:20] in page
    assert page.count('class="ecg-paper"') >= 12
    assert "Log odds" in page or not found.of_kind("exchanged electrodes")


class _Outline(HTMLParser):
    """Which elements stay open, which ids there are, and which of them links point at."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.asked: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.ids.add(about.get("id") or "")
        if (about.get("href") or "").startswith("#"):
            self.asked.add(str(about["href"])[1:])
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_command_writes_the_page_and_says_the_first_of_each_kind(
    planted: tuple[Path, Planted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ecgenough", "inspect", str(planted[0] / "planted.csv"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert _status(words, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "3 absent or broken" in said or "6 absent or broken" in said
    assert "unit or gain: " in said
    assert "one waveform: " in said
    assert "in several folds: " in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "inspection.html", "inspection.json", "suspicions.csv", "records.csv", "copies.csv",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.csv", "--out", "out"], "neither a known dataset nor a manifest that is there"),
        (["planted.csv", "--out", "planted.csv"], "is a file; give a folder with --out"),
        (["planted.csv", "--out", "out", "--task", "labels"], "has no labels"),
    ],
)
def test_a_wrong_request_is_a_sentence(
    words: list[str],
    said: str,
    planted: tuple[Path, Planted],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(planted[0])
    assert _status(["ecgenough", "inspect", *words], monkeypatch) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def _status(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as stopped:
        command.main()
    return int(stopped.value.code or 0)


def test_torn_patients_are_refused_everywhere_else(planted: tuple[Path, Planted]) -> None:
    with pytest.raises(WrongRequest, match="folds must keep a patient whole"):
        open_dataset(str(planted[0] / "planted.csv"), None)


def test_every_kind_of_suspicion_says_what_it_may_mean() -> None:
    assert {fault.kind for fault in FAULTS} <= KINDS.keys()
    assert all(meaning.endswith(".") for meaning in KINDS.values())
