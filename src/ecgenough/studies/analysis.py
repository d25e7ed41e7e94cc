"""What a study's folder says in numbers: every arm's figures, their differences, learning curves and subgroups."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ecgenough.errors import EcgenoughError
from ecgenough.scoring.intervals import RESAMPLES
from ecgenough.scoring.metrics import METRICS, Unscorable
from ecgenough.scoring.repeated import AUC, Interval, Measured, class_interval, interval, measure_units, moderated
from ecgenough.studies.contrasts import Asked, Comparison, compare
from ecgenough.studies.handful import not_asked
from ecgenough.studies.learning_curve import LearningCurve, learning_curve
from ecgenough.studies.questions import SCRATCH, Arm, Question, ask
from ecgenough.studies.results import Cell, Results
from ecgenough.studies.subgroups import Subgroup, subgroups

BASELINE, BEST, TRANSFER, MODES = (
    "against the best baseline",
    "against the best",
    "transfer, by network",
    "modes, averaged",
)
COMPARED = (AUC, "average_precision", "brier")


@dataclass(frozen=True, eq=False)
class Standing:
    """One arm's figures and what they cost. `tied` says that it cannot be told apart from the best of all arms."""

    arm: Arm
    figures: Mapping[str, Interval]
    classes: Mapping[str, Interval]
    best: bool
    tied: bool
    seconds: float | None  # a cell, in the mean

    @property
    def auc(self) -> Interval:
        return self.figures[AUC]

    @property
    def name(self) -> str:
        return self.arm.name


@dataclass(frozen=True, eq=False)
class Analysis:
    """Everything that is said about one question. `standings` run from the highest AUC down."""

    question: Question
    cells: tuple[Cell, ...]
    standings: tuple[Standing, ...]
    comparisons: tuple[Comparison, ...]
    curves: tuple[LearningCurve, ...]
    subgroups: tuple[Subgroup, ...]

    @property
    def best_network(self) -> Standing | None:
        """The network of the highest AUC; None where no network has figures."""
        return next((one for one in self.standings if one.arm.is_network), None)

    @property
    def best_baseline(self) -> Standing | None:
        """The baseline of the highest AUC; None where no baseline has figures."""
        return next((one for one in self.standings if not one.arm.is_network), None)

    @property
    def tied(self) -> tuple[Standing, ...]:
        """The best arm and all that cannot be told apart from it."""
        return tuple(one for one in self.standings if one.best or one.tied)

    @property
    def failed(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.status == "failed")

    def family(self, name: str, metric: str = AUC) -> list[Comparison]:
        """The comparisons of one family (BASELINE, BEST, TRANSFER or MODES) in one figure."""
        return [one for one in self.comparisons if one.family == name and one.metric == metric]

    @property
    def not_asked(self) -> str:
        """Why nothing is compared, where no class has enough test patients on both sides; else nothing."""
        return not_asked(self.question.sides) if len(self.standings) > 1 else ""

    @property
    def covers(self) -> str:
        """What the intervals allow for, and what they do not."""
        units = [len(one.arm.units) for one in self.standings if one.arm.is_network]
        what = "other patients of the same kind"
        carried = any(one.arm.first.source for one in self.standings)
        source = ", nor learning a source again" if carried else ""
        again = f"training again with another seed or split, but not another collection to train on{source}"
        if not units or max(units) == 1:
            return f"{what}, but not training again"
        return f"{what}, and {again}" if min(units) > 1 else f"{what}, and, where there are several runs, {again}"


def analyse(results: Results, resamples: int = RESAMPLES) -> tuple[Analysis, ...]:
    """Answer each question of a study. Raises EcgenoughError for a folder that is damaged or contradicts itself."""
    found = []
    for question in ask(results):
        cells = [cell for cell in results.cells if (cell.target, cell.task) == (question.target, question.task)]
        try:
            found.append(_analysis(question, cells, resamples))
        except Unscorable as error:
            raise EcgenoughError(f"{question.task} on {question.target} cannot be scored: {error}") from None
    return tuple(found)


def _analysis(question: Question, cells: Sequence[Cell], resamples: int) -> Analysis:
    measured = measure_all(question, resamples)
    compared = {arm.name: measured[arm.name, arm.size] for arm in question.arms}
    order = sorted(question.arms, key=lambda arm: -compared[arm.name].macro[AUC].value)
    metrics = () if order and not_asked(question.sides) else COMPARED
    comparisons = [one for metric in metrics for one in _comparisons(question, order, compared, metric)]
    standings = tuple(_standing(question, arm, compared[arm.name], order, comparisons) for arm in order)
    sober = next((compared[arm.name].macro[AUC].value for arm in order if not arm.is_network), None)
    curves = tuple(
        learning_curve(arms, {arm.size: measured[name, arm.size] for arm in arms}, sober)
        for name, arms in question.sized.items()
        if len(arms) > 1
    )
    leaders = [next((arm for arm in order if arm.is_network is kind), None) for kind in (True, False)]
    shown = subgroups(question, [arm for arm in leaders if arm is not None])
    return Analysis(question, tuple(cells), standings, tuple(comparisons), curves, shown)


