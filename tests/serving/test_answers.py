"""What the service measures of a recording that lacks samples or leads."""

import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.serving.answers import EcgAnswer
from ecgenough.simulation import Case, simulate

RATE = 500


@pytest.fixture
def signal() -> NDArray[np.float32]:
    return np.array(simulate([Case()], rate=RATE, seed=1).signal[0])


def told(signal: NDArray[np.float32]) -> EcgAnswer:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return EcgAnswer.of("one.npz", Ecg(signal, RATE, STANDARD_LEADS))


def test_lost_samples_are_bridged_before_they_are_measured(signal: NDArray[np.float32]) -> None:
    whole = told(signal)
    signal[3, 100:110] = np.nan
    signal[7, 0] = 1e30  # no voltage, so it is lost, too
    gaps = told(signal)
    assert gaps.measurements == pytest.approx(whole.measurements, rel=0.01)
    assert gaps.beats == pytest.approx(whole.beats, abs=0.004)
    assert gaps.microvolts[3][99:111].count(None) == 10  # what was read is told as it was


def test_a_lead_that_lacks_more_than_half_is_not_measured(signal: NDArray[np.float32]) -> None:
    whole = told(signal)
    signal[0, 2000:] = np.nan  # of lead I the axis has nothing left
    found = told(signal)
    assert found.measurements["axis"] is None
    assert found.measurements["rate"] == pytest.approx(whole.measurements["rate"], rel=0.01)
    assert len(found.beats) == len(whole.beats)


def test_where_all_is_lost_nothing_is_measured(signal: NDArray[np.float32]) -> None:
    lost = told(np.full_like(signal, np.nan))
    assert set(lost.measurements.values()) == {None}
    assert lost.beats == []
