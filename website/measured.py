"""Tables of what was measured, from the files that the measurements wrote: no figure of the site is typed by hand."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ecgenough import baselines, networks
from ecgenough.recipe import load_recipe, shipped

ROOT = Path(__file__).parent.parent
RUNS = ROOT / "benchmarks" / "results" / "ptbxl-runs.csv"
INSPECTION = ROOT / "benchmarks" / "results" / "inspection.md"
TRANSFER = ROOT / "docs" / "studies" / "transfer" / "table.csv"
PRETRAINING = ROOT / "docs" / "studies" / "pretraining" / "table.csv"
MARK = re.compile(r"<!-- table: ([\w-]+) -->")
FIGURE = re.compile(r"<!-- AUC: ([\w-]+): (.+?) -->")


def filled(markdown: str) -> str:
    """A page with its marks replaced: `<!-- table: networks -->` by that table, `<!-- AUC: quality: resnet18 full -->` by
    the figure of a study's arm, `<!-- AUC: ptb-xl: name=resnet18 -->` by that of the last run whose row says so.
    """
    return FIGURE.sub(lambda mark: auc(mark[1], mark[2]), MARK.sub(lambda mark: TABLES[mark[1]](), markdown))


def auc(data: str, what: str) -> str:
    """An AUC with its interval, from the files. Raises ValueError where they have none of that name."""
    if data == "ptb-xl":
        found = [row for row in _read(RUNS) if what in f"{row['recipe']}, {row['changes']}"]
        figures = [(row["fold-9 macro AUC"], row["low"], row["high"]) for row in found]
    else:
        rows = [*_read(TRANSFER), *(row for row in _read(PRETRAINING) if row["kind"] == "network")]
        found = [row for row in rows if (row["target"], row["arm"]) == (data, what)]
        figures = [(row["auc"], row["auc_low"], row["auc_high"]) for row in found]
    if not figures:
        raise ValueError(f'no measured AUC of "{what}" on {data}')
    value, low, high = map(float, figures[-1])
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def sizes() -> str:
    """Every network with its weights and its work for 12 leads and 1,000 samples, as `ecgenough networks` shows them."""
    rows = []
    for name in networks.names():
        network = networks.build(name, leads=12, classes=5)
        parameters, operations = networks.parameter_count(network) / 1e6, networks.operations(network, 12, 1000) / 1e9
        rows.append((f"`{name}`", f"{parameters:.2f} M", f"{operations:.3f} G", networks.describe(name)))
    return _table(("network", "parameters", "operations", "idea"), rows)


def runs() -> str:
    """What was trained or fitted on PTB-XL's superclasses, the highest first."""
    rows = [row for row in _read(RUNS) if row["task"] == "superdiagnostic"]
    rows.sort(key=lambda row: -float(row["fold-9 macro AUC"]))
    return _table(
        ("what", "epochs", "fold-9 macro AUC (95% interval)", "seconds", "machine", "note"),
        (
            (
                _named(row),
                row["epochs"],
                f"{row['fold-9 macro AUC']} ({row['low']}–{row['high']})",
                row["seconds"],
                row["machine"],
                row["note"],
            )
            for row in rows
        ),
    )


def transfer() -> str:
    """The study on two small sets: each arm's AUC, what cannot be told from the best, and the seconds of a fit."""
    rows = sorted(_read(TRANSFER), key=lambda row: (row["target"], -float(row["auc"])))
    parts = []
    for target in dict.fromkeys(row["target"] for row in rows):
        shown = [row for row in rows if row["target"] == target]
        table = _table(
            ("what", "AUC (95% interval)", "beside the best", "seconds"),
            (
                (
                    f"`{row['arm']}`",
                    f"{float(row['auc']):.3f} ({float(row['auc_low']):.3f}–{float(row['auc_high']):.3f})",
                    row["standing"],
                    f"{float(row['seconds']):.0f}" if row["seconds"] else "",
                )
                for row in shown
            ),
        )
        parts.append(f"**{target}**\n\n{table}")
    return "\n\n".join(parts)


def recipes() -> str:
    """The shipped recipes, as `ecgenough recipes` shows them."""
    known = [(name, load_recipe(name)) for name in shipped()]
    return _table(
        ("recipe", "network", "loss", "epochs", "rate"),
        (
            (f"`{name}`", r.network.name, r.loss.kind, str(r.training.epochs), f"{r.signal.rate:g} Hz")
            for name, r in known
        ),
    )


def sober() -> str:
    """The baselines, as `ecgenough baseline` knows them."""
    return _table(("baseline", "what"), ((f"`{name}`", baselines.describe(name)) for name in baselines.names()))


def inspection() -> str:
    """What an inspection found of the faults planted in real ECGs."""
    text = INSPECTION.read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| PTB-XL")
    ]
    found = [(fault, share, named) for _, fault, _, _, _, share, named in (row for row in rows if len(row) == 7)]
    return _table(("planted in PTB-XL's fold 9", "found (95% interval)", "named rightly"), found)


TABLES: dict[str, Callable[[], str]] = {
    "inspection": inspection,
    "networks": sizes,
    "runs": runs,
    "transfer": transfer,
    "recipes": recipes,
    "baselines": sober,
}


def _named(row: dict[str, str]) -> str:
    """`resnet18`, `fast`: the network first where the changes name one; a baseline by its command."""
    if row["changes"].startswith("ecgenough"):
        return f"`{row['changes']}`"
    name = re.search(r"network\.name=([\w]+)", row["changes"])
    network = name[1] if name else load_recipe(row["recipe"]).network.name
    return f"`{network}`: recipe `{row['recipe']}`" + (f", {row['changes']}" if row["changes"] else "")


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
