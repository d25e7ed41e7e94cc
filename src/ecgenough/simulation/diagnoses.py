"""How each finding changes the heart, and the criterion it is made to meet.

AHA: AHA/ACCF/HRS recommendations for the standardization and interpretation of the electrocardiogram, 2009, parts III
(conduction, Surawicz), IV (ST, T, QT, Rautaharju), V (hypertrophy, Hancock). UDMI: Fourth Universal Definition of
Myocardial Infarction, 2018. Every rule takes the block's hearts, `who` has the finding, and the patients' draws.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ecgenough.simulation.draws import Draws, Floats
from ecgenough.simulation.heart import QRS, Heart, Wave

Who = NDArray[np.bool_]

# Centre, deviation (ms), X, Y, Z (mV): fitted to the mean beats of PTB-XL's pure records of each statement.
LEFT_BUNDLE = np.array(
    [
        [-58.0, 13.0, 0.05, 0.03, -0.06],
        [-36.0, 14.0, 0.20, 0.10, 0.10],
        [-12.0, 15.0, 0.40, 0.22, 1.10],
        [14.0, 15.0, 0.46, 0.10, 1.15],
        [40.0, 15.0, 0.48, -0.10, 0.55],
        [62.0, 14.0, 0.22, -0.10, 0.12],
        [80.0, 12.0, 0.00, -0.02, -0.05],
    ]
)
LEFT_ANTERIOR = np.array(
    [
        [-28.0, 9.0, -0.11, 0.12, -0.12],
        [-13.0, 9.0, 0.34, 0.14, -0.20],
        [1.0, 9.0, 0.65, -0.12, 0.38],
        [15.0, 9.0, 0.10, -0.40, 0.50],
        [29.0, 9.0, -0.05, -0.17, 0.15],
        [44.0, 10.0, 0.0, 0.0, 0.0],
        [60.0, 10.0, 0.0, 0.0, 0.0],
    ]
)
RIGHT_VENTRICLE = np.array(
    [
        [-28.0, 9.0, 0.02, 0.05, -0.12],
        [-14.0, 9.0, 0.22, 0.20, -0.42],
        [0.0, 9.5, -0.15, 0.60, -0.55],
        [15.0, 9.5, -0.55, 0.30, -0.10],
        [29.0, 9.0, -0.35, -0.02, 0.12],
        [44.0, 10.0, 0.0, 0.0, 0.0],
        [60.0, 10.0, 0.0, 0.0, 0.0],
    ]
)
# Around dead muscle activation takes a detour: wave, centre and deviation (ms).
SCARRED = (
    (Wave.SEPTUM, -34.0, 9.0),
    (Wave.APEX, -16.0, 10.5),
    (Wave.FREE_WALL, 13.5, 9.5),
    (Wave.BASE, 25.0, 9.0),
    (Wave.OUTFLOW, 34.0, 9.0),
)


def left_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """QRS >= 120 ms, broad R in I, V5, V6 without q, QS or rS in V1, ST and T opposite to QRS (AHA III)."""
    width, size, axis = draws.uniform(0.86, 1.10), draws.around_one(0.18), draws.uniform(-55.0, 50.0)
    heart.set_qrs(who, LEFT_BUNDLE)
    _stretch_qrs(heart, who, width)
    heart.turn_to(who, axis)
    heart.vectors[who, QRS] *= size[who, None, None]
    area = np.array([-0.24, -0.08, -0.62]) * (size * heart.gain)[:, None]
    heart.vectors[who, Wave.T] = (0.75 * area)[who]
    heart.vectors[who, Wave.T_EARLY] = (0.2 * area)[who]
    heart.vectors[who, Wave.ST] = (0.25 * area)[who]
    heart.qtc[who] += 0.045


def left_anterior_fascicular_block(heart: Heart, who: Who, draws: Draws) -> None:
    """Axis -45 to -90 degrees, qR in aVL, QRS < 120 ms (AHA III)."""
    axis, width = draws.uniform(-76.0, -50.0), draws.uniform(0.95, 1.08)
    heart.set_qrs(who, LEFT_ANTERIOR)
    _stretch_qrs(heart, who, width)
    heart.turn_to(who, axis)


def right_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """QRS >= 120 ms, rsR' in V1 or V2, S longer than 40 ms in I and V6, T opposite to R' in V1 (AHA III)."""
    size, late = draws.around_one(0.2), draws.uniform(0.0, 12.0)
    _terminal_forces(heart, who, Wave.LATE, (44.0 + 0.3 * late) / 1e3, 0.013, np.array([-0.44, 0.0, -0.38]), size)
    _terminal_forces(heart, who, Wave.LATEST, (66.0 + late) / 1e3, 0.014, np.array([-0.24, 0.02, -0.20]), size)
    heart.vectors[who, Wave.BASE] *= 0.6
    heart.vectors[who, Wave.OUTFLOW] = 0.0
    heart.vectors[who, Wave.T, 2] += 0.17
    heart.vectors[who, Wave.T_EARLY, 2] *= 0.2
    heart.qtc[who] += 0.03


def incomplete_right_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """RSR' in V1 with QRS of 110 to 119 ms (AHA III)."""
    size, width, deviation = draws.around_one(0.2), draws.uniform(0.1135, 0.1180), 0.0105
    centre = heart.qrs_edges()[0] + width - 2.25 * deviation
    _terminal_forces(heart, who, Wave.LATE, centre, deviation, np.array([-0.24, 0.0, -0.32]), size)
    heart.vectors[who, Wave.OUTFLOW] *= 0.5


