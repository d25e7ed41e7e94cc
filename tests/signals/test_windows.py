"""Windows over a long recording: they cover it, begin at its start, end at its end, and skip what is flat."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.recipe import BandPass, Signal
from ecgenough.signals.conditioning import condition
from ecgenough.signals.store import to_microvolts
from ecgenough.signals.windows import SLACK, window_starts, windows


@pytest.mark.parametrize(
    ("samples", "starts"),
    [(500, [0]), (1000, [0]), (1100, [0]), (1101, [0, 101]), (2000, [0, 1000]), (3000, [0, 1000, 2000]),
     (2500, [0, 750, 1500])],
)  # fmt: skip
def test_windows_of_ten_seconds_at_100_hz(samples: int, starts: list[int]) -> None:
    assert window_starts(samples, 1000).tolist() == starts


@given(samples=st.integers(1, 100_000), length=st.integers(128, 5000))
def test_hardly_anything_is_left_unseen(samples: int, length: int) -> None:
    starts = window_starts(samples, length)
    assert starts[0] == 0
    assert len(starts) <= samples / length + 1
    unseen = max(samples - int(starts[-1]) - length, 0) + np.maximum(np.diff(starts) - length, 0).sum()
    assert unseen <= SLACK * length + len(starts)


def noise(seconds: float, rate: float = 100) -> Ecg:
    signal = np.random.default_rng(0).standard_normal((2, round(seconds * rate)))
    return Ecg(signal.astype(np.float32), rate, ("I", "II"))


TWO = Signal(leads=("I", "II"), duration=10)


def test_each_window_is_the_recording_from_its_start_on() -> None:
    ecg = noise(25)
    shown = windows(ecg, TWO)
    assert [window.valid for window in shown] == [1000, 1000, 1000]
    for window, start in zip(shown, (0, 750, 1500), strict=True):
        np.testing.assert_array_equal(window.counts, np.rint(ecg.signal[:, start : start + 1000] * 1000))


def test_the_only_window_of_a_shorter_recording_is_what_conditioning_makes_of_it() -> None:
    for seconds in (4, 10, 10.9):
        ecg, settings = noise(seconds, 250), TWO.model_copy(update={"filter": BandPass()})
        (window,) = windows(ecg, settings)
        expected = condition(ecg, settings)
        np.testing.assert_array_equal(window.counts, to_microvolts(expected.signal)[0])
        assert window.valid == expected.valid


def test_a_stretch_that_cannot_be_used_is_left_out_unless_all_are() -> None:
    ecg = noise(30)
    flat = ecg.signal.copy()
    flat[:, 1000:2000] = 0.5
    shown = windows(replace(ecg, signal=flat), TWO)
    assert len(shown) == 2
    np.testing.assert_array_equal(shown[1].counts, np.rint(ecg.signal[:, 2000:] * 1000))
    with pytest.raises(BrokenRecord, match="the recording is flat"):
        windows(replace(ecg, signal=np.zeros_like(flat)), TWO)
