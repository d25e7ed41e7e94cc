"""The heart as a turning dipole: every wave is a Gaussian in time with a direction and size in Frank's X, Y, Z.

McSharry et al., IEEE Trans Biomed Eng 2003;50:289-294 (waves as Gaussians); Sameni et al., EURASIP J Adv Signal
Process 2007:043407 (their sum as a vector). The normal values reproduce the mean beat of PTB-XL's normal ECGs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.simulation.draws import Draws, Floats
from ecgenough.simulation.leads import field_of, lead_field

Who = NDArray[np.bool_]


class Wave(IntEnum):
    """What is active, in order. LATE and LATEST are silent unless conduction is delayed."""

    RIGHT_ATRIUM = 0
    LEFT_ATRIUM = 1
    SEPTUM = 2
    APEX = 3
    FREE_WALL = 4
    BASE = 5
    OUTFLOW = 6
    LATE = 7
    LATEST = 8
    T_EARLY = 9
    T = 10
    U = 11
    ST = 12


ATRIA = slice(Wave.RIGHT_ATRIUM, Wave.LEFT_ATRIUM + 1)
QRS = slice(Wave.SEPTUM, Wave.LATEST + 1)
REPOLARISATION = slice(Wave.T_EARLY, Wave.ST + 1)
EDGE = 2.2  # a Gaussian has all but 9% of its height behind it this many deviations from its centre
GRID = np.arange(-0.16, 0.2, 0.001)  # seconds around R in which a QRS complex is measured

# centre, deviation before and after it (ms), then X, Y, Z (mV). Atria count from the centre of the P wave, QRS from R,
# repolarisation from the peak of T at a heart rate of 60/min. ST is a plateau from the J point to T, not a Gaussian.
NORMAL = np.array(
    [
        [-14.0, 17.0, 17.0, 0.040, 0.075, -0.025],
        [16.0, 18.0, 18.0, 0.068, 0.055, 0.022],
        [-28.0, 8.8, 8.8, -0.090, -0.040, -0.110],
        [-14.0, 8.8, 8.8, 0.130, 0.020, -0.250],
        [0.0, 8.8, 8.8, 1.250, 0.650, 0.480],
        [14.0, 8.8, 8.8, -0.180, 0.000, 0.500],
        [28.0, 8.8, 8.8, -0.050, -0.030, 0.070],
        [44.0, 10.0, 10.0, 0.0, 0.0, 0.0],
        [60.0, 10.0, 10.0, 0.0, 0.0, 0.0],
        [-36.0, 60.0, 40.0, 0.025, 0.012, -0.085],
        [0.0, 64.0, 36.0, 0.265, 0.130, -0.150],
        [160.0, 30.0, 35.0, 0.012, 0.010, -0.025],
        [0.0, 10.0, 50.0, 0.000, 0.000, -0.045],
    ]
)


@dataclass(eq=False)
class Heart:
    """The waves of a block of patients; findings change them in place.

    `vectors` mV `[patients, waves, 3]`; `centres`, `before`, `after` in seconds `[patients, waves]`; `field`
    `[patients, 8, 3]`; `gain` and `turned` are each patient's size and rotation, which templates of abnormal
    conduction go through as well; `pr` and `qtc` (Fridericia) in seconds.
    """

    vectors: Floats
    centres: Floats
    before: Floats
    after: Floats
    field: Floats
    gain: Floats
    turned: Floats
    pr: Floats
    qtc: Floats

    def leads(self, *names: str) -> Floats:
        """The lead field of the named leads, `[patients, leads, 3]`."""
        return field_of(self.field, names)

    def set_qrs(self, who: Who, template: Floats) -> None:
        """Give the patients `who` another QRS complex: rows of centre, deviation (ms), X, Y, Z (mV) a wave."""
        self.centres[who, QRS] = template[:, 0] / 1e3
        self.before[who, QRS] = self.after[who, QRS] = template[:, 1] / 1e3
        vectors = np.einsum("pxy,wy->pwx", self.turned, template[:, 2:]) * self.gain[:, None, None]
        self.vectors[who, QRS] = vectors[who]

    def set_wave(self, who: Who, wave: Wave, centre: Floats, deviation: float, vectors: Floats) -> None:
        """Put one wave of the patients `who` elsewhere; everything for all patients, in seconds and mV."""
        self.centres[who, wave] = centre[who]
        self.before[who, wave] = self.after[who, wave] = deviation
        self.vectors[who, wave] = vectors[who]

    def stretch_qrs(self, who: Who, width: Floats) -> None:
        """Make QRS `width` times as long."""
        for times in (self.centres, self.before, self.after):
            times[who, QRS] *= width[who, None]

    def set_t(self, who: Who, t: Floats) -> None:
        """Give T a new direction; the symmetric inverted T of ischemia has no early part of the old one."""
        self.vectors[who, Wave.T] = t[who]
        self.vectors[who, Wave.T_EARLY] *= 0.15
        self.vectors[who, Wave.ST] *= 0.3
        self.vectors[who, Wave.U] *= 0.3
        self.before[who, Wave.T] = 0.048

    def flat_t(self) -> Floats:
        """What remains of T where its direction is about to be replaced, mV `[patients, 3]`."""
        return 0.25 * self.vectors[:, Wave.T]

    def complex(self, *names: str) -> Floats:
        """The QRS complex alone in mV on GRID, `[patients, leads, times]`."""
        steps = (GRID - self.centres[:, QRS, None]) / self.before[:, QRS, None]
        return np.asarray((self.leads(*names) @ self.vectors[:, QRS].swapaxes(1, 2)) @ np.exp(-0.5 * steps**2))

    def axis(self) -> Floats:
        """Frontal QRS axis in degrees from the net areas of I and aVF."""
        across, down = np.einsum("plx,px->lp", self._frontal(), self._net())
        return np.asarray(np.degrees(np.arctan2(down, across)))

    def turn_to(self, who: Who, degrees: Floats) -> None:
        """Turn the QRS complex in the frontal plane until its axis is `degrees`, or as near as the lead field lets it.

        The field is skewed, so the dipole turns by another angle than the axis: the one at which the component of
        the axis across `degrees` vanishes, A cos + B sin + E = 0, on the side where that along it is larger.
        """
        angle = np.radians(degrees)
        lead_across, lead_down = self._frontal().swapaxes(0, 1)
        aside = np.sin(angle)[:, None] * lead_across - np.cos(angle)[:, None] * lead_down
        ahead = np.cos(angle)[:, None] * lead_across + np.sin(angle)[:, None] * lead_down
        x, y, z = self._net().T
        a, b, e = aside[:, 0] * x + aside[:, 1] * y, aside[:, 1] * x - aside[:, 0] * y, aside[:, 2] * z
        middle, half = np.arctan2(b, a), np.arccos(np.clip(-e / np.hypot(a, b), -1.0, 1.0))
        turns = [rotation(np.where(who, np.degrees(middle + way * half), 0.0), 0, 1) for way in (1, -1)]
        along = [np.einsum("px,pxy,py->p", ahead, turn, self._net()) for turn in turns]
        turn = np.where((along[0] > along[1])[:, None, None], turns[0], turns[1])
        self.vectors[:, QRS] = np.einsum("pxy,pwy->pwx", turn, self.vectors[:, QRS])

    def _net(self) -> Floats:
        """The area of QRS as a dipole `[patients, 3]`: a Gaussian's is its height times its deviation."""
        return np.asarray(np.einsum("pwx,pw->px", self.vectors[:, QRS], self.before[:, QRS]))

    def _frontal(self) -> Floats:
        """I and aVF as `[patients, 2, 3]`, aVF lengthened to the sides of Einthoven's triangle."""
        return np.asarray(self.leads("I", "aVF") * np.array([[1.0], [2 / np.sqrt(3)]]))

    def reach(self, rest: Floats, direction: tuple[float, float, float], targets: Mapping[str, Floats]) -> Floats:
        """`rest` plus as much of `direction` as brings every lead of `targets` at least to its value, `[patients, 3]`.

        In mV. Signs follow the targets: a lead that should be at -0.1 mV ends at -0.1 or below.
        """
        along = np.asarray(direction)
        rows = self.leads(*targets)
        missing = np.stack(list(targets.values()), axis=1) - np.einsum("plx,px->pl", rows, rest)
        steps = (missing / (rows @ along)).max(axis=1)
        return np.asarray(rest + np.maximum(steps, 0.0)[:, None] * along)

    def sokolow(self) -> Floats:
        """Sokolow-Lyon voltage in mV: S in V1 plus the larger R of V5 and V6 (Am Heart J 1949;37:161-186)."""
        chest = self.complex("V1", "V5", "V6")
        return np.asarray(-chest[:, 0].min(axis=1) + chest[:, 1:].max(axis=(1, 2)))

    def qrs_edges(self) -> tuple[Floats, Floats]:
        """Onset and offset of QRS in seconds from R: any lead beyond 0.02 mV plus 2% of its peak."""
        size = np.abs(self.complex(*STANDARD_LEADS))
        active = (size > 0.02 + 0.02 * size.max(axis=2, keepdims=True)).any(axis=1)
        last = active.shape[1] - 1 - active[:, ::-1].argmax(axis=1)
        return GRID[active.argmax(axis=1)], GRID[last]


