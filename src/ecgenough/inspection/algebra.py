"""Do the limb leads add up? Einthoven's law and Goldberger's leads hold for every recording, whatever the heart does.

III = II - I, and aVR, aVL and aVF are halves of sums of I and II (`ecg.DERIVED_LEADS`). Exchanged electrodes keep these
sums; exchanged, inverted or wrongly scaled leads break them, and how they break them says which lead it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import DERIVED_LEADS, LIMB_LEADS
from ecgenough.sentences import numeral

Floats = NDArray[np.float64]

MOST = 0.1  # of the leads' power, as a root: what filters and rounding leave stays well below
LEAST_MILLIVOLTS = 0.02  # below it, rounding to coarse counts can do as much
EXPLAINED = 0.3  # of the misfit at most may stay behind an explanation
ALIKE = 0.02  # of the misfit, by which an exchange may leave more than one lead's absence, which always leaves less
MOSTLY = 0.5  # of the power by which a lead differs from what the others give
ALONE = 0.9  # correlation of a lead with what the others give, above which it is the same lead at another gain
_FROM_TWO = {"I": (1.0, 0.0), "II": (0.0, 1.0), **DERIVED_LEADS}


@dataclass(frozen=True)
class Misfit:
    """Limb leads that do not add up. `share` is the root of the power that the law does not explain, of all power.

    `leads` are the one or two that explain it, if any do: two are exchanged; one is `gain` times what the others give
    for it, or nothing like it (None).
    """

    share: float
    millivolts: float
    leads: tuple[str, ...] = ()
    gain: float | None = None

    @property
    def sentence(self) -> str:
        """By how much, and what would explain it."""
        said = f"The limb leads do not add up: {self.share:.0%} of their voltage ({self.millivolts:.3g} mV)."
        if len(self.leads) == 2:
            return f"{said} They would if {self.leads[0]} and {self.leads[1]} were exchanged."
        if not self.leads:
            return said
        if self.gain is None:
            return f"{said} {self.leads[0]} is not what the others give for it."
        return f"{said} {self.leads[0]} is {numeral(self.gain, '.2g')} times what the others give for it."


def misfit(signal: NDArray[np.float32], leads: Sequence[str]) -> Misfit | None:
    """What does not add up in the limb leads of mV `[leads, samples]`, each about its level of 0 and without gaps.

    None where all adds up, or where there are fewer than three limb leads and nothing to add up.
    """
    names = [lead for lead in LIMB_LEADS if lead in leads]
    if len(names) < 3:
        return None
    limbs = signal[[leads.index(lead) for lead in names]].astype(np.float64)
    power = limbs @ limbs.T / limbs.shape[1]
    law = np.array([_FROM_TWO[lead] for lead in names])
    left, whole = _left(power, law), float(np.trace(power))
    millivolts = float(np.sqrt(left / len(names)))
    if millivolts < LEAST_MILLIVOLTS or left < MOST**2 * whole:
        return None
    share = float(np.sqrt(left / whole))
    pair, with_pair = _exchanged(power, law)
    one, without_one = _alone(power, law)
    mends = with_pair <= min(EXPLAINED**2 * left, MOST**2 * whole)
    if mends and with_pair <= without_one + ALIKE * left:
        return Misfit(share, millivolts, tuple(names[at] for at in pair))
    if without_one > MOST**2 * whole:
        return Misfit(share, millivolts)
    return Misfit(share, millivolts, (names[one],), _gain(power, law, one))


def _left(power: Floats, law: Floats) -> float:
    """The power that no two underlying leads explain."""
    return max(0.0, float(np.trace(power) - np.trace(law @ np.linalg.pinv(law) @ power)))


def _exchanged(power: Floats, law: Floats) -> tuple[tuple[int, int], float]:
    """The exchange of two leads that mends most, and the power that it leaves."""
    found = []
    for pair in combinations(range(len(law)), 2):
        order = np.arange(len(law))
        order[list(pair)] = order[list(pair)][::-1]
        found.append((_left(power[np.ix_(order, order)], law), pair))
    least, pair = min(found)
    return pair, least


def _alone(power: Floats, law: Floats) -> tuple[int, float]:
    """The lead without which the others add up best, and the power that they leave; of three leads, any can be blamed."""
    if len(law) < 4:
        return 0, np.inf
    found = []
    for at in range(len(law)):
        others = [other for other in range(len(law)) if other != at]
        found.append((_left(power[np.ix_(others, others)], law[others]), at))
    least, at = min(found)
    return at, least


def _gain(power: Floats, law: Floats, at: int) -> float | None:
    """How many times a lead is what the others give for it; None where it is nothing like that, or its gain is not what it
    mostly differs by."""
    others = [other for other in range(len(law)) if other != at]
    weights = law[at] @ np.linalg.pinv(law[others])
    due = float(weights @ power[np.ix_(others, others)] @ weights)
    shared = float(weights @ power[others, at])
    alike = abs(shared) / np.sqrt(due * power[at, at]) if due * power[at, at] > 0 else 0.0
    if alike <= ALONE:
        return None
    gain = shared / due
    by_gain, apart = (gain - 1) ** 2 * due, float(power[at, at]) - 2 * shared + due
    return gain if by_gain > MOSTLY * apart else None
