"""Numbers as sentences: what was asked, what came out, and what to be careful about."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from ecgenough.reports.run import Baseline, Data, Estimate, Run
from ecgenough.scoring.comparison import Difference
from ecgenough.sentences import agreed, counted, in_quotes, listing, numeral
from ecgenough.studies.handful import FEW_POSITIVES, Sides, hardly_decided, not_asked, sides

MOST_CLASSES_NAMED = 5
SIGNIFICANT = 0.05
WORD_JOINER = "\u2060"  # keeps an interval on one line

MEANINGS = {
    "auc": ("AUC", "How often a positive is ranked above a negative. 0.5 is guessing, 1 is perfect."),
    "average_precision": (
        "Average precision",
        "Area under precision against sensitivity. Guessing gives the share of positives.",
    ),
    "sensitivity": ("Sensitivity", "Of the positives, the share that is found."),
    "specificity": ("Specificity", "Of the negatives, the share that is left alone."),
    "precision": ("Precision", "Of the alarms, the share that is right."),
    "f1": ("F1", "Harmonic mean of precision and sensitivity."),
    "g_mean": ("G-mean", "Geometric mean of sensitivity and specificity; 0 if either is."),
    "accuracy": ("Accuracy", "Share of right yes-or-no decisions. High by itself where positives are rare."),
    "brier": ("Brier score", "Mean squared error of the probabilities. 0 is perfect, lower is better."),
    "exact_match": ("Exact match", "Share of records with every class decided rightly."),
}
SIMULATED = ("simulated", "medalcare-xl")
ARE_SIMULATED = "The ECGs are simulated. How well they are read says nothing about patients."
CITATIONS = {
    "ptb-xl": "Wagner P et al. PTB-XL, a large publicly available electrocardiography dataset. "
    "Scientific Data 7, 154 (2020). doi:10.1038/s41597-020-0495-6",
    "cpsc-2018": "Liu F et al. An open access database for evaluating the algorithms of electrocardiogram rhythm and "
    "morphology abnormality detection. Journal of Medical Imaging and Health Informatics 8, 1368–1373 (2018).",
    "medalcare-xl": "Gillette K et al. MedalCare-XL: 16,900 healthy and pathological synthetic 12 lead ECGs from "
    "electrophysiological simulations. Scientific Data 10, 531 (2023). doi:10.1038/s41597-023-02416-4",
}


def ranges(numbers: Iterable[int]) -> str:
    """ "1–8, 10" for 1 to 8 and 10."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("–".join(map(str, span)) for span in spans)


def decimal(value: float | None) -> str:
    """Three decimals, or a dash where there is nothing to tell."""
    return "–" if value is None else numeral(value, ".3f")


def signed(value: float) -> str:
    """Three decimals with a proper minus sign."""
    return numeral(value, ".3f")


