"""`ecgenough import-weights`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.commands.arguments import Out
from ecgenough.learning import imported_weights

Network = Annotated[str | None, typer.Option("--network", help="Refuse the file if it is of another network.")]


def import_weights(
    file: Annotated[Path, typer.Argument(help="A .pth, .pt or .safetensors file.")],
    layout: Annotated[str, typer.Option("--layout", help="How its weights are named: ecgfounder or paper.")],
    out: Out,
    network: Network = None,
) -> None:
    """Turn weights that others trained into a model for transfer."""
    imported = imported_weights.import_weights(file, layout, network)
    imported.save(out)
    typer.echo(f"{imported.model.recipe.network.name}: {imported.matching.sentence()} Written to {out}")
    for note in imported.notes:
        typer.echo(f"- {note}")
