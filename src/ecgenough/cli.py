"""The command line: one short function per command."""

import errno
import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from ecgenough import datasets, networks
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.formats import read
from ecgenough.formats.table import TableLayout
from ecgenough.learning.imported_weights import import_weights
from ecgenough.model import Model, Prediction
from ecgenough.networks.contract import parameter_count
from ecgenough.recipe import load_recipe, shipped
from ecgenough.reports import write_report
from ecgenough.simulation import simulate_collection
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.demo import run_demo
from ecgenough.studies.pretraining import run_pretraining

app = typer.Typer(
    name="ecgenough",
    help="Can a network read this diagnosis from the ECG alone? Train, transfer, compare and use ECG networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out_console = Console()

Dataset = Annotated[str, typer.Argument(help="A known name, the path of a manifest CSV, or a store's folder.")]
From = Annotated[Path | None, typer.Option("--from", help="The folder that holds the recordings.")]
Stores = Annotated[Path | None, typer.Option("--store", help="Where prepared stores are kept.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="A shipped recipe (see `ecgenough recipes`) or a YAML file.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a recipe key: --set training.epochs=5.")]
Task = Annotated[str | None, typer.Option("--task", help="Which labels; the data set's own default unless told.")]
LeaveOut = Annotated[
    str | None, typer.Option("--leave-out", help="A task whose patients are kept from training and validation.")
]
Out = Annotated[Path, typer.Option("--out", help="The folder to write to.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; all cores unless told.")]


@app.command()
def demo(out: Annotated[Path, typer.Option("--out", help="The folder to write to.")] = Path("demo")) -> None:
    """Run the main job on simulated ECGs, start to report: pretrain, carry over to embolism, compare."""
    page = out / "report.html"
    write_report(run_demo(out), page, "Embolism from the ECG: scratch or transfer?")
    typer.echo(f"The report: {page}")


@app.command("datasets")
def list_datasets() -> None:
    """Show the data sets known by name."""
    rows = [(known.name, known.what, ", ".join(known.tasks)) for known in datasets.describe()]
    _print_table(("name", "what", "tasks"), rows)


@app.command("networks")
def list_networks() -> None:
    """Show the networks, their sizes and their operations for a 12-lead ECG of 1000 samples."""
    rows = []
    for name in networks.names():
        network = networks.build(name, leads=12, classes=5)
        operations = networks.operations(network, 12, 1000)
        rows.append(
            (name, f"{parameter_count(network) / 1e6:.2f} M", f"{operations / 1e9:.3f} G", networks.describe(name))
        )
    _print_table(("name", "parameters", "operations", "what"), rows)


@app.command("recipes")
def list_recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe in full.")] = None) -> None:
    """Show the shipped recipes, or print one as YAML."""
    if name is not None:
        typer.echo(load_recipe(name).to_yaml(), nl=False)
        return
    recipes = [(name, load_recipe(name)) for name in shipped()]
    rows = [(name, r.network.name, r.loss.kind, str(r.training.epochs), f"{r.signal.rate:g} Hz") for name, r in recipes]
    _print_table(("name", "network", "loss", "epochs", "rate"), rows)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    records: Annotated[
        int | None, typer.Option("--records", min=1, help="2000 or, for embolism, 927 unless told.")
    ] = None,
    kind: Annotated[str, typer.Option("--kind", help="superclasses or embolism.")] = "superclasses",
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Write a collection of simulated 12-lead ECGs as WFDB files with labels."""
    simulate_collection(out, kind, records, seed)
    typer.echo(f"The simulated ECGs ({kind}) are in {out}")


@app.command()
def prepare(
    dataset: Dataset,
    root: From = None,
    store: Stores = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    workers: Workers = None,
) -> None:
    """Condition every recording once, for fast training; does nothing where that is done."""
    settings = load_recipe(recipe, changes or ()).signal
    prepared = runs.open_store(dataset, root, settings, folder=store, workers=workers)
    typer.echo(f"{len(prepared.records):,} records, {len(prepared.rejected):,} rejected: {prepared.path}")


@app.command()
def train(
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    leave_out: LeaveOut = None,
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Train a network on the training folds and choose its epoch on the validation folds."""
    chosen = load_recipe(recipe, changes or ())
    if task:
        chosen = chosen.model_copy(update={"task": task})
    if leave_out:
        chosen = chosen.model_copy(update={"leave_out": leave_out})
    networks.check(chosen.network.name, chosen.network.options)
    runs.train(runs.open_store(dataset, root, chosen.signal, folder=store), chosen, out, device)


@app.command()
def pretrain(
    dataset: Dataset,
    out: Out,
    root: From = None,
    recipe: RecipeName = "pretrain-masked",
    changes: Changes = None,
    leave_out: LeaveOut = None,
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Learn from ECGs without their labels, for transfer to any task."""
    chosen = load_recipe(recipe, changes or ())
    if leave_out:
        chosen = chosen.model_copy(update={"leave_out": leave_out})
    networks.check(chosen.network.name, chosen.network.options)
    run_pretraining(runs.open_store(dataset, root, chosen.signal, folder=store), chosen, out, device)


@app.command("import-weights")
def import_others_weights(
    file: Annotated[Path, typer.Argument(help="A .pth, .pt or .safetensors file.")],
    layout: Annotated[str, typer.Option("--layout", help="How its weights are named: ecgfounder or paper.")],
    out: Out,
    network: Annotated[
        str | None, typer.Option("--network", help="Refuse the file if it is of another network.")
    ] = None,
) -> None:
    """Turn weights that others trained into a model for transfer."""
    imported = import_weights(file, layout, network)
    imported.save(out)
    typer.echo(f"{imported.model.recipe.network.name}: {imported.matching.sentence()} Written to {out}")
    for note in imported.notes:
        typer.echo(f"- {note}")


@app.command()
def transfer(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model or run.")],
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    mode: Annotated[str | None, typer.Option("--mode", help="frozen, full, lp-ft, gradual, layerwise or lora.")] = None,
    recipe: RecipeName = "transfer",
    changes: Changes = None,
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Carry a trained model over to another data set or task."""
    chosen = load_recipe(recipe, [*([f"transfer.mode={mode}"] if mode else []), *(changes or ())])
    if task:
        chosen = chosen.model_copy(update={"task": task})
    chosen = runs.recipe_for_transfer(Model.load(model), chosen)
    runs.transfer(model, runs.open_store(dataset, root, chosen.signal, folder=store), chosen, out, device)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model or run.")],
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    folds: Annotated[str, typer.Option("--folds", help="Such as 10 or 9,10; the test folds unless told.")] = "",
    store: Stores = None,
    device: Device = "auto",
) -> None:
    """Score a model on folds it has not seen: metrics.json, predictions.csv and a table."""
    loaded = Model.load(model)
    records = runs.open_store(dataset, root, loaded.recipe.signal, folder=store)
    metrics = runs.evaluate(loaded, records, out, task_name=task, folds=_fold_numbers(folds), device=device)
    macro, classes = metrics["macro"], metrics["classes"]
    rows = [("macro", *(runs.interval_text(macro[name]) for name in _SHOWN))]
    rows += [(label, *(runs.interval_text(figures[name]) for name in _SHOWN)) for label, figures in classes.items()]
    _print_table((f"{metrics['records']:,} records", *_SHOWN.values()), rows)
    if metrics["absent"]:
        typer.echo(f"Without a positive or without a negative here, so not scored: {', '.join(metrics['absent'])}")


@app.command()
def baseline(
    name: Annotated[str, typer.Argument(help="prevalence, demographics, intervals or minirocket.")],
    dataset: Dataset,
    out: Out,
    root: From = None,
    task: Task = None,
    recipe: RecipeName = "default",
    changes: Changes = None,
    store: Stores = None,
) -> None:
    """Fit and score a sober baseline to compare networks with; of the recipe, only signal and seed count."""
    chosen = load_recipe(recipe, changes or ())
    run_baseline(name, runs.open_store(dataset, root, chosen.signal, folder=store), task, out, chosen.seed)


@app.command()
def predict(
    files: Annotated[list[Path], typer.Argument(help="ECG files in any format that ecgenough reads.")],
    model: Annotated[Path, typer.Option("--model", help="The folder of a trained model or run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Hz; for tables, with --unit, --leads, --orientation.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Such as mV, uV or 200/mV.")] = None,
    leads: Annotated[str | None, typer.Option("--leads", help="Lead names of a table, such as I,II,V1.")] = None,
    orientation: Annotated[str, typer.Option("--orientation", help="samples-by-leads or leads-by-samples.")] = "",
    skip_columns: Annotated[int, typer.Option("--skip-columns", min=0, help="Leading columns that are no lead.")] = 0,
) -> None:
    """Say what a model reads in each ECG: class, probability, threshold and call."""
    layout = _table_layout(rate, unit, leads, orientation, skip_columns)
    loaded = Model.load(model)
    answers = {str(file): loaded.predict(read(file, layout)) for file in files}
    if as_json:
        typer.echo(json.dumps([{"file": file, **answer.as_dict()} for file, answer in answers.items()], indent=2))
        return
    for file, answer in answers.items():
        _print_prediction(file, answer)


@app.command()
def report(
    run_folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="One run, or several to compare.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    title: Annotated[str | None, typer.Option("--title")] = None,
) -> None:
    """Write one self-contained HTML page about one run, or comparing several."""
    write_report(run_folders, out, title)
    typer.echo(f"The report: {out}")


def main() -> NoReturn:
    """Run the command line. Exit status: 0 done, 1 the work failed, 2 the request was wrong."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except EcgenoughError as error:
        _stop(str(error), error.status)
    except KeyboardInterrupt:
        _stop("stopped. The same command goes on where it was.", 130)
    except OSError as error:
        if error.errno == errno.EPIPE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{error.strerror or error}.", 1)
    sys.exit(0)


_SHOWN = {
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}


def _stop(sentence: str, status: int) -> NoReturn:
    print(f"ecgenough: {sentence}", file=sys.stderr)
    sys.exit(status)


def _fold_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(fold) for fold in text.split(",") if fold.strip())
    except ValueError:
        raise WrongRequest(f'--folds "{text}" is not a list of fold numbers such as 9,10.') from None


def _table_layout(
    rate: float | None, unit: str | None, leads: str | None, orientation: str, skip_columns: int
) -> TableLayout | None:
    if rate is None and unit is None and leads is None and not orientation:
        return None
    if rate is None or unit is None or leads is None or orientation not in ("samples-by-leads", "leads-by-samples"):
        raise WrongRequest(
            "a table needs all of --rate, --unit, --leads and --orientation (samples-by-leads or leads-by-samples)."
        )
    names = tuple(name.strip() for name in leads.split(","))
    return TableLayout(rate, unit, names, orientation, skip_columns=skip_columns)  # type: ignore[arg-type]


def _print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    wide = Console(width=None if out_console.is_terminal else 200)
    wide.print(table, markup=False, highlight=False)


def _print_prediction(file: str, answer: Prediction) -> None:
    rows = zip(answer.classes, answer.titles, answer.probabilities, answer.thresholds, answer.calls, strict=True)
    ranked = sorted(rows, key=lambda row: -row[2])
    out_console.print(file, style="bold", markup=False, highlight=False)
    _print_table(
        ("class", "statement", "probability", "threshold", "call"),
        [(name, title, f"{p:.3f}", f"{t:.3f}", "yes" if call else "no") for name, title, p, t, call in ranked],
    )
