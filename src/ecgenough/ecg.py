"""The Ecg value: voltages in mV, their rate and the names of their leads."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgenough.errors import BrokenRecord, WrongRequest, doubled

LIMB_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST_LEADS = ("V1", "V2", "V3", "V4", "V5", "V6")
STANDARD_LEADS = LIMB_LEADS + CHEST_LEADS

# Einthoven's law and Goldberger's augmented leads, as multiples of leads I and II.
DERIVED_LEADS: dict[str, tuple[float, float]] = {
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
MILLIVOLTS_PER_UNIT = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3, "nv": 1e-6}

# DI, DII and DIII are what I, II and III are called in Spanish and Portuguese.
_SPELLINGS = {lead.lower(): lead for lead in STANDARD_LEADS} | {"di": "I", "dii": "II", "diii": "III"}
# A hyphen separates only where it stands between two letters or right behind a prefix; elsewhere it is a minus sign.
_PREFIX = re.compile(r"^(?:(?:mdc|ecg|ekg|lead)(?:-|[\s_.:]*))+", re.IGNORECASE)
_SEPARATORS = re.compile(r"(?<=\w)[\s_-]+(?=\w)|_")
Sex = Literal["female", "male"]


@lru_cache(maxsize=4096)
def lead_name(spelling: str) -> str:
    """The usual name of a lead in any spelling: "AVR", "avr", "Lead aVR", "MDC_ECG_LEAD_AVR" and "a-VR" are aVR.

    Names of other leads stay as they are: MLII is a modified lead of a Holter recorder, not lead II, and -aVR is aVR
    turned over.
    """
    bare = _PREFIX.sub("", spelling.strip())
    return _SPELLINGS.get(_SEPARATORS.sub("", bare).lower(), spelling.strip())


def to_millivolts(signal: ArrayLike, unit: str) -> NDArray[np.float32]:
    """Convert voltages given in `unit` to float32 mV: V, mV, uV or nV in any case, or counts such as "200/mV".

    Raises WrongRequest for any other unit: one that is unknown is never guessed.
    """
    return np.asarray(np.asarray(signal, dtype=np.float64) * millivolts(unit), dtype=np.float32)


@lru_cache(maxsize=4096)
def millivolts(unit: str) -> float:
    """How many mV one `unit` is."""
    counts, slash, voltage = unit.strip().lower().rpartition("/")
    try:
        per_count = 1 / float(counts) if slash else 1.0
        factor = MILLIVOLTS_PER_UNIT[voltage.strip()] * per_count
    except (KeyError, ValueError, ZeroDivisionError):
        raise WrongRequest(f'unit "{unit}" is not a voltage. Say mV, uV, V, nV, or counts such as 200/mV.') from None
    if not 0 < factor < float("inf"):
        raise WrongRequest(f'unit "{unit}" is not possible: counts per voltage must be positive.')
    return factor


@dataclass(frozen=True, eq=False)
class Ecg:
    """One recording: float32 mV `[leads, samples]`, read-only; NaN marks samples the recorder lost.

    `rate` is in Hz. Lead names are brought to their usual spelling. Raises BrokenRecord for two leads of one name, an
    infinite voltage, or a rate that is not positive.

    >>> ecg = ecgenough.Ecg([[0.1, 0.2], [0.4, 0.3]], rate=100, leads=("DI", "LEAD II"))
    >>> ecg.leads, ecg.duration
    (('I', 'II'), 0.02)
    >>> ecg.select(["aVR"]).signal  # derived: -(I + II) / 2
    array([[-0.25, -0.25]], dtype=float32)
    """

    signal: NDArray[np.float32]
    rate: float
    leads: tuple[str, ...]
    patient: str | None = None
    age: float | None = None
    sex: Sex | None = None
    recorded: datetime | None = None
    comments: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        signal = np.array(self.signal, dtype=np.float32, order="C")
        leads = tuple(lead_name(lead) for lead in self.leads)
        if signal.ndim != 2 or len(leads) != signal.shape[0]:
            raise BrokenRecord(f"an ECG is [leads, samples]; this one is {signal.shape} for {len(leads)} lead names.")
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise BrokenRecord(f"a sampling rate of {self.rate} Hz is not possible.")
        if (twice := doubled(leads)) is not None:
            raise BrokenRecord(f"lead {twice} is there twice; lead names must differ.")
        if np.isinf(signal).any():
            lead = leads[int(np.isinf(signal).any(axis=1).argmax())]
            raise BrokenRecord(f"lead {lead} holds an infinite voltage; samples that are lost must be NaN.")
        signal.flags.writeable = False
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "leads", leads)
        object.__setattr__(self, "rate", float(self.rate))

    @property
    def samples(self) -> int:
        """How many samples each lead has."""
        return int(self.signal.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate

    def select(self, leads: Sequence[str]) -> "Ecg":
        """The same recording with exactly `leads`, in that order.

        III, aVR, aVL and aVF are derived from I and II where absent. Raises BrokenRecord naming any other absent lead,
        and WrongRequest where no lead is asked for.
        """
        wanted = tuple(lead_name(lead) for lead in leads)
        if not wanted:
            raise WrongRequest("no lead is asked for; name at least one.")
        if wanted == self.leads:
            return self
        return replace(self, signal=np.stack([self._lead(lead) for lead in wanted]), leads=wanted)

    def _lead(self, lead: str) -> NDArray[np.float32]:
        if lead in self.leads:
            present: NDArray[np.float32] = self.signal[self.leads.index(lead)]
            return present
        if lead in DERIVED_LEADS and {"I", "II"} <= set(self.leads):
            of_one, of_two = DERIVED_LEADS[lead]
            first, second = self.signal[self.leads.index("I")], self.signal[self.leads.index("II")]
            derived: NDArray[np.float32] = np.float32(of_one) * first + np.float32(of_two) * second
            return derived
        why = "and cannot be derived without leads I and II" if lead in DERIVED_LEADS else "and cannot be derived"
        raise BrokenRecord(f"lead {lead} is absent {why}; the recording has {', '.join(self.leads)}.")


def check_leads(leads: Sequence[str]) -> tuple[str, ...]:
    """Standard lead names in their usual spelling; raises WrongRequest for a name that is none of the twelve."""
    names = tuple(lead_name(lead) for lead in leads)
    for name in names:
        if name not in STANDARD_LEADS:
            raise WrongRequest(f'lead "{name}" is not one of the twelve: {", ".join(STANDARD_LEADS)}.')
    return names
