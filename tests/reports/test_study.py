import csv
import json
from pathlib import Path

import pytest
from tests.made_study import SOBER, MadeStudy, make_studies, make_study, network
from tests.reports.test_page import Outline

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.reports import write_study_report
from ecgenough.reports.plot import log_axis, short_number
from ecgenough.reports.tripod import ASKED, checklist

TABLES = ("table", "comparisons", "classes", "learning_curve", "subgroups", "cost", "positives", "failed")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_everything_is_written_beside_the_page(studied: Path) -> None:
    written = {path.name for path in studied.iterdir() if path.is_file()}
    assert written == {"study.yaml", "cells.csv", "report.html", "verdict.json", "tables.tex"} | {
        f"{t}.csv" for t in TABLES
    }


def test_the_page_holds_every_part(studied: Path) -> None:
    page = (studied / "report.html").read_text(encoding="utf-8")
    outline = Outline(page)
    assert outline.open == []
    assert len(page) < 1_000_000
    for said in (
        "Embolism from the ECG", "reads acute pulmonary embolism from the ECG", "Transfer helped",
        "Not told apart from the highest",
        "Every arm", "Networks against “", "Women and men", "Would more ECGs help?", "the loss became NaN in epoch 3",
        "1 of 44 cells failed", "TRIPOD+AI checklist", "e078378", "For the authors to write.",
        "Not a medical device", "Cells without a result, and why", "ptb-xl", "Wagner P et al.", "network:",
    ):  # fmt: skip
        assert said in outline.text, said
    ids = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in outline.all("a") if (a.get("href") or "").startswith("#")]  # type: ignore[index]
    assert set(targets) <= set(ids)
    named = {element["aria-labelledby"] for element in outline.all("section")}
    assert named <= set(ids)


def test_the_verdict_in_json_is_that_of_the_page_and_of_the_table(studied: Path) -> None:
    verdict = json.loads((studied / "verdict.json").read_text(encoding="utf-8"))
    (question,) = verdict["questions"]
    best, *_ = rows(studied / "table.csv")
    assert question["best_network"]["arm"] == best["arm"]
    assert question["best_network"]["auc"]["value"] == pytest.approx(float(best["auc"]), abs=1e-5)
    assert best["standing"] == "best"
    assert question["not_told_apart_from_the_best"] == [
        row["arm"] for row in rows(studied / "table.csv") if row["standing"] != "below"
    ]
    assert question["findings"] == {"network": "better", "transfer": "helped", "mode": question["findings"]["mode"]}
    text = Outline((studied / "report.html").read_text(encoding="utf-8")).text.replace("\u2060", "")
    for sentence in question["paragraph"].split(". ")[:3]:
        assert sentence in text


def test_tables_hold_what_they_are_named_for(studied: Path) -> None:
    arms = {row["arm"]: row for row in rows(studied / "table.csv")}
    assert len(arms) == 10
    assert (arms["crnn_gru frozen"]["cells"], arms["crnn_gru frozen"]["planned"]) == ("2", "4")
    assert (arms["prevalence"]["auc"], arms["prevalence"]["kind"], arms["prevalence"]["parameters"]) == (
        "0.5",
        "baseline",
        "",
    )
    comparisons = rows(studied / "comparisons.csv")
    assert all(float(row["p"]) <= float(row["p_holm"]) for row in comparisons)
    assert all(float(r["difference_low"]) <= float(r["difference"]) <= float(r["difference_high"]) for r in comparisons)
    assert {row["method"] for row in comparisons} == {"DeLong", "patient bootstrap"}
    measured = [row for row in rows(studied / "learning_curve.csv") if row["what"] == "measured"]
    assert [row["records"] for row in measured] == ["25", "50", "75", "95.5"]
    (failed,) = rows(studied / "failed.csv")
    assert (failed["arm"], failed["seed"], failed["fold"], failed["status"]) == ("crnn_gru frozen", "1", "2", "failed")
    assert sum(int(row["records"]) for row in rows(studied / "subgroups.csv") if row["by"] == "Sex") == 240


def test_latex_has_every_table_with_rows(studied: Path) -> None:
    text = (studied / "tables.tex").read_text(encoding="utf-8")
    labels = ("table-1", "comparisons-1", "learning-curve-1", "subgroups-1", "cost-1", "positives-1", "failed-1")
    assert [label for label in labels if rf"\label{{tab:{label}}}" not in text] == []
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == len(labels)
    assert text.count("{") == text.count("}")


