import numpy as np
import pytest

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.simulation import Case, simulate
from ecgenough.simulation.draws import Draws
from ecgenough.simulation.leads import DOWER, RECORDED_LEADS, field_of, lead_field, twelve_leads


@pytest.mark.parametrize("noise", [False, True])
def test_einthoven_and_goldberger_hold(noise: bool) -> None:
    ecg = dict(zip(STANDARD_LEADS, simulate([Case(record=3)], noise=noise).signal[0].astype(np.float64), strict=True))
    np.testing.assert_allclose(ecg["I"] + ecg["III"], ecg["II"], atol=1e-6)
    np.testing.assert_allclose(ecg["aVR"] + ecg["aVL"] + ecg["aVF"], 0, atol=1e-6)
    np.testing.assert_allclose(ecg["aVL"], (ecg["I"] - ecg["III"]) / 2, atol=1e-6)
    np.testing.assert_allclose(ecg["aVF"], (ecg["II"] + ecg["III"]) / 2, atol=1e-6)


def test_derived_leads_are_those_of_the_ecg_value() -> None:
    recorded = np.random.default_rng(0).normal(size=(1, 8, 50)).astype(np.float32)
    selected = Ecg(recorded[0], 500, RECORDED_LEADS).select(STANDARD_LEADS)
    np.testing.assert_array_equal(twelve_leads(recorded)[0], selected.signal)


def test_dower_field_sees_the_three_axes_where_they_are() -> None:
    """Left shows in I and V5, feet in II, and what points back is negative in V2."""
    left, feet, back = DOWER.T
    assert RECORDED_LEADS[int(left.argmax())] == "V4"
    assert RECORDED_LEADS[int(feet.argmax())] == "II"
    assert RECORDED_LEADS[int(back.argmin())] == "V2"


def test_patients_differ_about_one_field() -> None:
    field = lead_field(Draws(0, 1, range(400)))
    assert np.abs(np.median(field, axis=0) / DOWER - 1)[np.abs(DOWER) > 0.5].max() < 0.3
    assert (field.std(axis=0)[2:].max(axis=1) > 0.05).all()


def test_third_lead_is_second_less_first() -> None:
    field = lead_field(Draws(0, 1, [5]))
    np.testing.assert_allclose(
        field_of(field, ("III",)), field_of(field, ("II",)) - field_of(field, ("I",)), atol=1e-12
    )
