"""Waves on a time line: which beat each sample belongs to, and what the eight recorded leads show there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.simulation.draws import Draws, Floats
from ecgenough.simulation.heart import ATRIA, EDGE, QRS, Heart, Wave
from ecgenough.simulation.rhythm import Beats

Signal = NDArray[np.float32]

NOWHERE = -1e3  # a wave that does not occur is put this many seconds away
# A beat that starts in a ventricle, wider than 120 ms: centre (ms from R), deviation (ms), share of the beat's vector.
ECTOPIC = np.array([[-42.0, 20.0, 0.45], [-4.0, 23.0, 1.0], [38.0, 22.0, 0.6], [285.0, 58.0, -0.42]])
ECTOPIC_QRS = (-0.085, 0.085)  # its onset and offset in seconds from R


@dataclass(eq=False)
class Timing:
    """When the waves of each beat are, in seconds `[records, beats]`.

    QRS edges are `[records]`, from R. Repolarisation lasts `stretch` times what it does at a heart rate of 60.
    """

    qrs_onset: Floats
    qrs_offset: Floats
    p_centre: Floats
    t_peak: Floats
    stretch: Floats


@dataclass(eq=False)
class Motion:
    """How breathing turns and sizes the dipole `[records, 3, 3]`, and the atrial and ectopic sources of a record.

    `flutter` is the frequency (Hz) and phase of fibrillation waves `[records, 2]`, `flutter_vector` their size and
    `ectopic` that of premature beats in mV `[records, 3]`.
    """

    breathing: Floats
    flutter: Floats
    flutter_vector: Floats
    ectopic: Floats


@dataclass(eq=False)
class Scene:
    """Everything that decides the noise-free voltages of a block of records, sampled at `rate` Hz."""

    heart: Heart
    beats: Beats
    timing: Timing
    motion: Motion
    rate: float


def timing(heart: Heart, beats: Beats) -> Timing:
    """Place P by PR, T by QT: QT = QTc RR^(1/3) (Fridericia 1920) of an RR that the heart follows slowly."""
    onset, offset = heart.qrs_edges()
    remembered = 0.35 * beats.rr + 0.65 * beats.mean_rr[:, None]
    stretch = np.cbrt(np.clip(remembered, 0.3, 2.0))
    p_edge = heart.centres[:, Wave.RIGHT_ATRIUM] - EDGE * heart.before[:, Wave.RIGHT_ATRIUM]
    p_centre = beats.r + (onset - heart.pr - p_edge)[:, None] + beats.conduction
    t_after = EDGE * heart.after[:, Wave.T]
    t_peak = beats.r + onset[:, None] + (heart.qtc - t_after)[:, None] * stretch
    return Timing(onset, offset, p_centre, np.maximum.accumulate(t_peak, axis=1), stretch)


def motion(draws: Draws) -> Motion:
    """Breathing turns the heart by a few degrees and changes its size by some percent (Pallas-Areny et al. 1989)."""
    turn, size = draws.normal(0.0, 0.035, 3), draws.normal(0.03, 0.02)
    breathing = size[:, None, None] * np.eye(3)
    for angle, (first, second) in zip(turn.T, ((0, 1), (0, 2), (1, 2)), strict=True):
        breathing[:, first, second] -= angle
        breathing[:, second, first] += angle
    flutter = np.stack([draws.uniform(5.0, 7.5), draws.uniform(0.0, 2 * np.pi)], axis=1)
    flutter_vector = draws.around_one(0.35)[:, None] * np.array([0.010, 0.020, -0.030])
    side, down = np.sign(draws.uniform(-1.0, 1.0)), draws.normal(0.3, 0.7)
    ectopic = np.stack([0.9 * side, down, 0.8 * side + draws.normal(0.0, 0.2)], axis=1) * draws.around_one(0.2)[:, None]
    return Motion(breathing, flutter, flutter_vector, ectopic)


def render(scene: Scene, breath: Signal, rows: slice) -> Signal:
    """The eight recorded leads of `rows`, float32 mV `[rows, 8, samples]`; `breath` is `[rows, samples]`."""
    waves = _waves(scene, breath.shape[1], rows)
    field, vectors = scene.heart.field[rows], scene.heart.vectors[rows].swapaxes(1, 2)
    leads: Signal = np.matmul((field @ vectors).astype(np.float32), waves)
    swing = np.matmul((field @ scene.motion.breathing[rows] @ vectors).astype(np.float32), waves)
    swing *= breath[:, None]
    leads += swing
    for row, lead in zip(range(*rows.indices(len(scene.beats.r))), leads, strict=True):
        _fibrillate(lead, scene, row)
        _add_ectopic(lead, scene, row)
    return leads


def _waves(scene: Scene, samples: int, rows: slice) -> Signal:
    """Every wave at height 1, float32 `[rows, waves, samples]`."""
    heart, beats, when, rate = scene.heart, scene.beats, scene.timing, scene.rate
    r, t_peak = beats.r[rows], when.t_peak[rows]
    conducted = ~beats.premature[rows]
    beat_of_qrs = _Window(r - 0.38 * np.diff(r, axis=1, prepend=0.0), rate, samples)
    beat_of_p = _Window(_between(when.p_centre[rows]), rate, samples)
    beat_of_t = _Window(_between(t_peak), rate, samples)
    qrs = beat_of_qrs.since(np.where(conducted, r, NOWHERE))
    p = beat_of_p.since(np.where(beats.atrial[rows], when.p_centre[rows], NOWHERE))
    t = beat_of_t.since(np.where(conducted, t_peak, NOWHERE)) / beat_of_t.spread(when.stretch[rows])
    waves = np.empty((len(r), len(Wave), samples), dtype=np.float32)
    for group, time in ((ATRIA, p), (QRS, qrs)):
        for wave in range(group.start, group.stop):
            _gaussian(time, heart.centres[rows, wave], heart.before[rows, wave], waves[:, wave])
    for wave in (Wave.T_EARLY, Wave.T, Wave.U):
        falling = t > heart.centres[rows, wave, None].astype(np.float32)
        narrow = np.where(falling, heart.after[rows, wave, None], heart.before[rows, wave, None]).astype(np.float32)
        _gaussian(t, heart.centres[rows, wave], narrow, waves[:, wave])
    _plateau(qrs, t, when.qrs_offset[rows], heart.before[rows, Wave.ST], heart.after[rows, Wave.ST], waves[:, Wave.ST])
    return waves


class _Window:
    """Which beat each sample belongs to, given where each beat's share of the record begins."""

    def __init__(self, begins: Floats, rate: float, samples: int) -> None:
        edges = np.clip(np.ceil(begins * rate), 0, samples).astype(np.int64)
        edges[:, 0] = 0
        edges = np.maximum.accumulate(edges, axis=1)
        self._counts = np.diff(edges, axis=1, append=samples).ravel()
        self._shape = (len(begins), samples)
        self._times = np.arange(samples) / rate

    def spread(self, values: Floats) -> Signal:
        """Values of beats `[rows, beats]` on samples `[rows, samples]`."""
        return np.asarray(np.repeat(values.astype(np.float32).ravel(), self._counts).reshape(self._shape))

    def since(self, references: Floats) -> Signal:
        """Seconds since each beat's reference; subtracted in double precision, long records keep their resolution."""
        own = np.repeat(references.ravel(), self._counts).reshape(self._shape)
        return np.asarray(self._times - own, dtype=np.float32)


