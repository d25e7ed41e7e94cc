"""What rests on its end: planted limits, and round summits, which do not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.signals.ends import is_cut_off
from ecgenough.simulation import Case, simulate

RATE = 500.0
AT = np.arange(5000) / RATE
WAVE = np.sin(2 * np.pi * AT).astype(np.float32)  # above 0.95 for 0.1 s a second


def beats(height: float) -> NDArray[np.float32]:
    """A spike of `height` mV and 80 ms each second, as high and as short as a QRS complex."""
    return (height * np.maximum(1 - np.abs(AT % 1 - 0.5) / 0.04, 0)).astype(np.float32)


def once(line: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """Cut off in the first second, and below that in all others."""
    return np.where(AT < 1, np.minimum(line, limit), np.minimum(line, limit - 0.1))


def test_an_end_that_is_rested_on_four_times() -> None:
    cut = np.minimum(WAVE, 0.95)
    thrice = np.where(AT < 3, cut, np.minimum(WAVE, 0.9))
    assert is_cut_off(cut, RATE)
    assert is_cut_off(-cut, RATE)
    assert is_cut_off(cut + 7, RATE)  # about its own level
    assert not is_cut_off(WAVE, RATE)
    assert not is_cut_off(thrice, RATE)
    assert not is_cut_off(0.09 * np.minimum(WAVE, 0.8), RATE)  # below 0.1 mV nothing ends


def test_an_end_that_is_rested_on_once() -> None:
    """A spike of 80 ms is above a quarter of its height for 60 ms, above half of it for 40, above 0.95 of it for 4."""
    assert is_cut_off(once(beats(8), 2.1), RATE)
    assert not is_cut_off(once(beats(4), 1.9), RATE)  # 42 ms are enough from 2 mV on only
    assert not is_cut_off(once(beats(40), 38), RATE)
    assert is_cut_off(np.where((AT > 3) & (AT < 3.21), 1.9, WAVE).astype(np.float32), RATE)
    assert not is_cut_off(np.where((AT > 3) & (AT < 3.1), 1.9, WAVE).astype(np.float32), RATE)


@pytest.mark.parametrize("rate", [100.0, 500.0])
@pytest.mark.parametrize(("times", "limit"), [(1, 0.2), (1, 0.5), (3, 1.9), (3, 2.1), (3, 2.5)])
def test_an_ecg_cut_off_at_any_voltage_is_told_from_one_that_is_not(rate: float, times: int, limit: float) -> None:
    signal = times * simulate([Case(record=1, patient=1)], rate=rate).ecg(0).signal
    assert not any(is_cut_off(line, rate) for line in signal)
    assert any(is_cut_off(line, rate) for line in np.clip(signal, -limit, limit))


def test_a_lead_whose_level_is_its_end() -> None:
    assert is_cut_off(np.maximum(WAVE, 0) - 9, RATE)  # at -9 mV half of the time, so that its median is there


def test_voltages_so_large_that_a_microvolt_is_lost_in_them_are_looked_at() -> None:
    assert not is_cut_off(np.float32(1e5) * WAVE, RATE)
    assert is_cut_off(np.float32(1e5) * np.minimum(WAVE, 0.95), RATE)
