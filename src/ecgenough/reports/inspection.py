"""The page about an inspected collection, and beside it everything found as JSON and CSV."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ecgenough import formats
from ecgenough.ecg import STANDARD_LEADS
from ecgenough.errors import EcgenoughError
from ecgenough.files import write_text
from ecgenough.inspection import Inspection, as_json
from ecgenough.inspection.inspection import has_same_labels
from ecgenough.inspection.suspicions import KINDS, POOR, Suspicion
from ecgenough.reports import inspection_figures as figures
from ecgenough.reports import inspection_tables as tables
from ecgenough.reports.data_table import Table, as_csv
from ecgenough.reports.ecg_paper import STANDARD_SECONDS, draw_ecg
from ecgenough.reports.plot import Figure
from ecgenough.reports.shell import render
from ecgenough.reports.words import CITATIONS
from ecgenough.sentences import agreed, counted, listing

PAGE, NUMBERS, SUSPICIONS, RECORDS, COPIES = (
    "inspection.html", "inspection.json", "suspicions.csv", "records.csv", "copies.csv",
)  # fmt: skip
MOST_LISTED = 300  # rows of one table on the page; the CSV files hold all
MOST_CLASSES, A_CLASS = 12, 1  # examples
DOUBTED = 2  # examples of each kind of suspicion
WORST = 6  # examples
MOST_MILLIVOLTS = 5.0  # either way; what is higher is drawn as that high, and said
SIMULATED = "The ECGs are simulated."


@dataclass(frozen=True)
class Drawing:
    """One ECG on paper, whose it is, and what is said of it."""

    record: str
    about: str
    said: tuple[str, ...]
    paper: Markup


@dataclass(frozen=True)
class Kind:
    """One kind of suspicion with its records and a few of their ECGs."""

    key: str
    name: str
    meaning: str
    table: Table
    hidden: int
    drawings: list[Drawing]


@dataclass(frozen=True)
class Page:
    """Everything the template shows."""

    title: str
    answer: str
    caution: str
    tiles: list[tuple[str, str, str]]
    kinds: list[Kind]
    kinds_table: Table
    prevalence: Figure | None
    together: Figure | None
    task: str
    label_tables: list[Table]
    recordings: list[Table]
    spreads: list[Figure]
    people: list[Figure]
    folds: Table
    torn: Table
    copies: Table
    hidden_copies: int
    left_out: Table
    hidden_left_out: int
    examples: list[Drawing]
    worst: list[Drawing]
    citation: str


def write_inspection(inspection: Inspection, out: Path) -> Path:
    """Write the page, inspection.json and the CSV tables into the folder `out`; returns the page's path."""
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / NUMBERS, json.dumps(as_json(inspection), indent=1, ensure_ascii=False) + "\n")
    everything = tables.suspicions_table(inspection, list(inspection.suspicions), "Suspicions")
    for name, table in (
        (SUSPICIONS, everything),
        (RECORDS, tables.records_table(inspection)),
        (COPIES, tables.copies_table(inspection)),
    ):
        write_text(out / name, as_csv([table], [()], ()))
    write_text(out / PAGE, render("inspection.html", page(inspection)))
    return out / PAGE


def page(inspection: Inspection) -> Page:
    """Work out every sentence, table, figure and drawing."""
    dataset, read = inspection.dataset, inspection.read
    copies, hidden_copies = _cut(tables.copies_table(inspection))
    left_out, hidden_left_out = _cut(tables.left_out_table(inspection))
    labels = inspection.labels
    return Page(
        title=f"What is in {dataset.name}",
        answer=_answer(inspection),
        caution=SIMULATED if dataset.name == "simulated" else "",
        tiles=_tiles(inspection),
        kinds=[_kind(inspection, kind) for kind in KINDS if inspection.of_kind(kind)],
        kinds_table=tables.kinds_table(inspection),
        prevalence=figures.prevalence_figure(labels) if labels else None,
        together=figures.together_figure(labels) if labels else None,
        task=labels.task if labels else "",
        label_tables=[tables.classes_table(labels), tables.together_table(labels)] if labels else [],
        recordings=[
            tables.counts_table("rates", "Samples a second", "Hz", (f"{found.rate:g}" for _, found in read)),
            tables.counts_table("seconds", "Length", "Seconds", (f"{found.seconds:.3g}" for _, found in read)),
            tables.counts_table("units", "Unit and gain as stated", "Unit", (found.unit for _, found in read)),
            tables.counts_table("leads", "Leads", "Leads", (_leads(found.leads) for _, found in read)),
        ],
        spreads=_spreads(inspection),
        people=_people(inspection),
        folds=tables.folds_table(inspection),
        torn=tables.torn_table(inspection),
        copies=copies,
        hidden_copies=hidden_copies,
        left_out=left_out,
        hidden_left_out=hidden_left_out,
        examples=_examples(inspection),
        worst=_worst(inspection),
        citation=CITATIONS.get(dataset.name, ""),
    )


