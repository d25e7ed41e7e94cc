import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.signal import butter, sosfiltfilt, welch

from ecgenough.simulation import Case, simulate
from ecgenough.simulation.draws import Draws
from ecgenough.simulation.noise import EIGHT_FROM_ELECTRODES, _smooth, add_noise

RECORDS = 200


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """What noise adds to a silent heart, mV `[records, 8, samples]`."""
    leads = np.zeros((RECORDS, 8, 5000), dtype=np.float32)
    add_noise(leads, np.zeros((RECORDS, 5000), dtype=np.float32), 500.0, Draws(7, 3, range(RECORDS)))
    return leads


def test_a_voltage_common_to_all_electrodes_is_seen_by_no_lead() -> None:
    np.testing.assert_allclose(EIGHT_FROM_ELECTRODES @ np.ones(9), 0, atol=1e-12)


def test_smooth_paths_are_cubic_b_splines() -> None:
    points = np.random.default_rng(0).normal(size=(2, 12))
    spline = BSpline(np.arange(-3, 13), points, 3, axis=1)
    np.testing.assert_allclose(_smooth(points, 440, 50), spline(np.arange(440) / 50), atol=1e-6)


def test_wander_is_as_strong_as_in_ptb_xl(noise: np.ndarray) -> None:
    """Below 0.4 Hz PTB-XL's 500 Hz records have 0.028 (I) to 0.046 mV (V5) in the median, 0.09 to 0.23 mV at 95%."""
    slow = sosfiltfilt(butter(2, 0.4, "low", fs=500, output="sos"), noise, axis=2).std(axis=2)
    assert 0.02 < np.median(slow) < 0.06
    assert 0.08 < np.percentile(slow, 95) < 0.3


def test_muscle_noise_is_microvolts_and_stronger_on_the_limbs(noise: np.ndarray) -> None:
    """Above 40 Hz PTB-XL has 2 to 3 µV in the median; at 95%, 7 to 12 µV in limb and 3 µV in chest leads."""
    fast = sosfiltfilt(butter(4, 40, "high", fs=500, output="sos"), noise, axis=2)
    size = 1.48 * np.median(np.abs(fast), axis=2)
    assert 0.0015 < np.median(size) < 0.006
    assert np.median(size[:, 0]) > 1.2 * np.median(size[:, 5])


def test_mains_hum_in_some_records_at_50_or_60_hz(noise: np.ndarray) -> None:
    frequencies, power = welch(noise, 500, nperseg=2500)
    floor = np.median(power[:, :, (frequencies > 44) & (frequencies < 66)], axis=2)
    loud = {hz: (power[:, :, np.argmin(np.abs(frequencies - hz))] > 20 * floor).any(axis=1).mean() for hz in (50, 60)}
    assert 0.02 < loud[50] < 0.15
    assert 0.005 < loud[60] < 0.08
    assert (power[:, :, np.argmin(np.abs(frequencies - 55))] > 20 * floor).any(axis=1).mean() < 0.01


def test_mains_beyond_nyquist_are_not_folded_back() -> None:
    leads = np.zeros((RECORDS, 8, 1000), dtype=np.float32)
    add_noise(leads, np.zeros((RECORDS, 1000), dtype=np.float32), 100.0, Draws(7, 3, range(RECORDS)))
    frequencies, power = welch(leads, 100, nperseg=500)
    floor = np.median(power[:, :, frequencies > 30], axis=2)
    assert (power[:, :, np.argmin(np.abs(frequencies - 40))] > 20 * floor).any(axis=1).mean() < 0.01


def test_faults_are_rare_and_present() -> None:
    cases = [Case(record=number, patient=number) for number in range(600)]
    signal = simulate(cases, rate=100).signal
    flat = (np.ptp(signal[:, 6:], axis=2) == 0).any(axis=1) | (np.ptp(signal[:, :3], axis=2) == 0).any(axis=1)
    assert 1 <= flat.sum() <= 20
    wild = (signal.std(axis=2) > 1.0).any(axis=1)
    assert wild.mean() < 0.02


def test_swapped_arms_turn_lead_one_over() -> None:
    silent = np.random.default_rng(0).normal(size=(600, 8, 200)).astype(np.float32)
    leads = silent.copy()
    add_noise(leads, np.zeros((600, 200), dtype=np.float32), 100.0, Draws(0, 3, range(600)))
    turned = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(leads[:, 0], silent[:, 0], strict=True)])
    assert 1 <= (turned < -0.5).sum() <= 12
