import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from ecgenough.reports import tables
from ecgenough.reports.reading import read_run, read_runs


def test_confusions_are_those_of_scikit_learn_and_agree_with_the_figures(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert run.predictions is not None
    for column, one in enumerate(tables.confusions(run)):
        called = run.predictions.probabilities[:, column] >= 0.35
        (passes, alarms), (misses, hits) = confusion_matrix(run.predictions.labels[:, column], called)
        assert (one.hits, one.misses, one.alarms, one.passes) == (hits, misses, alarms, passes)
        assert one.sensitivity == pytest.approx(run.metrics.classes[one.name].figures["sensitivity"].value)
        assert one.specificity == pytest.approx(run.metrics.classes[one.name].figures["specificity"].value)


def test_leads_are_differences_of_auc_over_the_same_records_in_any_order(three_folders: Sequence[Path]) -> None:
    path = three_folders[1] / "test" / "predictions.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *rows[::-1]]))
    runs = read_runs(three_folders)
    areas = {
        run.name: roc_auc_score(run.predictions.labels, run.predictions.probabilities)
        for run in runs
        if run.predictions
    }
    best = max(areas, key=lambda name: areas[name])
    found = tables.differences(runs)
    assert set(found) == set(areas) - {best}
    for name, lead in found.items():
        assert lead.value == pytest.approx(areas[best] - areas[name])
        assert lead.low < lead.value < lead.high


def test_runs_of_different_records_have_no_paired_differences(run_folder: Path, three_folders: Sequence[Path]) -> None:
    assert tables.differences(read_runs([run_folder, three_folders[0]])) == {}


def test_an_example_says_what_was_found_missed_and_falsely_called(run_folder: Path) -> None:
    path = run_folder / "test" / "predictions.csv"
    header, _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, "one,7,10,0.9,0.1,0.6,0.1,0.1,1,1,0,0,0", *rows]))
    example = tables.example(read_run(run_folder), "one", most=3)
    assert example is not None
    assert example.verdict == "Labelled NORM and MI; missed MI and falsely called STTC."
    assert [call.name for call in example.calls] == ["NORM", "MI", "STTC"]
    assert [call.wrong for call in example.calls] == [False, True, True]
    assert tables.example(read_run(run_folder), "no such record", most=3) is None


def test_recipe_differences_name_only_what_differs(three_folders: Sequence[Path]) -> None:
    rows = dict(tables.recipe_differences(read_runs(three_folders)))
    assert rows["transfer.mode"] == ["–", "frozen", "full"]
    assert "seed" not in rows
    assert not any(key.startswith("signal") for key in rows)


def test_baselines_have_no_part_in_recipe_differences_but_in_paired_leads(
    three_folders: Sequence[Path], baseline_folder: Path
) -> None:
    runs = read_runs([three_folders[0], baseline_folder, three_folders[2]])
    assert dict(tables.recipe_differences(runs))["transfer.mode"] == ["–", "full"]
    assert set(tables.differences(runs)) == {"scratch", "sober"}


def test_overall_rows_hold_what_metrics_json_states(run_folder: Path) -> None:
    stated = json.loads((run_folder / "test" / "metrics.json").read_text())
    rows = {row.name: row.figure for row in tables.overall_rows(read_run(run_folder))}
    assert rows["AUC"].value == stated["macro"]["auc"]["value"]
    assert rows["Exact match"].low == stated["overall"]["exact_match"]["low"]


def test_no_lead_is_told_where_the_best_run_left_no_predictions(three_folders: Sequence[Path]) -> None:
    best = max(read_runs(three_folders), key=lambda run: run.metrics.auc.value or 0)
    assert len(tables.differences(read_runs(three_folders))) == 2
    (best.folder / "test" / "predictions.csv").unlink()
    assert tables.differences(read_runs(three_folders)) == {}  # it would be the second best's, and be called the best's
