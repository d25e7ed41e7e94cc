"""Noise removal: Butterworth filters designed at the rate of the signal they filter, and the wavelet baseline.

A filter's edge at or above half the rate needs no filter: a signal sampled at `rate` holds nothing above `rate / 2`, so
all of it passes. A band-pass of 1-50 Hz at 100 Hz is thus a high-pass at 1 Hz, and a low-pass of 50 Hz changes nothing.
An edge that would let nothing pass is refused.
"""

from math import ceil, log2
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgenough.errors import WrongRequest, nearest
from ecgenough.later import Later
from ecgenough.recipe import BandPass, Filter, LowPassWavelet, NoFilter

if TYPE_CHECKING:
    import pywt
    import scipy.signal as scipy_signal
else:
    pywt, scipy_signal = Later("pywt"), Later("scipy.signal")

Samples = NDArray[np.float64]
Kind = Literal["lowpass", "highpass", "bandpass"]


def filtered(signal: ArrayLike, rate: float, settings: Filter) -> Samples:
    """`signal` [..., samples] at `rate` Hz after the filter of a recipe: float64, the same shape."""
    match settings:
        case BandPass():
            return band_pass(signal, rate, settings.low, settings.high, settings.order, settings.zero_phase)
        case LowPassWavelet():
            below = settings.baseline_below
            return low_pass_wavelet(signal, rate, settings.high, settings.order, settings.wavelet, below)
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
    sections = band_pass_design(rate, low, high, order)
    return _run(sections, signal, zero_phase, settling=ceil(rate / low))


def band_pass_design(rate: float, low: float, high: float, order: int) -> Samples:
    """Second-order sections of `band_pass`: a high-pass where the upper edge lies above half the rate.

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
        return _design(order, [low, high], "bandpass", rate)
    return _design(order, low, "highpass", rate)


def low_pass_wavelet(
    signal: ArrayLike,
    rate: float,
    high: float = 50.0,
    order: int = 2,
    wavelet: str = "db4",
    baseline_below: float | None = 0.5,
) -> Samples:
    """Zero-phase Butterworth low-pass at `high` Hz, then the wavelet baseline subtracted; `signal` is [..., samples].

    With `baseline_below` None it is the "default" noise removal of Marques & Oliveira 2025, which takes slow parts of
    the ECG for baseline (see `wavelet_baseline`); else the baseline is what lies below that many Hz at most.
    """
    samples = np.asarray(signal, dtype=np.float64)
    if high < rate / 2:
        sections = _design(order, high, "lowpass", rate)
        samples = _run(sections, samples, zero_phase=True, settling=ceil(rate / high))
    least = 1 if baseline_below is None else _level_below(baseline_below, rate)
    return samples - wavelet_baseline(samples, wavelet, least)


def _level_below(hz: float, rate: float) -> int:
    """The first level, from 1, whose approximation holds only what lies below `hz`: 0 to rate / 2 ** (level + 1)."""
    return max(1, ceil(log2(rate / hz)) - 1)


def wavelet_baseline(signal: ArrayLike, wavelet: str = "db4", least: int = 1) -> Samples:
    """The baseline wander of each row of `signal` [..., samples], finite, at any rate.

    Descends levels of the wavelet transform until the energy of the detail coefficients has passed a local minimum, and
    rebuilds the signal from the approximation at the minimum alone. Where there is none, the deepest level is taken:
    that at which approximations no longer shorten. The first minimum may lie between the energies of QRS and T wave:
    the method as published then takes slow parts of the ECG for baseline, on PTB-XL at 100 Hz in 45% of the leads.
    A higher `least` level keeps it from that.
    """
    samples = np.asarray(signal, dtype=np.float64)
    family = _wavelet(wavelet)
    approximations: list[Samples] = [samples]
    energies: list[Samples] = []
    while not energies or approximations[-1].shape[-1] < approximations[-2].shape[-1]:
        approximation, detail = pywt.dwt(approximations[-1], family, axis=-1)
        approximations.append(approximation)
        energies.append(np.square(detail).sum(axis=-1))
    levels = np.clip(_first_minimum(np.stack(energies, axis=-1)), least, None).clip(max=len(energies))
    baseline = np.zeros_like(approximations[-1])
    for level in range(len(energies), 0, -1):
        baseline = np.where((levels == level)[..., None], approximations[level], baseline)
        baseline = pywt.idwt(baseline, None, family, axis=-1)[..., : approximations[level - 1].shape[-1]]
    return baseline


def _first_minimum(energies: Samples) -> NDArray[np.int64]:
    """The level, from 1, of the first of `energies` [..., levels] below both neighbours; else the last level."""
    before, here, after = energies[..., :-2], energies[..., 1:-1], energies[..., 2:]
    found = np.zeros(energies.shape, dtype=bool)
    found[..., 1:-1] = (before > here) & (here < after)
    found[..., -1] = True
    return np.asarray(found.argmax(axis=-1) + 1, dtype=np.int64)


def _wavelet(name: str) -> "pywt.Wavelet":
    known = pywt.wavelist(kind="discrete")
    if name not in known:
        raise WrongRequest(f'wavelet "{name}" is unknown. {nearest(name, known)}')
    return pywt.Wavelet(name)


def _design(order: int, edges: float | list[float], kind: Kind, rate: float) -> Samples:
    """Second-order sections of a Butterworth filter.

    Raises WrongRequest for a design whose gain is lost to rounding, or whose poles are not inside the unit circle.
    """
    with np.errstate(all="ignore"):
        sections = np.asarray(scipy_signal.butter(order, edges, kind, fs=rate, output="sos"))
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
        return np.asarray(scipy_signal.sosfiltfilt(sections, samples, axis=-1, padlen=extension))
    settled = scipy_signal.sosfilt_zi(sections).reshape(len(sections), *[1] * (samples.ndim - 1), 2)
    return np.asarray(scipy_signal.sosfilt(sections, samples, axis=-1, zi=settled * samples[..., :1])[0])
