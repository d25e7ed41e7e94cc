"""R peaks where they were put, whatever lies around them."""

import numpy as np
import pytest

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.serving.beats import r_peaks
from ecgenough.simulation.simulator import Case, simulate

RATE = 500


@pytest.mark.parametrize(("every", "first"), [(1.0, 0.7), (0.8, 0.5), (0.5, 0.02)])
def test_r_is_the_tip_of_triangles(every: float, first: float) -> None:
    times, signal = np.arange(10 * RATE) / RATE, np.zeros((12, 10 * RATE), np.float32)
    signal[1] = np.clip(1 - np.abs((times - first + every / 2) % every - every / 2) / 0.02, 0, None)
    found = np.array(r_peaks(Ecg(signal, float(RATE), STANDARD_LEADS)))
    whole = found[found > every]  # the first one may have begun before the recording
    assert np.abs((whole - first + every / 2) % every - every / 2).max() <= 1 / RATE
    assert np.abs(np.diff(whole) - every).max() <= 2 / RATE


def test_r_keeps_its_place_under_noise() -> None:
    """Of the same simulated ECG with 0.02 mV of noise, at most one beat in ten moves by more than a sample."""
    clean = simulate([Case(frozenset())], seed=3).ecg(0)
    noise = np.random.default_rng(0).normal(0, 0.02, clean.signal.shape).astype(np.float32)
    noisy = Ecg(clean.signal + noise, clean.rate, clean.leads)
    apart = np.abs(np.array(r_peaks(clean)) - np.array(r_peaks(noisy)))
    assert len(apart) > 5
    assert np.quantile(apart, 0.9) <= 1.5 / clean.rate


def test_without_beats_there_is_no_r() -> None:
    assert r_peaks(Ecg(np.zeros((12, 10 * RATE), np.float32), float(RATE), STANDARD_LEADS)) == []
