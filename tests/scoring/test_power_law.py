import math

import numpy as np
import pytest
from scipy import optimize

from ecgenough.scoring.metrics import Unscorable
from ecgenough.scoring.power_law import RATES, PowerLaw

SIZES = [50, 100, 200, 400, 800]


def law(n: np.ndarray, plateau: float, gap: float, rate: float) -> np.ndarray:
    return np.asarray(plateau - gap * n**-rate)


@pytest.mark.parametrize("rate", [float(RATES[10]), float(RATES[25])])
def test_a_law_on_the_grid_is_found_exactly(rate: float) -> None:
    sizes = np.array(SIZES, dtype=float)
    found = PowerLaw.fit(SIZES, law(sizes / 50, 0.9, 0.25, rate), np.ones(5))
    assert (found.plateau[0], found.gap[0], found.rate[0]) == pytest.approx((0.9, 0.25, rate))
    assert found.at([1600])[0, 0] == pytest.approx(0.9 - 0.25 * 32**-rate)
    assert found.needed(0.85)[0] == pytest.approx(50 * (0.25 / 0.05) ** (1 / rate))


def test_noisy_figures_are_fitted_as_scipy_fits_them() -> None:
    sizes = np.array(SIZES, dtype=float)
    figures = law(sizes / 50, 0.88, 0.2, 0.6) + np.array([0.004, -0.006, 0.003, 0.001, -0.002])
    errors = np.array([0.03, 0.02, 0.015, 0.01, 0.01])
    found = PowerLaw.fit(SIZES, figures, 1 / errors**2)
    best, _ = optimize.curve_fit(
        law, sizes / 50, figures, p0=(0.9, 0.2, 0.5), sigma=errors, bounds=([0, 0, 0.1], [1, 1, 2])
    )
    squares = [float((((law(sizes / 50, *fit) - figures) / errors) ** 2).sum())
               for fit in (best, (found.plateau[0], found.gap[0], found.rate[0]))]  # fmt: skip
    assert squares[1] == pytest.approx(squares[0], rel=0.01)
    assert found.at(SIZES)[0] == pytest.approx(law(sizes / 50, *best), abs=0.001)


def test_many_curves_are_fitted_at_once() -> None:
    rng = np.random.default_rng(0)
    figures = law(np.array(SIZES) / 50, 0.9, 0.2, 0.5) + rng.normal(0, 0.01, (20, 5))
    together = PowerLaw.fit(SIZES, figures, np.ones(5))
    alone = [PowerLaw.fit(SIZES, row, np.ones(5)) for row in figures]
    assert together.plateau == pytest.approx([one.plateau[0] for one in alone])
    assert together.needed(0.85) == pytest.approx([one.needed(0.85)[0] for one in alone])


def test_a_curve_that_would_pass_one_ends_at_one() -> None:
    found = PowerLaw.fit([10, 20, 40], [0.5, 0.75, 1.0], np.ones(3))
    assert found.plateau[0] == 1.0
    assert found.at([10_000])[0, 0] <= 1


def test_more_records_do_no_harm() -> None:
    found = PowerLaw.fit([10, 20, 40], [0.8, 0.75, 0.7], np.ones(3))
    assert found.gap[0] == 0
    assert found.plateau[0] == pytest.approx(0.75)
    assert found.needed(0.9)[0] == math.inf


@pytest.mark.parametrize(
    ("sizes", "figures"), [([10, 20], [0.5, 0.6]), ([10, 10, 20], [0.5, 0.6, 0.7]), ([10, 20, 40], [0.5, np.nan, 0.6])]
)
def test_what_cannot_be_fitted_is_refused(sizes: list[float], figures: list[float]) -> None:
    with pytest.raises(Unscorable, match="a learning curve needs"):
        PowerLaw.fit(sizes, figures, np.ones(len(sizes)))
