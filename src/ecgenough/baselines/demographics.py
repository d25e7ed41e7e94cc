"""How far age and sex alone go."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ecgenough.baselines.classifiers import OneAClass, logistic_regression
from ecgenough.baselines.contract import Floats, Rows
from ecgenough.signals.store import Store


@dataclass(frozen=True)
class Demographics:
    """Logistic regression on age, its square, sex, and whether each is unknown.

    An unknown age counts as the training records' median, an unknown sex as neither; `missing` counts both in training.
    """

    median_age: float
    classifiers: OneAClass
    missing: dict[str, int]

    @classmethod
    def fit(cls, store: Store, task: str | None, rows: Rows, seed: int) -> Self:  # noqa: ARG003 - nothing is drawn
        """Fit on the training rows of the store. Raises WrongRequest where scikit-learn is not installed."""
        ages = store.ages[rows].astype(np.float64)
        known = ages[np.isfinite(ages)]
        median = float(np.median(known)) if len(known) else 0.0
        classifiers = OneAClass.fit(_features(store, rows, median), store.task(task).labels[rows], logistic_regression)
        unknown_sex = int((np.array(store.sexes)[rows] == "").sum())
        return cls(median, classifiers, {"age": len(ages) - len(known), "sex": unknown_sex})

    def probabilities(self, store: Store, rows: Rows) -> Floats:
        return self.classifiers.probabilities(_features(store, rows, self.median_age))

    def about(self) -> dict[str, Any]:
        return {"classifier": "logistic regression", "median_age": self.median_age, "missing_in_training": self.missing}


def _features(store: Store, rows: Rows, median_age: float) -> Floats:
    ages, sexes = store.ages[rows].astype(np.float64), np.array(store.sexes)[rows]
    unknown = ~np.isfinite(ages)
    decades = (np.where(unknown, median_age, ages) - median_age) / 10
    return np.stack([decades, decades**2, unknown, sexes == "female", sexes == ""], axis=1).astype(np.float64)
