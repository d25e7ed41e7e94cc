"""`ecgenough predict`."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from shlex import quote
from textwrap import indent
from typing import Annotated, Any

import typer

from ecgenough import shipped
from ecgenough.commands.tables import print_table
from ecgenough.datasets.joint import columns_by_task, own_class
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.formats import is_there, read, states_itself
from ecgenough.formats.table import TableLayout, stated_layout
from ecgenough.inspection.doubts import doubts
from ecgenough.prediction import Prediction
from ecgenough.progress import say, track
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
        if not (is_there(file) or file.is_dir()):
            raise WrongRequest(f"{file} is not there.")
    loaded, network, digest = _load(model, task)
    refused: list[str] = []
    outcomes = _outcomes(loaded, named, layout, refused)
    if as_json:
        _print_list("[", ({"file": file, **_as_dict(found)} for file, found in _noted(outcomes)), "]")
    elif as_fhir:
        answered = (found for _, found in _noted(outcomes) if not isinstance(found, str))
        _print_reports((diagnostic_report(answer, ecg, network, digest) for ecg, answer in answered), len(named))
    else:
        task_name = loaded.card["task"] if isinstance(loaded, OnnxModel) else loaded.task
        for name, found in outcomes:
            if not isinstance(found, str):
                _print_prediction(name, found[1], columns_by_task(task_name, found[1].classes), everything)
    if refused:
        first = refused[0]
        raise BrokenRecord(first if len(named) == 1 else f"{len(refused)} of {len(named)} files were refused; {first}")


Found = tuple[Ecg, Prediction] | str  # a recording and what the model says of it, or why there is no answer


def _outcomes(
    model: Any, files: list[Path], layout: TableLayout | None, refused: list[str]
) -> Iterator[tuple[str, Found]]:
    """Each file with what came of it, one at a time, so that no recording is kept; reasons are also put into `refused`.

    Of several files each is refused by itself; a single one raises what `_recording` raises.
    """
    several = len(files) > 1
    # Answers on a terminal show by themselves how far they are.
    watched = several and not sys.stdout.isatty()
    for file in track(files, "predicting", len(files), "files") if watched else files:
        try:
            ecg = _recording(file, layout, several)
            answer = model.predict(ecg)
            found: Found = (ecg, replace(answer, notes=(*answer.notes, *doubts(ecg))))
        except BrokenRecord as error:
            sentence = str(error)
            found = sentence if file.name in sentence else f"{file}: {sentence}"
            refused.append(found)
            if several:
                say(f"refused: {found}")
        yield str(file), found


def _noted(outcomes: Iterable[tuple[str, Found]]) -> Iterator[tuple[str, Found]]:
    """The same, each answer's notes said as it comes."""
    for file, found in outcomes:
        for note in () if isinstance(found, str) else found[1].notes:
            say(f"{file}: {note}")
        yield file, found


def _recording(file: Path, layout: TableLayout | None, several: bool) -> Ecg:
    """Raises BrokenRecord, and of a single file WrongRequest, where something else would have to be asked for."""
    try:
        if not is_there(file):
            raise WrongRequest(f"{file} is a folder, not a recording. Name the files in it: {_in_folder(file)}")
        if layout is not None and states_itself(file):
            raise WrongRequest(
                f"{file} states its rate, unit and leads itself; leave out --rate, --unit, --leads, --orientation, "
                "--skip-columns and --skip-rows, which are for tables of numbers."
            )
        return read(file, layout)
    except WrongRequest as error:
        raise (BrokenRecord(str(error)) if several else error) from None


def _in_folder(folder: Path) -> str:
    """The command that asks about the recordings in a folder, or in the first one below it that has any by WFDB."""
    header = next(folder.rglob("*.hea"), None)
    return f"ecgenough predict {quote(str(header.parent if header else folder))}/*{'.hea' if header else ''}"


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


def _as_dict(found: Found) -> dict[str, Any]:
    return {"error": found} if isinstance(found, str) else found[1].as_dict()


def _print_reports(reports: Iterator[dict[str, Any]], files: int) -> None:
    """The report of a single file, or a Bundle."""
    if files == 1:
        for report in reports:
            typer.echo(json.dumps(report, indent=2))
        return
    before, after = json.dumps(bundle([]), indent=2).split("[]")
    _print_list(f"{before}[", (bundle([report])["entry"][0] for report in reports), f"  ]{after}", margin="    ")


def _print_list(before: str, items: Iterable[dict[str, Any]], after: str, margin: str = "  ") -> None:
    """JSON with a list in it, each item as soon as it is there; nothing where there is none.

    The list is ended even where what makes the items fails, so that those that were answered can be read.
    """
    between = before
    try:
        for item in items:
            typer.echo(f"{between}\n{indent(json.dumps(item, indent=2), margin)}", nl=False)
            between = ","
    finally:
        if between != before:
            typer.echo(f"\n{after}")


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
    unlikely = sum(call and chance < 0.5 for _, _, chance, _, call in rows)
    if unlikely:
        typer.secho(
            f"{unlikely} of {sum(answer.calls)} calls {'has a probability' if unlikely == 1 else 'have probabilities'} below "
            "0.5 and may well be false: thresholds weigh false alarms no more than misses, however rare a class is.",
            dim=True,
        )


def _digits(chance: float) -> str:
    """Three decimals, which would hide a small one behind zeros."""
    return f"{chance:.3f}" if chance >= 0.001 else "<0.001"
