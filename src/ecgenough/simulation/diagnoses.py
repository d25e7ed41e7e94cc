"""How findings change the heart, and the criteria they are made to meet; here those of hypertrophy and strain.

Every rule takes the hearts of a block, `who` has the finding, and the patients' draws. AHA III and V are parts of the
AHA/ACCF/HRS recommendations: Surawicz et al., Circulation 2009;119:e235 and Hancock et al., Circulation 2009;119:e251.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ecgenough.simulation import conduction, ischemia
from ecgenough.simulation.draws import Draws
from ecgenough.simulation.heart import QRS, Heart, Wave, Who

# Centre, deviation (ms), X, Y, Z (mV) of a right ventricle that outweighs the left.
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


def left_ventricular_hypertrophy(heart: Heart, who: Who, draws: Draws) -> None:
    """Sokolow-Lyon S(V1) + R(V5 or V6) >= 3.5 mV; QRS a little wider (Sokolow & Lyon 1949; AHA V)."""
    target, width = 3.75 + draws.uniform(0.0, 1.0) ** 2 * 1.6, draws.uniform(1.0, 1.05)
    axis = draws.uniform(-25.0, 55.0)
    heart.turn_to(who & (heart.axis() > axis), axis)
    heart.stretch_qrs(who, width)
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
    heart.set_t(who, heart.reach(heart.flat_t(), (-0.15, 0.1, 1.0), targets))


def s1_q3_t3(heart: Heart, who: Who, draws: Draws) -> None:
    """S in I and Q in III of at least 0.15 mV and inverted T in III (McGinn & White, JAMA 1935;104:1473-1480)."""
    s, q, t = draws.uniform(0.20, 0.45), draws.uniform(0.20, 0.45), draws.uniform(0.10, 0.30)
    none, axis = np.zeros((len(s), 3)), draws.uniform(45.0, 88.0)
    heart.turn_to(who & (heart.axis() < axis), axis)
    s_wave = heart.reach(none, (-1.0, 0.15, 0.1), {"I": -s})
    heart.set_wave(who, Wave.OUTFLOW, np.full(len(s), 0.036), 0.0095, s_wave)
    heart.vectors[who, Wave.SEPTUM] = heart.reach(none, (0.35, -1.0, -0.3), {"III": -q})[who]
    heart.vectors[who, Wave.APEX, 1] = 0.0
    heart.centres[who, Wave.SEPTUM] -= 0.003
    heart.set_t(who, heart.reach(heart.vectors[:, Wave.T], (0.25, -1.0, 0.0), {"III": -t}))


def right_axis(heart: Heart, who: Who, draws: Draws) -> None:
    """Axis beyond +90 degrees (AHA III)."""
    heart.turn_to(who, draws.uniform(97.0, 125.0))


def st_elevation_in_avr(heart: Heart, who: Who, draws: Draws) -> None:
    """ST elevation >= 0.1 mV in aVR with depression left and below (Shopp et al. 2015)."""
    height = draws.uniform(0.14, 0.25)
    st = heart.reach(heart.vectors[:, Wave.ST], (-1.0, -0.9, 0.0), {"aVR": height})
    heart.vectors[who, Wave.ST] = st[who]


Rule = Callable[[Heart, Who, Draws], None]

# In the order of cause: conduction shapes QRS, mass scales it, scars bend it, repolarisation follows.
RULES: dict[str, Rule] = {
    "CLBBB": conduction.left_bundle_branch_block,
    "LAFB": conduction.left_anterior_fascicular_block,
    "RVH": right_ventricular_hypertrophy,
    "RAD": right_axis,
    "CRBBB": conduction.right_bundle_branch_block,
    "IRBBB": conduction.incomplete_right_bundle_branch_block,
    "1AVB": conduction.first_degree_block,
    "LAE": conduction.left_atrial_enlargement,
    "LMI": ischemia.lateral_infarction,
    "ASMI": ischemia.anteroseptal_infarction,
    "IMI": ischemia.inferior_infarction,
    "LVH": left_ventricular_hypertrophy,
    "NDT": ischemia.flat_t,
    "ISC_": ischemia.lateral_ischemia,
    "TINV": ischemia.anterior_t_inversion,
    "S1Q3T3": s1_q3_t3,
    "ASMI-acute": ischemia.acute_anterior_infarction,
    "IMI-acute": ischemia.acute_inferior_infarction,
    "STE-aVR": st_elevation_in_avr,
    "LNGQT": ischemia.long_qt,
}


def apply_findings(heart: Heart, has: Mapping[str, Who], draws: Draws) -> None:
    """Change the hearts of a block by what each patient has; `has` names every finding, rhythms included."""
    for name, rule in RULES.items():
        if name == "LVH":
            no_hypertrophy(heart, ~(has["LVH"] | has["CLBBB"] | has["RVH"]), draws)
        rule(heart, has[name], draws)