def _answer(inspection: Inspection) -> str:
    read = len(inspection.read)
    doubted = len({one.place for one in inspection.suspicions})
    found = [
        f"{counted(read, 'record')} of {counted(_patients_read(inspection), 'patient')} could be read"
        + (f", {inspection.listed - read:,} could not" if inspection.listed > read else ""),
        f"{counted(doubted, 'record')} {agreed(doubted, 'raises', 'raise')} a suspicion",
    ]
    if inspection.copies:
        strangers = len(_strangers(inspection))
        under = f", {strangers:,} of them under two patients" if strangers else ""
        have = agreed(len(inspection.copies), "has", "have")
        contrary = sum(has_same_labels(inspection, one) is False for one in inspection.copies)
        labelled = f"{' and' if under else ','} {contrary:,} with different labels" if contrary else ""
        found.append(f"{counted(len(inspection.copies), 'pair')} of records {have} one waveform{under}{labelled}")
    if inspection.torn:
        have = agreed(len(inspection.torn), "has", "have")
        found.append(f"{counted(len(inspection.torn), 'patient')} {have} records in several folds")
    return f"{'; '.join(found)}."


def _patients_read(inspection: Inspection) -> int:
    return len({inspection.dataset.patients[place] for place, _ in inspection.read})


def _strangers(inspection: Inspection) -> list[object]:
    patients = inspection.dataset.patients
    return [one for one in inspection.copies if patients[one.first] != patients[one.second]]


def _tiles(inspection: Inspection) -> list[tuple[str, str, str]]:
    read = [found for _, found in inspection.read]
    scores = np.array([found.score for found in read])
    patients = len(set(inspection.dataset.patients))
    of = f"of {patients:,} listed, " if patients > _patients_read(inspection) else ""
    return [
        ("Records read", f"{len(read):,}", f"of {inspection.listed:,} listed"),
        ("Patients", f"{_patients_read(inspection):,}", f"{of}{len(inspection.torn):,} in several folds"),
        (
            "Absent or broken",
            f"{len(inspection.absent) + len(inspection.broken):,}",
            f"{len(inspection.absent):,} absent",
        ),
        ("Pairs alike", f"{len(inspection.copies):,}", f"{len(_strangers(inspection)):,} under two patients"),
        ("Poor quality", f"{int((scores < POOR).sum()):,}", f"median quality {np.median(scores):.2f}"),
    ]


def _cut(table: Table) -> tuple[Table, int]:
    """The table as the page shows it, and how many rows it leaves out."""
    shown = table.shown()
    hidden = max(0, len(shown.rows) - MOST_LISTED)
    return Table(shown.name, shown.caption, shown.columns, shown.rows[:MOST_LISTED]), hidden


def _kind(inspection: Inspection, kind: str) -> Kind:
    found = inspection.of_kind(kind)
    table, hidden = _cut(tables.suspicions_table(inspection, found, kind.capitalize()))
    shown = found[:DOUBTED] if kind not in ("absent leads", "poor quality") else []
    return Kind(kind.replace(" ", "-"), kind.capitalize(), KINDS[kind], table, hidden, _drawings(inspection, shown))


def _drawings(inspection: Inspection, doubts: Iterable[Suspicion]) -> list[Drawing]:
    found = (_drawing(inspection, one.place, (one.evidence,)) for one in doubts)
    return [one for one in found if one is not None]


def _spreads(inspection: Inspection) -> list[Figure]:
    read = [found for _, found in inspection.read]
    drawn = [
        figures.histogram("Quality", "quality, 0 to 1", [("k0", "", [found.score for found in read])],
                          "The mean of the three worst leads; 1 is an ECG without fault."),
        figures.histogram("Height of a beat", "mV", [("k0", "", [found.height for found in read])],
                          "What a beat spans in the middle lead."),
        figures.histogram("Heart rate", "beats a minute", [("k0", "", [found.beats for found in read])]),
        figures.histogram("Length", "seconds", [("k0", "", [found.seconds for found in read])])
        if len({round(found.seconds, 1) for found in read}) > 1 else None,
    ]  # fmt: skip
    return [one for one in drawn if one is not None]