def first_degree_block(heart: Heart, who: Who, draws: Draws) -> None:
    """PR > 200 ms."""
    heart.pr[who] = draws.uniform(0.212, 0.310)[who]


def left_ventricular_hypertrophy(heart: Heart, who: Who, draws: Draws) -> None:
    """Sokolow-Lyon S(V1) + R(V5 or V6) >= 3.5 mV; QRS a little wider (Sokolow & Lyon 1949; AHA V)."""
    target, width = 3.75 + draws.uniform(0.0, 1.0) ** 2 * 1.6, draws.uniform(1.0, 1.05)
    axis = draws.uniform(-25.0, 55.0)
    heart.turn_to(who & (heart.axis() > axis), axis)
    _stretch_qrs(heart, who, width)
    heart.vectors[who, QRS] *= (target / heart.sokolow())[who, None, None]


def no_hypertrophy(heart: Heart, who: Who, draws: Draws) -> None:
    """Everyone else stays below the Sokolow-Lyon limit; the criterion is not for those with block of a bundle."""
    target = draws.uniform(2.6, 3.3)
    voltage = heart.sokolow()
    excess = np.where(who & (voltage > 3.3), target / voltage, 1.0)
    heart.vectors[:, QRS] *= excess[:, None, None]


def right_ventricular_hypertrophy(heart: Heart, who: Who, draws: Draws) -> None:
    """Axis to the right, R > S in V1 with R >= 0.7 mV, T inverted in V1-V3 (AHA V)."""
    axis, height, depth = draws.uniform(104.0, 135.0), draws.uniform(0.75, 1.3), draws.uniform(0.10, 0.25)
    heart.set_qrs(who, RIGHT_VENTRICLE)
    heart.turn_to(who, axis)
    scale = height / heart.complex("V1").max(axis=(1, 2))
    heart.vectors[who, QRS] *= scale[who, None, None]
    targets = {"V1": -depth, "V2": -depth, "V3": -0.6 * depth}
    _repolarise(heart, who, heart.reach(_flat_t(heart), (-0.15, 0.1, 1.0), targets))


