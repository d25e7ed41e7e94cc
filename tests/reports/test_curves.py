import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from ecgenough.reports import curves
from ecgenough.reports.plot import COLOURS, Figure
from ecgenough.reports.reading import read_run, read_runs
from ecgenough.reports.run import Predictions, Run


def drawn_line(figure: Figure, key: str) -> np.ndarray:
    """A curve of a figure over 0..1, read back from its SVG `[points, 2]`."""
    path = re.search(rf'class="curve {key}" transform="scale\(0.1\)" d="([^"]+)"', str(figure.svg))
    assert path is not None
    places = np.array(re.findall(r"-?\d+", path[1]), dtype=float).reshape(-1, 2).cumsum(axis=0) / 10
    left, right, top, floor = 56, 400 - 14, 12, 350 - 46
    return np.column_stack([(places[:, 0] - left) / (right - left), (floor - places[:, 1]) / (floor - top)])


def area(line: np.ndarray) -> float:
    return float(np.trapezoid(line[:, 1], line[:, 0]))


def test_the_areas_drawn_are_the_figures_stated(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert run.predictions is not None
    lines = curves.lines([run])
    roc, pr = curves.roc_figure(lines), curves.pr_figure(lines)
    for line in lines[:-1]:
        truth = line.truth(line.name)
        assert area(drawn_line(roc, line.key)) == pytest.approx(roc_auc_score(*truth), abs=0.004)
        assert area(drawn_line(pr, line.key)) == pytest.approx(average_precision_score(*truth), abs=0.01)
    macro = roc_auc_score(run.predictions.labels, run.predictions.probabilities, average="macro")
    assert lines[-1].name == "macro average"
    assert area(drawn_line(roc, "average")) == pytest.approx(macro, abs=0.004)
    assert {entry.name: entry.figure for entry in roc.legend}["macro average"] == f"{macro:.3f}"


def test_dots_stand_at_the_chosen_thresholds(run_folder: Path) -> None:
    run = read_run(run_folder)
    line = curves.lines([run])[1]
    labels, probabilities = line.truth("MI")
    called = probabilities >= 0.35
    x, y = float((called & ~labels).sum() / (~labels).sum()), float((called & labels).sum() / labels.sum())
    circle = re.search(
        rf'<circle class="dot {line.key}" cx="([\d.]+)" cy="([\d.]+)"', str(curves.roc_figure([line]).svg)
    )
    assert circle is not None
    assert float(circle[1]) == pytest.approx(56 + x * 330, abs=0.1)
    assert float(circle[2]) == pytest.approx(304 - y * 292, abs=0.1)


def test_several_runs_get_a_curve_each_in_their_own_colours(three_folders: Sequence[Path]) -> None:
    lines = curves.lines(read_runs(three_folders))
    assert [(line.key, line.name) for line in lines] == [("k0", "scratch"), ("k1", "frozen"), ("k2", "full")]


def test_only_so_many_classes_are_coloured_those_with_most_positives(made_run: Callable[..., Path]) -> None:
    names = tuple(f"C{number}" for number in range(10))
    shares = tuple(np.linspace(0.1, 0.5, 10))
    run = read_run(made_run(classes=names, titles=names, shares=shares, skill=(1.5,) * 10, records=300))
    lines = curves.lines([run])
    coloured = {line.name for line in lines if line.key not in ("rest", "average")}
    most = sorted(names, key=lambda name: -run.metrics.classes[name].positives)[:COLOURS]
    assert coloured == set(most)
    assert curves.roc_figure(lines).legend[-1].name == "4 more, see the table"


def test_a_single_class_shows_its_share_of_positives_as_guessing(three_folders: Sequence[Path]) -> None:
    runs = read_runs(three_folders)
    assert runs[0].predictions is not None
    share = runs[0].predictions.labels.mean()
    assert f"{share:.1%} of the records are positive" in curves.pr_figure(curves.lines(runs)).caption


def test_the_histogram_covers_every_positive(three_folders: Sequence[Path]) -> None:
    line = curves.lines(read_runs(three_folders))[0]
    labels, _ = line.truth("PE")
    figure = curves.separation_figure(line)
    assert [entry.figure for entry in figure.legend] == [f"{(~labels).sum()}", f"{labels.sum()}"]


def cut(run: Run, count: int) -> Run:
    """The run with the predictions of its first records only."""
    assert run.predictions is not None
    parts = {
        name: getattr(run.predictions, name)[:count] for name in ("records", "patients", "probabilities", "labels")
    }
    return replace(run, predictions=Predictions(**parts))


def test_probabilities_of_too_few_decisions_are_not_drawn(run_folder: Path) -> None:
    run = read_run(run_folder)
    assert 'class="dot' in curves.reliability_figure(curves.lines([run])).svg
    few = curves.reliability_figure(curves.lines([cut(run, 9)]))
    assert few.svg == ""
    assert few.caption == (
        "Not drawn: no tenth of the probabilities has 10 decisions, and fewer tell no frequency. The legend gives Brier scores."
    )
    assert len(few.legend) == 5


def test_a_curve_without_enough_decisions_is_named_beside_the_others(run_folder: Path) -> None:
    run = read_run(run_folder)
    drawn = [curves.Line("k0", "all", run, ("MI",)), curves.Line("k1", "few", cut(run, 9), ("MI",))]
    figure = curves.reliability_figure(drawn)
    assert figure.caption.endswith("The legend gives Brier scores. Too few decisions to be drawn: few.")
    assert 'class="curve k1' not in figure.svg


def test_runs_without_predictions_have_no_curves(run_folder: Path) -> None:
    (run_folder / "test" / "predictions.csv").unlink()
    assert curves.lines([read_run(run_folder)]) == []
