"""When the heart beats: the sinus node under breathing and blood pressure, atrial fibrillation, premature beats."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.simulation.draws import Draws, Floats

BEFORE, AFTER = 2.5, 2.0  # seconds simulated around the record, so that no wave of it lacks its beat
SHORTEST = 0.25  # seconds between beats at the least


@dataclass(eq=False)
class Breathing:
    """Breathing frequency in Hz and phase, `[records]`."""

    frequency: Floats
    phase: Floats

    def at(self, times: Floats) -> Floats:
        """The depth of breath from -1 to 1 at `times` in seconds, `[records, times]` or `[times]`."""
        angle = 2 * np.pi * self.frequency[:, None] * times + self.phase[:, None]
        return np.asarray(np.sin(angle + 0.35 * np.sin(angle)))


@dataclass(eq=False)
class Beats:
    """The beats of a block, `[records, beats]`, ascending: R in seconds from the record's start and the RR before it.

    `conduction` is how much a beat's PR is shorter than usual, in seconds; `atrial` is False where no P wave leads
    (fibrillation, premature beats); `premature` marks ventricular extrasystoles; `mean_rr` is `[records]`.
    """

    r: Floats
    rr: Floats
    mean_rr: Floats
    conduction: Floats
    atrial: NDArray[np.bool_]
    premature: NDArray[np.bool_]


def heart_rates(has: Mapping[str, NDArray[np.bool_]], draws: Draws) -> Floats:
    """Beats per minute: PTB-XL's normal ECGs have 68 +- 11; tachycardia is 100 and more, bradycardia below 60."""
    normal = np.clip(draws.normal(70.0, 10.0), 61.0, 95.0)
    fast = 103.0 + 35.0 * draws.uniform(0.0, 1.0) ** 1.5
    slow = draws.uniform(42.0, 57.0)
    fibrillating = np.clip(draws.normal(86.0, 20.0), 55.0, 145.0)
    rate = np.where(has["STACH"], fast, normal)
    rate = np.where(has["SBRAD"], slow, rate)
    return np.asarray(np.where(has["AFIB"], fibrillating, rate))


def breathing(draws: Draws) -> Breathing:
    """12 to 20 breaths a minute."""
    return Breathing(draws.uniform(0.2, 0.33), draws.uniform(0.0, 2 * np.pi))


def beats(
    has: Mapping[str, NDArray[np.bool_]], rates: Floats, ages: Floats, breath: Breathing, duration: float, draws: Draws
) -> Beats:
    """Beat times over `duration` seconds.

    RR follows a bimodal spectrum (Task Force of the ESC and NASPE, Circulation 1996;93:1043): a low-frequency peak
    about 0.1 Hz and a high-frequency one at breathing, both smaller with age and speed. Fibrillation has none.
    """
    mean = 60.0 / rates
    spread = 0.045 * mean**1.5 * np.clip(1.6 - 0.013 * ages, 0.4, 1.4) * draws.around_one(0.35)
    spread = np.where(has["SARRH"], np.maximum(2.5 * spread, 0.10 * mean), np.minimum(spread, 0.08 * mean))
    balance = np.where(has["SARRH"], 0.25, draws.uniform(0.3, 0.7))
    slow = draws.normal(0.1, 0.015, 3)
    slow_phase = draws.uniform(0.0, 2 * np.pi, 3)
    steps = int(np.ceil((duration + BEFORE + AFTER) / SHORTEST))
    alone, conduction = draws.normal(0.0, 1.0, steps), draws.normal(0.0, 0.0015, steps)
    times = np.empty((len(mean), steps))
    now = -BEFORE - mean * draws.uniform(0.0, 1.0)
    for step in range(steps):
        times[:, step] = now
        low = np.sin(2 * np.pi * slow * now[:, None] + slow_phase).sum(axis=1) / np.sqrt(1.5)
        high = np.sqrt(2) * breath.at(now[:, None])[:, 0]
        sinus = mean + spread * (np.sqrt(balance) * low - np.sqrt(1 - balance) * high + 0.15 * alone[:, step])
        chaos = mean * np.exp(0.19 * alone[:, step] - 0.018)
        now = now + np.maximum(np.where(has["AFIB"], chaos, sinus), SHORTEST)
    needed = int((times < duration + AFTER).sum(axis=1).max()) + 1
    r = times[:, :needed]
    rr = np.diff(r, axis=1, prepend=(r[:, :1] - mean[:, None]))
    atrial = np.repeat(~has["AFIB"][:, None], needed, axis=1)
    sinus = Beats(r, rr, mean, conduction[:, :needed], atrial, np.zeros_like(atrial))
    return _premature(sinus, has["PVC"], duration, draws)


def _premature(sinus: Beats, who: NDArray[np.bool_], duration: float, draws: Draws) -> Beats:
    """One to three ventricular extrasystoles at 0.58 to 0.72 of the RR, each in place of a sinus beat."""
    early, places, count = draws.uniform(0.58, 0.72), draws.uniform(0.0, 1.0, 3), draws.uniform(0.0, 3.0)
    for record in np.flatnonzero(who):
        inside = np.flatnonzero((sinus.r[record] > 1.0) & (sinus.r[record] < duration - 1.0))
        chosen = inside[(places[record] * len(inside)).astype(int)][: 1 + int(count[record])] if len(inside) else inside
        for beat in np.unique(chosen):
            if not sinus.premature[record, beat - 1 : beat + 2].any():
                sinus.premature[record, beat] = True
                sinus.r[record, beat] = sinus.r[record, beat - 1] + early[record] * sinus.rr[record, beat]
    sinus.atrial &= ~sinus.premature
    return sinus
