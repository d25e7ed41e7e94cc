"""Limb leads that do not add up, and what would mend them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgenough.ecg import DERIVED_LEADS, LIMB_LEADS
from ecgenough.inspection.algebra import Misfit, misfit

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((2, 400)).astype(np.float32)


def limbs(first: np.ndarray = FIRST, second: np.ndarray = SECOND) -> np.ndarray:
    """All six from I and II."""
    rows = {"I": first, "II": second} | {
        lead: of_one * first + of_two * second for lead, (of_one, of_two) in DERIVED_LEADS.items()
    }
    return np.stack([rows[lead] for lead in LIMB_LEADS]).astype(np.float32)


def test_the_share_is_what_the_law_leaves_by_hand() -> None:
    """I = x, II = 0, III = x instead of -x. Least squares give I = x/3 and II = 2x/3, which leaves 4/3 of 2 x squared."""
    wave = np.tile(np.array([1.0, -1.0], dtype=np.float32), 50)
    found = misfit(np.stack([wave, 0 * wave, wave]), ("I", "II", "III"))
    assert found is not None
    assert found.share == pytest.approx(np.sqrt(2 / 3))
    assert found.millivolts == pytest.approx(np.sqrt(4 / 9))


@given(st.lists(st.floats(-5, 5, width=32), min_size=20, max_size=20), st.floats(0.001, 1000))
def test_what_is_made_of_two_leads_always_adds_up(values: list[float], gain: float) -> None:
    first, second = np.array(values, dtype=np.float32).reshape(2, 10)
    assert misfit(np.float32(gain) * limbs(first, second), LIMB_LEADS) is None


@pytest.mark.parametrize("lead", ["III", "aVR", "aVL", "aVF", "I", "II"])
@pytest.mark.parametrize("gain", [-1.0, 2.0, 1000.0])
def test_the_one_wrong_lead_is_named_with_its_gain(lead: str, gain: float) -> None:
    signal = limbs()
    signal[LIMB_LEADS.index(lead)] *= np.float32(gain)
    found = misfit(signal, LIMB_LEADS)
    assert found is not None
    assert found.leads == (lead,)
    assert found.gain == pytest.approx(gain, rel=1e-3)


@pytest.mark.parametrize(("one", "other"), [("aVR", "aVL"), ("I", "II"), ("III", "aVF"), ("II", "aVR")])
def test_two_leads_in_each_other_s_place_are_named(one: str, other: str) -> None:
    order = list(LIMB_LEADS)
    at, there = order.index(one), order.index(other)
    order[at], order[there] = order[there], order[at]
    found = misfit(limbs()[[LIMB_LEADS.index(lead) for lead in order]], LIMB_LEADS)
    assert found is not None
    assert found.leads == (one, other)
    assert found.sentence.endswith(f"They would if {one} and {other} were exchanged.")


@pytest.mark.parametrize("lead", ["III", "aVF"])
def test_a_small_lead_turned_over_is_named_though_an_exchange_mends_much(lead: str) -> None:
    """With the heart's axis across the lead it is small, with noise in every lead."""
    level = {"III": FIRST + 0.3 * SECOND, "aVF": FIRST / 2 + 0.3 * SECOND}[lead]
    signal = limbs(FIRST, level)
    noise = np.random.default_rng(1).standard_normal(signal.shape).astype(np.float32)
    signal[LIMB_LEADS.index(lead)] *= -1
    found = misfit(signal + np.float32(0.02) * noise, LIMB_LEADS)
    assert found is not None
    assert found.leads == (lead,)
    assert found.gain == pytest.approx(-1, abs=0.1)


def test_a_lead_with_noise_of_its_own_is_not_said_to_be_1_times_itself() -> None:
    """What it differs by is not its gain, though it correlates with what the others give."""
    signal = limbs()
    signal[0] += 0.4 * RNG.standard_normal(400).astype(np.float32)
    found = misfit(signal, LIMB_LEADS)
    assert found is not None
    assert (found.leads, found.gain) == (("I",), None)
    assert found.sentence.endswith("I is not what the others give for it.")


def test_another_signal_in_a_lead_is_named_without_a_gain() -> None:
    signal = limbs()
    signal[2] = RNG.standard_normal(400)
    assert misfit(signal, LIMB_LEADS) == Misfit(
        pytest.approx(0.5, abs=0.3), pytest.approx(0.6, abs=0.3), ("III",), None
    )


def test_two_limb_leads_have_nothing_to_add_up_and_three_blame_none() -> None:
    assert misfit(limbs()[:2], ("I", "II")) is None
    found = misfit(limbs()[:3] * [[2], [1], [1]], ("I", "II", "III"))
    assert found is not None
    assert found.leads == ()
