"""What makes one doubt a recording, said as a doubt, with the numbers that raised it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ecgenough.ecg import STANDARD_LEADS
from ecgenough.inspection.record import Look
from ecgenough.sentences import counted, listing
from ecgenough.signals.plausibility import LARGEST, SMALLEST

# Each kind, and what it may mean.
KINDS = {
    "exchanged electrodes": "Two limb electrodes may have been exchanged. Other causes look alike: dextrocardia, an ectopic "
    "atrial rhythm, an old infarction. Look at the ECG before changing anything.",
    "limb leads do not add up": "Einthoven's and Goldberger's leads are sums of each other whatever the heart does; where "
    "they are not, a lead is exchanged, turned over, filtered otherwise or at another gain.",
    "unit or gain": "Beats far larger or smaller than the collection's: µV or counts read as mV, or a wrong gain.",
    "unit or gain of a lead": "One lead far larger or smaller than its neighbours: its own gain, or a loose electrode.",
    "flat lead": "A lead that never varies: an electrode was off, or the lead was never recorded.",
    "mostly flat lead": "A lead that does not vary for more than half of the time.",
    "voltage held at its end": "A lead rests on its highest or lowest voltage again and again: the amplifier or the file "
    "could hold no more, and the waves are cut off.",
    "lost samples": "Samples without a voltage, or with one that no electrode gives.",
    "absent leads": "Leads that other recordings of the collection have.",
    "poor quality": "The three worst leads together hold little that looks like an ECG.",
}

TIMES_MIDDLE = (0.1, 6.0)  # of the collection's middle beat; those of PTB-XL lie within 0.29 and 3.8
TIMES_NEIGHBOURS = (1 / 50, 20.0)  # of the recording's middle lead
POOR = 0.3  # quality; of the Challenge of 2011, 36% of the unacceptable lie below and none of the acceptable


@dataclass(frozen=True)
class Suspicion:
    """One doubt about one record: its place in the listing, its kind, the leads concerned, and the evidence.

    `strength` orders those of one kind; it means something else for each. Exchanged electrodes come by the recording's
    quality: what is seen in a poor one may be noise.
    """

    place: int
    record: str
    kind: str
    leads: tuple[str, ...]
    evidence: str
    strength: float


def suspicions(records: Sequence[str], looks: Sequence[Look | str]) -> list[Suspicion]:
    """Every doubt about the records that could be read, by kind in the order of KINDS, the strongest first."""
    read = [(place, found) for place, found in enumerate(looks) if isinstance(found, Look)]
    middle = middle_height([found for _, found in read])
    usual = usual_leads([found for _, found in read])
    every = [Suspicion(place, records[place], *one) for place, found in read for one in raised(found, middle, usual)]
    order = list(KINDS)
    return sorted(every, key=lambda one: (order.index(one.kind), -one.strength, one.place))


def middle_height(looks: Sequence[Look]) -> float:
    """The collection's median of the mV that a beat spans; NaN where none has beats."""
    heights = [found.height for found in looks if found.height > 0]
    return float(np.median(heights)) if heights else float("nan")


def usual_leads(looks: Sequence[Look]) -> tuple[str, ...]:
    """Those of the twelve that at least half of the recordings have."""
    counts = {lead: sum(lead in found.leads for found in looks) for lead in STANDARD_LEADS}
    return tuple(lead for lead, count in counts.items() if 2 * count >= len(looks) > 0)


Raised = tuple[str, tuple[str, ...], str, float]  # kind, leads, evidence, strength


def raised(found: Look, middle: float, usual: tuple[str, ...]) -> Iterator[Raised]:
    """What one record raises in a collection of that `middle_height` and these `usual_leads`."""
    if found.exchange is not None:
        yield "exchanged electrodes", (), found.exchange.sentence, found.score
    if found.misfit is not None:
        yield "limb leads do not add up", found.misfit.leads, found.misfit.sentence, found.misfit.share
    yield from _of_heights(found, middle)
    yield from _of_leads(found, usual)
    if found.lost:
        yield "lost samples", (), f"{counted(found.lost, 'sample')} without a voltage.", found.lost
    if found.score < POOR:
        worst = sorted(zip(found.scores, found.leads, strict=True))[:3]
        said = ", ".join(f"{lead} {score:.2f}" for score, lead in worst)
        yield "poor quality", tuple(lead for _, lead in worst), f"Quality {found.score:.2f}; {said}.", -found.score


def _of_leads(found: Look, usual: tuple[str, ...]) -> Iterator[Raised]:
    """Leads that are flat, held at an end, or not there."""
    absent = tuple(lead for lead in usual if lead not in found.leads)
    for kind, leads, one, many in (
        ("flat lead", found.flat, "never varies by 1 µV", "never vary by 1 µV"),
        (
            "mostly flat lead",
            found.still,
            "rests for more than half of the time",
            "rest for more than half of the time",
        ),
        ("voltage held at its end", found.ended, "rests on its extreme voltage", "rest on their extreme voltages"),
        ("absent leads", absent, "is absent", "are absent"),
    ):
        if leads:
            yield kind, leads, f"{listing(leads)} {one if len(leads) == 1 else many}.", len(leads)


def _of_heights(found: Look, middle: float) -> Iterator[Raised]:
    """Beats that no heart gives, or far from those of the collection; then single leads far from their neighbours."""
    low, high = TIMES_MIDDLE
    times = found.height / middle if middle > 0 else 1.0
    if found.height > 0 and not (SMALLEST <= found.height <= LARGEST and low <= times <= high):
        yield (
            "unit or gain",
            (),
            f"A beat spans {found.height:.3g} mV, {times:.3g} times the collection's middle of {middle:.3g} mV; the least "
            f"step between voltages is {found.step:.3g} µV.",
            abs(float(np.log(times))),
        )
        return
    alive = [height for height in found.heights if height > 0]
    own = float(np.median(alive)) if alive else 0.0
    few, many = TIMES_NEIGHBOURS
    odd = {
        lead: height / own
        for lead, height in zip(found.leads, found.heights, strict=True)
        if own > 0 and height > 0 and not few <= height / own <= many
    }
    if odd:
        said = ", ".join(f"in {lead} {ratio:.3g} times" for lead, ratio in odd.items())
        most = max(abs(float(np.log(ratio))) for ratio in odd.values())
        yield "unit or gain of a lead", tuple(odd), f"Beats span {said} the middle lead's {own:.3g} mV.", most
