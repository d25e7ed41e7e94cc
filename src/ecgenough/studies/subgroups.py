"""The best network and the best baseline in women and men and by age, where there are enough to tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgenough.scoring.folds import Unit
from ecgenough.scoring.metrics import Unscorable
from ecgenough.scoring.repeated import AUC, Interval, Measured, interval, measure_units, moderated
from ecgenough.studies.questions import Arm, Question, UnitKey
from ecgenough.studies.results import Answers

FEWEST = 10  # patients on either side of every class that is there, below which an AUC says nothing
RESAMPLES = 2  # an AUC's interval needs no draws
AGES = ((0, 40, "under 40"), (40, 60, "40 to 59"), (60, 80, "60 to 79"), (80, 1000, "80 and over"))
Rows = Callable[[Answers], NDArray[np.bool_]]


@dataclass(frozen=True)
class Subgroup:
    """Some of the patients, and the AUC of each arm shown on them; None where they are too few."""

    what: str
    name: str
    records: int
    patients: int
    positives: tuple[int, ...]  # records, by class
    figures: Mapping[str, Interval | None]


def subgroups(question: Question, arms: list[Arm]) -> tuple[Subgroup, ...]:
    """Every sex and age band that has a record; those of unknown sex or age are a group too."""
    if not arms:
        return ()
    found = [_subgroup(question, arms, what, name, rows) for what, name, rows in _groups()]
    return tuple(one for one in found if one.records)


def _groups() -> list[tuple[str, str, Rows]]:
    of_sex = [("Sex", sex or "unknown", _of_sex(sex)) for sex in ("female", "male", "")]
    of_age = [("Age", name, _of_age(low, high)) for low, high, name in AGES]
    return [*of_sex, *of_age, ("Age", "unknown", lambda answers: np.isnan(answers.age))]


def _of_sex(sex: str) -> Rows:
    return lambda answers: np.asarray(answers.sex == sex)


def _of_age(low: float, high: float) -> Rows:
    return lambda answers: np.asarray((answers.age >= low) & (answers.age < high))


def _subgroup(question: Question, arms: list[Arm], what: str, name: str, rows: Rows) -> Subgroup:
    taken = [answers.taken(rows(answers)) for answers in question.test_answers]
    measured = _all_measured(question, arms, rows)
    patients = {str(patient) for answers in taken for patient in answers.patients}
    return Subgroup(
        what,
        name,
        records=sum(len(answers.records) for answers in taken),
        patients=len(patients),
        positives=tuple(int(count) for count in sum(answers.labels.sum(axis=0) for answers in taken)),
        figures={arm.name: _figure(measured[arm.name]) for arm in arms},
    )


def _all_measured(question: Question, arms: list[Arm], rows: Rows) -> dict[str, Measured | None]:
    """The figures of the arms on some rows; of how much training varies, all networks say something."""
    networks = [arm for arm in question.arms if arm.is_network]
    measured = {arm.name: _measured(question, arm, rows) for arm in {*networks, *arms}}
    known = {arm.name: one for arm in networks if (one := measured[arm.name])}
    return measured | dict(zip(known, moderated(list(known.values())), strict=True))


def _measured(question: Question, arm: Arm, rows: Rows) -> Measured | None:
    """The figures of an arm on some rows; None where no fold has any."""
    units: dict[UnitKey, Unit] = {}
    for key, folds in arm.units.items():
        taken = [(cell, answers.taken(rows(answers))) for cell, answers in folds.values()]
        units[key] = tuple(question.fold(cell, answers) for cell, answers in taken if len(answers.records))
    if not all(units.values()):
        return None
    return measure_units(units, question.patients, resamples=RESAMPLES, test_to_train=arm.test_to_train)


def _figure(measured: Measured | None) -> Interval | None:
    if measured is None or min((side for side in measured.sides if side), default=0) < FEWEST:
        return None
    try:
        return interval(measured, AUC)
    except Unscorable:  # enough in all, but not both sides in any one fold
        return None
