"""From findings to voltages: a block of cases in, a block of 12-lead ECGs and the truth about them out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS, Ecg, Sex
from ecgenough.errors import WrongRequest
from ecgenough.simulation.diagnoses import apply_findings
from ecgenough.simulation.draws import Draws, Floats
from ecgenough.simulation.findings import FINDINGS, Segment, check_findings
from ecgenough.simulation.heart import EDGE, Wave, normal_heart
from ecgenough.simulation.leads import twelve_leads
from ecgenough.simulation.noise import add_noise
from ecgenough.simulation.rendering import ECTOPIC_QRS, Scene, motion, render, timing
from ecgenough.simulation.rhythm import Breathing, beats, breathing, heart_rates

PATIENT, RECORD, NOISE = 1, 2, 3  # streams of random numbers
SAMPLES_AT_ONCE = 80_000  # of each lead, rendered together: their waves fit the processor's cache


@dataclass(frozen=True)
class Case:
    """One record to simulate. Cases of one `patient` share heart and chest; `record` tells them apart."""

    findings: frozenset[str] = frozenset()
    record: int = 0
    patient: int = 0
    age: float = 55.0
    sex: Sex = "female"


@dataclass(frozen=True, eq=False)
class Waves:
    """Where the waves lie in seconds from the record's start, `[records, beats]`; NaN where a beat has no such wave."""

    p_onset: Floats
    p_offset: Floats
    qrs_onset: Floats
    r: Floats
    qrs_offset: Floats
    t_onset: Floats
    t_peak: Floats
    t_end: Floats

    def segment(self, name: Segment) -> tuple[Floats, Floats]:
        """Begin and end of a segment of each beat."""
        return {
            "P": (self.p_onset, self.p_offset),
            "PR": (self.p_onset, self.qrs_onset),
            "QRS": (self.qrs_onset, self.qrs_offset),
            "ST": (self.qrs_offset, self.t_peak),
            "T": (self.t_onset, self.t_end),
            "beat": (self.qrs_onset, self.t_end),
        }[name]


@dataclass(frozen=True, eq=False)
class Simulated:
    """`signal` float32 mV `[records, 12, samples]` and what was planted in it."""

    signal: NDArray[np.float32]
    rate: float
    cases: tuple[Case, ...]
    waves: Waves

    def ecg(self, row: int) -> Ecg:
        """One record as an Ecg."""
        case = self.cases[row]
        return Ecg(self.signal[row], self.rate, STANDARD_LEADS, str(case.patient), case.age, case.sex)

    def evidence(self, row: int, finding: str) -> NDArray[np.bool_]:
        """Where `finding` shows in record `row`: bool `[12, samples]`, true in its leads during its segments."""
        planted = FINDINGS[next(iter(check_findings([finding])))]
        times = np.arange(self.signal.shape[2]) / self.rate
        during = np.zeros(len(times), dtype=bool)
        for segment in planted.segments:
            for begin, end in zip(*(edge[row] for edge in self.waves.segment(segment)), strict=True):
                during |= (times >= begin) & (times <= end)
        return np.isin(STANDARD_LEADS, planted.leads)[:, None] & during


def simulate(
    cases: Sequence[Case], *, rate: float = 500.0, duration: float = 10.0, seed: int = 0, noise: bool = True
) -> Simulated:
    """12-lead ECGs of `cases`; `noise=False` leaves the heart and breathing alone.

    A record depends on `seed`, its own case, rate and duration, never on the cases beside it. Raises WrongRequest for
    an unknown or contradictory finding, a negative number, no case at all, or a rate or duration that cannot be done.
    """
    check_extent(rate, duration)
    if not cases:
        raise WrongRequest("there is nothing to simulate; give at least one case.")
    if min(seed, *(number for case in cases for number in (case.record, case.patient))) < 0:
        raise WrongRequest("a seed, record or patient is negative; number them from 0 or more.")
    has = _planted(cases)
    ages = np.array([case.age for case in cases], dtype=np.float64)
    patients = Draws(seed, PATIENT, [case.patient for case in cases])
    records = Draws(seed, RECORD, [case.record for case in cases])
    heart = normal_heart(patients, ages, np.array([case.sex == "female" for case in cases], dtype=bool))
    apply_findings(heart, has, patients)
    breath = breathing(records)
    pace = beats(has, heart_rates(has, records), ages, breath, duration, records)
    scene = Scene(heart, pace, timing(heart, pace), motion(records), rate)
    signal = np.empty((len(cases), len(STANDARD_LEADS), round(rate * duration)), dtype=np.float32)
    times = np.arange(signal.shape[2]) / rate
    at_once = max(1, SAMPLES_AT_ONCE // len(times))
    for start in range(0, len(cases), at_once):
        rows = slice(start, start + at_once)
        depth = Breathing(breath.frequency[rows], breath.phase[rows]).at(times).astype(np.float32)
        leads = render(scene, depth, rows)
        if noise:
            add_noise(leads, depth, rate, Draws(seed, NOISE, [case.record for case in cases[rows]]))
        signal[rows] = twelve_leads(leads)
    return Simulated(signal, rate, tuple(cases), _truth(scene, duration))


def check_extent(rate: float, duration: float) -> None:
    """Raise WrongRequest for a rate or a duration that cannot be simulated."""
    if not (50 <= rate <= 2000 and 1 <= duration <= 3600):
        raise WrongRequest(f"cannot simulate {duration:g} s at {rate:g} Hz; choose 1 to 3600 s and 50 to 2000 Hz.")


def _planted(cases: Sequence[Case]) -> dict[str, NDArray[np.bool_]]:
    """Who has each finding, bool `[records]` a name."""
    checked = [check_findings(case.findings) for case in cases]
    return {name: np.array([name in findings for findings in checked], dtype=bool) for name in FINDINGS}


def _truth(scene: Scene, duration: float) -> Waves:
    heart, pace, when = scene.heart, scene.beats, scene.timing
    inside = (pace.r >= 0) & (pace.r < duration)
    shown, conducted = np.where(inside, 0.0, np.nan), np.where(inside & ~pace.premature, 0.0, np.nan)
    led = np.where(inside & pace.atrial, 0.0, np.nan)
    p_onset = heart.centres[:, Wave.RIGHT_ATRIUM] - EDGE * heart.before[:, Wave.RIGHT_ATRIUM]
    p_offset = heart.centres[:, Wave.LEFT_ATRIUM] + EDGE * heart.after[:, Wave.LEFT_ATRIUM]
    onset = np.where(pace.premature, ECTOPIC_QRS[0], when.qrs_onset[:, None])
    offset = np.where(pace.premature, ECTOPIC_QRS[1], when.qrs_offset[:, None])
    return Waves(
        p_onset=when.p_centre + p_onset[:, None] + led,
        p_offset=when.p_centre + p_offset[:, None] + led,
        qrs_onset=pace.r + onset + shown,
        r=pace.r + shown,
        qrs_offset=pace.r + offset + shown,
        t_onset=when.t_peak - EDGE * heart.before[:, Wave.T, None] * when.stretch + conducted,
        t_peak=when.t_peak + conducted,
        t_end=when.t_peak + EDGE * heart.after[:, Wave.T, None] * when.stretch + conducted,
    )
