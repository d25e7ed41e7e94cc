"""Ridge regression of several targets, its penalty chosen on held-out records."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)  # beside sums over the records of features with variance 1


@dataclass(frozen=True, eq=False)
class Ridge:
    """`weights` `[features, targets]` on features less `mean`, over `scale`; `intercept` `[targets]`."""

    mean: Features
    scale: Features
    weights: Features
    intercept: Floats
    penalty: float

    def predict(self, features: Features) -> Floats:
        """Features `[records, features]` -> answers `[records, targets]`."""
        return np.asarray((features - self.mean) / self.scale @ self.weights + self.intercept)


def fit_ridge(features: Features, targets: Floats, held_out: NDArray[np.bool_]) -> Ridge:
    """Choose the penalty with the smallest squared error on the held-out records, then fit on all.

    Features `[records, features]` are standardised in place, which spares a copy of them; targets `[records, targets]`.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = features.std(axis=0, dtype=np.float64).astype(np.float32)
    scale[scale < 1e-6] = 1.0
    features -= mean
    features /= scale
    penalty = PENALTIES[0]
    if held_out.any() and not held_out.all():
        errors = [
            float(((features[held_out] @ weights + intercept - targets[held_out]) ** 2).mean())
            for weights, intercept in _solutions(features[~held_out], targets[~held_out], PENALTIES)
        ]
        penalty = PENALTIES[int(np.argmin(errors))]
    ((weights, intercept),) = _solutions(features, targets, [penalty])
    return Ridge(mean, scale, weights, intercept, penalty)


def _solutions(features: Features, targets: Floats, penalties: Sequence[float]) -> list[tuple[Features, Floats]]:
    """Weights and intercepts for each penalty, by the normal equations or their dual, whichever is smaller."""
    centre, middle = features.mean(axis=0, dtype=np.float64).astype(np.float32), targets.mean(axis=0)
    shifted, wanted = features - centre, targets - middle
    dual = len(shifted) < shifted.shape[1]
    gram = (shifted @ shifted.T if dual else shifted.T @ shifted).astype(np.float64)
    right = wanted if dual else shifted.T @ wanted
    found = []
    for penalty in penalties:
        factor = cho_factor(gram + penalty * np.eye(len(gram)), lower=True, overwrite_a=True, check_finite=False)
        solved = cho_solve(factor, right)
        weights = (shifted.T @ solved if dual else solved).astype(np.float32)
        found.append((weights, middle - centre @ weights))
    return found
