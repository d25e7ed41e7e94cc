"""A study's cells put together by what they answer: one question a target and task, its arms, their units and folds."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecgenough.errors import EcgenoughError
from ecgenough.scoring.folds import Fold, Unit
from ecgenough.scoring.metrics import Predictions, Unscorable
from ecgenough.studies.handful import Sides, sides
from ecgenough.studies.results import Answers, Cell, Results

SCRATCH = "scratch"
Place = tuple[int, int]  # a repeat and a fold
UnitKey = tuple[int, int]  # a seed and a repeat


@dataclass(frozen=True, eq=False)
class Arm:
    """One configuration at one size: all its cells, and the answers of its complete units by fold.

    A unit is complete when every fold of its repeat is done; others are left out, as their mean would be of other records.
    """

    cells: tuple[Cell, ...]
    units: Mapping[UnitKey, Mapping[int, tuple[Cell, Answers]]]

    @property
    def first(self) -> Cell:
        return self.cells[0]

    @property
    def name(self) -> str:
        return self.first.arm

    @property
    def size(self) -> int | None:
        """The training records its cells were allowed; None for all there are."""
        return self.first.size

    @property
    def mode(self) -> str:
        return self.first.mode

    @property
    def is_network(self) -> bool:
        return self.first.kind == "network"

    @property
    def body(self) -> str:
        """What is the same whatever the transfer: the arm's name without its mode and source."""
        return re.sub(rf" {re.escape(self.mode)}( from .+)?$", "", self.name) if self.mode else self.name

    @property
    def way(self) -> str:
        """The mode, and the source too where the arm's name holds it."""
        return self.name[len(self.body) :].strip() or self.mode

    @property
    def train_records(self) -> float | None:
        """The mean number of training records of the cells that state it; the size where none does."""
        stated = [cell.train_records for cell in self.cells if cell.train_records is not None]
        return float(np.mean(stated)) if stated else self.size

    @property
    def test_to_train(self) -> float:
        """Test records for each training record, which counts where splits are repeated; 0 of a single split."""
        if len({repeat for _, repeat in self.units}) < 2:
            return 0.0
        if self.train_records is None:
            raise Unscorable("repeated splits cannot be judged without train_records, which cells.csv does not state.")
        tested = [len(answers.records) for unit in self.units.values() for _, answers in unit.values()]
        return float(np.mean(tested)) / self.train_records


@dataclass(frozen=True, eq=False)
class Question:
    """A target and a task: everything that was tried on the same records.

    `arms` are compared, all of one size; `sized` holds every size of every arm, smallest first. `incomplete` have no figures.
    `left_out` test records are missing from the answers of some cell of their fold, and so from all.
    """

    target: str
    task: str
    classes: tuple[str, ...]
    titles: tuple[str, ...]
    patients: tuple[str, ...]
    arms: tuple[Arm, ...]
    sized: Mapping[str, tuple[Arm, ...]]
    incomplete: tuple[Arm, ...]
    left_out: int

    def unit(self, arm: Arm, key: UnitKey) -> Unit:
        """The folds of one unit of an arm as the statistics take them."""
        return tuple(self.fold(*one) for one in arm.units[key].values())

    def fold(self, cell: Cell, answers: Answers) -> Fold:
        """One cell's answers, its patients as places in `patients`."""
        scored = Predictions(answers.labels, answers.probabilities, cell.thresholds)
        return Fold(scored, np.searchsorted(self._names, answers.patients))

    def arm(self, name: str) -> Arm:
        """The compared arm of that name, which is one of `arms`."""
        return next(arm for arm in self.arms if arm.name == name)

    @cached_property
    def _names(self) -> np.ndarray:
        return np.asarray(self.patients, dtype=np.str_)

    @property
    def repeats(self) -> int:
        """How many times the records were divided anew."""
        return len({repeat for arm in self.arms for _, repeat in arm.units})

    @property
    def folds(self) -> int:
        """How many folds each repeat has."""
        return len({fold for arm in self.arms for unit in arm.units.values() for fold in unit})

    @property
    def sides(self) -> list[Sides]:
        """The test patients who have each class, and those who have not."""
        labels, patients = zip(*((answers.labels, answers.patients) for answers in self.test_answers), strict=True)
        return sides(np.concatenate(labels), np.concatenate(patients))

    @property
    def deciding(self) -> dict[str, Sides]:
        """Of each class, who decided a threshold in validation: in the compared cell with the fewest on a side.

        A class without any of a side has no chosen threshold and is left out, as are cells that do not state who decided.
        """
        stated = [cell.validation_sides for arm in self.arms for cell in arm.cells if cell.validation_sides]
        known = {name: [one[place] for one in stated] for place, name in enumerate(self.classes)}
        chosen = {name: [one for one in ones if one.smaller[0]] for name, ones in known.items()}
        return {name: min(ones, key=lambda one: one.smaller[0]) for name, ones in chosen.items() if ones}

    @property
    def test_answers(self) -> tuple[Answers, ...]:
        """Every test record once: the folds of the first repeat."""
        if not self.arms:
            return ()
        unit = next(iter(self.arms[0].units.values()))
        return tuple(answers for _, answers in unit.values())


