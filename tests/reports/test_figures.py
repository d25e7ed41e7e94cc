import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgenough.inspection.labels import Labels
from ecgenough.reports.figures import ForestRow, flow_figure, forest_figure, learning_figures
from ecgenough.reports.inspection_figures import together_figure
from ecgenough.reports.plot import COLOURS, fitted_axis
from ecgenough.reports.reading import read_run, read_runs
from ecgenough.reports.run import Estimate


def test_the_flow_counts_every_record(run_folder: Path) -> None:
    data = read_run(run_folder).data
    text = " ".join(ET.fromstring(str(flow_figure(data).svg)).itertext())
    for number in ("6,043 records", "6,000 records", "4,800 records", "600 records", "4,320 patients"):
        assert number in text
    said = flow_figure(data).svg
    assert "3 rejected and 40 not in the task" in said


def test_a_forest_places_dots_and_whiskers_on_one_scale() -> None:
    rows = [ForestRow("a", (("k0", Estimate(0.8, 0.7, 0.9)),)), ForestRow("b", (("k1", Estimate(0.9, 0.85, 0.95)),))]
    svg = str(forest_figure("AUC by run", rows).svg)
    dots = [float(x) for x in re.findall(r'<circle class="dot k\d" cx="([\d.]+)"', svg)]
    ends = [(float(low), float(high)) for low, high in re.findall(r'd="M([\d.]+) \S+H([\d.]+)M', svg)]
    per_unit = (dots[1] - dots[0]) / 0.1
    assert dots[0] - ends[0][0] == pytest.approx(0.1 * per_unit, abs=0.2)
    assert ends[1][1] - dots[1] == pytest.approx(0.05 * per_unit, abs=0.2)
    assert "a 0.800 (0.700–0.900) and b 0.900 (0.850–0.950)" in svg


def test_a_figure_that_is_not_defined_has_a_name_but_no_dot() -> None:
    rows = [ForestRow("a", (("k0", Estimate(0.8, 0.7, 0.9)),)), ForestRow("b", (("k1", Estimate(None)),))]
    assert 'class="dot k1"' not in forest_figure("AUC", rows).svg


def test_learning_curves_mark_the_kept_epoch(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert run.log is not None
    loss, auc = learning_figures([run])
    assert [entry.name for entry in loss.legend] == ["training", "validation"]
    at_kept = float(run.log.loc[run.log["epoch"] == 14, "validation_macro_auc"].iloc[0])
    assert auc.legend[0].figure == f"{at_kept:.3f} at epoch 14"
    assert str(auc.svg).count("<circle") == 1


def test_several_runs_share_the_learning_curves(three_folders: Sequence[Path]) -> None:
    (three_folders[1] / "log.csv").unlink()
    loss, _ = learning_figures(read_runs(three_folders))
    assert [(entry.key, entry.name) for entry in loss.legend] == [("k0", "scratch"), ("k2", "full")]


def test_runs_beyond_the_colours_are_grey_as_in_every_other_figure(run_folder: Path) -> None:
    loss, _ = learning_figures([read_run(run_folder)] * (COLOURS + 1))
    assert [entry.key for entry in loss.legend] == [*(f"k{place}" for place in range(COLOURS)), "rest"]


def test_a_log_without_auc_draws_the_losses_alone(pretraining_log: Path) -> None:
    (loss,) = learning_figures([read_run(pretraining_log)])
    assert loss.title == "Loss"
    assert [entry.name for entry in loss.legend] == ["training", "validation"]


def test_logs_with_and_without_auc_are_drawn_as_far_as_they_go(
    pretraining_log: Path, three_folders: Sequence[Path]
) -> None:
    loss, auc = learning_figures(read_runs([pretraining_log, three_folders[0]]))
    assert [(entry.key, entry.name) for entry in loss.legend] == [("k0", "five-classes"), ("k1", "scratch")]
    assert [(entry.key, entry.name) for entry in auc.legend] == [("k1", "scratch")]


def test_the_one_network_beside_baselines_keeps_its_name_and_colour(
    baseline_folder: Path, three_folders: Sequence[Path]
) -> None:
    loss, _ = learning_figures(read_runs([baseline_folder, three_folders[0]]))
    assert [(entry.key, entry.name) for entry in loss.legend] == [("k1", "scratch")]
    assert learning_figures(read_runs([baseline_folder])) == []


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.123, 0.987], [-3, 0.001], [1e6, 2e6], [np.nan, 0.2], []])
def test_axes_hold_their_values_between_round_ticks(values: list[float]) -> None:
    axis = fitted_axis("", values)
    finite = [value for value in values if np.isfinite(value)]
    assert axis.low < axis.high
    assert all(axis.low <= value <= axis.high for value in finite)
    assert 2 <= len(axis.ticks) <= 8


def test_an_axis_of_epochs_has_whole_ticks_from_the_first_to_the_last() -> None:
    axis = fitted_axis("epoch", range(1, 21), whole=True)
    assert (axis.low, axis.high) == (1, 20)
    assert axis.ticks == (5, 10, 15, 20)


def test_classes_that_are_never_given_together_are_not_called_so() -> None:
    counts = np.array([2, 1])
    labels = Labels("t", ("A", "B"), ("A", "B"), 3, np.array([3, 3]), counts, np.diag(counts), 0, 0)
    alone, both = together_figure(labels), together_figure(replace(labels, together=np.array([[2, 1], [1, 1]])))
    assert alone is not None
    assert both is not None
    assert 'aria-label="Classes given together; no two of them are."' in alone.svg
    assert "most often A among B, 100%" in both.svg
