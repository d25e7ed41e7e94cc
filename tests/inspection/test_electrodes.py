"""Exchanged electrodes: the algebra, the features, and what is suspected in simulated ECGs."""

import numpy as np
import pytest
from benchmarks.faulty import electrodes_exchanged, to_the_right_leg

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.inspection.electrodes import EXCHANGES, FEATURES, Beat, features
from ecgenough.inspection.record import look_at
from ecgenough.simulation import Case, simulate

MADE = simulate([Case(record=number, patient=number) for number in range(12)], rate=500)
ECGS = [MADE.ecg(row) for row in range(12)]


@pytest.mark.parametrize("way", EXCHANGES)
def test_an_exchange_undoes_itself(way: str) -> None:
    np.testing.assert_array_equal(EXCHANGES[way] @ EXCHANGES[way], np.eye(2))


def test_leads_change_as_potentials_do() -> None:
    """With RA = 1, LA = 4, LL = 9: I = 3, II = 8, III = 5; exchanged electrodes give these by hand."""
    ecg = Ecg(np.repeat([[3.0], [8.0], *([0.0],) * 6], 2, axis=1), 500, ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))
    by_hand = {"RA-LA": (-3, 5, 8), "RA-LL": (-5, -8, -3), "LA-LL": (8, 3, -5)}
    for way, limbs in by_hand.items():
        signal = electrodes_exchanged(way, ecg.select(STANDARD_LEADS)).signal
        assert tuple(signal[:3, 0]) == pytest.approx(limbs)


def test_features_by_hand() -> None:
    """I foretold rightly, II with the wrong sign; QRS straight down (II = 1, I = 0 is 90 degrees), no P."""
    moments = np.zeros((3, 8, 8))
    leads = np.array([1.0, 2.0, 1.0, 2.0, 0, 0, 0, 0])
    moments[1] = np.outer(leads, leads)
    reconstruction = np.zeros((3, 2, 6))
    reconstruction[:, 0, 0], reconstruction[:, 1, 1] = 1.0, -1.0  # I from V1, II from -V2
    vectors = np.zeros((3, 8))
    vectors[1, 1] = 1.0
    found = dict(zip(FEATURES, features(Beat(moments, vectors), reconstruction), strict=True))
    assert found["I in QRS"] == pytest.approx(1)
    assert found["II in QRS"] == pytest.approx(-1)
    assert found["III in QRS"] == pytest.approx(-1)  # foretold -2 - 1, recorded 2 - 1
    assert (found["left of QRS"], found["down of QRS"]) == pytest.approx((0, 1), abs=1e-5)
    assert [found[name] for name in ("I in P", "left of P", "down of T")] == [0, 0, 0]


@pytest.mark.parametrize("way", ["RA-LA", "RA-LL"])
def test_exchanged_electrodes_are_suspected_and_right_ones_are_not(way: str) -> None:
    found = [look_at(electrodes_exchanged(way, ecg)).exchange for ecg in ECGS]
    assert sum(one is not None and one.electrodes == way for one in found) >= 11
    assert not any(look_at(ecg).exchange for ecg in ECGS)
    sure = next(one for one in found if one is not None)
    assert sure.undone > 0.5 > sure.recorded
    assert f"{way} seem exchanged" in sure.sentence


def test_an_arm_on_the_right_leg_leaves_a_lead_without_voltage() -> None:
    for arm, lead in (("RA", "II"), ("LA", "III")):
        found = [look_at(to_the_right_leg(arm, ecg)).exchange for ecg in ECGS]
        assert sum(one is not None and (one.electrodes, one.lead) == (f"{arm}-RL", lead) for one in found) >= 10


def test_without_chest_leads_nothing_is_said() -> None:
    assert look_at(electrodes_exchanged("RA-LA", ECGS[0]).select(["I", "II", "III"])).exchange is None
