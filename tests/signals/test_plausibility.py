"""What is said of a recording that gives reason to doubt it."""

import numpy as np
import pytest

from ecgenough.signals.plausibility import beat_height, notes
from ecgenough.simulation import Case, simulate


def test_a_beat_spans_what_its_wave_was_given() -> None:
    """One triangle of 1.5 mV a second in two leads, 0.5 mV in a third: the median lead has 1.5, whatever drifts."""
    triangle = np.interp(np.arange(1000) / 100 % 1, [0.4, 0.45, 0.5], [0, 1, 0])
    leads = np.stack([1.5 * triangle, 1.5 * triangle, 0.5 * triangle]).astype(np.float32)
    assert beat_height(leads, 100) == pytest.approx(1.5)
    leads[0, 300] = 400.0  # one artefact
    leads[2] = 0.0  # one loose lead
    assert beat_height(leads, 100) == pytest.approx(1.5)
    assert beat_height(np.stack([leads, 2 * leads]), 100) == pytest.approx([1.5, 3.0])
    assert beat_height(np.concatenate([leads, np.zeros_like(leads)]), 100) == pytest.approx(1.5)  # most leads loose
    assert beat_height(np.zeros_like(leads), 100) == 0
    assert notes(0, 0, 0.0) == ()
    assert beat_height(leads[:, :100], 100) == pytest.approx(1.5)  # shorter than a stretch


@pytest.mark.parametrize("rate", [100, 500])
def test_a_unit_wrong_by_a_thousand_is_doubted_and_a_right_one_is_not(rate: float) -> None:
    signals = simulate([Case(record=number, patient=number) for number in range(40)], rate=rate).signal
    for height in beat_height(signals, rate):
        assert notes(0, 0, height) == ()
        (large,), (small,) = notes(0, 0, 1000 * height), notes(0, 0, height / 1000)
        assert "µV or counts that are called mV" in large
        assert "mV that are called µV" in small


def test_lost_and_clipped_samples_are_counted() -> None:
    assert notes(1200, 0, 1.0) == ("1,200 of its samples are absent and were bridged by straight lines.",)
    assert notes(0, 7, 1.0) == ("7 of its samples lie beyond ±32.767 mV and were clipped there.",)
