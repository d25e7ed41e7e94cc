"""What is done once to every recording: select leads, bridge gaps, resample, filter, cut or pad.

In this order, so that padding never reaches a filter. A filter whose upper edge does not fit below half the new rate
runs before the resampling instead, at the recording's own rate.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.later import Later
from ecgenough.recipe import NoFilter, Signal
from ecgenough.signals.filters import check_filter, filtered

if TYPE_CHECKING:
    import scipy.signal as scipy_signal
else:
    scipy_signal = Later("scipy.signal")

SHORTEST = 1.0  # seconds
SLOWEST = 20.0  # Hz; below it a QRS complex is under two samples long
# Seconds kept beyond the wanted duration while filtering, so that a filter's end lies outside what is cut out.
MARGIN = 10.0
FLAT = 1e-3  # mV, the resolution of a store: a lead that varies by less is constant
IMPOSSIBLE = 1e6  # mV; no electrode gives 1 kV, so such a sample is lost, as NaN is
MOST_LOST = 0.5
_LARGEST_DENOMINATOR = 20_000  # of a resampling ratio: over 10 s a sample is out of place by under 0.3 ms


@dataclass(frozen=True, eq=False)
class Usable:
    """The wanted leads of a recording, float32 mV `[leads, samples]` at its own rate; `bridged` samples were lost.

    Of those, only the ones that will be shown are counted.
    """

    signal: NDArray[np.float32]
    rate: float
    bridged: int


@dataclass(frozen=True, eq=False)
class Conditioned:
    """float32 mV `[leads, samples]` or `[records, leads, samples]`; after `valid` samples all is zero padding."""

    signal: NDArray[np.float32]
    valid: int


def condition(ecg: Ecg, settings: Signal) -> Conditioned:
    """One recording as the recipe's section `signal` wants it.

    Raises BrokenRecord for a recording that `usable` refuses, WrongRequest for settings that fit no recording.
    """
    batch = condition_batch(usable(ecg, settings).signal[None], ecg.rate, settings)
    return Conditioned(batch.signal[0], batch.valid)


def usable(ecg: Ecg, settings: Signal) -> Usable:
    """The wanted leads at the recording's own rate, gaps bridged, no longer than needed.

    Raises BrokenRecord for a lead that is absent or more than half lost, a recording below 1 s or 20 Hz, and one that
    is flat in every lead.
    """
    signal = ecg.select(settings.leads).signal
    if ecg.rate < SLOWEST:
        raise BrokenRecord(f"the recording has {ecg.rate:g} samples a second; an ECG needs at least {SLOWEST:g}.")
    if ecg.duration < SHORTEST:
        raise BrokenRecord(f"the recording lasts {ecg.duration:.2f} s; at least {SHORTEST:g} s is needed.")
    signal = signal[:, : ceil((settings.duration + MARGIN) * ecg.rate)]
    shown = min(ceil(settings.duration * ecg.rate), signal.shape[1])
    lost = ~(np.abs(signal) < IMPOSSIBLE)
    if lost.any():
        _check_gaps(lost[:, :shown], settings.leads)
        signal = bridged(signal, lost)
    most = np.ptp(signal[:, :shown], axis=1).max()
    if most < FLAT:
        doubt = ", or its unit is not the one that is stated" if most > 0 else ""
        raise BrokenRecord(
            f"the recording is flat: no lead varies by {FLAT * 1000:g} µV in {shown / ecg.rate:.3g} s{doubt}."
        )
    return Usable(signal, ecg.rate, int(np.count_nonzero(lost[:, :shown])))


def readable(ecg: Ecg) -> Ecg:
    """The leads of a recording of which no more than half is lost, their gaps bridged: what calipers can read."""
    lost = ~(np.abs(ecg.signal) < IMPOSSIBLE)
    if not lost.any():
        return ecg
    kept = lost.mean(axis=1) <= MOST_LOST
    leads = tuple(lead for lead, enough in zip(ecg.leads, kept, strict=True) if enough)
    return replace(ecg, signal=bridged(ecg.signal[kept], lost[kept]), leads=leads)


def condition_batch(signals: NDArray[np.float32], rate: float, settings: Signal) -> Conditioned:
    """Condition many recordings of one rate and length at once: usable signals in mV `[records, leads, samples]`.

    The result is what `condition` gives one by one. Raises WrongRequest as `check_settings` does.
    """
    check_settings(settings)
    early = rate > settings.rate and not _fits(settings)
    if early:
        signals = _filtered(signals, rate, settings)
    signals = resampled(signals, rate, settings.rate)
    if not early:
        signals = _filtered(signals, settings.rate, settings)
    return _cut_or_padded(signals, samples_of(settings))


@lru_cache(maxsize=64)  # it is asked for every batch, and building a filter takes as long as filtering one recording
def check_settings(settings: Signal) -> None:
    """Raise WrongRequest for conditioning that no recording can undergo."""
    if settings.rate < SLOWEST:
        raise WrongRequest(f"signal.rate is {settings.rate:g} Hz; an ECG needs at least {SLOWEST:g}.")
    if settings.duration < SHORTEST:
        raise WrongRequest(f"signal.duration is {settings.duration:g} s; at least {SHORTEST:g} s is needed.")
    check_filter(settings.filter, settings.rate)


def samples_of(settings: Signal) -> int:
    """How many samples a conditioned signal has."""
    return round(settings.duration * settings.rate)


def resampled(signal: NDArray[np.float32], rate: float, target: float) -> NDArray[np.float32]:
    """`signal` [..., samples] at `target` Hz instead of `rate`, ceil(samples * target / rate) long; zero-phase.

    Both ends continue along a line, so that they make no step, and the mean is kept exactly.
    """
    ratio = Fraction(target / rate).limit_denominator(_LARGEST_DENOMINATOR)
    if ratio == 1:
        return signal
    mean = signal.mean(axis=-1, keepdims=True)
    fresh = scipy_signal.resample_poly(signal - mean, ratio.numerator, ratio.denominator, axis=-1, padtype="line")
    return np.asarray(fresh + mean, dtype=np.float32)


def _fits(settings: Signal) -> bool:
    """Whether the filter's upper edge lies below half the new rate."""
    return isinstance(settings.filter, NoFilter) or settings.filter.high < settings.rate / 2


