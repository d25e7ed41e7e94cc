"""One self-contained HTML page about one or more runs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from ecgenough.files import write_text
from ecgenough.recipe import Recipe
from ecgenough.reports import curves, figures, methods, tables, words
from ecgenough.reports.ecg_paper import draw_ecg
from ecgenough.reports.plot import Entry, Figure, colour
from ecgenough.reports.reading import read_runs
from ecgenough.reports.run import UNDEFINED, Baseline, Data, Run
from ecgenough.reports.shell import render
from ecgenough.sentences import listing

MOST_EXAMPLES = 6
MANY_CLASSES = 12  # more are shown in boxes that scroll
MOST_CALLS = 8  # bars beside one ECG
MOST_REJECTED_LISTED = 1000


@dataclass(frozen=True)
class Part:
    """One run's own figures on the page."""

    run: Run
    key: str
    overall: list[tables.MetricRow]
    columns: list[tuple[str, str, str]]
    confusions: list[tables.Confusion]
    settings: str  # the recipe as YAML, or a baseline.json


@dataclass(frozen=True)
class Flow:
    """One data set as it was shared out, and the runs that used it so."""

    data: Data
    names: str
    figure: Figure
    rejected: tuple[tuple[str, str], ...]
    unlisted: int


@dataclass(frozen=True)
class Drawing:
    """One ECG on paper beside what the network said of it."""

    example: tables.Example
    paper: Markup


@dataclass(frozen=True)
class Report:
    """Everything the template shows."""

    title: str
    question: str
    answer: str
    facts: list[tuple[str, str]]
    honesty: list[str]
    cautions: list[str]
    parts: list[Part]
    best: str
    many: bool
    warning: str | None
    differences: dict[str, Any]
    compared: list[tuple[str, str, str]]
    recipe_differences: list[tuple[str, list[str]]]
    forest: Figure | None
    flows: list[Flow]
    by_class: Figure | None
    curves: list[Figure]
    learning: list[Figure]
    drawings: list[Drawing]
    drawn_from: str
    missing: dict[str, str]
    environments: list[tuple[str, dict[str, str]]]
    citations: list[str]
    numbers: str


def write_report(runs: Sequence[Path], out: Path, title: str | None = None) -> None:
    """Write what `runs` (folders of train, transfer or baseline) found to the HTML file `out`, whole or not at all.

    The page needs no other file and no network. Test figures are shown where there are any, otherwise validation
    figures; which of them is said on the page. Raises WrongRequest for a folder that is no run.
    """
    report = describe(read_runs([Path(run) for run in runs]), title)
    write_text(out, render("template.html", report))


def describe(runs: Sequence[Run], title: str | None = None) -> Report:
    """Work out every sentence, table and figure of the page about `runs`."""
    several, lines = len(runs) > 1, curves.lines(runs)
    warning = words.comparable(runs) if several else None
    differences = {} if warning or not several else tables.differences(runs)
    flows = _flows(runs)
    drawings, drawn_from = _drawings(runs)
    return Report(
        title=title or words.question(runs),
        question=words.question(runs),
        answer=(warning or words.comparison(runs, differences)) if several else words.answer(runs[0]),
        facts=_facts(runs),
        honesty=words.honesty(runs),
        cautions=words.cautions(runs),
        parts=[_part(run, place) for place, run in enumerate(runs)],
        best=max(runs, key=lambda run: run.metrics.auc.value or 0).name,
        many=max(len(run.data.classes) for run in runs) > MANY_CLASSES,
        warning=warning,
        differences=differences,
        compared=tables.compared_columns(runs),
        recipe_differences=tables.recipe_differences(runs) if several else [],
        forest=_forest(runs) if several else None,
        flows=flows,
        by_class=_by_class(runs),
        curves=_curves(lines),
        learning=figures.learning_figures(runs),
        drawings=drawings,
        drawn_from=drawn_from,
        missing=_missing(runs),
        environments=_environments(runs),
        citations=words.citations(runs),
        numbers=_numbers(runs, differences),
    )


def _part(run: Run, place: int) -> Part:
    method = run.method
    return Part(
        run=run,
        key=colour(place),
        overall=tables.overall_rows(run),
        columns=tables.class_columns(run),
        confusions=tables.confusions(run),
        settings=method.to_yaml() if isinstance(method, Recipe) else method.model_dump_json(indent=2),
    )


def _curves(lines: Sequence[curves.Line]) -> list[Figure]:
    """Curves of all runs, and for a task of one class how well the best of them tells its two sides apart."""
    if not lines:
        return []
    drawn = [draw(lines) for draw in (curves.roc_figure, curves.pr_figure, curves.reliability_figure)]
    single = [line for line in lines if len(line.run.data.classes) == 1]
    if single:
        drawn.append(curves.separation_figure(max(single, key=lambda line: line.run.metrics.auc.value or 0)))
    return drawn


