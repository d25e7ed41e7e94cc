"""What about a usable recording makes one doubt it: samples that were lost, and voltages that no heart makes.

The usual cause of the latter is a unit: numbers in µV that are taken for mV are a thousand times too large, and numbers
in mV taken for µV a thousand times too small. Neither can be known for certain, so it is said, not mended.
"""

import numpy as np
from numpy.typing import NDArray

from ecgenough.sentences import agreed

# mV that a beat spans. Of PTB-XL, CPSC-2018 and the Challenge of 2021 (19,736 records) none lies outside 0.12 to 3.7.
SMALLEST, LARGEST = 0.02, 10.0
BEAT = 1.5  # seconds; at 40 a minute or more, each stretch of that length has a QRS complex


def beat_height(signals: NDArray[np.float32], rate: float) -> NDArray[np.float32]:
    """How many mV a beat spans in `signals` `[..., leads, samples]`: that of the middle lead of those that vary, and of
    each lead the median over stretches of 1.5 s. 0 where no lead varies in most stretches.

    One artefact, a few loose leads or a drifting baseline thus say nothing of the unit.
    """
    samples = signals.shape[-1]
    length = min(max(1, round(BEAT * rate)), samples)
    stretches = signals[..., : samples // length * length].reshape(*signals.shape[:-1], -1, length)
    spans = np.sort(np.median(np.ptp(stretches, axis=-1), axis=-1), axis=-1)
    varying = np.count_nonzero(spans, axis=-1, keepdims=True).clip(min=1)  # they come last
    middle = np.take_along_axis(spans, spans.shape[-1] - 1 - (varying - 1) // 2, axis=-1)
    return np.asarray(middle[..., 0], dtype=np.float32)


def notes(bridged: int, clipped: int, height: float) -> tuple[str, ...]:
    """Sentences on a recording of which `bridged` samples were lost, `clipped` ones did not fit, and a beat spans `height` mV."""
    said = []
    if bridged:
        are, were = agreed(bridged, "is", "are"), agreed(bridged, "was", "were")
        said.append(f"{bridged:,} of its samples {are} absent and {were} bridged by straight lines.")
    if clipped:
        lie, were = agreed(clipped, "lies", "lie"), agreed(clipped, "was", "were")
        said.append(f"{clipped:,} of its samples {lie} beyond ±32.767 mV and {were} clipped there.")
    if height > LARGEST:
        said.append(f"A beat spans {height:,.0f} mV, more than a heart gives. {TOO_LARGE}")
    if 0 < height < SMALLEST:
        said.append(f"A beat spans {height:.2g} mV, less than any ECG shows. {TOO_SMALL}")
    return tuple(said)


TOO_LARGE = "Are the numbers µV or counts that are called mV? State the unit they are in."
TOO_SMALL = "Are the numbers mV that are called µV? State the unit they are in."
