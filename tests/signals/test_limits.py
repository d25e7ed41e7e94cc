"""What is said of recordings that a model was not shown the like of in training."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.recipe import Signal
from ecgenough.signals.limits import is_saturated, limits
from ecgenough.signals.windows import windows

RATE = 500.0


def beats(seconds: float, height: float = 1.0) -> NDArray[np.float32]:
    """A spike of `height` mV and 80 ms each second, as high and as short as a QRS complex."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (height * np.maximum(1 - np.abs(time % 1 - 0.5) / 0.04, 0)).astype(np.float32)


def twelve(seconds: float = 10, **changed: NDArray[np.float32]) -> Ecg:
    rows = [changed.get(lead, beats(seconds)) for lead in STANDARD_LEADS]
    return Ecg(np.stack(rows), RATE, STANDARD_LEADS)


def test_nothing_is_said_of_an_ordinary_recording() -> None:
    assert limits(twelve(), Signal(), 1) == ()


def test_only_what_was_derived_is_named() -> None:
    whole = twelve()
    kept = [0, 1, *range(6, 12)]  # I, II and the chest leads
    scale = np.array([[0.4], *[[1.0]] * 7], dtype=np.float32)  # so that no derived lead is flat
    eight = Ecg(whole.signal[kept] * scale, RATE, tuple(STANDARD_LEADS[row] for row in kept))
    assert limits(eight, Signal(), 1) == ("Leads III, aVR, aVL, aVF are derived from leads I and II.",)


@pytest.mark.parametrize(
    ("seconds", "used", "sentence"),
    [
        (30, 3, "It lasts 30 s; the answer is the mean over 3 windows of 10 s."),
        (6, 1, "It lasts 6 s, less than the 10 s the model knows."),
        (4, 1, "It lasts 4 s, less than half of the 10 s the model knows: do not rely on the answer."),
    ],
)
def test_lengths_are_told(seconds: float, used: int, sentence: str) -> None:
    assert limits(twelve(seconds), Signal(), used) == (sentence,)


def test_windows_that_could_not_be_used_are_counted() -> None:
    ecg = twelve(40)
    off = Ecg(np.where(np.arange(20_000) < 15_000, ecg.signal, 0), RATE, ecg.leads)
    used = len(windows(off, Signal()))
    assert used == 3
    assert limits(off, Signal(), used) == (
        "It lasts 40 s; the answer is the mean over 3 windows of 10 s.",
        "1 of its 4 windows could not be used.",
    )


def test_a_flat_lead_is_named_even_where_samples_are_lost() -> None:
    flat = np.full(5000, 0.2, dtype=np.float32)
    flat[:100] = np.nan
    assert limits(twelve(V3=flat), Signal(), 1) == ("Lead V3 is flat: is an electrode off?",)


def test_a_lead_cut_off_at_the_end_of_the_range_is_named() -> None:
    # a triangle 20 mV high and 80 ms wide stays above 5 mV for 60 ms, and above 19 mV for 4 ms
    high = beats(10, height=20.0)
    assert limits(twelve(V2=np.minimum(high, 5)), Signal(), 1) == (
        "Lead V2 is cut off at the end of the amplifier's range.",
    )
    assert is_saturated(np.maximum(-high, -5), RATE)
    assert not is_saturated(np.minimum(high, 19), RATE)
    assert not is_saturated(np.minimum(beats(10, height=3.0), 1.5), RATE)  # below 2 mV no amplifier ends


def test_voltages_so_large_that_a_microvolt_is_lost_in_them_are_looked_at() -> None:
    wave = np.float32(1e5) * np.sin(np.arange(5000) / 50, dtype=np.float32)
    assert not is_saturated(wave, RATE)
    assert is_saturated(np.clip(wave, -9e4, 9e4), RATE)
