import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from ecgenough.errors import EcgenoughError
from ecgenough.scoring import metrics


@st.composite
def predictions(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Labels with at least one positive and one negative a class, probabilities with many or few ties, thresholds."""
    records, classes = draw(st.integers(2, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.random((records, classes)) < draw(st.sampled_from([0.05, 0.3, 0.9]))
    labels[0], labels[-1] = True, False
    steps = draw(st.sampled_from([1, 2, 8, 10**6]))
    probabilities = rng.integers(0, steps, size=labels.shape, endpoint=True) / steps
    return labels, probabilities, rng.choice([0.0, 0.125, 0.5, 0.75, 1.0], size=classes)


@settings(deadline=None, max_examples=60)
@given(predictions())
def test_metrics_are_scikit_learn_s(case: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]) -> None:
    labels, probabilities, thresholds = case
    measured = metrics.measure(labels, probabilities, thresholds)
    called = probabilities >= thresholds
    for column in range(labels.shape[1]):
        truth, calls, scores = labels[:, column], called[:, column], probabilities[:, column]
        sensitivity, specificity = sklearn.recall_score(truth, calls), sklearn.recall_score(~truth, ~calls)
        expected = {
            "auc": sklearn.roc_auc_score(truth, scores),
            "average_precision": sklearn.average_precision_score(truth, scores),
            "sensitivity": sensitivity,
            "specificity": specificity,
            "precision": sklearn.precision_score(truth, calls, zero_division=0),
            "f1": sklearn.f1_score(truth, calls),
            "g_mean": (sensitivity * specificity) ** 0.5,
            "accuracy": sklearn.accuracy_score(truth, calls),
            "brier": sklearn.brier_score_loss(truth, scores),
        }
        assert {name: value[column] for name, value in measured.classes.items()} == pytest.approx(expected, abs=1e-12)
    assert measured.overall["exact_match"] == pytest.approx((labels == called).all(axis=1).mean())
    assert measured.overall["accuracy"] == pytest.approx(1 - sklearn.hamming_loss(labels, called))


@settings(deadline=None, max_examples=40)
@given(predictions(), st.integers(0, 2**32 - 1))
def test_weights_count_records_as_scikit_learn_does(
    case: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]], seed: int
) -> None:
    labels, probabilities, thresholds = case
    weights = np.random.default_rng(seed).integers(0, 3, size=(len(labels), 3)).astype(float)
    weights[[0, -1]] += 1
    measured = metrics.Predictions(labels, probabilities, thresholds).measure(weights)
    for draw, weight in enumerate(weights.T):
        for column, (truth, scores) in enumerate(zip(labels.T, probabilities.T, strict=True)):
            calls = scores >= thresholds[column]
            expected = {
                "auc": sklearn.roc_auc_score(truth, scores, sample_weight=weight),
                "average_precision": sklearn.average_precision_score(truth, scores, sample_weight=weight),
                "precision": sklearn.precision_score(truth, calls, sample_weight=weight, zero_division=0),
                "f1": sklearn.f1_score(truth, calls, sample_weight=weight),
                "accuracy": sklearn.accuracy_score(truth, calls, sample_weight=weight),
                "brier": sklearn.brier_score_loss(truth, scores, sample_weight=weight),
            }
            found = {name: measured.classes[name][column, draw] for name in expected}
            assert found == pytest.approx(expected, abs=1e-12)


def test_auc_by_counting_pairs() -> None:
    # Pairs of a positive (.8, .6) and a negative (.6, .2): right, right, tied, right.
    assert metrics.auc([[1], [0], [1], [0]], [[0.8], [0.6], [0.6], [0.2]]) == pytest.approx([3.5 / 4])
    # One step at .8 (precision 1, recall 1/2), one at .6 (precision 2/3, recall 1).
    assert metrics.average_precision([[1], [0], [1], [0]], [[0.8], [0.6], [0.6], [0.2]]) == pytest.approx([5 / 6])


def test_macro_is_over_present_classes_and_its_g_mean_of_one_averaging() -> None:
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    probabilities = np.array([[0.9, 0.9, 0.9], [0.1, 0.8, 0.1], [0.1, 0.7, 0.1], [0.2, 0.1, 0.1]])
    predictions = metrics.Predictions(labels, probabilities, [0.5, 0.5, 0.5])
    measured = predictions.measure()
    assert predictions.absent == (2,)
    assert np.isnan(measured.classes["accuracy"][2])
    # Class 0: sensitivity 1/2, specificity 1. Class 1: sensitivity 1, specificity 1/3. Class 2 has no positive.
    assert measured.macro["sensitivity"] == pytest.approx(3 / 4)
    assert measured.macro["specificity"] == pytest.approx(2 / 3)
    assert measured.macro["g_mean"] == pytest.approx((3 / 4 * 2 / 3) ** 0.5)
    assert measured.classes["g_mean"][:2] == pytest.approx([0.5**0.5, (1 / 3) ** 0.5])
    # Calls right: 3, 2 and 3 of 4; every class right in the last record alone.
    assert measured.macro["accuracy"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert measured.overall["accuracy"] == pytest.approx(8 / 12)
    assert measured.overall["exact_match"] == pytest.approx(1 / 4)
    assert metrics.macro_mean(metrics.auc(labels, probabilities)) == pytest.approx(measured.macro["auc"])


def test_precision_is_zero_where_nothing_is_called() -> None:
    measured = metrics.measure([[1], [0]], [[0.4], [0.3]], [0.5])
    assert measured.classes["precision"] == pytest.approx([0])
    assert measured.macro["g_mean"] == 0


def test_a_record_is_called_at_its_threshold() -> None:
    assert metrics.measure([[1], [0]], [[0.5], [0.25]], [0.5]).macro["sensitivity"] == 1


@pytest.mark.parametrize(
    ("labels", "probabilities", "thresholds", "words"),
    [
        ([[1], [0]], [[0.5, 0.5], [0.5, 0.5]], [0.5], "must be [records, classes]"),
        ([1, 0], [0.5, 0.5], [0.5], "must be [records, classes]"),
        ([[1], [0]], [[np.nan], [0.5]], [0.5], "1 of 2 probabilities are NaN"),
        ([[1], [0]], [[3.0], [-2.0]], [0.5], "from -2 to 3"),
        ([[1], [0.5]], [[0.5], [0.5]], [0.5], "labels must be 0 or 1"),
        ([[1], [0]], [[0.5], [0.5]], [0.5, 0.5], "one number for each of 1 class"),
        ([[1], [0]], [[0.5], [0.5]], [np.nan], "one number for each of 1 class"),
        ([[1], [1]], [[0.5], [0.5]], [0.5], "no class has both"),
        (np.empty((0, 2)), np.empty((0, 2)), [0.5, 0.5], "nothing to score"),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_sentence(
    labels: object, probabilities: object, thresholds: object, words: str
) -> None:
    with pytest.raises(metrics.Unscorable) as raised:
        metrics.measure(labels, probabilities, thresholds)  # type: ignore[arg-type]
    assert words in str(raised.value)
    assert isinstance(raised.value, EcgenoughError)
    assert isinstance(raised.value, ValueError)


def test_macro_mean_of_absent_classes_alone_is_refused() -> None:
    with pytest.raises(metrics.Unscorable, match="no class has both"):
        metrics.macro_mean(metrics.auc([[1], [1]], [[0.5], [0.5]]))


def test_weights_must_fit_the_records() -> None:
    with pytest.raises(metrics.Unscorable, match="2 records"):
        metrics.Predictions([[1], [0]], [[0.5], [0.5]], [0.5]).measure(np.ones((3, 1)))


@settings(deadline=None, max_examples=40)
@given(predictions())
def test_curves_run_through_scikit_learn_s_corners(
    case: tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    truth, scores = case[0][:, 0], case[1][:, 0]
    alarms, hits = metrics.roc_curve(truth, scores)
    false_rate, sensitivity, _ = sklearn.roc_curve(truth, scores)
    assert set(zip(alarms.tolist(), hits.tolist(), strict=True)) <= set(zip(false_rate, sensitivity, strict=True))
    assert sklearn.auc(alarms, hits) == pytest.approx(sklearn.roc_auc_score(truth, scores), abs=1e-9)
    recall, precision = metrics.pr_curve(truth, scores)
    all_precision, all_recall, _ = sklearn.precision_recall_curve(truth, scores)
    assert deviation(recall, precision, all_recall, all_precision) < 1e-6


def deviation(
    x: NDArray[np.float64], y: NDArray[np.float64], all_x: NDArray[np.float64], all_y: NDArray[np.float64]
) -> float:
    """The largest distance of any of all vertices from the line through x and y."""
    starts, steps = np.stack([x, y])[:, :-1], np.diff([x, y])
    squared = np.maximum((steps**2).sum(axis=0), 1e-30)
    farthest = 0.0
    for vertex in np.stack([all_x, all_y], axis=1):
        away = vertex[:, None] - starts
        share = np.clip((away * steps).sum(axis=0) / squared, 0, 1)
        farthest = max(farthest, float(np.hypot(*(away - share * steps)).min()))
    return farthest


def test_thinned_curves_keep_their_shape() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000) < 0.2
    scores = 1 / (1 + np.exp(-rng.normal(truth * 1.5, 1)))
    alarms, hits = metrics.roc_curve(truth, scores)
    all_alarms, all_hits, _ = sklearn.roc_curve(truth, scores, drop_intermediate=False)
    assert len(alarms) <= 400
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0, 0, 1, 1)
    assert deviation(alarms, hits, all_alarms, all_hits) < 0.001
    assert sklearn.auc(alarms, hits) == pytest.approx(sklearn.roc_auc_score(truth, scores), abs=2e-4)
    recall, precision = metrics.pr_curve(truth, scores)
    all_precision, all_recall, _ = sklearn.precision_recall_curve(truth, scores)
    assert len(recall) <= 400
    assert (recall[0], precision[0], recall[-1]) == (0, 1, 1)
    assert deviation(recall, precision, all_recall, all_precision) < 0.001


@pytest.mark.parametrize("curve", [metrics.roc_curve, metrics.pr_curve])
def test_curves_refuse_an_absent_class_and_a_single_point(curve: object) -> None:
    with pytest.raises(metrics.Unscorable, match="needs both"):
        curve([1, 1], [0.5, 0.4])  # type: ignore[operator]
    with pytest.raises(metrics.Unscorable, match="at least 2 points"):
        curve([1, 0], [0.5, 0.4], points=1)  # type: ignore[operator]


def test_auc_of_a_whole_collection_is_fast() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random((20_000, 71)) < rng.uniform(0.002, 0.4, 71)
    probabilities = rng.random(labels.shape, dtype=np.float32)
    start = time.process_time()
    metrics.auc(labels, probabilities)
    assert time.process_time() - start < 2  # 0.3 s on one core; the slack is for a busy machine
