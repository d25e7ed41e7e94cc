"""Quality indices of signals whose indices are known."""

import numpy as np
import pytest

from ecgenough.inspection.quality import INDICES, indices, overall, score
from ecgenough.inspection.record import look_at
from ecgenough.simulation import Case, simulate

RATE = 500.0
AT = np.arange(5000) / RATE


def index(name: str, *leads: np.ndarray, beats: tuple[float, ...] = ()) -> list[float]:
    table = indices(np.stack(leads).astype(np.float32), RATE, np.array(beats))
    return table[:, INDICES.index(name)].tolist()


def test_moments_of_a_sine_and_of_noise() -> None:
    """A sine's kurtosis is 3/2, noise's 3; both are symmetric."""
    sine, noise = np.sin(2 * np.pi * 10 * AT), np.random.default_rng(0).standard_normal(5000)
    assert index("kSQI", sine, noise) == [pytest.approx(1.5, abs=1e-3), pytest.approx(3, abs=0.2)]
    assert index("sSQI", sine, noise, sine**2) == [
        pytest.approx(0, abs=1e-3), pytest.approx(0, abs=0.1), pytest.approx(0, abs=1e-3)
    ]  # fmt: skip


def test_powers_by_band() -> None:
    """Sines of equal height: 10 Hz is QRS, 30 Hz only above 5 Hz, 0.5 Hz wander, 60 Hz outside of all."""
    qrs, above, wander, hum = (np.sin(2 * np.pi * hertz * AT) for hertz in (10, 30, 0.5, 60))
    assert index("pSQI", qrs, qrs + above, qrs + hum) == pytest.approx([1, 0.5, 1], abs=1e-3)
    assert index("basSQI", qrs, qrs + wander, wander) == pytest.approx([1, 0.5, 0], abs=1e-3)


def test_a_lead_alive_for_half_of_the_time_and_a_flat_one() -> None:
    half = np.where(AT < 5, np.sin(2 * np.pi * 10 * AT), 0.0)
    assert index("fSQI", half, np.zeros(5000), np.ones(5000)) == [0.5, 0, 0]
    assert score(indices(np.zeros((2, 5000), dtype=np.float32), RATE, np.array([1.0]))).tolist() == [0, 0]


def test_beats_that_two_detectors_agree_on() -> None:
    """Ten beats: all found, half of them found by the other (2 * 5 of 15), none."""
    beats = np.arange(10) + 0.5
    spikes = sum(np.exp(-(((AT - beat) / 0.015) ** 2)) for beat in beats)
    assert index("bSQI", spikes, beats=tuple(beats)) == [1]
    assert index("bSQI", spikes, beats=tuple(beats[:5])) == [pytest.approx(2 / 3)]
    assert index("bSQI", spikes, beats=()) == [0]


def test_one_bad_lead_counts_a_third_and_noise_is_worth_less_than_an_ecg() -> None:
    assert overall(np.array([1.0, 1.0, 0.0, 1.0])) == pytest.approx(2 / 3)
    ecg = simulate([Case(record=0, patient=0)], rate=500).ecg(0)
    noise = np.random.default_rng(0).standard_normal(ecg.signal.shape).astype(np.float32)
    noisy = type(ecg)(0.2 * noise, ecg.rate, ecg.leads)
    assert look_at(ecg).score > look_at(noisy).score + 0.2
