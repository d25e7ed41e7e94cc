"""Any recording at all is looked at or refused in a sentence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.formats.table import TableLayout
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.inspection.record import look_at, stated_unit
from ecgenough.inspection.suspicions import raised, suspicions


@st.composite
def recordings(draw: st.DrawFn) -> Ecg:
    """Any leads, any rate from 1 Hz to 2 kHz, up to 3 s, noise of any height, with flat, lost and impossible parts."""
    leads = draw(st.lists(st.sampled_from([*STANDARD_LEADS, "MLII", "X"]), min_size=1, max_size=6, unique=True))
    rate = draw(st.sampled_from([1.0, 19.0, 20.0, 33.3, 100.0, 2000.0]))
    samples = draw(st.integers(1, max(1, int(3 * rate))))
    signal = np.random.default_rng(samples).standard_normal((len(leads), samples)).astype(np.float32)
    signal *= np.float32(draw(st.sampled_from([0.0, 1e-6, 1.0, 1e5])))
    for row in range(len(leads)):
        hole = slice(draw(st.integers(0, samples)), draw(st.integers(0, samples)))
        signal[row, hole] = np.float32(draw(st.sampled_from([np.nan, 0.0, 3.0, 3e6])))
    return Ecg(signal, rate, tuple(leads))


@settings(max_examples=60, deadline=None)
@given(recordings())
def test_whatever_it_is_it_is_looked_at_or_refused(ecg: Ecg) -> None:
    try:
        found = look_at(ecg)
    except BrokenRecord:
        return
    assert 0 <= found.score <= 1
    assert all(0 <= score <= 1 for score in found.scores)
    assert len(found.heights) == len(found.leads) == len(ecg.leads)
    for _, leads, evidence, strength in raised(found, 1.0, STANDARD_LEADS):
        assert set(leads) <= {*ecg.leads, *STANDARD_LEADS}
        assert "nan" not in evidence
        assert np.isfinite(strength)


@pytest.mark.parametrize(
    ("signal", "rate", "said"),
    [
        (np.zeros((1, 400)), 500.0, "the recording lasts 0.80 s; at least 1 s is needed."),
        (np.zeros((1, 400)), 10.0, "the recording has 10 samples a second; an ECG needs at least 20."),
        (np.full((2, 600), np.nan), 500.0, "the recording holds no voltage: every sample is lost."),
    ],
)
def test_what_cannot_be_looked_at_is_refused_in_a_sentence(signal: np.ndarray, rate: float, said: str) -> None:
    with pytest.raises(BrokenRecord) as refused:
        look_at(Ecg(signal, rate, STANDARD_LEADS[: len(signal)]))
    assert str(refused.value) == said


def test_units_are_those_that_the_file_or_the_layout_states(tmp_path: Path) -> None:
    write_wfdb(tmp_path, "a", Ecg(np.zeros((2, 100)), 100, ("I", "II")))
    assert stated_unit(tmp_path / "a.hea") == "1000/mV"
    layout = TableLayout(rate=500, unit="200/mV", leads=("I",), orientation="samples-by-leads")
    assert stated_unit(tmp_path / "a.csv", layout) == "200/mV"
    assert stated_unit(tmp_path / "other.edf") == "as its format says"


def test_a_collection_that_lacks_a_lead_half_of_it_has() -> None:
    wave = np.sin(np.arange(1000) / 5).astype(np.float32)
    looks = [look_at(Ecg(np.stack([wave] * len(leads)), 100, leads)) for leads in (("I", "V1"), ("I", "V1"), ("V1",))]
    found = [one for one in suspicions("abc", looks) if one.kind == "absent leads"]
    assert [(one.record, one.leads, one.evidence) for one in found] == [("c", ("I",), "I is absent.")]
