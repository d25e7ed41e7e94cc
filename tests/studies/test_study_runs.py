"""Studies as a whole: what they leave, that every cell is done once, whatever is killed, and what stops none of it."""

import csv
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.studies.conftest import InThisProcess

from ecgenough.errors import WrongRequest
from ecgenough.learning.watching import Beginning, Figures
from ecgenough.model import Model
from ecgenough.signals.store import Store
from ecgenough.studies import cell_runs, tracking
from ecgenough.studies.cell_folders import COLUMNS
from ecgenough.studies.cell_runs import Place
from ecgenough.studies.engines import Work
from ecgenough.studies.study import Study
from ecgenough.studies.study_runs import Summary, run_study

RunHere = Callable[[Study, Path], Summary]
ResultOf = Callable[[Path], tuple[str, dict[str, str]]]


def test_the_table_has_a_row_a_cell(done: Path) -> None:
    with (done / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["kind"], row["arm"], row["mode"], row["source"], row["fold"]) for row in rows] == [
        (kind, arm, mode, source, fold)
        for kind, arm, mode, source in (
            ("network", "tiny scratch", "scratch", ""),
            ("network", "tiny full", "full", "super"),
            ("baseline", "prevalence", "", ""),
            ("baseline", "demographics", "", ""),
        )
        for fold in ("1", "2")
    ]
    for row in rows:
        assert (row["status"], row["reason"], row["target"], row["task"]) == ("done", "", "pe", "embolism")
        assert (row["seed"], row["repeat"], row["size"]) == ("0", "0", "")
        assert [row[f"{part}_records"] for part in ("train", "validation", "test")] == ["64", "16", "80"]
        assert bool(row["parameters"]) == bool(row["operations"]) == (row["kind"] == "network")


