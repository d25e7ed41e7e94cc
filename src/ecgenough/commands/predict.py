"""`ecgenough predict`."""

import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from ecgenough import shipped
from ecgenough.commands.tables import print_table
from ecgenough.datasets.joint import columns_by_task, own_class
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import is_there, read, states_itself
from ecgenough.formats.table import TableLayout, stated_layout
from ecgenough.prediction import Prediction
from ecgenough.progress import say
from ecgenough.serving.fhir import bundle, diagnostic_report
from ecgenough.serving.onnx_model import OnnxModel

READABLE, LIKELIEST = 12, 5  # classes of a task that are shown in any case; of more, so many beside those called


def predict(
    files: Annotated[list[Path], typer.Argument(help="ECG files in any format that ecgenough reads.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="A name from `ecgenough models`, a model's or run's folder, several joined by +, or an .onnx file.",
        ),
    ] = shipped.DEFAULT,
    task: Annotated[
        str | None, typer.Option("--task", help="Of a model that answers several tasks, only this one.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every class; without it, of many only those called and the likeliest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    as_fhir: Annotated[bool, typer.Option("--fhir", help="Print FHIR R4: a DiagnosticReport, or a Bundle.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Hz; for tables, with --unit, --leads, --orientation.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Such as mV, uV or 200/mV.")] = None,
    leads: Annotated[str | None, typer.Option("--leads", help="Lead names of a table, such as I,II,V1.")] = None,
    orientation: Annotated[str, typer.Option("--orientation", help="samples-by-leads or leads-by-samples.")] = "",
    skip_columns: Annotated[int, typer.Option("--skip-columns", min=0, help="Leading columns that are no lead.")] = 0,
    skip_rows: Annotated[int, typer.Option("--skip-rows", min=0, help="Leading rows, such as headings.")] = 0,
) -> None:
    """Say what a model reads in each ECG: class, probability, threshold and call."""
    layout = stated_layout(rate, unit, leads, orientation, skip_columns, skip_rows)
    if as_json and as_fhir:
        raise WrongRequest("--json and --fhir are two ways to print; choose one.")
    named = _each_once(files)
    for file in named:
        _check_request(file, layout)
    loaded, network, digest = _load(model, task)
    answers, refused = _answers(loaded, named, layout)
    if as_fhir:
        _say_notes(answers)
        reports = [diagnostic_report(answer, ecg, network, digest) for ecg, answer in answers.values()]
        typer.echo(json.dumps(reports[0] if len(reports) == 1 else bundle(reports), indent=2))
    elif as_json:
        _say_notes(answers)
        said = {file: answer.as_dict() for file, (_, answer) in answers.items()}
        said |= {file: {"error": sentence} for file, sentence in refused.items()}
        typer.echo(json.dumps([{"file": str(file), **said[str(file)]} for file in named], indent=2))
    else:
        task_name = loaded.card["task"] if isinstance(loaded, OnnxModel) else loaded.task
        for name, (_, answer) in answers.items():
            _print_prediction(name, answer, columns_by_task(task_name, answer.classes), everything)
    if refused:
        first = next(iter(refused.values()))
        raise BrokenRecord(first if len(named) == 1 else f"{len(refused)} of {len(named)} files were refused; {first}")


def _answers(
    model: Any, files: list[Path], layout: TableLayout | None
) -> tuple[dict[str, tuple[Ecg, Prediction]], dict[str, str]]:
    """What the model says of each recording, and the sentence for each that cannot be used."""
    answers, refused = {}, {}
    for file in files:
        try:
            ecg = read(file, layout)
            answers[str(file)] = ecg, model.predict(ecg)
        except BrokenRecord as error:
            sentence = str(error)
            refused[str(file)] = sentence if file.name in sentence else f"{file}: {sentence}"
            if len(files) > 1:
                say(f"refused: {refused[str(file)]}")
    return answers, refused


def _say_notes(answers: dict[str, tuple[Ecg, Prediction]]) -> None:
    for file, (_, answer) in answers.items():
        for note in answer.notes:
            say(f"{file}: {note}")


def _load(model: str, task: str | None) -> tuple[Any, str, str]:
    """An exported model, or one or several from their folders, the network, and the SHA-256 of its weights.

    PyTorch is loaded only where a folder asks for it.
    """
    if Path(model).is_file() or (Path(model).suffix == ".onnx" and not Path(model).is_dir()):
        if task is not None:
            raise WrongRequest(f"{model} answers as it was exported; leave out --task.")
        exported = OnnxModel.load(model)
        return exported, str(exported.card["network"]), str(exported.card["weights_sha256"])
    module = import_module("ecgenough.ensembles")
    loaded = module.load(model)
    return loaded.for_task(task or loaded.task), loaded.recipe.network.name, module.digest(model)


def _each_once(files: list[Path]) -> list[Path]:
    times = Counter(files)
    for file in sorted(file for file in times if times[file] > 1):
        say(f"{file} is named {times[file]} times and answered once.")
    return list(times)


def _check_request(file: Path, layout: TableLayout | None) -> None:
    if not is_there(file):
        raise WrongRequest(f"{file} {'is a folder, not a recording' if file.is_dir() else 'is not there'}.")
    if layout is not None and states_itself(file):
        raise WrongRequest(
            f"{file} states its rate, unit and leads itself; leave out --rate, --unit, --leads, --orientation, "
            "--skip-columns and --skip-rows, which are for tables of numbers."
        )


def _print_prediction(file: str, answer: Prediction, parts: dict[str, slice], everything: bool) -> None:
    for note in answer.notes:
        typer.secho(f"! {file}: {note}")
    rows = list(zip(answer.classes, answer.titles, answer.probabilities, answer.thresholds, answer.calls, strict=True))
    for task, columns in parts.items():
        ranked = sorted(rows[columns], key=lambda row: -row[2])
        whole = everything or len(ranked) <= READABLE
        shown = [row for place, row in enumerate(ranked) if whole or row[4] or place < LIKELIEST]
        typer.secho(file if len(parts) == 1 else f"{file}: {task}", bold=True)
        print_table(
            ("class", "statement", "probability", "threshold", "call"),
            [
                (own_class(task, name), title, _digits(p), _digits(t), "yes" if call else "no")
                for name, title, p, t, call in shown
            ],
        )
        if len(shown) < len(ranked):
            typer.secho(f"{len(ranked) - len(shown)} more, none of them called; --all shows them", dim=True)


def _digits(chance: float) -> str:
    """Three decimals, which would hide a small one behind zeros."""
    return f"{chance:.3f}" if chance >= 0.001 else "<0.001"
