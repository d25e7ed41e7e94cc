"""scikit-learn's classifiers, one a class. The only module that imports scikit-learn."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgenough.baselines.contract import Floats
from ecgenough.extras import needed

PACKAGE = "scikit-learn"
MARGIN = 1e-6  # probabilities stay this far from 0 and 1
Make = Callable[[], Any]


@dataclass(frozen=True)
class OneAClass:
    """A classifier for each class; one that had a single outcome in training answers its smoothed share instead."""

    fitted: tuple[Any, ...]

    @classmethod
    def fit(cls, features: Floats, labels: NDArray[np.float32], make: Make) -> Self:
        """Fit `make()` on features `[records, features]` for each column of labels `[records, classes]` of 0 and 1."""
        return cls(tuple(_fitted(make, features, column > 0.5) for column in labels.T))

    def probabilities(self, features: Floats) -> Floats:
        """Probabilities `[records, classes]` of features `[records, features]`, strictly between 0 and 1."""
        columns = [_answers(classifier, features) for classifier in self.fitted]
        return np.clip(np.stack(columns, axis=1), MARGIN, 1 - MARGIN)


def check_installed() -> None:
    """Raise WrongRequest where scikit-learn is not installed."""
    _scikit_learn("ensemble")


def installed_version() -> str:
    """Which scikit-learn is installed; nothing where none is."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def logistic_regression() -> Any:
    """Logistic regression on standardised features, barely penalised."""
    regression = _scikit_learn("linear_model").LogisticRegression(C=100.0, max_iter=1000)
    return _scikit_learn("pipeline").make_pipeline(_scikit_learn("preprocessing").StandardScaler(), regression)


def boosted_trees(seed: int) -> Any:
    """Gradient-boosted trees, which know missing values; small steps and small trees, for small collections too.

    A measurement is asked about in 64 steps: of several hundred, a fit that knew 255 of each took longer and knew no more.
    """
    return _scikit_learn("ensemble").HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=200,
        max_leaf_nodes=15,
        max_bins=64,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )


def _fitted(make: Make, features: Floats, positive: NDArray[np.bool_]) -> Any:
    if positive.all() or not positive.any():
        return float((positive.sum() + 1) / (len(positive) + 2))
    return make().fit(features, positive)


def _answers(classifier: Any, features: Floats) -> Floats:
    if isinstance(classifier, float):
        return np.full(len(features), classifier)
    return np.asarray(classifier.predict_proba(features)[:, 1], dtype=np.float64)


def _scikit_learn(module: str) -> Any:
    return needed(f"sklearn.{module}", "baselines", "a fit of demographics, intervals or caliper_trees")
