"""Random numbers that belong to a record, not to the moment they are drawn."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Draws:
    """One independent generator a key, so that a record is the same in any block, in any order, on any worker.

    `stream` separates uses of the same keys. Every draw is made for all keys whether or not it is used: a patient
    simulated with and without a finding is otherwise the same patient.
    """

    def __init__(self, seed: int, stream: int, keys: Sequence[int]) -> None:
        sequences = (np.random.SeedSequence(seed, spawn_key=(stream, key)) for key in keys)
        self._generators = [np.random.Generator(np.random.SFC64(sequence)) for sequence in sequences]

    def __len__(self) -> int:
        return len(self._generators)

    def normal(self, mean: ArrayLike, deviation: ArrayLike, *shape: int) -> Floats:
        """Gaussian, `[keys, *shape]`."""
        standard = np.array([generator.standard_normal(shape) for generator in self._generators])
        return np.asarray(mean + np.asarray(deviation) * standard, dtype=np.float64)

    def uniform(self, low: float, high: float, *shape: int) -> Floats:
        """Evenly spread from `low` to `high`, `[keys, *shape]`."""
        unit = np.array([generator.random(shape) for generator in self._generators])
        return np.asarray(low + (high - low) * unit, dtype=np.float64)

    def around_one(self, spread: float, *shape: int) -> Floats:
        """Log-normal with median 1: the natural spread of amplitudes."""
        return np.asarray(np.exp(self.normal(0.0, spread, *shape)), dtype=np.float64)

    def chance(self, probability: float) -> NDArray[np.bool_]:
        """True with the given probability, `[keys]`."""
        return self.uniform(0.0, 1.0) < probability

    def white(self, channels: int, samples: int) -> NDArray[np.float32]:
        """White noise of mean 0 and variance 1, evenly distributed, float32 `[keys, channels, samples]`."""
        noise = np.empty((len(self), channels, samples), dtype=np.float32)
        for row, generator in zip(noise, self._generators, strict=True):
            generator.random(out=row, dtype=np.float32)
        noise -= np.float32(0.5)
        noise *= np.float32(np.sqrt(12.0))
        return noise
