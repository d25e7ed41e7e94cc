from pathlib import Path

import numpy as np
import pytest
from tests.made_study import MadeStudy, baseline, make_study, network

from ecgenough.studies.analysis import analyse
from ecgenough.studies.learning_curve import REACH, LearningCurve
from ecgenough.studies.results import read_results


def curve_of(folder: Path, sizes: tuple[int | None, ...], gap: float = 1.6, sober: float = 0.2) -> LearningCurve:
    arms = (network("resnet18", "scratch", 2.2, sizes=sizes, gap=gap), baseline("intervals", sober))
    made = MadeStudy(arms, patients=500, prevalence=(0.4,), folds=2, seed_sd=0.02, own_noise=0.2)
    (found,) = analyse(read_results(make_study(folder / "study", made)), resamples=200)
    (curve,) = found.curves
    return curve


def test_a_rising_curve_is_fitted_and_drawn_no_further_than_it_reaches(tmp_path: Path) -> None:
    curve = curve_of(tmp_path, (25, 50, 100, None))
    assert curve.why_not == ""
    assert [point.records for point in curve.points] == [25, 50, 100, 200]
    assert curve.horizon == 200 * REACH
    assert (curve.grid[0], curve.grid[-1]) == (25, pytest.approx(800))
    assert (np.diff(curve.middle) > 0).all()
    assert ((curve.low <= curve.middle) & (curve.middle <= curve.high)).all()
    measured = [point.figure.value for point in curve.points]
    assert np.interp([25, 50, 100, 200], curve.grid, curve.middle) == pytest.approx(measured, abs=0.03)
    middle, low, high = curve.doubled()
    assert low < middle < high
    assert middle > measured[-1]


def test_the_next_level_and_the_best_baseline_are_what_is_wanted(tmp_path: Path) -> None:
    goals = [need.what for need in curve_of(tmp_path / "a", (25, 50, 100, None)).needs]
    assert len(goals) == 1
    assert goals[0].startswith("an AUC of 0.9")
    behind = curve_of(tmp_path / "b", (25, 50, 100, None), sober=3.0)
    assert behind.needs[0].what == "the best sober baseline's AUC"
    for need in behind.needs:
        known = [one for one in (need.low, need.middle, need.high) if one is not None]
        assert known == sorted(known)
        assert all(one <= behind.horizon for one in known)


@pytest.mark.parametrize(
    ("sizes", "gap", "why"),
    [
        ((50, None), 1.6, "needs at least 3 sizes of the training set, and there are 2"),
        ((100, 150, None), 1.6, "2.0 times the smallest, and a curve needs 4 times"),
        ((25, 50, 100, None), 0.0, "does not rise with the number of training ECGs by more than chance"),
    ],
)
def test_what_the_sizes_do_not_support_is_refused(
    tmp_path: Path, sizes: tuple[int | None, ...], gap: float, why: str
) -> None:
    curve = curve_of(tmp_path, sizes, gap)
    assert why in curve.why_not
    assert curve.needs == ()
    assert curve.grid.size == 0