def interval(estimate: Estimate) -> str:
    """ "0.924–0.938", or nothing where the interval is not known."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.3f}–{estimate.high:.3f}"


def unbroken(text: str) -> str:
    """Text whose ranges of numbers stay on one line."""
    return re.sub(r"(?<=\d)–(?=\d)", f"{WORD_JOINER}–{WORD_JOINER}", text)


def with_interval(estimate: Estimate) -> str:
    """ "0.931 (95% interval 0.924–0.938)"."""
    known = unbroken(interval(estimate))
    return decimal(estimate.value) + (f" (95% interval {known})" if known else "")


def question(runs: Sequence[Run]) -> str:
    """What was asked, as a question a physician would put."""
    names = _asked_for(runs)
    if all(run.is_baseline for run in runs):
        return f"How well can {names or 'findings'} be told without a network?"
    return f"Can a network read {names} from the ECG alone?" if names else "What can a network read from the ECG alone?"


def _asked_for(runs: Sequence[Run]) -> str:
    """A single class in full, a few by name, many by number; nothing where runs differ in their classes."""
    first = runs[0].data
    if any(run.data.classes != first.classes for run in runs):
        return ""
    if len(first.classes) > MOST_CLASSES_NAMED:
        return f"{len(first.classes)} findings"
    one = len(first.classes) == 1
    return listing(first.title(name) if one else name for name in first.classes)


def where(run: Run) -> str:
    """ "2,158 test ECGs of 1,885 patients"."""
    patients = "" if run.metrics.patients is None else f" of {counted(run.metrics.patients, 'patient')}"
    return f"{counted(run.metrics.records, f'{run.shown} ECG')}{patients}"


def answer(run: Run) -> str:
    """The result of one run in one or two sentences."""
    auc, an_auc = run.metrics.auc, "an AUC" if len(run.data.classes) == 1 else "a macro AUC"
    if auc.value is None:
        return f"On {where(run)}, no class has both positives and negatives, so there is no AUC to tell."
    reader = f"the baseline {in_quotes(run.method.baseline)}" if isinstance(run.method, Baseline) else run.reader
    text = f"On {where(run)}, {reader} reaches {an_auc} of {with_interval(auc)}"
    if auc.low is not None and auc.high is not None and auc.low <= 0.5 <= auc.high:
        return f"{text}: not to be told from guessing, which gives 0.5."
    ranked = _ranked(run)
    if len(ranked) < 2:
        return f"{text}; guessing would give 0.5."
    high, low = ranked[0][1], ranked[-1][1]
    if high == low:
        return f"{text}; guessing would give 0.5. It reads all classes alike ({high:.3f})."
    best, worst = ([name for name, value in ranked if value == end] for end in (high, low))
    return (
        f"{text}; guessing would give 0.5. It reads {_some(best)} best ({high:.3f}) and {_some(worst)} least well "
        f"({low:.3f})."
    )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - MOST_CLASSES_NAMED
    return listing([*names[:MOST_CLASSES_NAMED], f"{rest} more"] if rest > 0 else names)


def _ranked(run: Run) -> list[tuple[str, float]]:
    values = [(name, scores.figures.get("auc")) for name, scores in run.metrics.classes.items()]
    known = [(name, figure.value) for name, figure in values if figure is not None and figure.value is not None]
    return sorted(known, key=lambda pair: -pair[1])


def comparable(runs: Sequence[Run]) -> str | None:
    """Why figures of these runs must not be set against each other; None where they may."""
    for what, values in (
        ("are of different data sets", {run.metrics.dataset for run in runs}),
        ("answer different tasks", {(run.metrics.task, run.data.classes) for run in runs}),
        ("show different parts, test and validation", {run.shown for run in runs}),
        ("were scored on different records or labels", {_records_scored(run) for run in runs}),
    ):
        if len(values) > 1:
            return f"These runs {what}: read each for itself, their figures cannot be compared."
    return None


def _records_scored(run: Run) -> int | frozenset[tuple[str, bytes]]:
    if run.predictions is None:
        return run.metrics.records
    rows = zip(run.predictions.records, run.predictions.labels, strict=True)
    return frozenset((record, labels.tobytes()) for record, labels in rows)


def comparison(runs: Sequence[Run], leads: Mapping[str, Difference]) -> str:
    """Which run is best by macro AUC, which intervals overlap with its own, and whether its lead is more than chance.

    `leads` is how far it lies above each other run on the same records; empty where that is not known. Runs whose AUC is
    exactly the highest are best together.
    """
    known = [run for run in runs if run.metrics.auc.value is not None]
    known.sort(key=lambda run: -(run.metrics.auc.value or 0))
    if not known:
        return "No run has a macro AUC: no class has both positives and negatives."
    best = [run for run in known if run.metrics.auc.value == known[0].metrics.auc.value]
    rest, (own, its) = known[len(best) :], ("its own", "its") if len(best) == 1 else ("theirs", "their")
    near = [run for run in rest if any(run.metrics.auc.overlaps(one.metrics.auc) for one in best)]
    clear = [run for run in rest if run.metrics.auc.low is not None and run not in near]
    text = f"On {where(best[0])}, {_highest(best, alone=not rest)}"
    text += _of_intervals(near, f"overlaps with {own}", f"overlap with {own}")
    text += _of_intervals(clear, f"lies wholly below {own}", f"lie wholly below {own}")
    if rest and (why_not := too_few_to_compare(best[0])):
        return f"{text} {why_not}"
    alike = {run.name for run in best}
    return text + _paired({name: lead for name, lead in leads.items() if name not in alike}, its)


def too_few_to_compare(run: Run) -> str:
    """Why runs on these records are not compared, where no class has enough on both sides; else nothing."""
    return not_asked(_scored(run).values(), run.shown)


def _scored(run: Run) -> dict[str, Sides]:
    """Who has each class that has figures and who has not: patients, or ECGs where no predictions tell whose they are."""
    if run.predictions is None:
        scored = run.metrics.classes.items()
        return {name: Sides(one.positives, run.metrics.records - one.positives, "ECG") for name, one in scored}
    known = dict(zip(run.data.classes, sides(run.predictions.labels, run.predictions.people), strict=True))
    return {name: known[name] for name in run.metrics.classes}


def _highest(best: Sequence[Run], *, alone: bool) -> str:
    """Who has the highest AUC, several where they tie; `alone` where no other run has one."""
    macro = "" if len(best[0].data.classes) == 1 else "macro "
    names, figures = [in_quotes(run.name) for run in best], [with_interval(run.metrics.auc) for run in best]
    if len(best) == 1:
        return f"{names[0]} has the highest {macro}AUC, {figures[0]}."
    each = listing(f"{name} {figure}" for name, figure in zip(names, figures, strict=True))
    return (
        f"{listing(names)} have exactly the same {macro}AUC{'' if alone else ', the highest'}: "
        f"{figures[0] if len(set(figures)) == 1 else each}."
    )


def _of_intervals(runs: Sequence[Run], one: str, several: str) -> str:
    """A sentence on the intervals of these runs; nothing where there are none."""
    names = [in_quotes(run.name) for run in runs]
    if not names:
        return ""
    return (
        f" The interval of {names[0]} {one}." if len(names) == 1 else f" The intervals of {listing(names)} {several}."
    )


def _paired(leads: Mapping[str, Difference], its: str) -> str:
    """What pairing over the same records adds to the intervals."""
    sure = [in_quotes(name) for name, lead in leads.items() if lead.p < SIGNIFICANT]
    unsure = [in_quotes(name) for name, lead in leads.items() if lead.p >= SIGNIFICANT]
    if not leads:
        return ""
    if not sure:
        return f" Paired over the same records, {its} lead over {listing(unsure, 'or')} could be chance."
    more = f", that over {listing(unsure, 'or')} could be" if unsure else ""
    return f" Paired over the same records, {its} lead over {listing(sure)} is more than chance{more}."


def honesty(runs: Sequence[Run]) -> list[str]:
    """Which records the figures are of, and what those records had been used for, each once for all it is true of."""
    return _each_once(runs, lambda run: [_shown_records(run), _chosen_records(run)])


def _shown_records(run: Run) -> str:
    folds = run.metrics.folds or run.data.folds.get(run.shown, [])
    named = f" ({'fold' if len(folds) == 1 else 'folds'} {ranges(folds)})" if folds else ""
    if run.shown == "validation":
        return f"These are validation figures{named}. Evaluate the test folds for figures to quote."
    if run.metrics.seen:
        return (
            f"These are no test figures{named}: {run.metrics.seen:,} of the {run.metrics.records:,} records, or others "
            "of their patients, trained or chose what is judged on them."
        )
    return f"These are test figures{named}: no choice was made on these records."


def _chosen_records(run: Run) -> str:
    """What the validation records decided; baselines and trees have no epoch to choose."""
    kind = "baseline" if run.is_baseline else "network"
    chosen = "the calibration and the thresholds"
    if run.has_epochs:
        chosen = "the epoch that was kept, the calibration and the thresholds"
    if run.shown == "validation":
        return f"The same records chose {chosen}, so the figures flatter the {kind}."
    return f"{chosen.capitalize()} were chosen on the validation records, whose figures are therefore not shown."


def cautions(runs: Sequence[Run]) -> list[str]:
    """What a careful reader would want to be told beside the figures, each once for all runs it is true of."""
    return _each_once(runs, _cautions_of)


def _each_once(runs: Sequence[Run], said_of: Callable[[Run], list[str]]) -> list[str]:
    """Sentences about runs without repetition, each with the names of its runs where it is not true of all."""
    found: dict[str, list[str]] = {}
    for run in runs:
        for sentence in said_of(run):
            found.setdefault(sentence, []).append(run.name)
    return [
        sentence if len(names) == len(runs) else f"{listing(map(in_quotes, names))}: {sentence}"
        for sentence, names in found.items()
    ]


def _cautions_of(run: Run) -> list[str]:
    found = []
    if run.data.dataset in SIMULATED:
        found.append(ARE_SIMULATED)
    if absent := run.metrics.absent:
        have, are = agreed(len(absent), "has", "have"), agreed(len(absent), "is", "are")
        found.append(
            f"{listing(absent)} {have} no positive or no negative among the {run.shown} ECGs and {are} left out of "
            "the macro averages."
        )
    if run.data.untuned:
        found.append(
            f"{listing(run.data.untuned)} had no positive or no negative among the validation ECGs, so nothing was "
            "calibrated there and the threshold is 0.5 unchosen."
        )
    if hardly := hardly_decided(_deciding(run.data)):
        found.append(hardly)
    few = {name: one for name, one in _scored(run).items() if one.positives < FEW_POSITIVES}
    if few:
        who, each = next(iter(few.values())).of, listing(f"{name} ({one.positives})" for name, one in few.items())
        found.append(f"There are few positive {run.shown} {who}s, and so wide uncertainty, for {each}.")
    return found


def _deciding(data: Data) -> dict[str, Sides]:
    """Who in validation decided each class that was tuned, as far as is known: ECGs in runs that do not state patients."""
    tuned, whole = [name for name in data.classes if name not in data.untuned], data.records["validation"]
    if data.validation_patients:
        return {name: Sides(*data.validation_patients[name]) for name in tuned if name in data.validation_patients}
    known = {name: data.positives.get(name, {}).get("validation") for name in tuned}
    return {name: Sides(number, whole - number, "ECG") for name, number in known.items() if number is not None}


def citations(runs: Sequence[Run]) -> list[str]:
    """The publications of the data sets, each once."""
    names = dict.fromkeys(run.data.dataset for run in runs)
    return [CITATIONS[name] for name in names if name in CITATIONS]
