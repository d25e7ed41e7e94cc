import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from ecgenough.errors import WrongRequest
from ecgenough.scoring import RULES, choose_thresholds
from ecgenough.scoring.metrics import Unscorable


def criterion(truth: np.ndarray, calls: np.ndarray, rule: str) -> float:
    if rule == "f1":
        return float(sklearn.f1_score(truth, calls, zero_division=0))
    sensitivity, specificity = sklearn.recall_score(truth, calls), sklearn.recall_score(~truth, ~calls)
    return float((sensitivity * specificity) ** 0.5 if rule == "g_mean" else sensitivity + specificity - 1)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(RULES)), st.integers(2, 25), st.sampled_from([1, 3, 1000]), st.integers(0, 2**32 - 1))
def test_no_other_threshold_is_better(rule: str, records: int, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random((records, 2)) < 0.3
    labels[0], labels[-1] = True, False
    scores = rng.integers(0, steps, size=labels.shape, endpoint=True) / steps
    chosen = choose_thresholds(labels, scores, rule)
    assert chosen.absent == ()
    for column, threshold in enumerate(chosen.values):
        truth, column_scores = labels[:, column], scores[:, column]
        tried = [0.0, *np.unique(column_scores), 1.1]
        best = max(criterion(truth, column_scores >= other, rule) for other in tried)
        assert criterion(truth, column_scores >= threshold, rule) == pytest.approx(best)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_threshold_lies_midway_between_the_scores_it_divides(rule: str) -> None:
    assert choose_thresholds([[1], [1], [0], [0]], [[0.9], [0.7], [0.3], [0.2]], rule).values == pytest.approx([0.5])


def test_each_rule_weighs_false_calls_differently() -> None:
    # Ten records, falling scores .95, .85 ... .05; positives are the first and the fourth.
    labels = [[1], [0], [0], [1], [0], [0], [0], [0], [0], [0]]
    scores = [[0.95 - 0.1 * place] for place in range(10)]
    # Calling one: F1 2/3, J .5, G sqrt(.5). Calling four: F1 2/3, J 1 - 2/8 = .75, G sqrt(.75).
    assert choose_thresholds(labels, scores, "f1").values == pytest.approx([0.9])
    assert choose_thresholds(labels, scores, "youden").values == pytest.approx([0.6])
    assert choose_thresholds(labels, scores, "g_mean").values == pytest.approx([0.6])


def test_calling_everything_is_a_threshold_between_the_lowest_score_and_zero() -> None:
    assert choose_thresholds([[1], [1], [0]], [[0.2], [0.4], [0.9]], "f1").values == pytest.approx([0.1])
    assert choose_thresholds([[1], [1], [0]], [[0.0], [0.4], [0.9]], "f1").values == pytest.approx([0.0])


def test_neighbouring_floats_are_still_divided() -> None:
    low = 0.5
    high = np.nextafter(low, 1)
    threshold = choose_thresholds([[1], [0]], [[high], [low]], "g_mean").values[0]
    assert low < threshold <= high


def test_a_class_absent_in_validation_gets_a_half_and_is_named() -> None:
    chosen = choose_thresholds([[1, 0, 1], [0, 0, 1]], [[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]], "g_mean")
    assert chosen.values == pytest.approx([0.5, 0.5, 0.5])
    assert chosen.absent == (1, 2)


def test_an_unknown_rule_and_unfit_scores_are_refused() -> None:
    with pytest.raises(WrongRequest, match='Nearest: "g_mean"'):
        choose_thresholds([[1], [0]], [[0.9], [0.1]], "gmean")
    with pytest.raises(Unscorable, match="NaN"):
        choose_thresholds([[1], [0]], [[0.9], [np.nan]], "f1")
