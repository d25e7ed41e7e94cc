"""Delayed conduction: bundle branches, fascicles, the AV node, and enlarged atria.

Criteria: AHA/ACCF/HRS recommendations for the standardization and interpretation of the electrocardiogram, part III
(Surawicz et al., Circulation 2009;119:e235) and, for atria, part V (Hancock et al., Circulation 2009;119:e251).
"""

import numpy as np

from ecgenough.simulation.draws import Draws
from ecgenough.simulation.heart import QRS, Heart, Wave, Who

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


def left_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """QRS >= 120 ms, broad R in I, V5, V6 without q, QS or rS in V1, ST and T opposite to QRS (AHA III)."""
    width, size, axis = draws.uniform(0.86, 1.10), draws.around_one(0.18), draws.uniform(-55.0, 50.0)
    heart.set_qrs(who, LEFT_BUNDLE)
    heart.stretch_qrs(who, width)
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
    heart.stretch_qrs(who, width)
    heart.turn_to(who, axis)


def right_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """QRS >= 120 ms, rsR' in V1 or V2, S longer than 40 ms in I and V6, T opposite to R' in V1 (AHA III)."""
    size, late = draws.around_one(0.2), draws.uniform(0.0, 12.0)
    heart.set_wave(who, Wave.LATE, (44.0 + 0.3 * late) / 1e3, 0.013, size[:, None] * np.array([-0.44, 0.0, -0.38]))
    heart.set_wave(who, Wave.LATEST, (66.0 + late) / 1e3, 0.014, size[:, None] * np.array([-0.24, 0.02, -0.20]))
    heart.vectors[who, Wave.BASE] *= 0.6
    heart.vectors[who, Wave.OUTFLOW] = 0.0
    heart.vectors[who, Wave.T, 2] += 0.17
    heart.vectors[who, Wave.T_EARLY, 2] *= 0.2
    heart.qtc[who] += 0.03


def incomplete_right_bundle_branch_block(heart: Heart, who: Who, draws: Draws) -> None:
    """RSR' in V1 with QRS of 110 to 119 ms (AHA III)."""
    size, width, deviation = draws.around_one(0.2), draws.uniform(0.1135, 0.1180), 0.0105
    centre = heart.qrs_edges()[0] + width - 2.25 * deviation
    heart.set_wave(who, Wave.LATE, centre, deviation, size[:, None] * np.array([-0.24, 0.0, -0.32]))
    heart.vectors[who, Wave.OUTFLOW] *= 0.5


def first_degree_block(heart: Heart, who: Who, draws: Draws) -> None:
    """PR > 200 ms."""
    heart.pr[who] = draws.uniform(0.212, 0.310)[who]


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
