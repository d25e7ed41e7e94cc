"""What a study knows of itself, in sentences: its data, its method, and its answers to TRIPOD+AI."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecgenough.reports.words import SIMULATED
from ecgenough.sentences import agreed, counted, listing
from ecgenough.studies.analysis import COMPARED, Analysis
from ecgenough.studies.results import Results
from ecgenough.studies.verdict import positive_patients

METHODS = {
    "DeLong": "DeLong's method within folds",
    "corrected resampled t": "DeLong's method within folds, with the correction for repeated splits of Nadeau & Bengio (2003),",
    "patient bootstrap": "a bootstrap over patients",
}
TRAININGS = "what trainings differ by beyond that is added (Obuchowski & Rockette 1995); "
NAMES = {"auc": "AUC", "average_precision": "average precision", "brier": "Brier score"}


def is_simulated(results: Results, target: str) -> bool:
    """Whether a target's ECGs are simulated, as far as the study says so."""
    about = _mapping(_mapping(results.study.get("targets")).get(target))
    return target in SIMULATED or bool(about.get("simulate")) or about.get("data") in SIMULATED


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def design(analysis: Analysis) -> list[tuple[str, str]]:
    """What was done, a term and its words each."""
    question = analysis.question
    if not analysis.standings:
        return []
    seeds = sorted({seed for one in analysis.standings for seed, _ in one.arm.units})
    networks = [one for one in analysis.standings if one.arm.is_network]
    methods = list(dict.fromkeys(METHODS[one.method] for one in analysis.comparisons))
    facts = [
        ("Target", f"{question.target}, task {question.task}: {listing(question.classes[:8])}"),
        ("Tested", tested(analysis)),
        ("Trained", f"{counted(len(networks), 'network arm')}, seeds {listing(map(str, seeds))}"),
        ("Sober baselines", listing(one.name for one in analysis.standings if not one.arm.is_network) or "none"),
        ("Intervals", f"95%. They cover {analysis.covers}."),
    ]
    if methods:
        figures = listing(NAMES[name] for name in COMPARED)
        correction = "corrected by Holm's method over each family, for each figure"
        facts.append(("Comparisons", f"of {figures}, by {listing(methods)}; {TRAININGS}p-values are {correction}"))
    return facts


def tested(analysis: Analysis) -> str:
    """ "400 records of 400 patients in 5 folds, 2 repeats"."""
    question = analysis.question
    records = sum(len(one.records) for one in question.test_answers)
    patients = len({name for one in question.test_answers for name in one.patients.tolist()})
    text = f"{counted(records, 'record')} of {counted(patients, 'patient')} in {counted(question.folds, 'fold')}"
    return text + (f", {question.repeats} repeats" if question.repeats > 1 else "")


def tripod_answers(analyses: Sequence[Analysis]) -> dict[str, str]:
    """What is known for items of TRIPOD+AI by number; what only authors know is not there."""
    scored = [one for one in analyses if one.standings]
    if not scored:
        return {}
    tasks = _each(f"{one.question.task} on {one.question.target}" for one in scored)
    people = _each(f"{one.question.target}: {tested(one)}, {_outcomes(one)}" for one in scored)
    networks = _each(one.arm.first.network for a in scored for one in a.standings if one.arm.is_network)
    modes = _each(one.arm.mode for a in scored for one in a.standings if one.arm.is_network)
    sources = _each(one.arm.first.source for a in scored for one in a.standings if one.arm.first.source)
    failed = sum(len(one.failed) for one in analyses)
    missing = sum(one.question.left_out for one in analyses)
    return {
        "4": f"Development with internal validation of networks and sober baselines for {tasks}.",
        "5a": f"Targets: {_each(one.question.target for one in scored)}."
        + (f" Weights carried over from: {sources}." if sources else "")
        + " How well they represent patients is for the authors to write.",
        "7": "Every recipe is printed in this report in full: leads, rate, filter, section and scaling.",
        "9a": "The ECG alone for networks and for intervals and MiniRocket; age and sex alone for demographics; nothing for "
        "prevalence.",
        "10": f"All records that could be used: {people}. The learning curve, where there is one, says what more would do.",
        "11": f"{counted(missing, 'test record')} lacked an answer of some arm and {agreed(missing, 'was', 'were')} left out of "
        "all. Unknown sex or age is a group of its own.",
        "12a": "Patients are whole: training, validation and test records of a cell share none. Epochs, thresholds and "
        "calibration were chosen on validation records only.",
        "12b": "In the recipes below: scaling is fitted on training records.",
        "12c": f"Networks {networks or 'none'}; ways of training {modes or 'none'}; every setting is in the recipes below.",
        "12e": "AUC, average precision, sensitivity, specificity, precision, F1, G-mean, accuracy and Brier score, with 95% "
        "intervals; paired comparisons with Holm's correction; reliability curves.",
        "12g": "From the test records of each fold by the network trained without them; ranks are compared within folds.",
        "15": "A probability for each class; thresholds were chosen on validation records.",
        "16": "Training and test records come from the same collection; the authors must say where that is not so.",
        "18f": "Made with ecgenough (Apache-2.0); the study's file and recipes are printed below.",
        "20a": f"{people}.",
        "20b": "Sex, age and class of the test records are in the tables of this report; more is for the authors to write.",
        "21": f"{people}; numbers for each cell are in cells.csv. {counted(failed, 'cell')} failed.",
        "22": "Recipes are printed in full; weights are in the study's folder where it kept them.",
        "23a": "The tables of arms, classes and subgroups, with intervals.",
    }


def _outcomes(analysis: Analysis) -> str:
    counts = zip(analysis.question.classes, positive_patients(analysis), strict=True)
    named = [f"{count:,} with {name}" for name, count in counts]
    return listing(named[:8])


def _each(words: Iterable[str]) -> str:
    return listing(dict.fromkeys(words))
