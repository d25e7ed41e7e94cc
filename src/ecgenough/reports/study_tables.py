"""The tables of a study: arms, comparisons, classes, learning curve, subgroups, cost, data and failed cells."""

from collections.abc import Sequence

from ecgenough.reports.data_table import Column, Entry, Table
from ecgenough.reports.words import MEANINGS
from ecgenough.scoring.metrics import METRICS
from ecgenough.scoring.repeated import AUC, Interval
from ecgenough.studies.analysis import Analysis, Standing
from ecgenough.studies.questions import Arm

SHOWN = (AUC, "average_precision", "sensitivity", "specificity", "brier")
NOTHING = Entry(None)


def arms_table(analysis: Analysis) -> Table:
    """Every arm with its figures, best first."""
    figures = tuple(Column(name, MEANINGS[name][0], "interval", hint=MEANINGS[name][1]) for name in METRICS)
    texts = ("kind", "network", "recipe", "mode", "source")
    columns = (
        Column("arm", "Arm"),
        *(Column(name, name.capitalize()) for name in texts),
        Column("standing", "Standing", hint="The highest AUC, and all arms that are not told apart from it."),
        *figures,
        Column("cells", "Cells", "number", 0, "Trainings or fits behind the figures, of those that were planned."),
        Column("planned", "Planned", "number", 0),
        Column("seconds", "Seconds a cell", "number", 1),
        Column("parameters", "Parameters", "number", 0),
        Column("trained_parameters", "Trained", "number", 0),
        Column("operations", "Operations an ECG", "number", 0),
    )
    hidden = (*texts, *(name for name in METRICS if name not in SHOWN), "planned", "seconds", "parameters",
              "trained_parameters", "operations")  # fmt: skip
    rows = tuple(_arm_row(one, texts) for one in analysis.standings)
    macro = "" if len(analysis.question.classes) == 1 else "macro averages, "
    caption = f"Every arm, {macro}mean over seeds and repeats with 95% intervals"
    return Table("table", caption, columns, rows, hidden)


def _arm_row(one: Standing, texts: Sequence[str]) -> tuple[Entry, ...]:
    first = one.arm.first
    scored = sum(len(unit) for unit in one.arm.units.values())
    return (
        Entry(one.name, note="sober baseline" if not one.arm.is_network else ""),
        *(Entry(str(getattr(first, name))) for name in texts),
        Entry("best" if one.best else "not told apart" if one.tied else "below"),
        *(estimate(one.figures[name]) for name in METRICS),
        Entry(float(scored)),
        Entry(float(len(one.arm.cells))),
        Entry(one.seconds),
        Entry(first.parameters),
        Entry(next((float(cell.trained_parameters) for cell in one.arm.cells if cell.trained_parameters), None)),
        Entry(first.operations),
    )


def estimate(one: Interval | None) -> Entry:
    """A figure with its interval as it stands in a table; None is a dash."""
    return NOTHING if one is None else Entry(one.value, one.low, one.high)


def comparisons_table(analysis: Analysis) -> Table:
    """Every comparison in every metric, with its p-value before and after Holm's correction."""
    columns = (
        Column("family", "Family"),
        Column("first", "First"),
        Column("second", "Second"),
        Column("metric", "Figure"),
        Column("difference", "First less second", "interval", signed=True),
        Column("p", "p", "number", chances=True),
        Column(
            "p_holm",
            "p, Holm",
            "number",
            hint="Corrected for all comparisons of the family in this figure.",
            chances=True,
        ),
        Column("tests", "Tests", "number", 0, "How many comparisons the family has."),
        Column("method", "Method"),
    )
    rows = tuple(
        (
            Entry(one.family), Entry(one.first), Entry(one.second), Entry(MEANINGS[one.metric][0]),
            Entry(one.value, one.low, one.high), Entry(one.p), Entry(one.p_holm), Entry(float(one.of)), Entry(one.method),
        )
        for one in analysis.comparisons
    )  # fmt: skip
    return Table("comparisons", "Paired differences between arms with 95% intervals", columns, rows)


def classes_table(analysis: Analysis) -> Table:
    """The AUC of every class in every arm; of a task of one class there is nothing more to say."""
    columns = (Column("arm", "Arm"), *(Column(name, name, "interval", hint=title) for name, title in _titled(analysis)))
    rows = tuple(
        (Entry(one.name), *(estimate(one.classes.get(name)) for name in analysis.question.classes))
        for one in analysis.standings
    )
    return Table("classes", "AUC by class with 95% intervals", columns, rows)


def _titled(analysis: Analysis) -> list[tuple[str, str]]:
    question = analysis.question
    return list(zip(question.classes, question.titles, strict=True))