def _by_class(runs: Sequence[Run]) -> Figure | None:
    """AUCs by class, of all runs on one line; None for tasks of one class and for runs of different classes."""
    names = runs[0].data.classes
    if len(names) == 1 or any(run.data.classes != names for run in runs):
        return None
    rows = [
        figures.ForestRow(name, tuple((colour(place), run.metrics.classes[name].figures.get("auc", UNDEFINED))
                                      for place, run in enumerate(runs) if name in run.metrics.classes))
        for name in names if any(name in run.metrics.classes for run in runs)
    ]  # fmt: skip
    legend = tuple(Entry(colour(place), run.name) for place, run in enumerate(runs)) if len(runs) > 1 else ()
    return figures.forest_figure("AUC by class", rows, "Lines are 95% intervals.", legend) if rows else None


def _forest(runs: Sequence[Run]) -> Figure:
    title = "AUC by run" if all(len(run.data.classes) == 1 for run in runs) else "Macro AUC by run"
    rows = [figures.ForestRow(run.name, ((colour(place), run.metrics.auc),)) for place, run in enumerate(runs)]
    return figures.forest_figure(title, rows, "Lines are 95% intervals.")


def _facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """What was asked, a term and its words each; what differs between runs is left to their comparison."""
    per_run = [_facts_of(run) for run in runs]
    shared = [(term, text) for term, text in per_run[0].items() if all(facts.get(term) == text for facts in per_run)]
    differing = [term for term in dict.fromkeys(chain(*per_run)) if term not in dict(shared)]
    return [*shared, ("Differs by run", listing(differing).lower())] if differing else shared


def _facts_of(run: Run) -> dict[str, str]:
    data = run.data
    count = len(data.classes)
    kind = "one finding, yes or no" if count == 1 else f"{count} classes, any number of them at once"
    titled = [name if data.title(name) == name else f"{name} ({data.title(name)})" for name in data.classes]
    shares = [f"{figures.PART_NAMES.get(part, part)} {words.ranges(which)}" for part, which in data.folds.items()]
    return {
        "Data set": data.dataset + (f" (folds: {'; '.join(shares)})" if shares else ""),
        "Task": f"{data.task}: {kind}",
        "Classes": "named in the table below" if count > MANY_CLASSES else ", ".join(titled),
        **dict(methods.method_sentences(run)),
    }


def _flows(runs: Sequence[Run]) -> list[Flow]:
    """One flow for each different way the data went in, with the names of its runs."""
    found: list[Flow] = []
    for run in runs:
        if any(run.data == flow.data for flow in found):
            continue
        names = listing(other.name for other in runs if other.data == run.data)
        listed = run.rejected[:MOST_REJECTED_LISTED]
        found.append(Flow(run.data, names, figures.flow_figure(run.data), listed, len(run.rejected) - len(listed)))
    return found


def _drawings(runs: Sequence[Run]) -> tuple[list[Drawing], str]:
    """ECGs of the best run that left examples, and that run's name."""
    having = [run for run in runs if run.examples is not None and run.predictions is not None]
    for run in sorted(having, key=lambda run: -(run.metrics.auc.value or 0)):
        assert run.examples is not None
        found = []
        for record, signal in list(zip(run.examples.records, run.examples.signals, strict=True))[:MOST_EXAMPLES]:
            if example := tables.example(run, record, MOST_CALLS):
                found.append(Drawing(example, Markup(draw_ecg(signal, run.examples.rate, run.examples.leads))))
        if found:
            return found, run.name
    return [], ""


def _missing(runs: Sequence[Run]) -> dict[str, str]:
    """A sentence for each piece that some run's folder does not hold."""
    sentences = {}
    for piece, what in (("predictions", "curves and decisions"), ("log", "learning curves"), ("examples", "ECGs")):
        due = [run for run in runs if piece != "log" or not run.is_baseline]
        if without := [run.name for run in due if getattr(run, piece) is None]:
            file = {"predictions": "predictions.csv", "log": "log.csv", "examples": "examples.npz"}[piece]
            sentences[piece] = f"{listing(without)} left no {file}, so its {what} are not shown."
    return sentences


def _environments(runs: Sequence[Run]) -> list[tuple[str, dict[str, str]]]:
    """Versions and machine, once for all runs that share them."""
    found: dict[str, tuple[list[str], dict[str, str]]] = {}
    for run in runs:
        if environment := run.environment:
            found.setdefault(json.dumps(environment, sort_keys=True), ([], environment))[0].append(run.name)
    return [(listing(names), environment) for names, environment in found.values()]


def _numbers(runs: Sequence[Run], differences: dict[str, Any]) -> str:
    """The page's figures as a data: address that the reader can keep as JSON."""
    rows = [
        {"run": run.name, "shown": run.shown, "mode": run.mode, **_identity(run.method), **asdict(run.metrics)}
        for run in runs
    ]
    content = {"runs": rows, "differences": {name: one._asdict() for name, one in differences.items()}}
    return f"data:application/json;charset=utf-8,{quote(json.dumps(content))}"


def _identity(method: Recipe | Baseline) -> dict[str, Any]:
    if isinstance(method, Baseline):
        return {"baseline": method.baseline, "seed": method.seed}
    return {"network": method.network.name, "recipe": method.fingerprint()}