def rotation(degrees: Floats, first: int, second: int) -> Floats:
    """Rotations `[patients, 3, 3]` from axis `first` toward axis `second`."""
    angle = np.radians(degrees)
    turn = np.repeat(np.eye(3)[None], len(angle), axis=0)
    turn[:, first, first] = turn[:, second, second] = np.cos(angle)
    turn[:, first, second], turn[:, second, first] = -np.sin(angle), np.sin(angle)
    return turn


def normal_heart(draws: Draws, ages: Floats, female: NDArray[np.bool_]) -> Heart:
    """Healthy hearts as they differ: size, position, timing, and how age and sex move them.

    Voltages fall and the axis turns left with age; women have smaller voltages and T waves, narrower QRS and longer QT
    (Macfarlane & Lawrie, Comprehensive Electrocardiology, 2nd ed. 2010, normal limits).
    """
    table = np.repeat(NORMAL[None], len(draws), axis=0)
    vectors, times = table[:, :, 3:], table[:, :, :3] / 1e3
    decades = (ages - 55.0) / 10.0
    gain = draws.around_one(0.26) * np.where(female, 1.0, 1.1) * np.clip(1 - 0.03 * decades, 0.8, 1.15)
    across = rotation(draws.normal(0.0, 17.0), 0, 2)
    vectors[:, QRS] *= draws.around_one(0.24, QRS.stop - QRS.start)[:, :, None]
    vectors[:, Wave.SEPTUM : Wave.LATE] += draws.normal(0.0, 0.045, 5, 3)
    vectors[:, QRS] = np.einsum("pxy,pwy->pwx", across, vectors[:, QRS]) * gain[:, None, None]
    vectors[:, REPOLARISATION] *= _t_size(draws, gain, female, ages)[:, None, None]
    times[:, QRS] *= np.clip(draws.normal(np.where(female, 0.98, 1.04), 0.06), 0.85, 1.10)[:, None, None]
    times[:, ATRIA, 1:] *= draws.around_one(0.08)[:, None, None]
    vectors[:, ATRIA] *= draws.around_one(0.28)[:, None, None]
    vectors[:, ATRIA] += draws.normal(0.0, 0.012, 2, 3)
    heart = Heart(
        vectors=vectors,
        centres=times[:, :, 0],
        before=times[:, :, 1],
        after=times[:, :, 2],
        field=lead_field(draws),
        gain=gain,
        turned=across,
        pr=np.clip(draws.normal(0.158 + 0.003 * decades, 0.018), 0.130, 0.194),
        qtc=np.clip(draws.normal(np.where(female, 0.408, 0.397), 0.016), 0.36, 0.445),
    )
    _place_axis(heart, draws, decades)
    return heart


