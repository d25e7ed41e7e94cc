"""ECGs with planted faults: exchanged electrodes, leads that do not add up, wrong units, clipped and flat leads, copies."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import CHEST_LEADS, STANDARD_LEADS, Ecg
from ecgenough.formats.wfdb import write_wfdb
from ecgenough.inspection.electrodes import EXCHANGES

Floats = NDArray[np.float32]

COPIES = 40  # of each kind, and torn patients
LEGS = 0.01  # mV of noise between the legs


@dataclass(frozen=True)
class Fault:
    """How a fault is planted, and the suspicion that it ought to raise, whose evidence says `names`."""

    name: str
    kind: str
    plant: Callable[[Ecg], Ecg]
    names: str = ""


def electrodes_exchanged(way: str, ecg: Ecg) -> Ecg:
    """The ECG as it would have been recorded with two limb electrodes exchanged; chest leads do not change."""
    limbs = EXCHANGES[way].astype(np.float32) @ ecg.select(["I", "II"]).signal
    return _twelve(limbs, ecg.select(CHEST_LEADS).signal, ecg.rate)


def to_the_right_leg(arm: str, ecg: Ecg) -> Ecg:
    """The ECG with an arm's electrode on the right leg, whose potential is the left leg's plus noise.

    Lead II (of the right arm) or III (of the left one) becomes noise, and Wilson's terminal moves by a third of it
    (Krasteva, Jekova & Schmid, Sensors 2019;19:2920).
    """
    two, three = ecg.select(["II", "III"]).signal
    noise = np.random.default_rng(0).normal(0, LEGS, ecg.samples).astype(np.float32)
    limbs, moved = ([-three, noise], two / 3) if arm == "RA" else ([two - noise, two], three / 3)
    return _twelve(np.stack(limbs), ecg.select(CHEST_LEADS).signal - moved, ecg.rate)


def _twelve(limbs: Floats, chest: Floats, rate: float) -> Ecg:
    return Ecg(np.concatenate([limbs, chest]), rate, ("I", "II", *CHEST_LEADS)).select(STANDARD_LEADS)


def scaled(times: float, ecg: Ecg) -> Ecg:
    return replace(ecg, signal=np.float32(times) * ecg.signal)


def lead_scaled(lead: str, times: float, ecg: Ecg) -> Ecg:
    signal = ecg.signal.copy()
    signal[ecg.leads.index(lead)] *= np.float32(times)
    return replace(ecg, signal=signal)


def renamed(first: str, second: str, ecg: Ecg) -> Ecg:
    """Two leads written in each other's place."""
    names = {first: second, second: first}
    return replace(ecg, leads=tuple(names.get(lead, lead) for lead in ecg.leads)).select(ecg.leads)


def clipped(leads: Sequence[str], ecg: Ecg) -> Ecg:
    """The leads cut off at 60% of the way from their median to their extremes."""
    signal = ecg.signal.copy()
    for lead in leads:
        line = signal[ecg.leads.index(lead)]
        middle = np.median(line)
        line[:] = np.clip(line, *(middle + np.float32(0.6) * (end - middle) for end in (line.min(), line.max())))
    return replace(ecg, signal=signal)


