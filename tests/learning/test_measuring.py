"""Measurements as targets: ranks as SciPy counts them, and only what is found."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from ecgenough.errors import WrongRequest
from ecgenough.learning import measuring
from ecgenough.learning.measuring import measured
from ecgenough.signals.store import Store

KNOWN = np.arange(200)


Scored = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def scored(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> Scored:
    """The targets of 240 records, the first 200 of which are learned from, from a table of what was read off them."""

    def scores(table: np.ndarray) -> np.ndarray:
        monkeypatch.setattr(measuring, "measurements", lambda _: table)
        return measured(stores["superclasses"], KNOWN).numpy()

    return scores


def test_scores_are_those_of_van_der_waerden(scored: Scored) -> None:
    values = np.random.default_rng(0).integers(0, 30, (240, 2)).astype(float)  # many are equal
    scores = scored(values)
    expected = norm.ppf(rankdata(values[KNOWN], axis=0) / (len(KNOWN) + 1))
    np.testing.assert_allclose(scores[KNOWN], expected, atol=1e-6)
    # Records that are not learned from are placed among those that are, however far they lie.
    values[200:, 0] = np.linspace(-1e6, 1e6, 40)
    others = scored(values)[200:, 0]
    assert np.isfinite(others).all()
    assert (np.diff(others) >= 0).all()
    assert others.min() < expected.min() < expected.max() < others.max()


def test_what_is_not_found_is_nan_and_what_is_hardly_ever_found_no_target(scored: Scored) -> None:
    table = np.random.default_rng(0).normal(size=(240, 3))
    table[5:, 1] = np.nan
    table[::3, 2] = np.nan
    scores = scored(table)
    assert scores.shape == (240, 2)
    assert (np.isnan(scores) == np.isnan(table[:, [0, 2]])).all()


def test_records_that_cannot_be_measured_are_refused(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "measurements", lambda _: np.full((240, 4), np.nan))
    with pytest.raises(WrongRequest, match="fewer than 100 can be measured; pretrain with another objective"):
        measured(stores["superclasses"], KNOWN)