def learning_curve_table(analysis: Analysis) -> Table:
    """What was measured at each size, and what the fitted curves say of it and beyond."""
    columns = (
        Column("arm", "Arm"),
        Column("what", "What"),
        Column("records", "Training ECGs", "number", 0),
        Column("auc", "AUC", "interval"),
    )
    rows = []
    for curve in analysis.curves:
        rows += [
            (Entry(curve.arm), Entry("measured"), Entry(one.records), estimate(one.figure)) for one in curve.points
        ]
        rows += [
            (Entry(curve.arm), Entry("fitted"), Entry(float(size)), Entry(float(middle), float(low), float(high)))
            for size, middle, low, high in zip(curve.grid, curve.middle, curve.low, curve.high, strict=True)
        ]
    return Table("learning_curve", "AUC by number of training ECGs with 95% intervals", columns, tuple(rows))


def measured_sizes(table: Table) -> Table:
    """The learning curve without the fitted points, which a figure shows better."""
    rows = tuple(row for row in table.rows if row[1].value == "measured")
    return Table(table.name, table.caption, table.columns, rows, ("what",))


def subgroups_table(analysis: Analysis) -> Table:
    """The best network and the best baseline by sex and age."""
    arms = [one for one in (analysis.best_network, analysis.best_baseline) if one]
    columns = (
        Column("by", "By"),
        Column("group", "Group"),
        Column("records", "Records", "number", 0),
        Column("patients", "Patients", "number", 0),
        Column("positives", "Positives"),
        *(Column(f"auc {one.name}", f"AUC, {one.name}", "interval") for one in arms),
    )
    many = len(analysis.question.classes) > 1
    rows = tuple(
        (
            Entry(one.what), Entry(one.name), Entry(float(one.records)), Entry(float(one.patients)),
            Entry(", ".join(
                f"{name} {count:,}" if many else f"{count:,}"
                for name, count in zip(analysis.question.classes, one.positives, strict=True))),
            *(estimate(one.figures.get(arm.name)) for arm in arms),
        )
        for one in analysis.subgroups
    )  # fmt: skip
    caption = (
        "AUC in subgroups of the test records with 95% intervals; a dash where fewer than 10 patients are on a side"
    )
    return Table("subgroups", caption, columns, rows)


def cost_table(analysis: Analysis) -> Table:
    """What each arm takes, beside its AUC."""
    columns = (
        Column("arm", "Arm"),
        Column("auc", "AUC", "interval"),
        Column("seconds", "Seconds a cell", "number", 1),
        Column("parameters", "Parameters", "number", 0),
        Column("operations_millions", "Million operations an ECG", "number", 1),
    )
    rows = tuple(
        (
            Entry(one.name), estimate(one.auc), Entry(one.seconds), Entry(one.arm.first.parameters),
            Entry(None if one.arm.first.operations is None else one.arm.first.operations / 1e6),
        )
        for one in analysis.standings
    )  # fmt: skip
    return Table("cost", "What each arm takes", columns, rows)


def positives_table(analysis: Analysis) -> Table:
    """The test records of one repeat: how many, and of whom."""
    answers = analysis.question.test_answers
    columns = (
        Column("class", "Class"),
        Column("title", "Meaning"),
        Column("positives", "Positive records", "number", 0),
        Column("patients", "Their patients", "number", 0),
        Column("share", "Share of records, %", "number", 1),
    )
    records = sum(len(one.records) for one in answers)
    rows = []
    for place, (name, title) in enumerate(_titled(analysis) if answers else []):
        positives = sum(int(one.labels[:, place].sum()) for one in answers)
        patients = {patient for one in answers for patient in one.patients[one.labels[:, place]].tolist()}
        share = 100 * positives / records
        rows.append((Entry(name), Entry(title), Entry(float(positives)), Entry(float(len(patients))), Entry(share)))
    return Table("positives", "The classes among the test records", columns, tuple(rows))


def failed_table(analysis: Analysis) -> Table:
    """Every cell that is not done, with its reason."""
    columns = tuple(
        Column(name, heading, kind, 0)  # type: ignore[arg-type]
        for name, heading, kind in (
            ("arm", "Arm", "text"), ("seed", "Seed", "number"), ("repeat", "Repeat", "number"), ("fold", "Fold", "number"),
            ("size", "Size", "number"), ("status", "Status", "text"), ("reason", "Reason", "text"), ("cell", "Cell", "text"),
        )
    )  # fmt: skip
    rows = tuple(
        (
            Entry(one.arm), Entry(float(one.seed)), Entry(float(one.repeat)), Entry(float(one.fold)),
            Entry(None if one.size is None else float(one.size)), Entry(one.status), Entry(one.reason), Entry(one.cell),
        )
        for one in analysis.cells if one.status != "done"
    )  # fmt: skip
    return Table("failed", "Cells without a result, and why", columns, rows)


def arm_records(arm: Arm) -> str:
    """How many records trained, chose and tested in a cell of an arm, from fewest to most."""
    words = []
    for part in ("train", "validation", "test"):
        stated = [int(number) for cell in arm.cells if (number := getattr(cell, f"{part}_records")) is not None]
        if stated:
            least, most = min(stated), max(stated)
            words.append(f"{part} {least:,}" if least == most else f"{part} {least:,}–{most:,}")
    return ", ".join(words)