def ask(results: Results) -> tuple[Question, ...]:
    """The study's questions in the order of its cells.

    Raises EcgenoughError where cells of one question disagree on classes, or on the labels of a record.
    """
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in results.cells:
        groups.setdefault((cell.target, cell.task), []).append(cell)
    return tuple(_question(results, cells) for cells in groups.values())


def _question(results: Results, cells: Sequence[Cell]) -> Question:
    done = [cell for cell in cells if cell.status == "done"]
    named = {cell.classes: cell for cell in done}
    if len(named) > 1:
        one, other, *_ = named.values()
        raise EcgenoughError(f"cells {one.cell} and {other.cell} answer {one.task} on {one.target} in other classes.")
    answers, left_out = _common({cell.cell: results.answers(cell) for cell in done}, done)
    sized = _sized(cells, answers)
    complete = {name: tuple(arm for arm in arms if arm.units) for name, arms in sized.items()}
    size = _compared_size(arm for arms in complete.values() for arm in arms)
    compared = tuple(arm for arms in complete.values() for arm in arms if arm.size == size)
    first = done[0] if done else cells[0]
    return Question(
        target=first.target,
        task=first.task,
        classes=first.classes,
        titles=first.titles,
        patients=tuple(sorted({str(name) for one in answers.values() for name in one.patients})),
        arms=compared,
        sized={name: arms for name, arms in complete.items() if arms},
        incomplete=tuple(arm for arms in sized.values() for arm in arms if not arm.units),
        left_out=left_out,
    )


def _common(answers: Mapping[str, Answers], cells: Iterable[Cell]) -> tuple[dict[str, Answers], int]:
    """The answers cut to the records that all cells of a fold share, in one order, and how many records that leaves out."""
    places: dict[Place, list[Cell]] = {}
    for cell in cells:
        places.setdefault((cell.repeat, cell.fold), []).append(cell)
    cut, left_out = {}, 0
    for together in places.values():
        records = [set(answers[cell.cell].records.tolist()) for cell in together]
        shared = set.intersection(*records)
        if not shared:
            raise EcgenoughError(f"cells of repeat {together[0].repeat}, fold {together[0].fold} share no test record.")
        left_out += len(set.union(*records)) - len(shared)
        for cell in together:
            one = answers[cell.cell]
            order = np.argsort(one.records, kind="stable")
            kept = order[np.isin(one.records[order], list(shared))]
            cut[cell.cell] = one.taken(kept)
        _check_labels(together, cut)
    return cut, left_out


def _check_labels(together: Sequence[Cell], answers: Mapping[str, Answers]) -> None:
    first, *others = together
    for other in others:
        differing = np.flatnonzero((answers[first.cell].labels != answers[other.cell].labels).any(axis=1))
        if differing.size:
            record = answers[first.cell].records[differing[0]]
            raise EcgenoughError(
                f"cells {first.cell} and {other.cell} have different labels for record {record}; they cannot be compared."
            )


def _sized(cells: Sequence[Cell], answers: Mapping[str, Answers]) -> dict[str, tuple[Arm, ...]]:
    """Every size of every arm, in the order of the study, smaller sizes first."""
    needed: dict[int, set[int]] = {}
    for cell in cells:
        needed.setdefault(cell.repeat, set()).add(cell.fold)
    groups: dict[str, dict[int | None, list[Cell]]] = {}
    for cell in cells:
        groups.setdefault(cell.arm, {}).setdefault(cell.size, []).append(cell)
    return {
        name: tuple(_arm(sizes[size], needed, answers) for size in sorted(sizes, key=_order_of_size))
        for name, sizes in groups.items()
    }


def _arm(cells: Sequence[Cell], needed: Mapping[int, set[int]], answers: Mapping[str, Answers]) -> Arm:
    units: dict[UnitKey, dict[int, tuple[Cell, Answers]]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.seed, cell.repeat, cell.fold)):
        if cell.status == "done":
            units.setdefault((cell.seed, cell.repeat), {})[cell.fold] = (cell, answers[cell.cell])
    return Arm(tuple(cells), {key: unit for key, unit in units.items() if set(unit) == needed[key[1]]})


def _compared_size(arms: Iterable[Arm]) -> int | None:
    """All training records where any arm has used them, otherwise the largest number."""
    return max((arm.size for arm in arms), key=_order_of_size, default=None)


def _order_of_size(size: int | None) -> float:
    return float("inf") if size is None else size
