"""Ridge regression against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from ecgenough.baselines.ridge import PENALTIES, fit_ridge


@pytest.mark.parametrize("shape", [(60, 15), (20, 80)])  # the normal equations, and their dual
def test_answers_are_scikit_learn_s(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(3, 2, shape).astype(np.float32)
    targets = (features[:, :2] + rng.normal(0, 1, (shape[0], 2)) > 3).astype(np.float64)
    held_out = np.arange(shape[0]) % 4 == 0
    fitted = fit_ridge(features.copy(), targets, held_out)
    scaled = (features - features.mean(0)) / features.std(0)
    errors = {}
    for penalty in PENALTIES:
        reference = Reference(alpha=penalty).fit(scaled[~held_out], targets[~held_out])
        errors[penalty] = ((reference.predict(scaled[held_out]) - targets[held_out]) ** 2).mean()
    assert fitted.penalty == min(errors, key=errors.__getitem__)
    expected = Reference(alpha=fitted.penalty).fit(scaled, targets).predict(scaled)
    np.testing.assert_allclose(fitted.predict(features), expected, atol=1e-4)


def test_a_feature_that_never_changes_does_no_harm() -> None:
    features = np.ones((10, 2), dtype=np.float32)
    features[:, 1] = np.arange(10)
    fitted = fit_ridge(features.copy(), np.arange(10.0)[:, None] > 4.5, np.zeros(10, dtype=bool))
    assert np.isfinite(fitted.predict(features)).all()
