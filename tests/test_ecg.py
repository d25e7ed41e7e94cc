"""The Ecg value and its lead algebra."""

import math
from dataclasses import FrozenInstanceError
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ecgenough.ecg import STANDARD_LEADS, Ecg, check_leads, lead_name, millivolts, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest


@pytest.mark.parametrize("lead", STANDARD_LEADS)
@pytest.mark.parametrize(
    "spell",
    [
        str, str.upper, str.lower, "Lead {}".format, "LEAD_{}".format, "lead-{}".format, "ECG {}".format,
        "ECG lead: {}".format, "EKG {}".format, "  {} ".format, "MDC_ECG_LEAD_{}".format,
        lambda lead: f"{lead[0]}-{lead[1:]}" if len(lead) > 1 else lead,
        lambda lead: f"{lead[0]}_{lead[1:]}",
    ],
)  # fmt: skip
def test_a_lead_is_known_in_any_spelling(lead: str, spell) -> None:
    assert lead_name(spell(lead)) == lead


@pytest.mark.parametrize(("spelling", "lead"), [("DI", "I"), ("dII", "II"), ("DIII", "III"), ("aVf", "aVF")])
def test_a_lead_is_known_by_its_other_names(spelling: str, lead: str) -> None:
    assert lead_name(spelling) == lead


@pytest.mark.parametrize("name", ["MLII", "-aVR", "Lead -aVR", "V7", "V3R", "ECG1", "ECG", "lead", "V", "ABP", "", "1"])
def test_other_leads_keep_their_names(name: str) -> None:
    assert lead_name(name) == name


def test_check_leads_names_the_nearest() -> None:
    assert check_leads(["avr", "Lead II"]) == ("aVR", "II")
    with pytest.raises(WrongRequest, match='lead "V7" is not one of the twelve'):
        check_leads(["I", "V7"])


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("mV", 1), ("MV", 1), (" mv ", 1), ("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3), ("V", 1e3), ("nV", 1e-6),
        ("200/mV", 1 / 200), ("1000.0/mv", 1e-3), ("200 / mV", 1 / 200), ("2/uV", 5e-4),
    ],
)  # fmt: skip
def test_a_unit_is_so_many_millivolts(unit: str, factor: float) -> None:
    assert millivolts(unit) == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize("unit", ["", "mmHg", "/", "mV/mV", "0/mV", "-200/mV", "nan/mV", "inf/mV", "200", "bpm", "m V"])
def test_a_unit_that_is_no_voltage_is_refused(unit: str) -> None:
    with pytest.raises(WrongRequest, match="unit"):
        millivolts(unit)


def test_to_millivolts_gives_float32() -> None:
    volts = to_millivolts([[1, -2], [0, 32767]], "1000/mV")
    assert volts.dtype == np.float32
    np.testing.assert_array_equal(volts, np.array([[0.001, -0.002], [0, 32.767]], dtype=np.float32))


def test_derived_leads_follow_einthoven_and_goldberger() -> None:
    """By hand for I = 1 mV, II = 3 mV: III = II - I, aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2."""
    ecg = Ecg(np.array([[1.0], [3.0]]), 500, ("I", "II"))
    derived = ecg.select(["III", "aVR", "aVL", "aVF"])
    assert derived.signal[:, 0].tolist() == [2.0, -2.0, -0.5, 2.5]
    assert derived.leads == ("III", "aVR", "aVL", "aVF")


@given(arrays(np.float32, (2, 5), elements=st.floats(-30, 30, width=32)))
def test_derived_leads_keep_their_sums(signal: np.ndarray) -> None:
    """I + III = II (Einthoven) and aVR + aVL + aVF = 0 (Goldberger), whatever the voltages."""
    one, two, three, right, left, foot = Ecg(signal, 100, ("I", "II")).select(STANDARD_LEADS[:6]).signal
    np.testing.assert_allclose(one + three, two, atol=1e-5)
    np.testing.assert_allclose(right + left + foot, 0, atol=1e-5)


