"""Noise removal: Butterworth filters designed at the rate of the signal they filter, and the wavelet baseline.

A filter's edge at or above half the rate needs no filter: a signal sampled at `rate` holds nothing above `rate / 2`, so
all of it passes. A band-pass of 1-50 Hz at 100 Hz is thus a high-pass at 1 Hz, and a low-pass of 50 Hz changes nothing.
An edge that would let nothing pass is refused.
"""

from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi, sosfiltfilt

from ecgenough.errors import WrongRequest
from ecgenough.recipe import BandPass, Filter, LowPassWavelet, NoFilter

Samples = NDArray[np.float64]
Kind = Literal["lowpass", "highpass", "bandpass"]


def filtered(signal: ArrayLike, rate: float, settings: Filter) -> Samples:
    """`signal` [..., samples] at `rate` Hz after the filter of a recipe: float64, the same shape."""
    match settings:
        case BandPass():
            return band_pass(signal, rate, settings.low, settings.high, settings.order, settings.zero_phase)
        case LowPassWavelet():
            return low_pass_wavelet(signal, rate, settings.high, settings.order, settings.wavelet)
        case NoFilter():
            return np.array(signal, dtype=np.float64)


def check_filter(settings: Filter, rate: float) -> None:
    """Raise WrongRequest if the filter cannot be built for signals of `rate` Hz."""
    filtered(np.zeros(ceil(rate)), rate, settings)


def band_pass(
    signal: ArrayLike, rate: float, low: float = 1.0, high: float = 45.0, order: int = 2, zero_phase: bool = True
) -> Samples:
    """Butterworth band-pass of `signal` [..., samples], finite and sampled at `rate` Hz, from `low` to `high` Hz.

    Zero-phase filtering runs forward and backward, which squares the gain: 6 dB are lost at the edges instead of 3. The
    causal filter delays the ECG, as in Marques & Oliveira 2025. Both start settled, so an offset makes no step.
    Raises WrongRequest for a band that is empty or lies above half the rate.
    """
    if not low < high:
        raise WrongRequest(f"a band-pass from {low:g} to {high:g} Hz lets nothing pass; low must be below high.")
    if low >= rate / 2:
        raise WrongRequest(
            f"a band-pass from {low:g} Hz lets nothing pass at {rate:g} Hz, whose signals end at {rate / 2:g} Hz; "
            "lower the filter's low or raise the rate."
        )
    if high < rate / 2:
        sections = _design(order, [low, high], "bandpass", rate)
    else:
        sections = _design(order, low, "highpass", rate)
    return _run(sections, signal, zero_phase, settling=ceil(rate / low))


def low_pass_wavelet(
    signal: ArrayLike, rate: float, high: float = 50.0, order: int = 2, wavelet: str = "db4"
) -> Samples:
    """Zero-phase Butterworth low-pass at `high` Hz, then the wavelet baseline subtracted; `signal` is [..., samples].

    The "default" noise removal of Marques & Oliveira 2025. It may change slow parts of the ECG: see `wavelets`.
    """
    # Imported here: a machine that only trains, from a store, has no need of PyWavelets.
    from ecgenough.signals.wavelets import wavelet_baseline

    samples = np.asarray(signal, dtype=np.float64)
    if high < rate / 2:
        sections = _design(order, high, "lowpass", rate)
        samples = _run(sections, samples, zero_phase=True, settling=ceil(rate / high))
    return samples - wavelet_baseline(samples, wavelet)


def _design(order: int, edges: float | list[float], kind: Kind, rate: float) -> Samples:
    """Second-order sections of a Butterworth filter.

    Raises WrongRequest for a design whose gain is lost to rounding, or whose poles are not inside the unit circle.
    """
    with np.errstate(all="ignore"):
        sections = np.asarray(butter(order, edges, kind, fs=rate, output="sos"))
    first, second = sections[:, 4], sections[:, 5]
    passes = np.isfinite(sections).all() and sections[:, :3].any(axis=1).all()
    if not (passes and (np.abs(second) < 1).all() and (np.abs(first) < 1 + second).all()):
        raise WrongRequest("this filter cannot be computed in double precision; lower its order or widen its band.")
    return sections


def _run(sections: Samples, signal: ArrayLike, zero_phase: bool, settling: int) -> Samples:
    """Filter along the last axis. Zero-phase filtering extends both ends oddly by `settling` samples where it can."""
    samples = np.asarray(signal, dtype=np.float64)
    if zero_phase:
        extension = min(samples.shape[-1] - 1, max(settling, 6 * len(sections) + 3))
        return np.asarray(sosfiltfilt(sections, samples, axis=-1, padlen=extension))
    settled = sosfilt_zi(sections).reshape(len(sections), *[1] * (samples.ndim - 1), 2)
    return np.asarray(sosfilt(sections, samples, axis=-1, zi=settled * samples[..., :1])[0])