def test_several_targets_and_classes_are_parts_of_one_page(tmp_path: Path) -> None:
    arms = (network("resnet18", "scratch", 1.2), *SOBER)
    five = {"classes": ("AF", "PVC"), "titles": ("atrial fibrillation", "premature beats"), "prevalence": (0.3, 0.4)}
    several = [
        MadeStudy(arms, patients=90, folds=2, target="mine.csv"),
        MadeStudy(arms, patients=90, folds=2, target="simulated", task="rhythm", **five),  # type: ignore[arg-type]
    ]
    folder = make_studies(tmp_path / "study", several)
    outline = Outline(write_study_report(folder, resamples=60).read_text(encoding="utf-8"))
    assert outline.open == []
    for said in ("mine.csv: embolism", "simulated: rhythm", "The ECGs are simulated.", "macro AUC", "AUC by class"):
        assert said in outline.text
    assert {row["target"] for row in rows(folder / "table.csv")} == {"mine.csv", "simulated"}
    assert "AF" in (folder / "classes-2.csv").read_text(encoding="utf-8")


def test_a_study_that_has_only_begun_is_reported(tmp_path: Path) -> None:
    folder = make_study(
        tmp_path / "study", MadeStudy((network("resnet18", "scratch", 1.0), *SOBER), patients=60, folds=2)
    )
    text = (folder / "cells.csv").read_text(encoding="utf-8").replace(",done,", ",waiting,")
    (folder / "cells.csv").write_text(text, encoding="utf-8")
    outline = Outline(write_study_report(folder, resamples=50).read_text(encoding="utf-8"))
    assert "no network has figures" in outline.text
    assert "cells have not run yet" in outline.text


def test_without_cells_there_is_nothing_to_report(tmp_path: Path) -> None:
    folder = make_study(tmp_path / "study", MadeStudy(SOBER, patients=40, folds=2))
    header = (folder / "cells.csv").read_text(encoding="utf-8").splitlines()[0]
    (folder / "cells.csv").write_text(header + "\n", encoding="utf-8")
    assert "has no cells" in write_study_report(folder).read_text(encoding="utf-8")


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    made = MadeStudy(
        (network(hostile, "scratch", 1.0), *SOBER), patients=60, folds=2, classes=(hostile,), titles=(hostile,)
    )
    page = write_study_report(make_study(tmp_path / "study", made, title=hostile), resamples=50).read_text(
        encoding="utf-8"
    )
    assert hostile not in page
    assert page.count("<script>") == 1
    assert Outline(page).open == []


def test_what_is_no_study_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="is not a study"):
        write_study_report(tmp_path)
    folder = make_study(tmp_path / "study", MadeStudy(SOBER, patients=40, folds=2))
    next((folder / "cells").glob("*/predictions.csv")).write_text("", encoding="utf-8")
    with pytest.raises(EcgenoughError, match=r"predictions\.csv cannot be read"):
        write_study_report(folder)
    assert not (folder / "report.html").exists()


def test_the_checklist_has_all_items_and_marks_those_of_the_authors() -> None:
    numbers = [number for number, _, _ in ASKED]
    assert len(numbers) == len(set(numbers)) == 52  # Collins et al. 2024: 27 items in 52 parts
    assert len({number.rstrip("abcdefg") for number in numbers}) == 27
    items = {item.number: item for item in checklist({"12e": "AUC"})}
    assert not items["12e"].for_authors
    assert items["17"].for_authors


def test_a_logarithmic_axis_has_ticks_at_round_numbers() -> None:
    axis = log_axis("records", [30, 1000])
    assert axis.labels == ("30", "100", "300", "1 k")
    assert axis.share(axis.ticks[1]) == pytest.approx((2 - axis.low) / (axis.high - axis.low))
    assert len(log_axis("parameters", [4.0e6, 4.1e6]).ticks) >= 3
    assert [short_number(value) for value in (0.25, 120, 3000, 4.84e6, 1.2e9)] == [
        "0.25",
        "120",
        "3 k",
        "4.84 M",
        "1.2 G",
    ]