def left_atrial_enlargement(heart: Heart, who: Who, draws: Draws) -> None:
    """Notched P >= 120 ms in II and a negative end of P in V1 (AHA V)."""
    apart, size = draws.uniform(0.052, 0.064), draws.around_one(0.15)
    heart.centres[who, Wave.RIGHT_ATRIUM] = -apart[who] / 2
    heart.centres[who, Wave.LEFT_ATRIUM] = apart[who] / 2
    for wave in (Wave.RIGHT_ATRIUM, Wave.LEFT_ATRIUM):
        heart.before[who, wave] = heart.after[who, wave] = 0.0165
    heart.vectors[who, Wave.RIGHT_ATRIUM] = np.array([0.04, 0.10, -0.05]) * size[who, None]
    heart.vectors[who, Wave.LEFT_ATRIUM] = np.array([0.09, 0.095, 0.075]) * size[who, None]
    heart.pr[who] = np.maximum(heart.pr, 0.155)[who]


def inferior_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """Q >= 40 ms in II, III, aVF (UDMI asks 30 ms and 0.1 mV); T often inverted there."""
    depth, inverted = draws.uniform(0.19, 0.42), draws.chance(0.6)
    _necrosis(heart, who, (0.10, -1.0, 0.0), dict.fromkeys(("II", "III", "aVF"), -depth), np.array([1.0, 0.5, 1.0]))
    t_depth = draws.uniform(0.04, 0.22)
    inverse = heart.reach(heart.vectors[:, Wave.T], (0.1, -1.0, 0.1), {"III": -t_depth, "aVF": -0.7 * t_depth})
    _repolarise(heart, who & inverted, inverse)


def anteroseptal_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """QS or Q >= 40 ms in V1-V3 (UDMI: any Q >= 20 ms or QS in V2-V3); T often inverted there."""
    depth, inverted = draws.uniform(0.25, 0.6), draws.chance(0.45)
    _necrosis(heart, who, (-0.05, 0.05, 1.0), dict.fromkeys(("V1", "V2", "V3"), -depth), np.array([0.75, 1.0, 1.35]))
    t_depth = draws.uniform(0.05, 0.30)
    inverse = heart.reach(_flat_t(heart), (-0.3, 0.05, 1.0), {"V2": -t_depth, "V3": -t_depth})
    _repolarise(heart, who & inverted, inverse)


def lateral_infarction(heart: Heart, who: Who, draws: Draws) -> None:
    """Q >= 40 ms in I, aVL and V6 (UDMI)."""
    depth, inverted = draws.uniform(0.12, 0.3), draws.chance(0.5)
    _necrosis(heart, who, (-1.0, 0.05, 0.1), dict.fromkeys(("I", "aVL", "V6"), -depth), np.array([0.55, 1.0, 1.0]))
    t_depth = draws.uniform(0.04, 0.15)
    _repolarise(heart, who & inverted, heart.reach(_flat_t(heart), (-1.0, 0.0, -0.1), {"I": -t_depth, "V6": -t_depth}))


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
    _repolarise(heart, who, t)
    heart.vectors[who, Wave.ST] = st[who]


def anterior_t_inversion(heart: Heart, who: Who, draws: Draws) -> None:
    """T inverted by 0.1 mV and more in V1-V4: of ischemia, or of right ventricular strain (AHA IV; Kosuge 2007)."""
    depth = draws.uniform(0.15, 0.28)
    targets = {"V1": -0.7 * depth, "V2": -depth, "V3": -depth, "V4": -0.75 * depth}
    t = heart.reach(_flat_t(heart), (-0.55, 0.05, 1.0), targets)
    _repolarise(heart, who, t)


def long_qt(heart: Heart, who: Who, draws: Draws) -> None:
    """QTc >= 480 ms, beyond the limits of 450 ms for men and 460 ms for women (AHA IV)."""
    heart.qtc[who] = draws.uniform(0.485, 0.56)[who]


