"""MiniRocket as in the paper: against aeon's on the same parameters, and against its definition."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.baselines.minirocket import TRIPLES, Transform, _dilations, _golden
from ecgenough.signals.store import Store


def test_features_are_aeon_s() -> None:
    """aeon 1.6.0, MiniRocket(n_kernels=252, random_state=5), fitted on and applied to these three records."""
    kept = np.load(Path(__file__).with_name("aeon_minirocket.npz"))
    leads = np.split(kept["leads"], np.cumsum(kept["leads_summed"])[:-1])
    summed = np.zeros((len(leads), 4), dtype=bool)
    for row, of_one in enumerate(leads):
        summed[row, of_one] = True
    dilations, counts = tuple(map(int, kept["dilations"])), kept["counts"]
    biases = np.split(kept["biases"], np.cumsum(counts * len(TRIPLES))[:-1])
    transform = Transform(
        dilations,
        tuple(np.split(summed, len(dilations))),
        tuple(part.reshape(len(TRIPLES), -1) for part in biases),
    )
    np.testing.assert_allclose(transform(_records()), kept["features"], atol=1e-6)


def test_dilations_are_aeon_s() -> None:
    assert _dilations(60, 3) == ((1, 2, 7), (1, 1, 1))
    dilations, counts = _dilations(1000, 119)
    assert dilations == (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 19, 22, 26, 30, 35, 41, 49, 57, 66, 78, 91, 106, 124)
    assert counts == (19, 12, 4, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3)


def test_one_feature_by_the_definition() -> None:
    """Kernel (0, 1, 2), dilation 2, leads 0 and 3 summed: written out sample by sample."""
    ecg = _records()[:1]
    line = np.pad(ecg[0, 0] + ecg[0, 3], 8)
    kernel = [2, 2, 2, -1, -1, -1, -1, -1, -1]
    output = [sum(weight * line[t + 2 * place] for place, weight in enumerate(kernel)) for t in range(ecg.shape[2])]
    summed = np.zeros((84, 4), dtype=bool)
    summed[:, [0, 3]] = True
    found = Transform((2,), (summed,), (np.full((84, 1), 0.25, dtype=np.float32),))(ecg)
    assert found[0, 0] == pytest.approx(np.mean(np.array(output) > 0.25))


def test_the_sequence_of_quantiles_is_the_golden_one() -> None:
    np.testing.assert_allclose(_golden(3), [0.618034, 0.236068, 0.854102], atol=1e-6)


def test_the_same_seed_draws_the_same_transform(stores: dict[str, Store]) -> None:
    store = stores["superclasses"]
    first, again, other = (Transform.fit(store, np.arange(20), seed, 168) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first.biases, again.biases, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(first.summed, again.summed, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.summed, other.summed, strict=True))


def test_biases_are_quantiles_of_what_the_kernels_put_out(stores: dict[str, Store]) -> None:
    """Fitted on one record: of its output, a kernel that sees the ends finds the share above a bias 1 - the quantile."""
    store = stores["superclasses"]
    transform = Transform.fit(store, np.array([7]), 0, 84)
    ecg = store.signals[7:8].astype(np.float32) / 1000
    np.testing.assert_allclose(transform(ecg)[0, ::2], 1 - _golden(84)[::2], atol=2e-3)


def test_every_kernel_sums_one_to_nine_leads(stores: dict[str, Store]) -> None:
    for summed in Transform.fit(stores["superclasses"], np.arange(5), 0, 336).summed:
        assert set(summed.sum(axis=1)) <= set(range(1, 10))


def _records() -> NDArray[np.float32]:
    """Three records of four leads and 60 samples, by a formula."""
    t = np.arange(60)
    return np.stack(
        [
            [
                np.sin((0.2 + 0.15 * lead + 0.05 * row) * t + lead * row) + 0.3 * np.cos(1.7 * t / (1 + lead))
                for lead in range(4)
            ]
            for row in range(3)
        ]
    ).astype(np.float32)
