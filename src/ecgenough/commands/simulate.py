"""`ecgenough simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.simulation import simulate_collection

Records = Annotated[int | None, typer.Option("--records", min=1, help="2000 or, for embolism, 927 unless told.")]


def simulate(
    out: Annotated[Path, typer.Argument(help="The folder to write.")],
    records: Records = None,
    kind: Annotated[str, typer.Option("--kind", help="superclasses or embolism.")] = "superclasses",
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Write a collection of simulated 12-lead ECGs as WFDB files with labels."""
    simulate_collection(out, kind, records, seed)
    typer.echo(f"The simulated ECGs ({kind}) are in {out}")
