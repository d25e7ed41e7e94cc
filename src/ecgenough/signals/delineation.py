"""Where the beats of an ECG lie, and the waves of its representative beat.

As recorders do, beats are found on all leads at once and laid over each other; what is measured is their median, the
representative beat, whose noise is a third of a single beat's (Kligfield et al., AHA/ACC/HRS I, Circulation
2007;115:1306).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, resample_poly, sosfiltfilt

Floats = NDArray[np.float64]

RATE = 500  # Hz; slower signals are interpolated, so that edges lie between samples
SHORTEST = 2.0  # seconds of signal that can be measured
LARGEST_DENOMINATOR = 20_000  # of RATE over the signal's rate, as `conditioning` resamples
FEWEST_BEATS = 3  # without which there is no representative one
WANDER = butter(2, 0.5, "highpass", fs=RATE, output="sos")  # below: breathing and electrodes
MUSCLE = butter(2, 20, fs=RATE, output="sos")  # above: muscles and mains, which move faster than QRS and are smaller
PAUSE = 0.05  # of the fastest QRS: what does not move faster in 2 s holds no beat
T_WAVE = 0.36  # s after a QRS complex: what moves less than half as fast there is its T wave (Pan & Tompkins 1985)
ALIKE = 0.8  # correlation with the median beat below which a beat is another kind


@dataclass(frozen=True, eq=False)
class WaveEdges:
    """Where the waves of each beat lie, in seconds; `r` `[beats]` from the recording's start, the others from R.

    Edges are those of the representative beat. NaN where a wave is not found: P in atrial fibrillation, say.
    """

    r: Floats
    p_onset: float
    qrs_onset: float
    qrs_offset: float
    t_end: float


def wave_edges(ecg: NDArray[np.float32], rate: float) -> WaveEdges | None:
    """The waves of an ECG in mV `[leads, samples]`; None where there are fewer than three beats in at least 2 s."""
    if ecg.shape[1] < SHORTEST * rate:
        return None
    signal = prepared(ecg, rate)
    peaks = find_beats(signal)
    if len(peaks) < FEWEST_BEATS:
        return None
    beat = Beat(signal, peaks)
    edges = (np.array(beat.edges()) - beat.centre) / RATE
    margin = beat.centre + samples_in(0.2)
    padded = np.pad(signal, ((0, 0), (margin, margin)), mode="edge")
    moved = [peak + shift_onto(padded, int(peak) + margin, beat.signal, beat.centre) for peak in peaks]
    return WaveEdges(np.array(moved) / RATE, *map(float, edges))


@dataclass(frozen=True, eq=False)
class Waves:
    """The representative beat in mV above its level before QRS, `[leads, samples]` at RATE, and where its waves lie.

    `p` and `t` are the samples of the peaks, NaN where none stands out; `onset` and `offset` the edges of QRS.
    """

    signal: Floats
    p: float
    onset: int
    offset: int
    t: float


def representative_waves(signal: Floats, peaks: NDArray[np.int64]) -> Waves | None:
    """The representative beat of a `prepared` signal; None where there are fewer than three beats."""
    return Beat(signal, peaks).waves() if len(peaks) >= FEWEST_BEATS else None


def find_beats(signal: Floats) -> NDArray[np.int64]:
    """Samples of the QRS complexes: where the voltages of all leads together move fastest over 80 ms.

    They are at least 200 ms apart, and each is 35% of the way from rest, the slowest fifth of the signal, to the usual
    QRS complex, the fastest of each 2 s in the median. Noise moves at rest, too: counted from 0 it would be beats. Of 2 s
    without any beat, a pause, the fastest is noise and says nothing of beats. After a wide QRS complex, a paced one or a
    bundle branch block's, the T wave comes that far as well. None are found where a sample is lost: bridge gaps before.
    """
    speed = smoothed(speed_of(sosfiltfilt(MUSCLE, signal, axis=1)), 0.08)
    if not np.isfinite(speed).all():
        return np.zeros(0, dtype=np.int64)
    pieces = np.array_split(speed, max(1, round(len(speed) / (SHORTEST * RATE))))
    fastest = np.array([piece.max() for piece in pieces])
    rest, usual = np.percentile(speed, 20), np.median(fastest[fastest >= PAUSE * fastest.max()])
    peaks, _ = find_peaks(speed, height=rest + 0.35 * (usual - rest), distance=samples_in(0.2))
    return _without_t_waves(peaks, speed - rest)


def _without_t_waves(peaks: NDArray[np.int64], speed: Floats) -> NDArray[np.int64]:
    beats: list[int] = []
    for peak in peaks:
        follows = bool(beats) and peak - beats[-1] < samples_in(T_WAVE)
        if not (follows and speed[peak] < 0.5 * speed[beats[-1]]):
            beats.append(int(peak))
    return np.asarray(beats, dtype=np.int64)


def prepared(ecg: NDArray[np.float32], rate: float) -> Floats:
    """mV `[leads, samples]` at RATE without wander: what beats are found in."""
    ratio = Fraction(RATE / rate).limit_denominator(LARGEST_DENOMINATOR)
    centred = ecg.astype(np.float64) - np.median(ecg, axis=1, keepdims=True)
    signal = resample_poly(centred, ratio.numerator, ratio.denominator, axis=1)
    return np.asarray(sosfiltfilt(WANDER, signal, axis=1))


class Beat:
    """The representative beat `[leads, samples]` and the edges of its waves."""

    def __init__(self, signal: Floats, peaks: NDArray[np.int64]) -> None:
        rr = float(np.median(np.diff(peaks))) / RATE
        self.rr = rr
        self.centre = samples_in(min(0.42, 0.5 * rr))
        self.signal, self.odd = _representative(signal, peaks, self.centre, samples_in(min(0.62, 0.75 * rr)))
        self.onset, self.offset = self._qrs()
        self.level = self.signal[:, max(0, self.onset - 10) : self.onset + 1].mean(axis=1, keepdims=True)

    def edges(self) -> tuple[float, float, float, float]:
        """Onset of P, onset and offset of QRS, end of T, in samples of the representative beat."""
        return self.p()[0], self.onset, self.offset, self.t(self.signal - self.level)[1]

    def waves(self) -> "Waves":
        """The beat above its level before QRS, and where its waves lie."""
        above = self.signal - self.level
        return Waves(above, self.p()[1], self.onset, self.offset, self.t(above)[0])

    def _qrs(self) -> tuple[int, int]:
        """Outward from the fastest point until voltages rest: 20 ms before QRS, 28 after; at most 140 ms each way."""
        speed = smoothed(speed_of(self.signal), 0.006)
        near = slice(max(0, self.centre - 40), self.centre + 40)
        fastest = near.start + int(np.argmax(speed[near]))
        rest = float(np.percentile(speed, 20))
        moving = speed > rest + 0.05 * (speed[fastest] - rest)
        onset, offset = fastest, fastest
        while onset > max(0, fastest - 70) and moving[max(0, onset - 10) : onset].any():
            onset -= 1
        while offset < min(len(speed) - 1, fastest + 70) and moving[offset + 1 : offset + 15].any():
            offset += 1
        return onset, offset

    def p(self) -> tuple[float, float, float]:
        """Onset, peak and height (mV, vector magnitude) of the wave before QRS; NaN where none stands out."""
        start = max(0, self.onset - samples_in(0.36))
        stretch = self.signal[:, start : max(start, self.onset - 4)]
        if stretch.shape[1] < samples_in(0.06):
            return np.nan, np.nan, np.nan
        wave = smoothed(np.linalg.norm(stretch - self.level, axis=0), 0.016)
        peaks, about = find_peaks(wave, prominence=0.04)
        if not len(peaks):
            return np.nan, np.nan, np.nan
        best = int(np.argmax(about["prominences"]))
        peak = int(peaks[best])
        foot = float(wave[: peak + 1].min())
        below = np.flatnonzero(wave[:peak] < foot + 0.12 * (wave[peak] - foot))
        return (start + float(below[-1]) if len(below) else np.nan), float(start + peak), float(wave[peak])

    def t(self, above: Floats) -> tuple[float, float]:
        """Peak of T, and its end: where the tangent at its steepest descent meets the rest (Lepeschkin 1952)."""
        start = self.offset + samples_in(0.06)
        wave = smoothed(np.linalg.norm(above[:, start:], axis=0), 0.02) if start < above.shape[1] else np.zeros(0)
        if len(wave) < samples_in(0.08):
            return np.nan, np.nan
        peak = int(np.argmax(wave))
        after = wave[peak:]
        if peak in (0, len(wave) - 1) or len(after) < samples_in(0.03) or wave[peak] < 0.05:
            return np.nan, np.nan
        fall = np.diff(after)
        steepest = int(np.argmin(fall))
        if fall[steepest] >= 0:  # it never falls: the recording ends on the wave, or is held there
            return float(start + peak), np.nan
        rest = float(after.min())
        end = steepest + (after[steepest] - rest) / -fall[steepest]
        return float(start + peak), float(start + peak + end)


def _representative(signal: Floats, peaks: NDArray[np.int64], before: int, after: int) -> tuple[Floats, float]:
    """The median beat `[leads, before + after]`, aligned, and the share of beats that are unlike it and left out."""
    whole = peaks[(peaks >= before + 20) & (peaks < signal.shape[1] - after - 20)]
    if len(whole) < 2:
        padded = np.pad(signal, ((0, 0), (before + 20, after + 20)), mode="edge")
        signal, whole = padded, peaks + before + 20
    first = np.median(_cut(signal, whole, before, after), axis=0)
    aligned = np.array([peak + shift_onto(signal, int(peak), first, before) for peak in whole])
    beats = _cut(signal, aligned, before, after)
    median = np.median(beats, axis=0)
    core = slice(max(0, before - 50), before + 50)
    like = np.array([np.corrcoef(beat[:, core].ravel(), median[:, core].ravel())[0, 1] for beat in beats]) >= ALIKE
    return (np.median(beats[like], axis=0) if like.any() else median), float(1 - like.mean())


def _cut(signal: Floats, peaks: NDArray[np.int64], before: int, after: int) -> Floats:
    return np.stack([signal[:, peak - before : peak + after] for peak in peaks])


def shift_onto(signal: Floats, peak: int, beat: Floats, before: int, reach: int = 15) -> int:
    """How far a beat must be moved to lie best on the median beat, within 30 ms."""
    left, right = min(before, 50), 50
    pattern = beat[:, before - left : before + right]
    stretch = signal[:, peak - left - reach : peak + right + reach]
    windows = np.lib.stride_tricks.sliding_window_view(stretch, pattern.shape[1], axis=1)
    return int(np.argmax(np.einsum("lws,ls->w", windows, pattern))) - reach


def speed_of(signal: Floats) -> Floats:
    """How fast the voltages of all leads together move, mV a sample."""
    return np.asarray(np.linalg.norm(np.diff(signal, axis=1, append=signal[:, -1:]), axis=0))


def smoothed(line: Floats, seconds: float) -> Floats:
    width = max(1, samples_in(seconds) | 1)
    return np.convolve(np.pad(line, width // 2, mode="edge"), np.full(width, 1 / width), "valid")


def samples_in(seconds: float) -> int:
    return round(seconds * RATE)
