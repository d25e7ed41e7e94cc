"""What a usable recording lacks of what a model was shown in training, in sentences: length, leads, and range."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg
from ecgenough.recipe import Signal
from ecgenough.signals.conditioning import FLAT, IMPOSSIBLE
from ecgenough.signals.ends import is_cut_off
from ecgenough.signals.windows import window_starts

SHORT, LONG = 0.5, 6.0  # of what was shown in training


def limits(ecg: Ecg, settings: Signal, windows: int) -> tuple[str, ...]:
    """Sentences on what makes an answer about `ecg` worth less than those a model was tested on.

    `windows` is how many stretches of `settings.duration` the answer is the mean of: of all that `windows` makes, those
    that could be used.
    """
    chosen = ecg.select(settings.leads)
    derived = [lead for lead in settings.leads if lead not in ecg.leads]
    flat = [lead for lead, row in zip(chosen.leads, chosen.signal, strict=True) if np.ptp(_whole(row)) < FLAT]
    cut = [lead for lead, row in zip(chosen.leads, chosen.signal, strict=True) if is_cut_off(_whole(row), ecg.rate)]
    return (
        *_of_length(ecg.duration, settings.duration, windows),
        *_left_out(ecg, settings, windows),
        *([f"{_named(derived)} {_is(derived)} derived from leads I and II."] if derived else []),
        *([f"{_named(flat)} {_is(flat)} flat: is an electrode off?"] if flat else []),
        *([f"{_named(cut)} {_is(cut)} cut off: {_it_rests(cut)}."] if cut else []),
    )


def _of_length(seconds: float, shown: float, windows: int) -> list[str]:
    if windows > 1:
        mean = f"It lasts {seconds:.4g} s; the answer is the mean over {windows} windows of {shown:g} s."
        return [mean if seconds <= LONG * shown else f"{mean} What passes within it may be lost in the mean."]
    if seconds < SHORT * shown:
        return [
            f"It lasts {seconds:.3g} s, less than half of the {shown:g} s the model knows: do not rely on the answer."
        ]
    if seconds < shown - 0.05:
        return [f"It lasts {seconds:.3g} s, less than the {shown:g} s the model knows."]
    return []


def _left_out(ecg: Ecg, settings: Signal, windows: int) -> list[str]:
    """What is said of windows that cannot be used, as where the electrodes are off for a while."""
    every = len(window_starts(ecg.samples, round(settings.duration * ecg.rate)))
    return [f"{every - windows} of its {every} windows could not be used."] if windows < every else []


def _whole(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """The samples of a lead that were not lost."""
    return row[np.abs(row) < IMPOSSIBLE]


def _named(leads: Sequence[str]) -> str:
    return ("Lead " if len(leads) == 1 else "Leads ") + ", ".join(leads)


def _is(leads: Sequence[str]) -> str:
    return "is" if len(leads) == 1 else "are"


def _it_rests(leads: Sequence[str]) -> str:
    return "it rests on its extreme voltage" if len(leads) == 1 else "they rest on their extreme voltages"
