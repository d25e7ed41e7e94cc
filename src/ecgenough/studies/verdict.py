"""The verdict on one question, in sentences that follow from the numbers by these rules and from nothing else.

Differences count as told apart where their Holm-corrected p-value is below 0.05; anything else is called inconclusive, never
equal. The rules, in the order of the sentences:

- network: some network lies above the best sober baseline and is told apart from it ("better"); or the best network lies
  below it, told apart ("worse"); or neither ("inconclusive"). Without networks or baselines nothing is compared, nor on a
  handful of positives or negatives ("not asked"), which `studies.handful` counts and says.
- guessing: an AUC whose interval holds 0.5 is not told apart from guessing, whatever else is said.
- transfer: a way of transfer, averaged over networks, lies above scratch, told apart ("helped"); or every way lies below,
  told apart ("harmed"); or neither ("inconclusive"). Ways that lost are named in any case.
- mode: a way of transfer above every other, told apart from each ("one best"); otherwise none is chosen.
- tied: all arms that are not told apart from the best.
- more ECGs: what the learning curve of the best network that has one allows, see `studies.learning_curve`.
- cautions: cells that failed, arms without figures, few positives, thresholds decided by a handful, records left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ecgenough.scoring.repeated import Interval
from ecgenough.sentences import agreed, counted, in_quotes, listing, numeral
from ecgenough.studies.analysis import BASELINE, MODES, Analysis, Standing
from ecgenough.studies.contrasts import Comparison
from ecgenough.studies.handful import FEW_POSITIVES, hardly_decided
from ecgenough.studies.needs import more_ecgs
from ecgenough.studies.questions import SCRATCH

MOST_NAMED = 6
OF_THE_ECG = ("intervals", "minirocket")
EXPECTED = ("prevalence", "demographics", *OF_THE_ECG)

NetworkFinding = Literal["better", "worse", "inconclusive", "not asked", "no baseline", "no network"]
TransferFinding = Literal["helped", "harmed", "inconclusive", "not compared"]
ModeFinding = Literal["one best", "inconclusive", "not compared"]


@dataclass(frozen=True)
class Verdict:
    """The findings by name, and the sentences that say them."""

    network: NetworkFinding
    transfer: TransferFinding
    mode: ModeFinding
    headline: str
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]

    @property
    def paragraph(self) -> str:
        """The whole verdict, without the cautions."""
        return " ".join((self.headline, *self.sentences))


def judge(analysis: Analysis) -> Verdict:
    """Apply the rules to the numbers of one question."""
    network = network_finding(analysis)
    transfer, helped = transfer_finding(analysis)
    mode, modes = mode_finding(analysis)
    told = [analysis.not_asked] if analysis.not_asked else [*helped, *modes, *_tied(analysis)]
    said = [*_network_sentences(analysis, network), *told, *more_ecgs(analysis)]
    return Verdict(network, transfer, mode, _headline(analysis, network), tuple(said), tuple(_cautions(analysis)))


# --- does a network beat the sober baselines -------------------------------------------------------------------------


def network_finding(analysis: Analysis) -> NetworkFinding:
    """Whether some network is above the best sober baseline, told apart from it."""
    if analysis.best_network is None:
        return "no network"
    if analysis.best_baseline is None:
        return "no baseline"
    if analysis.not_asked:
        return "not asked"
    leads = analysis.family(BASELINE)
    if any(one.value > 0 and one.told_apart for one in leads):
        return "better"
    own = next(one for one in leads if one.first == analysis.best_network.name)
    return "worse" if own.value < 0 and own.told_apart else "inconclusive"


def _headline(analysis: Analysis, finding: NetworkFinding) -> str:
    what = _what(analysis)
    at_chance = analysis.best_network is not None and _holds_chance(analysis.best_network.auc)
    return {
        "better": f"Yes: on these records a network reads {what} from the ECG better than the sober baselines do.",
        "worse": f"No: on these records no network reads {what} as well as the best sober baseline does.",
        "inconclusive": f"Not shown: on these records no network reads {what} better than the sober baselines do by more than "
        "chance.",
        "not asked": f"Not asked: these records cannot tell whether a network reads {what} from the ECG better than the sober "
        "baselines do.",
        "no baseline": f"Not compared: without sober baselines, nothing says whether a network is needed to read {what}.",
        "no network": f"Not answered: no network has figures, so nothing says whether one can read {what}.",
    }[finding] + (" Its AUC is not told apart from guessing either." if at_chance and finding == "no baseline" else "")


def _network_sentences(analysis: Analysis, finding: NetworkFinding) -> list[str]:
    network, baseline = analysis.best_network, analysis.best_baseline
    said = []
    if network:
        said.append(
            f"The best network, {in_quotes(network.name)}, has {_area(analysis)} of {figure(network.auc)}{_chance(network)}."
            f"{_equalled(analysis, network)}"
        )
    if baseline:
        said.append(
            f"The best sober baseline, {in_quotes(baseline.name)}, has {figure(baseline.auc)}{_chance(baseline)}."
        )
    if network and baseline and finding != "not asked":
        said.append(_lead(analysis, network, finding))
    return said


def _equalled(analysis: Analysis, best: Standing) -> str:
    """Which other networks have the very AUC of the best."""
    networks = [one for one in analysis.standings if one.arm.is_network and one is not best]
    alike = [one for one in networks if one.auc.value == best.auc.value]
    return f" {_named(alike)} {agreed(len(alike), 'has', 'have')} the same AUC." if alike else ""


def _lead(analysis: Analysis, network: Standing, finding: NetworkFinding) -> str:
    """By how much, and for how many networks that is more than chance."""
    leads = analysis.family(BASELINE)
    own = next(one for one in leads if one.first == network.name)
    text = f"The difference is {gap(own)}"
    above = [one.first for one in leads if one.value > 0 and one.told_apart]
    if finding == "better":
        arms = counted(len(leads), "network arm")
        return f"{text}; {len(above)} of {arms} {_lie(above)} above that baseline by more than chance."
    if finding == "worse":
        also = " That baseline reads the ECG too, without a network." if _reads_the_ecg(own.second) else ""
        return f"{text}, which is more than chance.{also}"
    return (
        f"{text}: it could be anything from {signed(own.low)} to {signed(own.high)}, so these records do not decide it."
    )


def _reads_the_ecg(baseline: str) -> bool:
    return any(name in baseline for name in OF_THE_ECG)


def _what(analysis: Analysis) -> str:
    """A single class by its title, several by the task."""
    question = analysis.question
    if len(question.titles) == 1:
        return question.titles[0]
    return (
        f"{question.task} ({counted(len(question.classes), 'class', 'classes')})" if question.classes else question.task
    )


def _area(analysis: Analysis) -> str:
    return "an AUC" if len(analysis.question.classes) == 1 else "a macro AUC"


def _holds_chance(auc: Interval) -> bool:
    return auc.low <= 0.5 <= auc.high


def _chance(standing: Standing) -> str:
    if standing.auc.low == standing.auc.high == 0.5:
        return ", which is guessing"
    return ", not told apart from guessing" if _holds_chance(standing.auc) else ""


# --- transfer --------------------------------------------------------------------------------------------------------


def transfer_finding(analysis: Analysis) -> tuple[TransferFinding, list[str]]:
    """Whether what was learned elsewhere helped, averaged over networks."""
    against = [one for one in analysis.family(MODES) if one.second == SCRATCH]
    if not against:
        return "not compared", []
    against.sort(key=lambda one: -one.value)
    gains = [one for one in against if one.value > 0 and one.told_apart]
    losses = [one for one in against if one.value < 0 and one.told_apart]
    harm = f" {_each(losses)} lost by it." if losses else ""
    if gains:
        return "helped", [f"Transfer helped: against training from scratch, {_changes(gains)}.{harm}"]
    if len(losses) == len(against):
        return "harmed", [f"Transfer harmed: against training from scratch, {_changes(losses)}."]
    best = against[0]
    return "inconclusive", [
        f"Whether transfer helped is open: against training from scratch, the best way, {in_quotes(best.first)}, changed the AUC "
        f"by {gap(best)}.{harm}"
    ]


def _changes(comparisons: Sequence[Comparison]) -> str:
    return listing(f"{in_quotes(one.first)} changed the AUC by {gap(one)}" for one in comparisons)


def _each(comparisons: Sequence[Comparison]) -> str:
    return listing(f"{in_quotes(one.first)} ({gap(one)})" for one in comparisons)


def mode_finding(analysis: Analysis) -> tuple[ModeFinding, list[str]]:
    """Whether one way of transfer is above every other; only ways that were compared on the same networks count."""
    pairs = [one for one in analysis.family(MODES) if one.second != SCRATCH]
    ways = list(dict.fromkeys(name for one in pairs for name in (one.first, one.second)))
    if len(ways) < 2:
        return "not compared", []
    for way in ways:
        own = [one for one in pairs if way in (one.first, one.second)]
        wins = [one.told_apart and (one.value > 0) == (one.first == way) for one in own]
        if len(own) == len(ways) - 1 and all(wins):
            return "one best", [f"Of the ways of transfer, {in_quotes(way)} is above every other by more than chance."]
    beaten = {one.second if one.value > 0 else one.first for one in pairs if one.told_apart}
    open_ = [way for way in ways if way not in beaten]
    if not beaten:
        return "inconclusive", [f"The ways of transfer, {listing(map(in_quotes, ways))}, are not told apart."]
    return "inconclusive", [
        f"Of the ways of transfer, {listing(map(in_quotes, sorted(beaten)))} {_is(beaten)} below another by more than chance; "
        f"{listing(map(in_quotes, open_))} {_is(open_)} not."
    ]


def _tied(analysis: Analysis) -> list[str]:
    if len(analysis.standings) < 2:
        return []
    first, *rest = analysis.standings
    best = [first, *(one for one in rest if one.auc.value == first.auc.value)]
    others = [one for one in rest if one.tied and one not in best]
    highest = _named(best)
    if others:
        return [f"Not told apart from the highest, {highest}: {_named(others)}."]
    if len(best) == 1:
        return [f"{highest} is told apart from every other arm."]
    apart = " and are told apart from every other arm" if len(best) < len(analysis.standings) else ""
    return [f"{highest} have exactly the same AUC{apart}."]


def _named(standings: Sequence[Standing]) -> str:
    return listing([in_quotes(one.name) for one in standings[:MOST_NAMED]] + _more_of(len(standings) - MOST_NAMED))


def _more_of(number: int) -> list[str]:
    return [f"{number} more"] if number > 0 else []


# --- what to be careful about ----------------------------------------------------------------------------------------


def _cautions(analysis: Analysis) -> list[str]:
    question, said = analysis.question, []
    waiting = sum(cell.status == "waiting" for cell in analysis.cells)
    if analysis.failed:
        said.append(f"{len(analysis.failed)} of {len(analysis.cells)} cells failed; their reasons are listed.")
    if waiting:
        have = agreed(waiting, "has", "have")
        said.append(f"{waiting} of {len(analysis.cells)} cells {have} not run yet; the figures are not final.")
    cut = [one.name for one in analysis.standings if any(cell.status != "done" for cell in one.arm.cells)]
    if cut:
        said.append(
            f"{listing(map(in_quotes, cut))} {_is(cut)} judged without the seeds or repeats of which a fold is missing."
        )
    gone = sorted({arm.name for arm in question.incomplete} - {one.name for one in analysis.standings})
    if gone:
        said.append(
            f"{listing(map(in_quotes, gone))} {agreed(len(gone), 'has', 'have')} no complete run and no figures."
        )
    missing = [name for name in EXPECTED if not any(name in one.name for one in analysis.standings)]
    if missing and analysis.best_baseline and analysis.best_network:
        said.append(f"No figures of {listing(missing)}: the sober baselines are not all there.")
    few = [f"{name} ({count})" for name, count in zip(question.classes, positive_patients(analysis), strict=True)
           if count < FEW_POSITIVES]  # fmt: skip
    if few and analysis.standings:
        said.append(f"Few patients have {listing(few)}; intervals are wide, and a rough guide.")
    if hardly := hardly_decided(question.deciding):
        said.append(hardly)
    if question.left_out:
        said.append(
            f"{counted(question.left_out, 'test record')} {agreed(question.left_out, 'is', 'are')} not among the answers of "
            f"every arm and {agreed(question.left_out, 'is', 'are')} left out of all."
        )
    if analysis.standings:
        said.append(f"Intervals cover {analysis.covers}.")
    if len(analysis.standings) > 1:
        said.append("The best was picked by these same figures, which makes it look a little better than it is.")
    return said


def positive_patients(analysis: Analysis) -> list[int]:
    """How many test patients have each class."""
    answers = analysis.question.test_answers
    classes = range(len(analysis.question.classes))
    return [len({name for one in answers for name in one.patients[one.labels[:, place]]}) for place in classes]


# --- words -----------------------------------------------------------------------------------------------------------


def signed(value: float) -> str:
    """With a proper minus sign, and a plus where it is one."""
    return numeral(value, "+.3f")


def figure(one: Interval) -> str:
    """ "0.853 (95% interval 0.812–0.889)"."""
    return f"{one.value:.3f} (95% interval {one.low:.3f}–{one.high:.3f})"


def gap(one: Comparison) -> str:
    """ "+0.031 (95% interval +0.008 to +0.054, corrected p 0.012)"."""
    return (
        f"{signed(one.value)} (95% interval {signed(one.low)} to {signed(one.high)}, corrected p {p_words(one.p_holm)})"
    )


def p_words(p: float) -> str:
    """Three decimals; what they would show as nothing is "below 0.001"."""
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def _lie(names: Sequence[str]) -> str:
    return agreed(len(names), "lies", "lie")


def _is(names: Sequence[str] | set[str]) -> str:
    return agreed(len(names), "is", "are")