def _people(inspection: Inspection) -> list[Figure]:
    """Ages by sex, of the records."""
    dataset = inspection.dataset
    sexes = np.array(dataset.sexes)
    groups = [
        (key, name, dataset.ages[sexes == sex])
        for key, sex, name in (("k1", "female", "women"), ("k0", "male", "men"), ("rest", "", "sex unknown"))
        if (sexes == sex).any()
    ]
    unknown = int(np.isnan(dataset.ages).sum())
    said = f"The age of {counted(unknown, 'record')} is not known." if unknown else ""
    drawn = figures.histogram("Age and sex", "years", groups, said)
    return [drawn] if drawn else []


def _examples(inspection: Inspection) -> list[Drawing]:
    """Records drawn at random: of each frequent class, or of all where there are no labels."""
    rng, labels = np.random.default_rng(0), inspection.labels
    read = np.array([place for place, _ in inspection.read])
    if labels is None:
        chosen = [(place, "") for place in rng.permutation(read)[:WORST].tolist()]
    else:
        task, chosen, taken = inspection.dataset.task(labels.task), [], set[int]()
        for at in np.argsort(-labels.counts, kind="stable")[:MOST_CLASSES].tolist():
            having = read[np.nan_to_num(task.labels[read, at]) > 0]
            places = [place for place in rng.permutation(having).tolist() if place not in taken][:A_CLASS]
            taken.update(places)
            chosen += [
                (place, f"Drawn at random from {_titled(labels.classes[at], labels.titles[at])}.") for place in places
            ]
    found = [_drawing(inspection, place, (said,) if said else ()) for place, said in chosen]
    return [one for one in found if one is not None]


def _titled(name: str, title: str) -> str:
    return name if name == title else f"{name} ({title})"


def _worst(inspection: Inspection) -> list[Drawing]:
    lowest = sorted(inspection.read, key=lambda one: one[1].score)[:WORST]
    found = [_drawing(inspection, place, (f"Quality {look.score:.2f}.",)) for place, look in lowest]
    return [one for one in found if one is not None]


def _drawing(inspection: Inspection, place: int, said: tuple[str, ...]) -> Drawing | None:
    """The first ten seconds of a record on paper; None where it cannot be read any more."""
    dataset = inspection.dataset
    try:
        ecg = formats.read(dataset.root / dataset.paths[place], dataset.layout)
    except (EcgenoughError, OSError):
        return None
    signal = ecg.signal[:, : round(STANDARD_SECONDS * ecg.rate)].astype(np.float64)
    level = np.nan_to_num(np.nanmedian(np.where(np.isfinite(signal).any(axis=1, keepdims=True), signal, 0.0), axis=1))
    centred = np.clip(signal - level[:, None], -MOST_MILLIVOLTS, MOST_MILLIVOLTS)
    facts = (
        f"patient {dataset.patients[place]}",
        f"fold {dataset.folds[place]}",
        _person(inspection, place),
        _given(inspection, place),
    )
    about = ", ".join(fact for fact in facts if fact)
    said = (*said, *_cut_off(ecg.leads, signal - level[:, None]))
    return Drawing(dataset.records[place], about, said, Markup(draw_ecg(centred, ecg.rate, ecg.leads)))


def _cut_off(leads: Sequence[str], centred: NDArray[np.float64]) -> list[str]:
    """Which leads the drawing cuts off: it looks as if the recorder had."""
    most = np.abs(np.nan_to_num(centred)).max(axis=1)
    beyond = [lead for lead, height in zip(leads, most, strict=True) if height > MOST_MILLIVOLTS]
    goes = agreed(len(beyond), "goes", "go")
    return [f"Drawn up to {MOST_MILLIVOLTS:g} mV; {listing(beyond)} {goes} beyond."] if beyond else []


def _person(inspection: Inspection, place: int) -> str:
    age, sex = float(inspection.dataset.ages[place]), inspection.dataset.sexes[place]
    return " ".join([*([f"{age:.0f} years"] if np.isfinite(age) else []), *([sex] if sex else [])])


def _given(inspection: Inspection, place: int) -> str:
    labels = inspection.labels
    if labels is None:
        return ""
    task = inspection.dataset.task(labels.task)
    given = [name for name, one in zip(task.classes, task.labels[place], strict=True) if one > 0]
    return f"labelled {listing(given)}" if given else ""


def _leads(leads: Sequence[str]) -> str:
    return "the twelve standard leads" if set(leads) == set(STANDARD_LEADS) else ", ".join(leads)
