import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecgenough.reports.polyline import path_data, thin


def distance_to_line(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The distance of each point from the nearest segment of a line, by brute force."""
    starts, along = line[:-1], np.diff(line, axis=0)
    lengths = (along**2).sum(axis=1)
    offset = points[:, None] - starts
    share = np.divide((offset * along).sum(axis=2), lengths, out=np.zeros((len(points), len(along))), where=lengths > 0)
    nearest = starts + share.clip(0, 1)[..., None] * along
    return np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)


def points_of(path: str) -> list[tuple[int, int]]:
    """The absolute places a path of one piece passes through."""
    numbers = [int(number) for number in re.findall(r"-?\d+", path)]
    steps = np.array(numbers).reshape(-1, 2)
    return [tuple(place) for place in steps.cumsum(axis=0).tolist()]


@settings(deadline=None, max_examples=60)
@given(heights=arrays(np.float64, st.integers(2, 120), elements=st.floats(-20, 20)), tolerance=st.floats(0.01, 2))
def test_no_point_is_further_from_the_line_than_the_tolerance(heights: np.ndarray, tolerance: float) -> None:
    points = np.column_stack([np.arange(len(heights)) * 0.25, heights])
    assert distance_to_line(points, thin(points, tolerance)).max() <= tolerance + 1e-9


def test_a_straight_line_needs_two_points_and_a_corner_three() -> None:
    assert thin(np.column_stack([np.arange(100.0), np.arange(100.0) * 2]), 0.01).tolist() == [[0, 0], [99, 198]]
    corner = np.array([[0.0, 0], [1, 0], [2, 0], [2, 1], [2, 2]])
    assert thin(corner, 0.01).tolist() == [[0, 0], [2, 0], [2, 2]]


def test_a_line_that_runs_back_keeps_its_turning_point() -> None:
    there_and_back = np.array([[0.0, 0], [5, 0], [0, 0]])
    assert thin(there_and_back, 0.1).tolist() == [[0, 0], [5, 0], [0, 0]]


def test_a_path_gives_places_in_whole_units() -> None:
    path = path_data([0, 1, 2], [0.5, 1.25, 0.5], tolerance=0, unit=0.25)
    assert path == "M0 2l4 3 4 -3"
    assert points_of(path) == [(0, 2), (4, 5), (8, 2)]


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_a_path_is_broken_where_a_value_is_missing(gap: float) -> None:
    assert path_data(range(5), [0, 1, gap, 3, 4], tolerance=0.1, unit=1) == "M0 0l1 1M3 3l1 1"


def test_a_path_without_any_value_is_empty_and_a_lone_point_is_a_dot() -> None:
    assert path_data([0, 1], [np.nan, np.nan], tolerance=0.1, unit=1) == ""
    assert path_data([3], [4], tolerance=0.1, unit=1) == "M3 4h1"
