"""Infarction, injury and ischemia: Q waves, the ST segment and T.

Criteria: UDMI is the Fourth Universal Definition of Myocardial Infarction (Thygesen et al., Circulation 2018;138:e618),
AHA IV the AHA/ACCF/HRS recommendations, part IV (Rautaharju et al., Circulation 2009;119:e241).
"""

from collections.abc import Mapping

import numpy as np

from ecgenough.simulation.draws import Draws, Floats
from ecgenough.simulation.heart import Heart, Wave, Who

# Around dead muscle activation takes a detour: wave, centre and deviation (ms).
SCARRED = (
    (Wave.SEPTUM, -34.0, 9.0),
    (Wave.APEX, -16.0, 10.5),
    (Wave.FREE_WALL, 13.5, 9.5),
    (Wave.BASE, 25.0, 9.0),
    (Wave.OUTFLOW, 34.0, 9.0),
)


def inferior_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """Q >= 40 ms in II, III, aVF (UDMI asks 30 ms and 0.1 mV); T often inverted there."""
    depth, inverted = draws.uniform(0.19, 0.42), draws.chance(0.6)
    _necrosis(heart, who, (0.10, -1.0, 0.0), dict.fromkeys(("II", "III", "aVF"), -depth), np.array([1.0, 0.5, 1.0]))
    t_depth = draws.uniform(0.04, 0.22)
    inverse = heart.reach(heart.vectors[:, Wave.T], (0.1, -1.0, 0.1), {"III": -t_depth, "aVF": -0.7 * t_depth})
    heart.set_t(who & inverted, inverse)


def anteroseptal_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """QS or Q >= 40 ms in V1-V3 (UDMI: any Q >= 20 ms or QS in V2-V3); T often inverted there."""
    depth, inverted = draws.uniform(0.25, 0.6), draws.chance(0.45)
    _necrosis(heart, who, (-0.05, 0.05, 1.0), dict.fromkeys(("V1", "V2", "V3"), -depth), np.array([0.75, 1.0, 1.35]))
    t_depth = draws.uniform(0.05, 0.30)
    inverse = heart.reach(heart.flat_t(), (-0.3, 0.05, 1.0), {"V2": -t_depth, "V3": -t_depth})
    heart.set_t(who & inverted, inverse)


def lateral_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """Q >= 40 ms in I, aVL and V6 (UDMI)."""
    depth, inverted = draws.uniform(0.12, 0.3), draws.chance(0.5)
    _necrosis(heart, who, (-1.0, 0.05, 0.1), dict.fromkeys(("I", "aVL", "V6"), -depth), np.array([0.55, 1.0, 1.0]))
    t_depth = draws.uniform(0.04, 0.15)
    heart.set_t(who & inverted, heart.reach(heart.flat_t(), (-1.0, 0.0, -0.1), {"I": -t_depth, "V6": -t_depth}))


def acute_inferior_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """ST elevation >= 0.1 mV at J in II, III, aVF, mirrored in I and aVL (UDMI)."""
    height = draws.uniform(0.14, 0.28)
    _injury(heart, who, (-0.15, 1.0, 0.08), dict.fromkeys(("II", "III", "aVF"), height), 0.5)


def acute_anterior_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """ST elevation at J >= 0.2 mV in V2 and V3 and >= 0.1 mV in V4 (UDMI; 0.2 mV is the limit for men over 40)."""
    height = draws.uniform(0.27, 0.45)
    leads = {"V1": 0.4 * height, "V2": height, "V3": height, "V4": 0.45 * height}
    _injury(heart, who, (0.30, 0.02, -1.0), leads, 0.45)


def flat_t(heart: Heart, who: Who, draws: Draws) -> None:
    """T flat or barely inverted where R is tall: below a tenth of R in I, II, V4-V6 (AHA IV)."""
    left = draws.uniform(-0.12, 0.15)
    heart.vectors[who, Wave.T] *= left[who, None]
    heart.vectors[who, Wave.T_EARLY] *= np.abs(left[who, None])


def lateral_ischemia(heart: Heart, who: Who, draws: Draws) -> None:
    """ST depression >= 0.05 mV and T inversion > 0.1 mV in V5 and V6 (UDMI); beside LVH this is strain (AHA V)."""
    depression, depth = draws.uniform(0.06, 0.18), draws.uniform(0.12, 0.30)
    at_rest = np.array([0.0, 0.0, -0.05]) * np.ones((len(depression), 1))
    st = heart.reach(at_rest, (-0.9, -0.35, 0.05), {"V5": -depression, "V6": -depression})
    t = heart.reach(2 * at_rest, (-1.0, -0.25, -0.1), {"V5": -depth, "V6": -depth})
    heart.set_t(who, t)
    heart.vectors[who, Wave.ST] = st[who]


def anterior_t_inversion(heart: Heart, who: Who, draws: Draws) -> None:
    """T inverted by 0.1 mV and more in V1-V4: of ischemia, or of right ventricular strain (AHA IV; Kosuge 2007)."""
    depth = draws.uniform(0.15, 0.28)
    targets = {"V1": -0.7 * depth, "V2": -depth, "V3": -depth, "V4": -0.75 * depth}
    t = heart.reach(heart.flat_t(), (-0.55, 0.05, 1.0), targets)
    heart.set_t(who, t)


def long_qt(heart: Heart, who: Who, draws: Draws) -> None:
    """QTc >= 480 ms, beyond the limits of 450 ms for men and 460 ms for women (AHA IV)."""
    heart.qtc[who] = draws.uniform(0.485, 0.56)[who]


def _necrosis(
    heart: Heart, who: Who, away: tuple[float, float, float], targets: Mapping[str, Floats], left: Floats
) -> None:
    """The first 40 ms point `away` from dead muscle; the main wave comes late, with `left` of its X, Y and Z."""
    q = heart.reach(np.zeros((len(who), 3)), away, targets)
    heart.vectors[who, Wave.SEPTUM] = 0.55 * q[who]
    heart.vectors[who, Wave.APEX] = q[who]
    heart.vectors[who, Wave.FREE_WALL] *= left
    for wave, centre, deviation in SCARRED:
        heart.centres[who, wave] = centre / 1e3
        heart.before[who, wave] = heart.after[who, wave] = deviation / 1e3


def _injury(
    heart: Heart, who: Who, toward: tuple[float, float, float], targets: Mapping[str, Floats], t_share: float
) -> None:
    """A current of injury: ST toward the injured wall, and T with it."""
    st = heart.reach(heart.vectors[:, Wave.ST], toward, targets)
    heart.vectors[who, Wave.ST] = st[who]
    heart.vectors[who, Wave.T] += t_share * st[who]
    heart.vectors[who, Wave.T_EARLY] += 0.3 * st[who]
