"""Who is counted on which side of a class."""

import numpy as np

from ecgenough.studies.handful import Sides, sides


def test_a_patient_counts_once_a_side_and_on_both_with_ecgs_of_both_kinds() -> None:
    patients = ["a", "a", "b", "b", "c"]
    labels = np.array([[1, 0], [1, 0], [1, 0], [0, 0], [np.nan, 0]])  # c takes no part in the first class
    assert sides(labels, patients) == [Sides(2, 1), Sides(0, 3)]
    assert sides(labels > 0.5, patients) == [Sides(2, 2), Sides(0, 3)]
    assert sides(np.zeros((5, 0)), patients) == []
