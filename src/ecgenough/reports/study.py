"""The report of a study: one self-contained page, every table as CSV and LaTeX, and the verdict as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ecgenough.files import write_text
from ecgenough.reports import study_tables
from ecgenough.reports.data_table import Table, as_csv, as_latex
from ecgenough.reports.figures import flow_figure
from ecgenough.reports.plot import COLOURS, Figure, colour
from ecgenough.reports.reading import read_data
from ecgenough.reports.shell import render
from ecgenough.reports.study_curves import Leader, band_figures, calibration_figure, leaders, training_figures
from ecgenough.reports.study_facts import design, is_simulated, tripod_answers
from ecgenough.reports.study_figures import cost_figures, differences_figure, growth_figure, heat_figure
from ecgenough.reports.tripod import CITATION, Item, checklist
from ecgenough.reports.words import ARE_SIMULATED, CITATIONS
from ecgenough.scoring.intervals import RESAMPLES
from ecgenough.scoring.repeated import AUC
from ecgenough.studies.analysis import BASELINE, BEST, MODES, Analysis, analyse
from ecgenough.studies.results import Results, read_results
from ecgenough.studies.verdict import Verdict, judge

FORMAT = 1
REPORT, VERDICT, LATEX = "report.html", "verdict.json", "tables.tex"
MAKERS: tuple[Callable[[Analysis], Table], ...] = (
    study_tables.arms_table, study_tables.comparisons_table, study_tables.classes_table,
    study_tables.learning_curve_table, study_tables.subgroups_table, study_tables.cost_table,
    study_tables.positives_table, study_tables.failed_table,
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One question of the study on the page. `key` tells its places on the page from those of others."""

    key: str
    heading: str
    verdict: Verdict
    cautions: tuple[str, ...]
    facts: list[tuple[str, str]]
    leaders: list[Leader]
    tables: dict[str, Table]
    differences: list[Figure]
    heat: Figure | None
    curves: list[Figure]
    training: list[Figure]
    growth: list[Figure]
    cost: list[Figure]
    records: list[tuple[str, str]]


@dataclass(frozen=True)
class PrintedRecipe:
    """What decided an arm's result, as the study left it."""

    name: str
    text: str


@dataclass(frozen=True)
class StudyReport:
    """Everything the template shows."""

    title: str
    parts: list[Part]
    sources: list[tuple[str, Figure]]
    recipes: list[PrintedRecipe]
    study: str
    checklist: tuple[Item, ...]
    tripod: str
    citations: list[str]
    progress: str


def write_study_report(folder: Path, resamples: int = RESAMPLES) -> Path:
    """Write report.html, verdict.json, tables.tex and the CSV tables into a study's folder; returns the page's path.

    The study may still be running or have failed cells: what is there is reported, and what is not is said. Raises
    WrongRequest for a folder that is no study, EcgenoughError for a damaged one.
    """
    results = read_results(folder)
    analyses = analyse(results, resamples)
    verdicts = [judge(one) for one in analyses]
    tables = [{table.name: table for table in (make(one) for make in MAKERS)} for one in analyses]
    _write_tables(folder, analyses, tables)
    write_text(folder / VERDICT, json.dumps(_verdict_numbers(results, analyses, verdicts), indent=2) + "\n")
    write_text(folder / REPORT, render("study.html", _report(results, analyses, verdicts, tables)))
    return folder / REPORT


def _report(
    results: Results, analyses: Sequence[Analysis], verdicts: Sequence[Verdict], tables: Sequence[dict[str, Table]]
) -> StudyReport:
    together = zip(analyses, verdicts, tables, strict=True)
    parts = [_part(results, f"q{place}", *one) for place, one in enumerate(together)]
    done = sum(cell.status == "done" for cell in results.cells)
    data = [str(one.question.target) for one in analyses] + [name for name, _ in _named_sources(results)]
    return StudyReport(
        title=results.title,
        parts=parts,
        sources=_sources(results),
        recipes=_recipes(results),
        study=(results.folder / "study.yaml").read_text(encoding="utf-8"),
        checklist=checklist(tripod_answers(analyses)),
        tripod=CITATION,
        citations=[CITATIONS[name] for name in dict.fromkeys(data) if name in CITATIONS],
        progress=f"{done:,} of {len(results.cells):,} cells done",
    )


def _part(results: Results, key: str, analysis: Analysis, verdict: Verdict, tables: dict[str, Table]) -> Part:
    question, drawn = analysis.question, leaders(analysis)
    simulated = (ARE_SIMULATED,) if is_simulated(results, question.target) else ()
    return Part(
        key=key,
        heading=": ".join(dict.fromkeys((question.target, question.task))),
        verdict=verdict,
        cautions=(*simulated, *verdict.cautions),
        facts=design(analysis),
        leaders=drawn,
        tables={name: table.shown() for name, table in tables.items() if table.rows and _worth_showing(analysis, name)},
        differences=_differences(analysis),
        heat=heat_figure(analysis),
        curves=[*band_figures(analysis, drawn), calibration_figure(drawn)] if drawn else [],
        training=training_figures(results.folder, drawn),
        growth=[growth_figure(curve, colour(place % COLOURS)) for place, curve in enumerate(analysis.curves)],
        cost=cost_figures(analysis),
        records=[(arm.name, words) for arm in question.arms if (words := study_tables.arm_records(arm))],
    )


