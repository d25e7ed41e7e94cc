"""What electrodes add: wander, muscle, mains, and now and then a fault. All on electrodes, so that lead algebra holds.

Levels are those of PTB-XL's 500 Hz records: wander below 0.4 Hz of 0.04 mV in the median and 0.2 mV in the worst
twentieth, noise above 40 Hz of 2 to 3 µV and 10 µV.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgenough.simulation.draws import Draws, Floats

LOOSE, MOVED, FLAT, CLIPPED, SWAPPED = 0.02, 0.025, 0.008, 0.006, 0.004  # the share of records with each fault

# The eight recorded leads from the nine electrodes RA, LA, LL and V1 to V6: Einthoven's I and II, chest leads against
# Wilson's terminal.
EIGHT_FROM_ELECTRODES = np.zeros((8, 9))
EIGHT_FROM_ELECTRODES[0, [1, 0]] = 1.0, -1.0
EIGHT_FROM_ELECTRODES[1, [2, 0]] = 1.0, -1.0
EIGHT_FROM_ELECTRODES[2:, 3:] = np.eye(6)
EIGHT_FROM_ELECTRODES[2:, :3] = -1.0 / 3.0

# White noise grows by this through so many sums of neighbours: the root of the summed squares of binomials.
MUSCLE_GAIN = {1: np.sqrt(2.0), 4: np.sqrt(70.0)}


def add_noise(leads: NDArray[np.float32], breath: NDArray[np.float32], rate: float, draws: Draws) -> None:
    """Add electrode noise to the eight recorded leads in place.

    `leads` mV `[records, 8, samples]`; `breath` is the depth of breath `[records, samples]`.
    """
    _, _, samples = leads.shape
    electrodes = _muscle(draws, samples, rate)
    electrodes += _wander(draws, samples, rate)
    electrodes += (0.012 * draws.around_one(0.8, 9)).astype(np.float32)[:, :, None] * breath[:, None]
    _add_mains(electrodes, draws, rate)
    _loosen(electrodes, draws, rate)
    leads += EIGHT_FROM_ELECTRODES.astype(np.float32) @ electrodes
    _fail(leads, draws)


def _muscle(draws: Draws, samples: int, rate: float) -> NDArray[np.float32]:
    """Muscle noise `[records, 9, samples]`, stronger on the limbs, at times in a burst."""
    limb, chest = draws.around_one(0.6), draws.around_one(0.4)
    each = draws.around_one(0.35, 9) * np.concatenate(
        [np.repeat(limb[:, None], 3, 1), 0.55 * np.repeat(chest[:, None], 6, 1)], 1
    )
    smoothing = 4 if rate > 200 else 1  # as recorders do: -3 dB at 65 Hz of 500 Hz, at 25 Hz of 100 Hz
    noise = draws.white(9, samples + smoothing)
    for _ in range(smoothing):
        noise = noise[:, :, 1:] + noise[:, :, :-1]
    noise *= ((0.0045 / MUSCLE_GAIN[smoothing]) * each).astype(np.float32)[:, :, None]
    noise *= _burst(draws, samples, rate)[:, None]
    return noise


def _burst(draws: Draws, samples: int, rate: float) -> NDArray[np.float32]:
    """How tense the muscles are `[records, samples]`: 1, and in one record of eight up to 4 for a while."""
    tense, centre, width = draws.chance(0.12), draws.uniform(0.0, 1.0), draws.uniform(0.3, 2.0)
    size = np.where(tense, draws.uniform(1.0, 3.0), 0.0)
    times = np.arange(samples) / rate
    away = (times - centre[:, None] * times[-1]) / width[:, None]
    return np.asarray(1.0 + size[:, None] * np.exp(-0.5 * away**2), dtype=np.float32)


def _wander(draws: Draws, samples: int, rate: float) -> NDArray[np.float32]:
    """Slow drift of each electrode: a random walk with a step every 1.2 seconds, `[records, 9, samples]`."""
    step = round(1.2 * rate)
    size, one_by_one = 0.033 * draws.around_one(0.75), draws.around_one(0.5, 9)
    steps = draws.normal(0.0, 1.0, 9, _knots(samples, step))
    path = 0.6 * np.cumsum(steps, axis=2) + 0.5 * draws.normal(0.0, 1.0, 9, steps.shape[2])
    path -= path.mean(axis=2, keepdims=True)
    path *= (size[:, None] * one_by_one)[:, :, None]
    return _smooth(path, samples, step)


def _knots(samples: int, step: int) -> int:
    return -(-samples // step) + 3


def _smooth(path: Floats, samples: int, step: int) -> NDArray[np.float32]:
    """The cubic B-spline through control points `[..., knots]` that lie `step` samples apart, `[..., samples]`."""
    place = np.arange(step) / step
    weights = np.stack([(1 - place) ** 3, 3 * place**3 - 6 * place**2 + 4, 0 * place, place**3]) / 6
    weights[2] = 1 - weights.sum(axis=0)
    fours = sliding_window_view(path, 4, axis=-1).astype(np.float32)
    curve = fours @ weights.astype(np.float32)
    return np.asarray(curve.reshape(*path.shape[:-1], -1)[..., :samples], dtype=np.float32)


def _add_mains(electrodes: NDArray[np.float32], draws: Draws, rate: float) -> None:
    """Hum of 50 or 60 Hz and its third harmonic in one record of eight; none of it where the rate is too low for it."""
    heard, sixty = draws.chance(0.12), draws.chance(0.3)
    frequency = np.where(sixty, 60.0, 50.0) + draws.normal(0.0, 0.03)
    size, phase = 0.004 * draws.around_one(0.7), draws.uniform(0.0, 2 * np.pi)
    coupling, lag = draws.normal(0.0, 1.0, 9), draws.normal(0.0, 0.3, 9)
    times = np.arange(electrodes.shape[2]) / rate
    for record in np.flatnonzero(heard):
        for harmonic, share in ((1, 1.0), (3, 0.2)):
            if harmonic * frequency[record] < 0.45 * rate:
                angle = (
                    2 * np.pi * harmonic * frequency[record] * times + harmonic * (phase[record] + lag[record])[:, None]
                )
                electrodes[record] += (size[record] * share * coupling[record][:, None] * np.sin(angle)).astype(
                    np.float32
                )


def _loosen(electrodes: NDArray[np.float32], draws: Draws, rate: float) -> None:
    """A loose electrode crackles all the time; a moved one swings for a second or two."""
    samples, step = electrodes.shape[2], round(0.12 * rate)
    loose, moved = draws.chance(LOOSE), draws.chance(MOVED)
    which = draws.uniform(0.0, 9.0, 2).astype(int)
    size, at = draws.uniform(0.3, 1.2, 2), draws.uniform(0.1, 0.9)
    swings = draws.normal(0.0, 1.0, 2, _knots(samples, step))
    times = np.arange(samples) / rate
    for record in np.flatnonzero(loose):
        contact = _contact(swings[record, 0], samples)
        electrodes[record, which[record, 0]] += (
            0.4 * size[record, 0] * contact * _smooth(swings[record, 0], samples, step)
        )
    for record in np.flatnonzero(moved):
        window = np.exp(-0.5 * ((times - at[record] * times[-1]) / 0.5) ** 2).astype(np.float32)
        electrodes[record, which[record, 1]] += size[record, 1] * window * _smooth(swings[record, 1], samples, step)


def _contact(swings: Floats, samples: int) -> NDArray[np.float32]:
    """Off and on: 1 as long as a slow average of `swings` is above zero, and 0 otherwise."""
    slow = np.convolve(swings, np.ones(9) / 3, "same")
    return np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, len(slow)), slow > 0).astype(np.float32)


def _fail(leads: NDArray[np.float32], draws: Draws) -> None:
    """An electrode that is off leaves its lead flat, an amplifier at its rail clips it, arms are swapped: all rare."""
    flat, clipped, swapped = draws.chance(FLAT), draws.chance(CLIPPED), draws.chance(SWAPPED)
    which, rail = draws.uniform(0.0, 8.0, 2).astype(int), draws.uniform(0.3, 0.8)
    for record in np.flatnonzero(flat):
        leads[record, which[record, 0]] = 0.0
    for record in np.flatnonzero(clipped):
        lead = leads[record, which[record, 1]]
        high = np.float32(rail[record]) * np.abs(lead).max()
        np.clip(lead, -high, high, out=lead)
    for record in np.flatnonzero(swapped):  # right and left arm: I turns over, II becomes III
        leads[record, 1] -= leads[record, 0]
        leads[record, 0] *= -1.0
