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

Floats = NDArray[np.float64]

MOST = 0.1  # of the leads' power, as a root: what filters and rounding leave stays well below
LEAST_MILLIVOLTS = 0.02  # below it, rounding to coarse counts can do as much
EXPLAINED = 0.3  # of the misfit at most may stay behind an explanation
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
        said = f"The limb leads do not add up: {self.share:.0%} of their voltage ({self.millivolts:.3g} mV)."
        if len(self.leads) == 2:
            return f"{said} They would if {self.leads[0]} and {self.leads[1]} were exchanged."
        if not self.leads:
            return said
        if self.gain is None:
            return f"{said} {self.leads[0]} is not what the others give for it."
        return f"{said} {self.leads[0]} is {self.gain:.2g} times what the others give for it.".replace("-", "−")


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
    return _exchanged(power, law, names, share, millivolts) or _alone(power, law, names, share, millivolts)


def _left(power: Floats, law: Floats) -> float:
    """The power that no two underlying leads explain."""
    return max(0.0, float(np.trace(power) - np.trace(law @ np.linalg.pinv(law) @ power)))


def _exchanged(power: Floats, law: Floats, names: Sequence[str], share: float, millivolts: float) -> Misfit | None:
    """The exchange of two leads that mends all, if one does."""
    before = _left(power, law)
    found = []
    for pair in combinations(range(len(names)), 2):
        order = np.arange(len(names))
        order[list(pair)] = order[list(pair)][::-1]
        found.append((_left(power[np.ix_(order, order)], law), pair))
    least, (first, second) = min(found)
    if least > EXPLAINED**2 * before or least > MOST**2 * np.trace(power):
        return None
    return Misfit(share, millivolts, (names[first], names[second]))


def _alone(power: Floats, law: Floats, names: Sequence[str], share: float, millivolts: float) -> Misfit:
    """The one lead without which all others add up, and its gain; no lead where none does."""
    if len(names) < 4:  # of three leads, any one can be blamed
        return Misfit(share, millivolts)
    found = []
    for at in range(len(names)):
        others = [other for other in range(len(names)) if other != at]
        found.append((_left(power[np.ix_(others, others)], law[others]), at))
    least, at = min(found)
    others = [other for other in range(len(names)) if other != at]
    if least > MOST**2 * np.trace(power[np.ix_(others, others)]):
        return Misfit(share, millivolts)
    weights = law[at] @ np.linalg.pinv(law[others])
    due = float(weights @ power[np.ix_(others, others)] @ weights)
    shared = float(weights @ power[others, at])
    alike = abs(shared) / np.sqrt(due * power[at, at]) if due * power[at, at] > 0 else 0.0
    return Misfit(share, millivolts, (names[at],), shared / due if alike > ALONE else None)
