import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from ecgenough.scoring import Calibration, expected_calibration_error, fit_platt, fit_temperature, reliability_curve
from ecgenough.scoring.metrics import Unscorable


class GivenScores(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose decision is its only feature."""

    def fit(self, *_: Any) -> "GivenScores":
        self.classes_ = np.array([False, True])
        return self

    def decision_function(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scores[:, 0]

    def predict(self, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        return scores[:, 0] > 0


def overconfident(records: int = 500, classes: int = 2, seed: int = 0) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Labels, and probabilities whose logits are three times too large and one too high."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1, size=(records, classes))
    return rng.random(logits.shape) < expit(logits), expit(3 * logits + 1)


def test_platt_is_scikit_learn_s_sigmoid_calibration() -> None:
    labels, probabilities = overconfident()
    found = fit_platt(labels, probabilities)
    for column in range(2):
        scores, truth = logit(probabilities[:, [column]]), labels[:, column]
        frozen = FrozenEstimator(GivenScores().fit())
        theirs = CalibratedClassifierCV(frozen, method="sigmoid").fit(scores, truth)
        sigmoid = theirs.calibrated_classifiers_[0].calibrators[0]
        assert (found.slope[column], found.intercept[column]) == pytest.approx((-sigmoid.a_, -sigmoid.b_), rel=1e-3)
        expected = theirs.predict_proba(scores)[:, 1]
        assert found.apply(probabilities)[:, column] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["overconfident", "rare", "separable", "backwards"])
def test_platt_is_logistic_regression_on_smoothed_targets(kind: str) -> None:
    labels, probabilities = overconfident(classes=1, seed=1)
    if kind == "rare":
        labels &= np.random.default_rng(0).random(labels.shape) < 0.02
    if kind == "separable":
        labels = probabilities > 0.7
    if kind == "backwards":
        probabilities = 1 - probabilities
    truth, scores = labels[:, 0], logit(probabilities)
    positives, negatives = truth.sum(), (~truth).sum()
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    regression = LogisticRegression(C=1e9, tol=1e-10, max_iter=10_000)
    regression.fit(  # every record once as a positive and once as a negative, weighted by its target
        np.concatenate([scores, scores]), np.repeat([1, 0], len(truth)), sample_weight=np.append(targets, 1 - targets)
    )
    found = fit_platt(labels, probabilities)
    assert found.slope == pytest.approx(regression.coef_[0], rel=1e-4)
    assert found.intercept == pytest.approx(regression.intercept_, rel=1e-4, abs=1e-4)


def test_platt_without_any_information_predicts_the_smoothed_prevalence() -> None:
    # All scores alike: the best constant is the mean target, (2 * 3/4 + 6 * 1/8) / 8.
    labels = np.array([[1]] * 2 + [[0]] * 6)
    calibrated = fit_platt(labels, np.full((8, 1), 0.9)).apply([[0.9]])
    assert calibrated == pytest.approx((2 * 3 / 4 + 6 * 1 / 8) / 8)


def test_platt_recovers_the_distortion_of_many_records() -> None:
    labels, probabilities = overconfident(records=200_000, classes=1)
    found = fit_platt(labels, probabilities)
    # logit q = 3 l + 1, so l = (logit q - 1) / 3.
    assert (*found.slope, *found.intercept) == pytest.approx((1 / 3, -1 / 3), abs=0.01)


def test_certain_probabilities_stay_finite() -> None:
    found = fit_platt([[1], [0], [1], [0]], [[1.0], [0.0], [1.0], [1.0]])
    assert np.isfinite(found.apply([[0.0], [1.0]])).all()


def test_absent_classes_are_left_alone_and_named() -> None:
    labels, probabilities = overconfident(classes=3)
    labels[:, 1] = False
    found = fit_platt(labels, probabilities)
    assert found.absent == (1,)
    assert np.array_equal(found.apply(probabilities)[:, 1], probabilities[:, 1])


def test_temperature_recovers_one_factor_for_all_classes() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(100_000, 2))
    labels = rng.random(logits.shape) < expit(logits)
    found = fit_temperature(labels, expit(2.5 * logits))
    assert found.slope == pytest.approx((1 / 2.5, 1 / 2.5), abs=0.01)
    assert found.intercept == (0, 0)


def test_temperature_is_the_slope_where_the_gradient_vanishes() -> None:
    labels, probabilities = overconfident()
    slope = fit_temperature(labels, probabilities).slope[0]
    logits = logit(probabilities)
    assert np.mean((expit(slope * logits) - labels) * logits) == pytest.approx(0, abs=1e-6)


def test_temperature_keeps_within_its_bounds_where_none_is_best() -> None:
    assert fit_temperature([[1], [0]], [[0.9], [0.1]]).slope[0] == pytest.approx(100, rel=1e-3)
    assert fit_temperature([[0], [1]], [[0.9], [0.1]]).slope[0] == pytest.approx(0.01, rel=1e-3)


def test_a_calibration_goes_through_json_unchanged() -> None:
    found = fit_platt(*overconfident())
    assert Calibration.from_numbers(json.loads(json.dumps(found.to_numbers()))) == found
    probabilities = np.array([[0.0, 0.3], [1.0, 0.7]])
    assert np.array_equal(Calibration.none(2).apply(probabilities), probabilities)


@pytest.mark.parametrize("numbers", [{}, {"slope": [1.0], "intercept": ["x"], "absent": []}, {"slope": 1.0}])
def test_numbers_that_are_no_calibration_are_refused(numbers: Any) -> None:
    with pytest.raises(Unscorable, match="slope, intercept and absent"):
        Calibration.from_numbers(numbers)


def test_a_calibration_refuses_what_does_not_fit_it() -> None:
    with pytest.raises(Unscorable, match="for 2 classes"):
        Calibration.none(2).apply(np.zeros((4, 3)))
    with pytest.raises(Unscorable, match="NaN"):
        Calibration.none(1).apply([[np.nan]])
    with pytest.raises(Unscorable, match="one finite slope"):
        Calibration((1.0,), (0.0, 0.0))
    with pytest.raises(Unscorable, match="one finite slope"):
        Calibration((np.inf,), (0.0,))


def test_reliability_is_scikit_learn_s() -> None:
    labels, probabilities = overconfident()
    probabilities[:20, 0] = np.linspace(0, 1, 20)
    probabilities[20:31, 0] = np.arange(11) / 10  # the edges themselves
    curve = reliability_curve(labels[:, 0], probabilities[:, 0], bins=10)
    observed, predicted = calibration_curve(labels[:, 0], probabilities[:, 0], n_bins=10)
    assert curve.predicted == pytest.approx(predicted)
    assert curve.observed == pytest.approx(observed)
    assert curve.records.sum() == len(labels)


def test_calibration_error_by_hand() -> None:
    # Two bins of width 1/2. Up to .5, two records: predicted .2, observed 1/2. Above, one: predicted .8, observed 1.
    error = expected_calibration_error([[1], [0], [1]], [[0.1], [0.3], [0.8]], bins=2)
    assert error == pytest.approx([2 / 3 * 0.3 + 1 / 3 * 0.2])


def test_calibration_lowers_the_error_on_other_records() -> None:
    calibration = fit_platt(*overconfident(seed=1, records=2000))
    labels, probabilities = overconfident(seed=2, records=2000)
    before = expected_calibration_error(labels, probabilities)
    after = expected_calibration_error(labels, calibration.apply(probabilities))
    assert (after < 0.05).all()
    assert (before > 0.1).all()


def test_a_curve_without_bins_is_refused() -> None:
    with pytest.raises(Unscorable, match="at least one bin"):
        reliability_curve([1, 0], [0.5, 0.5], bins=0)