def measure_all(question: Question, resamples: int) -> dict[tuple[str, int | None], Measured]:
    """The figures of every arm at every size.

    Networks at the same size lend each other how much training varies; one that is alone at its size, all of any size.
    """
    arms = [arm for sizes in question.sized.values() for arm in sizes]
    alone = {(arm.name, arm.size): measure(question, arm, resamples) for arm in arms}
    networks = [(arm.name, arm.size) for arm in arms if arm.is_network]
    measured = dict(alone)
    for size in {size for _, size in networks}:
        alike = [key for key in networks if key[1] == size]
        among = alike if len(alike) > 1 else networks
        lent = dict(zip(among, moderated([alone[key] for key in among]), strict=True))
        measured |= {key: lent[key] for key in alike}
    return measured


def measure(question: Question, arm: Arm, resamples: int) -> Measured:
    """The figures of one arm by itself."""
    return measure_units(
        {key: question.unit(arm, key) for key in arm.units},
        question.patients,
        resamples=resamples,
        test_to_train=arm.test_to_train,
    )


def _standing(
    question: Question, arm: Arm, measured: Measured, order: Sequence[Arm], comparisons: Sequence[Comparison]
) -> Standing:
    lag = [one for one in comparisons if one.family == BEST and one.metric == AUC and one.second == arm.name]
    seconds = [cell.seconds for cell in arm.cells if cell.seconds is not None]
    return Standing(
        arm,
        figures={metric: interval(measured, metric) for metric in METRICS},
        classes={
            name: class_interval(measured, place)
            for place, name in enumerate(question.classes)
            if not math.isnan(measured.class_auc[place].value)
        },
        best=arm is order[0],
        tied=not lag[0].told_apart if lag else arm is not order[0],
        seconds=float(np.mean(seconds)) if seconds else None,
    )


def _comparisons(
    question: Question, order: Sequence[Arm], measured: Mapping[str, Measured], metric: str
) -> list[Comparison]:
    """Every family of comparisons in one metric. Best means highest AUC, whatever the metric."""
    networks = [arm for arm in order if arm.is_network]
    baselines = [arm for arm in order if not arm.is_network]
    families = {
        BASELINE: [_pair(arm, baselines[0]) for arm in networks] if baselines else [],
        BEST: [_pair(order[0], arm) for arm in order[1:]],
        TRANSFER: [_pair(arm, scratch) for arm in networks if (scratch := _scratch(networks, arm))],
        MODES: mode_contrasts(networks),
    }
    return [one for name, asked in families.items() for one in compare(name, asked, metric, question, measured)]


def _pair(first: Arm, second: Arm) -> Asked:
    return Asked(first.name, second.name, {first.name: 1.0, second.name: -1.0})


def _scratch(networks: Sequence[Arm], arm: Arm) -> Arm | None:
    """The same network learned from scratch."""
    return next((one for one in networks if one.mode == SCRATCH and one.body == arm.body and arm.mode != SCRATCH), None)


def mode_contrasts(networks: Sequence[Arm]) -> list[Asked]:
    """Each way of transfer less scratch, and less each other way, averaged over the networks that have both."""
    ways = sorted({arm.way for arm in networks if arm.mode != SCRATCH})
    by_way = {way: {arm.body: arm for arm in networks if arm.way == way} for way in ways}
    scratch = {arm.body: arm for arm in networks if arm.mode == SCRATCH}
    pairs = [(way, SCRATCH, by_way[way], scratch) for way in ways]
    pairs += [(one, other, by_way[one], by_way[other]) for place, one in enumerate(ways) for other in ways[place + 1 :]]
    return [asked for first, second, ones, others in pairs if (asked := _averaged(first, second, ones, others))]


def _averaged(first: str, second: str, ones: Mapping[str, Arm], others: Mapping[str, Arm]) -> Asked | None:
    bodies = [body for body in ones if body in others]
    if not bodies:
        return None
    share = 1 / len(bodies)
    return Asked(first, second, {ones[b].name: share for b in bodies} | {others[b].name: -share for b in bodies})