def _t_size(draws: Draws, gain: Floats, female: NDArray[np.bool_], ages: Floats) -> Floats:
    """T waves follow the size of QRS only loosely."""
    size = np.minimum(draws.around_one(0.28), 1.7) * np.sqrt(gain) * np.where(female, 0.85, 1.12)
    return np.asarray(size * np.clip(1 - 0.004 * (ages - 50), 0.75, 1.2))


def _place_axis(heart: Heart, draws: Draws, decades: Floats) -> None:
    """Normal axes lie from -30 to 90 degrees; T turns half as far as QRS and goes its own way a little."""
    before = heart.axis()
    wanted = np.clip(draws.normal(34.0 - 5.0 * decades, 29.0), -24.0, 85.0)
    heart.turn_to(np.ones(len(wanted), dtype=bool), wanted)
    frontal = rotation(0.4 * (wanted - before) + draws.normal(0.0, 7.0), 0, 1)
    horizontal = rotation(draws.normal(0.0, 10.0), 0, 2)
    turn = np.einsum("pxy,pyz->pxz", frontal, horizontal)
    repolarisation = heart.vectors[:, REPOLARISATION]
    heart.vectors[:, REPOLARISATION] = np.einsum("pxy,pwy->pwx", turn, repolarisation)
    upright = {lead: np.full(len(wanted), 0.06) for lead in ("I", "II", "V5", "V6")}
    heart.vectors[:, Wave.T] = heart.reach(heart.vectors[:, Wave.T], (1.0, 0.4, 0.0), upright)
