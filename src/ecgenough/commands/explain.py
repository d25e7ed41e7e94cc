"""`ecgenough explain`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough import ensembles, shipped
from ecgenough.errors import WrongRequest
from ecgenough.formats import read
from ecgenough.serving.explanation import explain as explained
from ecgenough.serving.explanation_files import said_of_part, write_explanation


def explain(
    file: Annotated[Path, typer.Argument(help="An ECG file in any format that says what its numbers mean.")],
    out: Annotated[Path, typer.Option("--out", help="A .png, .svg or .html to draw, or .json or .npz.")],
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A name from `ecgenough models`, a model's or run's folder, or several joined by +."
        ),
    ] = shipped.DEFAULT,
    task: Annotated[
        str | None, typer.Option("--task", help="Of a model that answers several tasks, only this one.")
    ] = None,
    label: Annotated[str | None, typer.Option("--class", help="The class; the likeliest unless told.")] = None,
    method: Annotated[
        str, typer.Option("--method", help="integrated-gradients, grad-cam or occlusion.")
    ] = "integrated-gradients",
) -> None:
    """Show on the ECG what a model's answer rests on: a colour along the trace, lead by lead."""
    if Path(model).is_file():
        raise WrongRequest(f"{model} is a file; an explanation needs the model's folder, whose gradients it follows.")
    loaded = ensembles.load(model)
    explanation = explained(loaded.for_task(task or loaded.task), read(file), label, method)
    written = write_explanation(explanation, out)
    name = explanation.label + (f" ({explanation.title})" if explanation.title != explanation.label else "")
    typer.echo(f"{name}: probability {explanation.probability:.3f}")
    if explanation.part:
        typer.echo(said_of_part(explanation))
    typer.echo(f"Written: {', '.join(map(str, written))}")
