"""What is said of recordings that a model was not shown the like of in training."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.recipe import Signal
from ecgenough.signals.limits import limits
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


def test_a_lead_that_is_cut_off_is_named() -> None:
    # a triangle 20 mV high and 80 ms wide stays above 1.5 mV for 74 ms
    low = np.minimum(beats(10, height=20.0), 1.5)
    assert limits(twelve(V2=low), Signal(), 1) == ("Lead V2 is cut off: it rests on its extreme voltage.",)
    assert limits(twelve(V2=low, V3=-low), Signal(), 1) == (
        "Leads V2, V3 are cut off: they rest on their extreme voltages.",
    )
    held = beats(10)
    held[1000:2500] = 1.9
    assert limits(twelve(V6=held), Signal(), 1) == ("Lead V6 is cut off: it rests on its extreme voltage.",)


def test_a_number_that_stands_for_a_lost_sample_is_no_end() -> None:
    lost = beats(10)
    lost[1000:1100] = 1e9
    assert limits(twelve(V2=lost), Signal(), 1) == ()
