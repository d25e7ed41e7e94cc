import numpy as np
import pytest

from ecgenough.simulation.draws import Draws
from ecgenough.simulation.heart import GRID, Heart, Wave, normal_heart

PATIENTS = 60


@pytest.fixture
def hearts() -> Heart:
    draws = Draws(4, 1, range(PATIENTS))
    return normal_heart(draws, np.linspace(20, 90, PATIENTS), np.arange(PATIENTS) % 2 == 0)


def test_axis_is_that_of_the_areas_under_the_leads(hearts: Heart) -> None:
    """atan2 of 2/sqrt(3) times aVF and of I: aVF is 2/sqrt(3) shorter than the sides of Einthoven's triangle."""
    first, foot = hearts.complex("I", "aVF").sum(axis=2).T
    np.testing.assert_allclose(hearts.axis(), np.degrees(np.arctan2(2 / np.sqrt(3) * foot, first)), atol=0.5)


@pytest.mark.parametrize("degrees", [-60.0, 0.0, 45.0, 110.0])
def test_turning_reaches_the_axis_and_only_those_who_turn(hearts: Heart, degrees: float) -> None:
    before = hearts.axis()
    who = np.arange(PATIENTS) < 30
    hearts.turn_to(who, np.full(PATIENTS, degrees))
    np.testing.assert_allclose(hearts.axis()[who], degrees, atol=2)
    np.testing.assert_allclose(hearts.axis()[~who], before[~who], atol=1e-9)


def test_reach_brings_the_hardest_lead_to_its_target_and_no_further(hearts: Heart) -> None:
    targets = {lead: np.full(PATIENTS, -0.2) for lead in ("II", "III", "aVF")}
    vectors = hearts.reach(np.zeros((PATIENTS, 3)), (0.0, -1.0, 0.0), targets)
    reached = np.einsum("plx,px->pl", hearts.leads("II", "III", "aVF"), vectors)
    np.testing.assert_allclose(reached.max(axis=1), -0.2, atol=1e-12)


def test_reach_leaves_what_is_there_already(hearts: Heart) -> None:
    rest = np.tile([1.0, 0.0, 0.0], (PATIENTS, 1))
    np.testing.assert_array_equal(hearts.reach(rest, (1.0, 0.0, 0.0), {"V5": np.full(PATIENTS, 0.1)}), rest)


def test_edges_hold_all_of_the_complex(hearts: Heart) -> None:
    onset, offset = hearts.qrs_edges()
    outside = (onset[:, None] > GRID) | (offset[:, None] < GRID)
    voltage = np.abs(hearts.complex("I", "II", "V1", "V2", "V5")).max(axis=1)
    assert voltage[outside].max() < 0.02 + 0.02 * voltage.max()
    assert (voltage[~outside].mean()) > 10 * voltage[outside].mean()


def test_age_and_sex_move_hearts_as_they_do() -> None:
    """Voltage falls and the axis turns left with age; women have smaller T waves and a longer QTc."""
    draws = [Draws(9, 1, range(400)) for _ in range(4)]
    young, old, woman, man = (
        normal_heart(one, np.full(400, age), np.full(400, female))
        for one, age, female in zip(draws, (25.0, 80.0, 50.0, 50.0), (True, True, True, False), strict=True)
    )
    assert np.median(old.sokolow()) < np.median(young.sokolow())
    assert np.median(old.axis()) < np.median(young.axis()) - 10
    assert np.median(woman.qtc) > np.median(man.qtc)
    assert size_of_t(woman) < size_of_t(man)


def size_of_t(heart: Heart) -> float:
    return float(np.median(np.linalg.norm(heart.vectors[:, Wave.T], axis=1)))