def test_select_keeps_a_recorded_lead_rather_than_deriving_it() -> None:
    ecg = Ecg(np.array([[1.0], [3.0], [9.0]]), 500, ("I", "II", "III"))
    assert ecg.select(["III"]).signal[0, 0] == 9.0


def test_select_reorders_and_keeps_everything_else() -> None:
    recorded = datetime(2020, 2, 5, 11, 39, 16)
    ecg = Ecg(np.array([[1.0, 2], [3, 4]]), 257, ("V1", "V2"), "p7", 74.0, "male", recorded, ("Dx: RBBB",))
    turned = ecg.select(["v2", "V1"])
    assert turned.signal.tolist() == [[3, 4], [1, 2]]
    assert (turned.rate, turned.patient, turned.age, turned.sex) == (257, "p7", 74.0, "male")
    assert (turned.recorded, turned.comments) == (recorded, ("Dx: RBBB",))
    assert ecg.select(["V1", "V2"]) is ecg


def test_select_passes_lost_samples_on_to_derived_leads() -> None:
    ecg = Ecg(np.array([[math.nan, 1.0], [3.0, 3.0]]), 500, ("I", "II"))
    assert np.isnan(ecg.select(["aVF"]).signal[0]).tolist() == [True, False]


@pytest.mark.parametrize(
    ("have", "want", "sentence"),
    [
        (("I", "II"), ["I", "V3"], "lead V3 is absent and cannot be derived; the recording has I, II"),
        (("I", "V1"), ["aVF"], "lead aVF is absent and cannot be derived without leads I and II"),
        (("I", "II"), ["I", "I"], "lead I is there twice"),
    ],
)
def test_select_names_the_lead_that_fails(have: tuple[str, ...], want: list[str], sentence: str) -> None:
    with pytest.raises(BrokenRecord, match=sentence):
        Ecg(np.zeros((2, 4)), 500, have).select(want)


def test_select_of_nothing_is_refused() -> None:
    with pytest.raises(WrongRequest, match="name at least one"):
        Ecg(np.zeros((1, 4)), 500, ("I",)).select([])


def test_the_voltages_are_a_frozen_copy() -> None:
    signal = np.zeros((1, 4))
    ecg = Ecg(signal, 500, ("avr",))
    signal[0, 0] = 7
    assert ecg.signal[0, 0] == 0
    assert ecg.signal.dtype == np.float32
    assert ecg.leads == ("aVR",)
    with pytest.raises(ValueError, match="read-only"):
        ecg.signal[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        ecg.rate = 100  # type: ignore[misc]


def test_duration_is_samples_over_rate() -> None:
    ecg = Ecg(np.zeros((1, 1250)), 500, ("I",))
    assert (ecg.samples, ecg.duration) == (1250, 2.5)


@pytest.mark.parametrize(
    ("shape", "rate", "leads", "sentence"),
    [
        ((4,), 500, ("I",), r"\[leads, samples\]"),
        ((2, 4), 500, ("I",), "for 1 lead names"),
        ((1, 4), 0, ("I",), "rate of 0 Hz"),
        ((1, 4), -1, ("I",), "rate of -1 Hz"),
        ((1, 4), math.nan, ("I",), "rate of nan Hz"),
        ((2, 4), 500, ("aVR", "AVR"), "lead aVR is there twice"),
    ],
)
def test_an_impossible_recording_is_refused(shape, rate: float, leads: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BrokenRecord, match=sentence):
        Ecg(np.zeros(shape), rate, leads)


def test_an_infinite_voltage_is_refused_and_a_lost_sample_is_not() -> None:
    signal = np.zeros((2, 3))
    signal[1, 2] = np.nan
    assert np.isnan(Ecg(signal, 500, ("I", "V2")).signal[1, 2])
    signal[1, 2] = -np.inf
    with pytest.raises(BrokenRecord, match="lead V2 holds an infinite voltage"):
        Ecg(signal, 500, ("I", "V2"))