def _between(centres: Floats) -> Floats:
    """The middle between each wave and the one before it."""
    return np.asarray(centres - 0.5 * np.diff(centres, axis=1, prepend=0.0))


def _gaussian(time: Signal, centre: Floats, deviation: NDArray[np.floating], out: Signal) -> None:
    width = deviation if deviation.ndim == 2 else deviation[:, None]
    np.subtract(time, centre[:, None].astype(np.float32), out=out)
    out *= (np.sqrt(0.5) / width).astype(np.float32)
    np.multiply(out, out, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)


def _plateau(qrs: Signal, t: Signal, junction: Floats, rise: Floats, fall: Floats, out: Signal) -> None:
    """ST: up within the last milliseconds of QRS, down under T."""
    np.subtract(qrs, (junction - 0.006)[:, None].astype(np.float32), out=out)
    out *= (0.5 / (0.4 * rise))[:, None].astype(np.float32)
    np.tanh(out, out=out)
    out += 1.0
    down = np.tanh((t + np.float32(0.02)) * (-1.0 / fall)[:, None].astype(np.float32))
    down += 1.0
    down *= 0.25
    out *= down


def _fibrillate(leads: Signal, scene: Scene, row: int) -> None:
    """Fibrillation waves of 5 to 7.5 Hz, coarsest in V1, where no beat has a P wave; on the leads of one record."""
    if scene.beats.atrial[row].any():
        return
    times = np.arange(leads.shape[1]) / scene.rate
    frequency, phase = scene.motion.flutter[row]
    angle = 2 * np.pi * frequency * times + phase + 1.5 * np.sin(2 * np.pi * 0.7 * times + 2 * phase)
    swell = 1 + 0.5 * np.sin(2 * np.pi * 0.47 * times + 3 * phase)
    wave = (swell * (np.sin(angle) + 0.35 * np.sin(2 * angle + phase))).astype(np.float32)
    weights = scene.heart.field[row] @ scene.motion.flutter_vector[row]
    leads += weights.astype(np.float32)[:, None] * wave


def _add_ectopic(leads: Signal, scene: Scene, row: int) -> None:
    """Premature ventricular beats on the leads of one record."""
    times = np.arange(leads.shape[1]) / scene.rate
    weights = scene.heart.field[row] @ scene.motion.ectopic[row] * scene.heart.gain[row]
    for r in scene.beats.r[row][scene.beats.premature[row]]:
        steps = (times - r - ECTOPIC[:, :1] / 1e3) / (ECTOPIC[:, 1:2] / 1e3)
        shape = (ECTOPIC[:, 2:] * np.exp(-0.5 * np.minimum(steps**2, 200.0))).sum(axis=0)
        leads += weights.astype(np.float32)[:, None] * shape.astype(np.float32)