def _filtered(signals: NDArray[np.float32], rate: float, settings: Signal) -> NDArray[np.float32]:
    if isinstance(settings.filter, NoFilter):
        return signals
    return filtered(signals, rate, settings.filter).astype(np.float32)


def _cut_or_padded(signals: NDArray[np.float32], samples: int) -> Conditioned:
    valid = min(samples, signals.shape[-1])
    out = np.zeros((*signals.shape[:-1], samples), dtype=np.float32)
    out[..., :valid] = signals[..., :valid]
    return Conditioned(out, valid)


def _check_gaps(lost: NDArray[np.bool_], leads: tuple[str, ...]) -> None:
    for lead, count in zip(leads, lost.sum(axis=1).tolist(), strict=True):
        if count > MOST_LOST * lost.shape[1]:
            raise BrokenRecord(f"lead {lead} lacks {count:,} of {lost.shape[1]:,} samples; up to half can be bridged.")


def bridged(signal: NDArray[np.float32], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Lost samples of `[leads, samples]` replaced along lines between their neighbours, at either end by the nearest one.

    A lead of which nothing is left is 0.
    """
    whole, at = signal.copy(), np.arange(signal.shape[1])
    for lead in np.flatnonzero(lost.any(axis=1)):
        gaps = lost[lead]
        whole[lead, gaps] = 0.0 if gaps.all() else np.interp(at[gaps], at[~gaps], signal[lead, ~gaps])
    return whole