def s1_q3_t3(heart: Heart, who: Who, draws: Draws) -> None:
    """S in I and Q in III of at least 0.15 mV and inverted T in III (McGinn & White, JAMA 1935;104:1473-1480)."""
    s, q, t = draws.uniform(0.20, 0.45), draws.uniform(0.20, 0.45), draws.uniform(0.10, 0.30)
    none, axis = np.zeros((len(s), 3)), draws.uniform(45.0, 88.0)
    heart.turn_to(who & (heart.axis() < axis), axis)
    _terminal_forces(
        heart,
        who,
        Wave.LATE,
        np.full(len(s), 0.036),
        0.0095,
        heart.reach(none, (-1.0, 0.15, 0.1), {"I": -s}),
        np.ones(len(s)),
    )
    heart.vectors[who, Wave.SEPTUM] = heart.reach(none, (0.35, -1.0, -0.3), {"III": -q})[who]
    heart.vectors[who, Wave.APEX, 1] = 0.0
    heart.centres[who, Wave.SEPTUM] -= 0.003
    _repolarise(heart, who, heart.reach(heart.vectors[:, Wave.T], (0.25, -1.0, 0.0), {"III": -t}))


def right_axis(heart: Heart, who: Who, draws: Draws) -> None:
    """Axis beyond +90 degrees (AHA III)."""
    heart.turn_to(who, draws.uniform(97.0, 125.0))


def st_elevation_in_avr(heart: Heart, who: Who, draws: Draws) -> None:
    """ST elevation >= 0.1 mV in aVR with depression left and below (Kukla et al., Am J Emerg Med 2011;29:1013)."""
    height = draws.uniform(0.14, 0.25)
    st = heart.reach(heart.vectors[:, Wave.ST], (-1.0, -0.9, 0.0), {"aVR": height})
    heart.vectors[who, Wave.ST] = st[who]


Rule = Callable[[Heart, Who, Draws], None]

# In the order of cause: conduction shapes QRS, mass scales it, scars bend it, repolarisation follows.
RULES: dict[str, Rule] = {
    "CLBBB": left_bundle_branch_block,
    "LAFB": left_anterior_fascicular_block,
    "RVH": right_ventricular_hypertrophy,
    "RAD": right_axis,
    "CRBBB": right_bundle_branch_block,
    "IRBBB": incomplete_right_bundle_branch_block,
    "1AVB": first_degree_block,
    "LAE": left_atrial_enlargement,
    "LMI": lateral_infarction,
    "ASMI": anteroseptal_infarction,
    "IMI": inferior_infarction,
    "S1Q3T3": s1_q3_t3,
    "LVH": left_ventricular_hypertrophy,
    "NDT": flat_t,
    "ISC_": lateral_ischemia,
    "TINV": anterior_t_inversion,
    "ASMI-acute": acute_anterior_infarction,
    "IMI-acute": acute_inferior_infarction,
    "STE-aVR": st_elevation_in_avr,
    "LNGQT": long_qt,
}


def apply_findings(heart: Heart, has: Mapping[str, Who], draws: Draws) -> None:
    """Change the hearts of a block by what each patient has; `has` names every finding, rhythms included."""
    for name, rule in RULES.items():
        if name == "LVH":
            no_hypertrophy(heart, ~(has["LVH"] | has["CLBBB"] | has["RVH"]), draws)
        rule(heart, has[name], draws)


def _stretch_qrs(heart: Heart, who: Who, width: Floats) -> None:
    for times in (heart.centres, heart.before, heart.after):
        times[who, QRS] *= width[who, None]


def _terminal_forces(
    heart: Heart, who: Who, wave: Wave, centre: Floats, deviation: float, vector: Floats, size: Floats
) -> None:
    heart.centres[who, wave] = centre[who]
    heart.before[who, wave] = heart.after[who, wave] = deviation
    heart.vectors[who, wave] = np.broadcast_to(vector * size[:, None], (len(who), 3))[who]


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


def _flat_t(heart: Heart) -> Floats:
    """What remains of T where its direction is about to be replaced."""
    return 0.25 * heart.vectors[:, Wave.T]


def _repolarise(heart: Heart, who: Who, t: Floats) -> None:
    """Give T a new direction; the symmetric inverted T of ischemia has no early part of the old one."""
    heart.vectors[who, Wave.T] = t[who]
    heart.vectors[who, Wave.T_EARLY] *= 0.15
    heart.vectors[who, Wave.ST] *= 0.3
    heart.vectors[who, Wave.U] *= 0.3
    heart.before[who, Wave.T] = 0.048
