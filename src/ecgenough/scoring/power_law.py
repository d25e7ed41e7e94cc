"""How a figure grows with the number of training records: an inverse power law, figure(n) = plateau - gap * n ** -rate.

Source: Figueroa et al. 2012 (BMC Medical Informatics and Decision Making 12:8) and the learning-curve work it builds on. The
plateau is at most 1, the gap at least 0 (more records do no harm), the rate one of `RATES`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ecgenough.scoring.metrics import Floats, Unscorable

RATES = np.geomspace(0.1, 2.0, 40)
FEWEST_SIZES = 3


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """Many fitted curves at once: `plateau`, `gap` and `rate` [curves]; sizes are counted in units of `scale` records."""

    plateau: Floats
    gap: Floats
    rate: Floats
    scale: float

    @classmethod
    def fit(cls, sizes: ArrayLike, figures: ArrayLike, weights: ArrayLike) -> Self:
        """The weighted least-squares curves through figures [curves, sizes] at sizes [sizes] with weights [sizes].

        For each rate on a grid the best plateau and gap follow in closed form; the rate with the least squares is taken.
        Raises Unscorable for fewer than three sizes or anything that is not finite.
        """
        n, y = np.asarray(sizes, dtype=np.float64), np.atleast_2d(np.asarray(figures, dtype=np.float64))
        w = np.asarray(weights, dtype=np.float64)
        if len(set(n.tolist())) < FEWEST_SIZES or y.shape[1:] != n.shape or w.shape != n.shape:
            raise Unscorable(f"a learning curve needs figures and weights of at least {FEWEST_SIZES} different sizes.")
        if not (np.isfinite(y).all() and (n > 0).all() and (w > 0).all() and np.isfinite(w).all()):
            raise Unscorable("a learning curve needs finite figures, and sizes and weights above 0.")
        scale = float(n.min())
        fits = [_at_rate((n / scale) ** -rate, y, w / w.sum()) for rate in RATES]
        best = np.argmin([squares for *_, squares in fits], axis=0)
        pick = np.arange(len(y))
        plateau, gap = (np.stack([fit[part] for fit in fits])[best, pick] for part in (0, 1))
        return cls(plateau, gap, RATES[best], scale)

    def at(self, sizes: ArrayLike) -> Floats:
        """The figure at sizes [sizes], [curves, sizes]."""
        n = np.asarray(sizes, dtype=np.float64) / self.scale
        return np.asarray(self.plateau[:, None] - self.gap[:, None] * n[None, :] ** -self.rate[:, None])

    def needed(self, figure: float) -> Floats:
        """How many records each curve needs to reach the figure, [curves]; infinite where it never does."""
        missing = self.plateau - figure
        reachable = missing > 0
        with np.errstate(over="ignore"):
            records = (self.gap / np.where(reachable, missing, 1.0)) ** (1 / self.rate) * self.scale
        return np.where(reachable, records, np.inf)


def _at_rate(falling: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Plateau, gap and squared error [curves] of y = plateau - gap * falling, with weights that add up to 1."""
    middle, means = float(w @ falling), y @ w
    spread = float(w @ (falling - middle) ** 2)
    gap = np.maximum(0.0, -((y - means[:, None]) * (falling - middle)) @ w / spread)
    plateau = means + gap * middle
    over = plateau > 1  # then the curve ends at 1 and only the gap is free
    at_one = np.maximum(0.0, ((1 - y) * falling) @ w / float(w @ falling**2))
    plateau, gap = np.where(over, 1.0, plateau), np.where(over, at_one, gap)
    return plateau, gap, ((y - plateau[:, None] + gap[:, None] * falling) ** 2) @ w