def with_a_gap(lead: str, ecg: Ecg) -> Ecg:
    """A sixth of a lead lost."""
    signal = ecg.signal.copy()
    signal[ecg.leads.index(lead), ecg.samples // 3 : ecg.samples // 2] = np.nan
    return replace(ecg, signal=signal)


ELECTRODES, SUMS, UNIT = "exchanged electrodes", "limb leads do not add up", "unit or gain"
FAULTS = (
    *(Fault(f"electrodes {way} exchanged", ELECTRODES, partial(electrodes_exchanged, way), way) for way in EXCHANGES),
    *(
        Fault(f"{arm} on the right leg", ELECTRODES, partial(to_the_right_leg, arm), f"{arm}-RL")
        for arm in ("RA", "LA")
    ),
    Fault("aVR and aVL in each other's place", SUMS, partial(renamed, "aVR", "aVL"), "aVR and aVL"),
    Fault("lead III turned over", SUMS, partial(lead_scaled, "III", -1), "III is −"),
    Fault("lead aVF at twice its gain", SUMS, partial(lead_scaled, "aVF", 2), "aVF is "),
    Fault("µV read as mV", UNIT, partial(scaled, 1000)),
    Fault("mV read as µV", UNIT, partial(scaled, 0.001)),
    Fault("ten times the gain", UNIT, partial(scaled, 10)),
    Fault("lead V3 in µV", "unit or gain of a lead", partial(lead_scaled, "V3", 1000), "V3"),
    Fault("lead V5 flat", "flat lead", partial(lead_scaled, "V5", 0), "V5"),
    Fault("leads V2 and V3 clipped", "voltage held at its end", partial(clipped, ["V2", "V3"]), "V2 and V3"),
    Fault("a sixth of V1 lost", "lost samples", partial(with_a_gap, "V1")),
)


# --- a collection on the disk ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Planted:
    """What `write_collection` planted: pairs of records by kind of copy, torn patients, absent and broken records."""

    copies: dict[str, list[tuple[str, str]]]
    torn: list[str]
    absent: list[str]
    broken: list[str]


def write_collection(folder: Path, ecgs: Sequence[Ecg], seed: int) -> Planted:
    """Write ECGs with planted.csv into `folder`: a share of them twice under other patients, some patients in two folds."""
    few = min(COPIES, len(ecgs) // 4)
    order = np.random.default_rng(seed).permutation(len(ecgs)).tolist()
    rows = {f"r{at:04d}": [f"r{at:04d}", f"p{at}", 1 + at % 10] for at in range(len(ecgs))}
    for at, ecg in enumerate(ecgs):
        write_wfdb(folder, f"r{at:04d}", ecg)
    copies: dict[str, list[tuple[str, str]]] = {what: [] for what in COPY_WAYS}
    for number, (what, write) in enumerate(COPY_WAYS.items()):
        for at in order[:few]:
            name = f"r{at:04d}-{number}"
            write(folder, name, ecgs[at])
            rows[name] = [name, f"q{at}-{number}", 1 + at % 10]
            copies[what].append((f"r{at:04d}", name))
    for at in order[few : 2 * few]:  # a second record of this patient, in another fold
        rows[f"r{at:04d}-t"] = [f"r{at:04d}-t", f"p{at}", 1 + (at + 3) % 10]
        write_wfdb(folder, f"r{at:04d}-t", replace(ecgs[at], signal=ecgs[at].signal[:, ::-1]))
    absent, broken = ([f"r{at:04d}" for at in order[2 * few + start : 2 * few + start + 3]] for start in (0, 3))
    for name in absent:
        (folder / f"{name}.hea").unlink()
        (folder / f"{name}.dat").unlink()
    for name in broken:
        (folder / f"{name}.dat").write_bytes((folder / f"{name}.dat").read_bytes()[:-100])
    with (folder / "planted.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "patient", "fold"), *rows.values()])
    return Planted(copies, [f"p{at}" for at in order[few : 2 * few]], absent, broken)


def _write_in_microvolts(folder: Path, name: str, ecg: Ecg) -> None:
    """Write an ECG whose header gives a gain that makes its voltages a thousand times as large."""
    write_wfdb(folder, name, ecg)
    header = folder / f"{name}.hea"
    header.write_text(header.read_text().replace(" 1000(0)/mV", " 1(0)/mV").replace(" 1000/mV", " 1/mV"))


def _write_louder(folder: Path, name: str, ecg: Ecg) -> None:
    write_wfdb(folder, name, replace(ecg, signal=np.float32(0.8) * ecg.signal + np.float32(0.2)))


def _write_halved(folder: Path, name: str, ecg: Ecg) -> None:
    write_wfdb(folder, name, replace(ecg, signal=ecg.signal[:, ::2], rate=ecg.rate / 2))


COPY_WAYS: dict[str, Callable[[Path, str, Ecg], None]] = {
    "the same voltages under another patient": write_wfdb,
    "in µV read as mV": _write_in_microvolts,
    "at 0.8 times the gain, with an offset of 0.2 mV": _write_louder,
    "every other sample": _write_halved,
}
