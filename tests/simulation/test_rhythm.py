from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.signal import lombscargle

from ecgenough.simulation import Case, simulate

Measured = Callable[..., Sequence[Any]]


def test_rates_counted_at_the_r_peaks(calipers: Measured) -> None:
    assert min(ecg.rate() for ecg in calipers("STACH")) >= 100
    assert max(ecg.rate() for ecg in calipers("SBRAD")) < 60
    normal = [ecg.rate() for ecg in calipers()]
    assert 55 < min(normal) <= max(normal) < 100


def test_every_planted_beat_is_there(clean: Callable[..., Any], calipers: Measured) -> None:
    for planted, ecg in zip(clean().waves.r, calipers(), strict=True):
        inside = planted[(planted > 0.3) & (planted < 9.7)]
        found = ecg.r_peaks[(ecg.r_peaks > 0.3 * 500) & (ecg.r_peaks < 9.7 * 500)] / 500
        assert abs(len(inside) - len(found)) <= 2
        assert np.abs(found[:, None] - planted[np.isfinite(planted)]).min(axis=1).max() < 0.06


def test_fibrillation_is_irregular_and_has_no_p(clean: Callable[..., Any]) -> None:
    fibrillating, sinus = clean("AFIB"), clean()
    assert np.median(variation(fibrillating)) > 0.12 > 0.08 > np.median(variation(sinus))
    assert np.isnan(fibrillating.waves.p_onset).all()
    assert np.isfinite(sinus.waves.p_onset).sum() == np.isfinite(sinus.waves.r).sum()


def test_sinus_arrhythmia_varies_more(clean: Callable[..., Any]) -> None:
    assert np.median(variation(clean("SARRH"))) > 2 * np.median(variation(clean()))


def test_heart_rate_variability_has_two_peaks() -> None:
    """Over five minutes RR moves at about 0.1 Hz and at breathing (0.2-0.33 Hz), and little between or beyond."""
    cases = [Case(frozenset(), number, number, 30.0) for number in range(12)]
    frequencies = np.arange(0.03, 0.45, 0.005)
    total = np.zeros(len(frequencies))
    for r in simulate(cases, rate=50, duration=300, noise=False).waves.r:
        beats = r[np.isfinite(r)]
        rr = np.diff(beats)
        total += lombscargle(beats[1:], rr - rr.mean(), 2 * np.pi * frequencies) / rr.var()
    low, between, high, beyond = (
        total[(frequencies >= a) & (frequencies < b)].mean()
        for a, b in ((0.08, 0.12), (0.155, 0.185), (0.2, 0.33), (0.36, 0.45))
    )
    assert low > 3 * between
    assert high > 2 * between
    assert high > 3 * beyond


def test_qt_shortens_with_the_cube_root_of_rr(clean: Callable[..., Any]) -> None:
    """Fridericia: QT = QTc RR^(1/3). The same patients, slow and fast."""
    slow, fast = clean("SBRAD"), clean("STACH")
    rr = [np.nanmean(np.diff(simulated.waves.r, axis=1), axis=1) for simulated in (slow, fast)]
    qt = [np.nanmean(simulated.waves.t_end - simulated.waves.qrs_onset, axis=1) for simulated in (slow, fast)]
    np.testing.assert_allclose(qt[0] / qt[1], np.cbrt(rr[0] / rr[1]), rtol=0.04)


def test_t_peaks_where_it_is_planted(clean: Callable[..., Any], calipers: Measured) -> None:
    simulated = clean()
    for row, ecg in list(enumerate(calipers()))[::15]:
        beat = int(np.nanargmin(np.abs(simulated.waves.r[row] * 500 - ecg.r)))
        stretch = slice(ecg.offset + 40, ecg.offset + 150)
        peak = stretch.start + int(ecg.lead("V5")[stretch].argmax())
        assert peak / 500 == pytest.approx(simulated.waves.t_peak[row, beat], abs=0.03)


def test_premature_beats_are_wide_early_and_without_p() -> None:
    cases = [Case(frozenset({"PVC"}), number, number) for number in range(40)]
    waves = simulate(cases, noise=False).waves
    early = np.isfinite(waves.r) & np.isnan(waves.t_peak)
    assert (early.sum(axis=1) >= 1).mean() > 0.95
    assert np.isnan(waves.p_onset[early]).all()
    assert (waves.qrs_offset - waves.qrs_onset)[early].min() >= 0.12
    rr = np.diff(waves.r, axis=1)
    assert np.nanmedian(rr[early[:, 1:]]) < 0.8 * np.nanmedian(rr[~early[:, 1:]])


def variation(simulated: Any) -> Any:
    rr = np.diff(simulated.waves.r, axis=1)
    return np.nanstd(rr, axis=1) / np.nanmean(rr, axis=1)