def _worth_showing(analysis: Analysis, name: str) -> bool:
    return name != "classes" or len(analysis.question.classes) > 1


def _differences(analysis: Analysis) -> list[Figure]:
    """Forest plots of the families that have comparisons."""
    found = []
    if leads := analysis.family(BASELINE):
        title = f"Networks against “{leads[0].second}”, the best sober baseline"
        found.append(
            differences_figure(title, leads, "difference in AUC", "Lines are 95% intervals of paired differences.")
        )
    if ways := analysis.family(MODES):
        against = [one for one in ways if one.second == "scratch"]
        title = "Ways of transfer against training from scratch"
        if against:
            caption = "Averaged over the networks that were trained both ways."
            found.append(differences_figure(title, against, "difference in AUC", caption))
    return found


def _named_sources(results: Results) -> list[tuple[str, Path]]:
    root = results.folder / "sources"
    folders = sorted(path for path in root.iterdir() if (path / "data.json").is_file()) if root.is_dir() else []
    return [(read_data(path / "data.json").dataset, path) for path in folders]


def _sources(results: Results) -> list[tuple[str, Figure]]:
    """Where the records of each source went, once for sources that shared them out alike."""
    found: dict[str, tuple[str, Figure]] = {}
    for name, path in _named_sources(results):
        data = read_data(path / "data.json")
        found.setdefault(data.model_dump_json(), (name, flow_figure(data)))
    return list(found.values())


def _recipes(results: Results) -> list[PrintedRecipe]:
    """The recipe of the first finished cell of each arm; seeds and targets differ between the others."""
    found: dict[str, PrintedRecipe] = {}
    for cell in results.cells:
        path = results.folder / "cells" / cell.cell / "recipe.yaml"
        if cell.arm not in found and cell.status == "done" and path.is_file():
            found[cell.arm] = PrintedRecipe(cell.arm, path.read_text(encoding="utf-8", errors="replace"))
    return list(found.values())


def _write_tables(folder: Path, analyses: Sequence[Analysis], tables: Sequence[dict[str, Table]]) -> None:
    names = [(one.question.target, one.question.task) for one in analyses]
    for name in tables[0] if tables else ():
        same = [one[name] for one in tables]
        groups: dict[tuple[str, ...], list[int]] = {}
        for place, table in enumerate(same):
            groups.setdefault(tuple(column.name for column in table.columns), []).append(place)
        for number, places in enumerate(groups.values()):
            file = f"{name}.csv" if number == 0 else f"{name}-{number + 1}.csv"
            write_text(folder / file, as_csv([same[p] for p in places], [names[p] for p in places], ("target", "task")))
    latex = [_latex(one, place, found) for place, (one, found) in enumerate(zip(analyses, tables, strict=True))]
    write_text(folder / LATEX, "% Needs \\usepackage{booktabs} and \\usepackage{graphicx}.\n\n" + "\n".join(latex))


def _latex(analysis: Analysis, place: int, tables: dict[str, Table]) -> str:
    """The tables of one question that have rows."""
    about = f"{analysis.question.task} on {analysis.question.target}"
    found = []
    for name, table in tables.items():
        table = study_tables.measured_sizes(table) if name == "learning_curve" else table
        if table.rows and _worth_showing(analysis, name):
            captioned = Table(table.name, f"{table.caption}: {about}.", table.columns, table.rows, table.wide)
            found.append(as_latex(captioned, f"{name.replace('_', '-')}-{place + 1}"))
    return "\n".join(found)


def _verdict_numbers(results: Results, analyses: Sequence[Analysis], verdicts: Sequence[Verdict]) -> dict[str, Any]:
    questions = []
    for analysis, verdict in zip(analyses, verdicts, strict=True):
        network, sober = analysis.best_network, analysis.best_baseline
        questions.append({
            "target": analysis.question.target,
            "task": analysis.question.task,
            "findings": {"network": verdict.network, "transfer": verdict.transfer, "mode": verdict.mode},
            "paragraph": verdict.paragraph,
            "cautions": verdict.cautions,
            "intervals_cover": analysis.covers,
            "best_network": network and {"arm": network.name, AUC: _finite(network.auc._asdict())},
            "best_baseline": sober and {"arm": sober.name, AUC: _finite(sober.auc._asdict())},
            "not_told_apart_from_the_best": [one.name for one in analysis.tied],
            "comparisons": [asdict(one) for name in (BASELINE, BEST, MODES) for one in analysis.family(name)],
            "needs": [asdict(need) | {"arm": curve.arm} for curve in analysis.curves for need in curve.needs],
        })  # fmt: skip
    return {"format": FORMAT, "study": results.title, "questions": questions}


def _finite(numbers: dict[str, float]) -> dict[str, float | None]:
    """NaN stands for what is not known; JSON has null for that."""
    return {name: None if value != value else value for name, value in numbers.items()}
