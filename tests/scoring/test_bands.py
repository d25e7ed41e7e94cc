import numpy as np
import pytest
from sklearn import metrics as sklearn

from ecgenough.scoring.bands import pr_band, roc_band
from ecgenough.scoring.folds import Fold, Unit
from ecgenough.scoring.metrics import Predictions

NAMES = [f"{number:03d}" for number in range(300)]


@pytest.fixture
def units() -> list[Unit]:
    """Two trainings of two folds, one class."""
    rng = np.random.default_rng(0)
    labels = (rng.random(300) < 0.3).astype(float)
    found = []
    for _ in range(2):
        scores = 1 / (1 + np.exp(-(1.3 * labels + rng.normal(size=300))))
        rows = (np.arange(150), np.arange(150, 300))
        found.append(tuple(Fold(Predictions(labels[r, None], scores[r, None], [0.5]), r) for r in rows))
    return found


def folds(units: list[Unit]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(fold.predictions.labels[:, 0], fold.predictions.probabilities[:, 0]) for unit in units for fold in unit]


def test_the_curve_is_the_mean_of_scikit_learn_s_over_trainings(units: list[Unit]) -> None:
    band = roc_band(units, NAMES, draws=20)
    curves = [np.interp(band.x, *sklearn.roc_curve(*one, drop_intermediate=False)[:2]) for one in folds(units)]
    pairs = np.array([one[0].sum() * (~one[0]).sum() for one in folds(units)])
    assert band.middle == pytest.approx(np.average(curves, axis=0, weights=pairs), abs=1e-9)
    area = np.average([sklearn.roc_auc_score(*one) for one in folds(units)], weights=pairs)
    assert sklearn.auc(band.x, band.middle) == pytest.approx(area, abs=0.01)


def test_precision_where_each_sensitivity_is_first_reached(units: list[Unit]) -> None:
    band = pr_band(units[:1], NAMES, draws=20)
    by_hand = []
    for labels, scores in folds(units[:1]):
        falling = np.argsort(-scores)
        hits = np.cumsum(labels[falling])
        precision = hits / np.arange(1, len(labels) + 1)
        by_hand.append(
            [precision[np.flatnonzero(hits >= max(1, np.ceil(recall * hits[-1] - 1e-9)))[0]] for recall in band.x]
        )
    weights = [labels.sum() for labels, _ in folds(units[:1])]
    assert band.middle == pytest.approx(np.average(by_hand, axis=0, weights=weights))


def test_bands_hold_the_curve_and_narrow_with_patients(units: list[Unit]) -> None:
    band = roc_band(units, NAMES)
    assert ((band.low <= band.middle) & (band.middle <= band.high)).all()
    assert ((band.low >= 0) & (band.high <= 1)).all()
    middle = slice(20, 80)
    share = band.middle[middle].mean()
    of_binomial = 1.96 * np.sqrt(share * (1 - share) / 90)  # 90 positives; that of a sensitivity alone
    assert 0.5 * of_binomial < (band.high - band.low)[middle].mean() / 2 < 2 * of_binomial
