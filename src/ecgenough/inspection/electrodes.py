"""Are two limb electrodes exchanged? The chest leads do not change with them, and tell what the limb leads should be.

After Kors & van Herpen (Accurate automatic detection of electrode interchange in the electrocardiogram, Am J Cardiol
2001;88:396-399), leads I and II are estimated from V1-V6, here apart for P, QRS and T, and compared with those that were
recorded. After Han, Gregg, Feild & Babaeizadeh (Automatic detection of ECG cable interchange by analyzing both morphology
and interlead relations, J Electrocardiol 2014;47:781-787), these correlations and the frontal axes of P, QRS and T are
weighed together by a linear rule for each exchange. Coefficients, rules and thresholds were fitted to PTB-XL with
exchanges planted in it (`python -m benchmarks.fit_electrodes`).

An arm exchanged with the right leg shows otherwise: both ends of one limb lead then lie on the legs, between which there
is next to no voltage (Haisty, Pahlm, Edenbrandt & Newman, Recognition of electrocardiographic electrode misplacements
involving the ground (right leg) electrode, Am J Cardiol 1993;71:1490-1494).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import CHEST_LEADS
from ecgenough.sentences import numeral
from ecgenough.signals.delineation import RATE, Waves

Floats = NDArray[np.float64]

NEEDED = ("I", "II", *CHEST_LEADS)
SEGMENTS = ("P", "QRS", "T")
LIMBS = ("I", "II", "III")
FEATURES = (
    *(f"{lead} in {segment}" for segment in SEGMENTS for lead in LIMBS),
    *(f"{axis} of {segment}" for segment in SEGMENTS for axis in ("left", "down")),
)
CORRELATIONS = len(SEGMENTS) * len(LIMBS)  # come first
LEAST_GAIN = (
    0.3  # of the mean correlation when the exchange is undone: costs 2% of the planted, spares most false alarms
)
# Leads I and II as they are recorded with two electrodes exchanged, from those that are right. Each undoes itself.
EXCHANGES: dict[str, Floats] = {
    "RA-LA": np.array([[-1.0, 0.0], [-1.0, 1.0]]),
    "RA-LL": np.array([[1.0, -1.0], [0.0, -1.0]]),
    "LA-LL": np.array([[0.0, 1.0], [1.0, 0.0]]),
}
TO_THE_RIGHT_LEG = {"II": "RA-RL", "III": "LA-RL", "I": "RA-RL and LA-LL"}
LEAST_OF_LIMB = 0.06  # of the largest limb lead's QRS; of 9,000 records of PTB-XL five have less than 0.07 in any
LEAST_MILLIVOLTS = 0.15  # that the largest limb lead must span, or small leads mean nothing
_P, _T = slice(-110, -4), slice(10, 200)  # samples from the onset and the offset of QRS
_ABOUT = 5  # samples to each side of a wave's peak


@dataclass(frozen=True)
class Exchange:
    """Electrodes that seem exchanged. `log_odds` weighs all evidence, with as many exchanged as not before seeing it.

    `recorded` and `undone` are the mean correlations of I, II and III with what V1-V6 give for them, as they are and with
    the exchange undone; NaN where the sign was a lead without voltage, `lead`, whose share of the largest is `share`.
    """

    electrodes: str
    log_odds: float
    recorded: float = float("nan")
    undone: float = float("nan")
    p_axis: float = float("nan")
    lead: str = ""
    share: float = float("nan")

    @property
    def sentence(self) -> str:
        """Which electrodes, and the evidence in numbers."""
        if self.lead:
            return f"Lead {self.lead} has {self.share:.1%} of the largest limb lead's QRS, as between the legs: {self.electrodes}."
        axis = "" if np.isnan(self.p_axis) else f" P axis {numeral(self.p_axis, '.0f')}°."
        recorded, undone = numeral(self.recorded, ".2f"), numeral(self.undone, ".2f")
        return (
            f"{self.electrodes} seem exchanged: V1 to V6 foretell the limb leads with correlation {recorded} as "
            f"recorded, {undone} with the exchange undone.{axis} Log odds {numeral(self.log_odds, '.1f')}."
        )


@dataclass(frozen=True, eq=False)
class Beat:
    """What the rules look at: second moments of NEEDED in each segment `[3, 8, 8]`, and the vectors of P, QRS and T
    `[3, 8]`; zeros where a wave is not found."""

    moments: Floats
    vectors: Floats

    def exchanged(self, way: Floats) -> "Beat":
        """The beat with leads I and II made of what they were by `way` `[2, 2]`."""
        mixing = np.eye(len(NEEDED))
        mixing[:2, :2] = way
        return Beat(mixing @ self.moments @ mixing.T, self.vectors @ mixing.T)


def exchange(waves: Waves, leads: Sequence[str]) -> Exchange | None:
    """The exchange that a representative beat speaks for, if any; None where one of NEEDED is absent."""
    if not set(NEEDED) <= set(leads):
        return None
    beat = beat_of(waves, leads)
    if (ground := _to_the_right_leg(beat)) is not None:
        return ground
    rules = _rules()
    here = features(beat, rules.reconstruction)
    odds = {name: float(here @ rule.weights + rule.bias) for name, rule in rules.rules.items()}
    name = max(odds, key=lambda name: odds[name] - rules.rules[name].threshold)
    undone = features(beat.exchanged(EXCHANGES[name]), rules.reconstruction)
    recorded, mended = (float(found[:CORRELATIONS].mean()) for found in (here, undone))
    if odds[name] < rules.rules[name].threshold or mended - recorded < LEAST_GAIN:
        return None
    left, down = here[CORRELATIONS : CORRELATIONS + 2]
    axis = float(np.degrees(np.arctan2(down, left))) if left or down else float("nan")
    return Exchange(name, odds[name], recorded, mended, axis)


def beat_of(waves: Waves, leads: Sequence[str]) -> Beat:
    """The moments and vectors of a representative beat that has all NEEDED leads."""
    signal = waves.signal[[leads.index(lead) for lead in NEEDED]]
    onset, offset = waves.onset, waves.offset
    parts = (
        signal[:, max(0, onset + _P.start) : max(1, onset + _P.stop)],
        signal[:, onset : offset + 1],
        signal[:, offset + _T.start : offset + _T.stop],
    )
    qrs = parts[1].sum(axis=1) / RATE
    vectors = np.stack([_at(signal, waves.p), qrs, _at(signal, waves.t)])
    return Beat(np.stack([part @ part.T / RATE for part in parts]), vectors)


def features(beat: Beat, reconstruction: Floats) -> Floats:
    """FEATURES of a beat: correlations of I, II and III with what V1-V6 give, and directions of P, QRS and T.

    `reconstruction` `[3, 2, 6]` gives I and II from V1-V6 in each segment.
    """
    limbs = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]])
    weights = np.einsum("kl,slc->skc", limbs, reconstruction)
    chest, across = beat.moments[:, 2:, 2:], beat.moments[:, 2:, :2]
    given = np.einsum("skc,scd,skd->sk", weights, chest, weights)
    recorded = np.einsum("kl,slm,km->sk", limbs, beat.moments[:, :2, :2], limbs)
    both = np.einsum("skc,scl,kl->sk", weights, across, limbs)
    correlations = both / np.sqrt(np.maximum(given * recorded, 1e-12))
    left, down = beat.vectors[:, 0], (beat.vectors[:, 1] - beat.vectors[:, 0] / 2) * 2 / np.sqrt(3)
    directions = np.stack([left, down], axis=1) / (np.hypot(left, down)[:, None] + 1e-6)
    return np.concatenate([correlations.ravel(), directions.ravel()])


@dataclass(frozen=True, eq=False)
class Rule:
    """A linear rule over FEATURES; above the threshold its exchange is suspected."""

    weights: Floats
    bias: float
    threshold: float


@dataclass(frozen=True, eq=False)
class Rules:
    """What `benchmarks.fit_electrodes` fitted: how V1-V6 give I and II, and the rule of each exchange."""

    reconstruction: Floats
    rules: dict[str, Rule]


@cache
def _rules() -> Rules:
    about = json.loads((files("ecgenough.inspection") / "electrodes.json").read_text(encoding="utf-8"))
    rules = {
        name: Rule(np.array(one["weights"]), one["bias"], one["threshold"]) for name, one in about["rules"].items()
    }
    return Rules(np.array(about["reconstruction"]), rules)


def _to_the_right_leg(beat: Beat) -> Exchange | None:
    """A limb lead with next to no QRS while the others have theirs."""
    power = beat.moments[1, :2, :2]
    first, second = power[0, 0], power[1, 1]
    limb = {"I": first, "II": second, "III": first + second - 2 * power[0, 1]}
    lead = min(limb, key=lambda name: limb[name])
    largest = max(limb.values())
    share = float(np.sqrt(max(limb[lead], 0.0) / largest)) if largest > 0 else 1.0
    if share >= LEAST_OF_LIMB or np.sqrt(largest / QRS_SECONDS) < LEAST_MILLIVOLTS / 3:
        return None
    return Exchange(TO_THE_RIGHT_LEG[lead], float("inf"), lead=lead, share=share)


QRS_SECONDS = 0.1  # over which the moments of QRS are spread; the root mean square of QRS is about a third of its span


def _at(signal: Floats, peak: float) -> Floats:
    """The mean around a peak; zeros where there is none."""
    if np.isnan(peak):
        return np.zeros(len(signal))
    return np.asarray(signal[:, max(0, int(peak) - _ABOUT) : int(peak) + _ABOUT + 1].mean(axis=1))