def test_without_scikit_learn_a_study_that_needs_it_is_not_begun(
    settings: dict[str, Any], tmp_path: Path, run_here: RunHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    trees = settings | {"sources": {}, "modes": ["scratch"], "networks": {"trees": {"recipe": "calipers"}}}
    with pytest.raises(WrongRequest, match=r"caliper_trees needs the package sklearn: pip install"):
        run_here(Study.of(trees | {"baselines": []}), tmp_path / "trees")
    taught = settings["networks"]["tiny"] | {"set": {"distillation": {"teachers": [], "baselines": ["intervals"]}}}
    with pytest.raises(WrongRequest, match=r"needs the package sklearn"):
        run_here(Study.of(settings | {"networks": {"taught": taught}, "baselines": []}), tmp_path / "taught")
    with pytest.raises(
        WrongRequest, match=r"a fit of demographics, intervals or caliper_trees needs the package sklearn"
    ):
        run_here(Study.of(settings), tmp_path / "sober")
    assert not list(tmp_path.iterdir())


def test_each_cell_s_folder_says_what_the_table_says_and_how_it_decides(done: Path) -> None:
    for _, row in pd.read_csv(done / "cells.csv", keep_default_na=False, dtype=str).iterrows():
        folder = done / "cells" / row["cell"]
        card = json.loads((folder / "cell.json").read_text())
        assert all(("" if card[key] is None else str(card[key])) == row[key] for key in COLUMNS)
        ((positives, negatives),) = card["validation_patients"]
        assert 0 < positives < negatives  # fewer than half of the patients have an embolism
        assert positives + negatives < card["validation_records"]  # some have several ECGs
        assert (card["classes"], len(card["titles"]), len(card["thresholds"])) == (["embolism"], 1, 1)
        files = {"cell.json", "predictions.csv"}
        if row["kind"] == "network":
            files |= {"recipe.yaml", "log.csv"}
            assert card["trained_parameters"] == card["parameters"]  # scratch and full: everything learns
        assert {path.name for path in folder.iterdir()} == files
    assert not list((done / "cells").glob(".*"))


def test_every_record_is_predicted_once_an_arm_with_its_own_label(done: Path, stores: dict[str, Store]) -> None:
    store = stores["embolism"]
    truth = dict(zip(store.records, store.task("embolism").labels[:, 0].astype(int).tolist(), strict=True))
    for _, cells in pd.read_csv(done / "cells.csv").groupby("arm"):
        tables = [
            pd.read_csv(done / "cells" / cell / "predictions.csv", dtype={"record": str}) for cell in cells["cell"]
        ]
        table = pd.concat(tables)
        assert list(table.columns) == ["record", "patient", "sex", "age", "p_embolism", "y_embolism"]
        assert sorted(table["record"]) == sorted(store.records)
        assert dict(zip(table["record"], table["y_embolism"], strict=True)) == truth
        assert table["p_embolism"].between(0, 1).all()
        ages = dict(zip(store.records, store.ages.tolist(), strict=True))
        assert all(
            age == pytest.approx(ages[record]) for record, age in zip(table["record"], table["age"], strict=True)
        )


def test_the_source_is_learned_once_and_has_seen_none_of_the_target(done: Path, stores: dict[str, Store]) -> None:
    (source,) = (done / "sources").iterdir()
    model = Model.load(source)
    assert model.task == "superdiagnostic"
    assert not np.isin(stores["embolism"].hashes, model.seen).any()


def test_a_finished_study_is_left_alone_and_a_changed_one_keeps_what_has_not(
    settings: dict[str, Any], done: Path, place: Path, run_here: RunHere, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "grown"
    shutil.copytree(done, out)
    before = {path: path.stat().st_mtime_ns for path in (out / "cells").glob("*/cell.json")}
    assert run_here(Study.of({**settings, "modes": ["scratch"], "sources": {}, "seeds": [0, 1]}), out).cells == 8
    assert "6 finished cells are used again; 2 are no longer part of it." in capsys.readouterr().err
    assert run_here(Study.of(settings), out).cells == 8
    assert "8 of 8 cells are done already." in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_another_study_s_folder_is_refused(settings: dict[str, Any], done: Path, run_here: RunHere) -> None:
    other = Study.of({**settings, "resampling": {"kind": "k-fold", "folds": 3}})
    with pytest.raises(WrongRequest, match="holds another study's cells"):
        run_here(other, done)


def _in_a_child(work: Callable[[], object]) -> int:
    """Do `work` in a forked process; its id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    finally:
        os._exit(0)


def test_a_finished_study_is_left_alone_but_for_a_killed_one_s_litter(
    done: Path, small_study: Study, run_here: RunHere, result_of: ResultOf
) -> None:
    before = result_of(done)
    litter = done / f".cells.csv.{2**22 + 1}@{socket.gethostname()}.part"  # above any process number
    litter.write_text("half")
    finished = next((done / "cells").iterdir())
    uncleared = finished.with_name(f".{finished.name}.part") / "run"
    uncleared.mkdir(parents=True)
    assert run_here(small_study, done) == Summary(8, {})
    assert result_of(done) == before
    assert not litter.exists()
    assert not uncleared.parent.exists()


def test_killed_five_times_at_random_it_ends_as_if_never_killed(
    small_study: Study, done: Path, place: Path, run_here: RunHere, result_of: ResultOf
) -> None:
    out, chance, killed = place / "killed", random.Random(3), 0
    for _ in range(5):
        child = _in_a_child(lambda: run_here(small_study, out))
        time.sleep(chance.uniform(0.2, 1.5))
        os.kill(child, signal.SIGKILL)
        killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        if (out / "cells.csv").exists():  # whole whenever it is looked at
            assert len(pd.read_csv(out / "cells.csv")) == 8
    assert killed
    assert run_here(small_study, out) == Summary(8, {})
    assert result_of(out) == result_of(done)
    assert not list((out / "cells").glob(".*"))


def test_two_engines_on_one_folder_do_every_cell_once_between_them(
    small_study: Study, done: Path, place: Path, run_here: RunHere, result_of: ResultOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, begun = place / "twice", place / "begun"
    for step in ("_run", "_learn"):
        _noting(monkeypatch, step, begun)
    children = [_in_a_child(lambda: run_here(small_study, out)) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    lines = begun.read_text().splitlines()
    assert len(lines) == 8 + 1  # the cells and the source
    assert len({line.split()[0] for line in lines}) == 9
    assert result_of(out) == result_of(done)


def _noting(monkeypatch: pytest.MonkeyPatch, step: str, begun: Path) -> None:
    """Have the function `step` of cell_runs write down what it begins, and which process does."""
    real = getattr(cell_runs, step)

    def noted(work: Work, place: Place) -> None:
        with begun.open("a") as file:
            file.write(f"{work.fingerprint} {os.getpid()}\n")
        real(work, place)

    monkeypatch.setattr(cell_runs, step, noted)


def test_a_failed_cell_says_why_and_stops_no_other(settings: dict[str, Any], place: Path, run_here: RunHere) -> None:
    study = Study.of(
        {**settings, "sources": {}, "modes": ["scratch"], "vary": {"optimizer.learning_rate": [0.003, 1e30]}}
    )
    summary = run_here(study, place / "failed")
    table = pd.read_csv(place / "failed" / "cells.csv").set_index("cell")
    failed = table[table["status"] == "failed"]
    assert set(summary.failed) == set(failed.index)
    assert set(failed["arm"]) == {"tiny optimizer.learning_rate=1e+30 scratch"}
    assert failed["reason"].str.contains("the training loss is nan").all()
    assert (table.drop(failed.index)["status"] == "done").all()
    tried = [(place / "failed" / "cells" / f".{cell}.part" / "failed.json") for cell in failed.index]
    before = [json.loads(path.read_text())["at"] for path in tried]
    assert run_here(study, place / "failed").failed == summary.failed  # tried again when asked again
    assert all(json.loads(path.read_text())["at"] > then for path, then in zip(tried, before, strict=True))


def test_a_failed_source_fails_what_begins_from_it_and_nothing_else(
    settings: dict[str, Any], place: Path, run_here: RunHere
) -> None:
    broken = {"super": {**settings["sources"]["super"], "set": {"optimizer.learning_rate": 1e30}}}
    summary = run_here(Study.of({**settings, "sources": broken}), place / "source")
    table = pd.read_csv(place / "source" / "cells.csv")
    assert set(table[table["status"] == "failed"]["arm"]) == {"tiny full"}
    assert all(
        "its source super is not there: the training loss is nan" in reason for reason in summary.failed.values()
    )


def _manifest(path: Path, collection: Path, rows: Sequence[tuple[str, str, int, str]]) -> dict[str, str]:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "patient", "embolism", "fold"])
        table.writerows(rows)
    return {"data": str(path), "folder": str(collection)}


def test_the_same_waveform_in_source_and_target_is_refused_by_name(
    settings: dict[str, Any], simulated: Path, tmp_path: Path, run_here: RunHere
) -> None:
    """A target of one's own that lists two records of the source's training folds, under names of its own."""
    (tmp_path / "all").symlink_to(simulated)
    own = sorted((simulated / "embolism" / "records").rglob("*.hea"))[:40]
    files = [f"all/{path.relative_to(simulated)}" for path in own]
    taken = sorted((simulated / "superclasses" / "records100").rglob("*.hea"))[:2]
    rows = [(file, f"p{place}", place % 4 == 0, "") for place, file in enumerate(files)]
    rows += [(f"all/{path.relative_to(simulated)}", f"q{path.stem}", 1, "") for path in taken]
    target = _manifest(
        tmp_path / "pe.csv", tmp_path, [(path, who, int(label), fold) for path, who, label, fold in rows]
    )
    lines = (tmp_path / "pe.csv").read_text().replace(",fold", "").splitlines()
    (tmp_path / "pe.csv").write_text("\n".join(line.removesuffix(",") for line in lines) + "\n")
    with pytest.raises(
        WrongRequest, match=r'recordings of target "pe" are among those that source "super" would learn'
    ):
        run_here(Study.of({**settings, "targets": {"pe": target}}), tmp_path / "out")
    assert not (tmp_path / "out" / "sources").exists()


def test_a_trained_model_is_carried_over_as_it_is_and_not_to_what_it_has_seen(
    settings: dict[str, Any], done: Path, place: Path, run_here: RunHere
) -> None:
    (source,) = (done / "sources").iterdir()
    begins = {"sources": {"theirs": {"model": str(source)}}, "networks": {}, "modes": ["frozen"], "baselines": []}
    tiny = {"recipe": settings["networks"]["tiny"]["recipe"], "set": {"training.epochs": 1}}
    study = Study.of({**settings, **begins, "on_target": tiny})
    assert run_here(study, place / "carried") == Summary(2, {})
    table = pd.read_csv(place / "carried" / "cells.csv")
    assert set(table["arm"]) == {"theirs frozen"}
    assert set(table["source"]) == {"theirs"}
    card = json.loads(next((place / "carried" / "cells").glob("*/cell.json")).read_text())
    assert card["trained_parameters"] < card["parameters"]  # the head alone
    own = {"super": settings["sources"]["super"]}
    with pytest.raises(
        WrongRequest, match=r"records of simulated \(first: .*\) were among those the source model learned from"
    ):
        run_here(Study.of({**settings, **begins, "targets": own}), place / "seen")
    assert not (place / "seen" / "cells").exists()


class Notes:
    """A tracker that writes down what it is told, where it is told to."""

    def begin(self, beginning: Beginning) -> None:
        self.path = beginning.folder / "told.txt"
        self._note(f"begin {beginning.recipe.task} of {beginning.group}")

    def epoch(self, figures: Figures) -> None:
        self._note(f"epoch {figures['epoch']:g}")

    def end(self, metrics: Mapping[str, Any]) -> None:
        self._note(f"end {metrics['task']}")

    def broken_off(self, reason: str) -> None:
        self._note(reason)

    def _note(self, line: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{line}\n")


def test_every_training_of_a_study_is_shown_by_its_trackers(
    small_study: Study, done: Path, place: Path, result_of: ResultOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tracking.TRACKERS, "notes", Notes)
    out = place / "shown"
    run_study(small_study, out, lambda _: InThisProcess(), device="cpu", stores=place / "stores", track=["notes"])
    assert result_of(out) == result_of(done)
    told = {
        path.parent.name.rsplit("-", 1)[0]: path.read_text().splitlines() for path in out.glob("tracked/*/told.txt")
    }
    arms = {f"pe-tiny-{mode}-seed-0-repeat-0-fold-{fold}" for mode in ("scratch", "full") for fold in (1, 2)}
    assert set(told) == {"source-super-tiny", *arms}
    of_cell = ["begin embolism of shown", "epoch 1", "epoch 2", "end embolism"]
    assert all(told[arm] == of_cell for arm in arms)
    assert told["source-super-tiny"] == [line.replace("embolism", "superdiagnostic") for line in of_cell]


def test_a_patient_in_two_folds_is_refused_by_name(
    settings: dict[str, Any], simulated: Path, tmp_path: Path, run_here: RunHere
) -> None:
    files = [str(path.relative_to(simulated)) for path in sorted((simulated / "embolism" / "records").rglob("*.hea"))]
    rows = [(file, f"p{place // 2}", int(place % 4 == 0), str(place % 3 + 1)) for place, file in enumerate(files[:30])]
    target = _manifest(tmp_path / "pe.csv", simulated, rows)
    study = Study.of({**settings, "targets": {"pe": target}, "resampling": {"kind": "published"}})
    with pytest.raises(WrongRequest, match="patient p0 has records in folds 1 and 2"):
        run_here(study, tmp_path / "out")
