"""Reads intervals and amplitudes off a noise-free ECG as a person with calipers would."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.simulation import Case, Simulated, simulate

RATE = 500.0
PATIENTS = 100


class Calipers:
    """One beat of a noise-free 12-lead ECG `[12, samples]` at 500 Hz, measured from its own signal."""

    def __init__(self, ecg: NDArray[np.float32]) -> None:
        self.ecg = ecg.astype(np.float64)
        self.speed = np.sqrt((np.diff(self.ecg, axis=1) ** 2).sum(axis=0)) * RATE  # mV/s, all leads together
        self.r_peaks = r_peaks(ecg)
        beats = self.r_peaks[(self.r_peaks > 300) & (self.r_peaks < ecg.shape[1] - 400)]
        self.r = int(beats[len(beats) // 2])
        fast = self.speed > 0.035 * self.speed[self.r - 50 : self.r + 50].max()
        self.onset = self._edge(fast, -1)
        self.offset = self._edge(fast, +1)
        self.level = self.ecg[:, self.onset - 3 : self.onset + 1].mean(axis=1)

    def _edge(self, fast: NDArray[np.bool_], way: int) -> int:
        """Where the voltage has come to rest, at most 140 ms from R: for 20 ms before QRS, for 28 ms after it."""
        place = self.r
        while abs(place - self.r) < 70 and (
            fast[place : place + 14].any() if way > 0 else fast[place - 10 : place].any()
        ):
            place += way
        return place

    def lead(self, name: str) -> NDArray[np.float64]:
        """A lead above its level just before QRS."""
        row = STANDARD_LEADS.index(name)
        return np.asarray(self.ecg[row] - self.level[row])

    def qrs(self, name: str) -> NDArray[np.float64]:
        return self.lead(name)[self.onset : self.offset + 1]

    @property
    def qrs_ms(self) -> float:
        return (self.offset - self.onset) * 1e3 / RATE

    def q(self, name: str) -> tuple[float, float]:
        """Duration in ms and depth in mV of a first deflection below the line; 0, 0 where QRS begins upward."""
        complex_ = self.qrs(name)
        away = np.flatnonzero(np.abs(complex_) > 0.03)
        if complex_[away[0]] > 0:
            return 0.0, 0.0
        up = np.flatnonzero(complex_[away[0] :] > 0)
        end = away[0] + up[0] if len(up) else len(complex_)
        return float(end * 1e3 / RATE), float(complex_[:end].min())

    def st(self, name: str, ms_after_j: float = 0.0) -> float:
        """Voltage at the J point or after it."""
        return float(self.lead(name)[self.offset + round(ms_after_j * RATE / 1e3)])

    def t(self, name: str) -> float:
        """The farthest the T wave goes from the line, with its sign."""
        stretch = self.lead(name)[self.offset + 40 : self.offset + 140]
        return float(stretch[np.abs(stretch).argmax()])

    def axis(self) -> float:
        """Frontal axis in degrees from net QRS areas of I and aVF."""
        first, foot = (self.qrs(lead).sum() for lead in ("I", "aVF"))
        return float(np.degrees(np.arctan2(foot * 2 / np.sqrt(3), first)))

    def rate(self) -> float:
        """Beats per minute from the R peaks."""
        return float(60 * RATE / np.diff(self.r_peaks).mean())


def r_peaks(ecg: NDArray[np.float32]) -> NDArray[np.int64]:
    """Where the spatial speed, smoothed over 60 ms, peaks: once a QRS complex."""
    speed = np.sqrt((np.diff(ecg.astype(np.float64), axis=1) ** 2).sum(axis=0))
    smooth = np.convolve(speed, np.ones(30) / 30, "same")
    peaks, _ = find_peaks(smooth, height=0.5 * np.percentile(smooth, 99), distance=int(0.3 * RATE))
    return np.asarray(peaks, dtype=np.int64)


@cache
def patients_with(*findings: str) -> Simulated:
    """Noise-free ECGs of PATIENTS adults of all ages with `findings`; the same people whatever they have."""
    cases = [
        Case(frozenset(findings), person, person, 20.0 + 70.0 * person / PATIENTS, "male" if person % 2 else "female")
        for person in range(PATIENTS)
    ]
    return simulate(cases, seed=11, noise=False)


@cache
def measured(*findings: str) -> tuple[Calipers, ...]:
    return tuple(Calipers(ecg) for ecg in patients_with(*findings).signal)


@pytest.fixture(scope="session")
def clean() -> Callable[..., Simulated]:
    return patients_with


@pytest.fixture(scope="session")
def calipers() -> Callable[..., tuple[Calipers, ...]]:
    return measured
