"""`ecgenough report`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.reports import write_report


def report(
    run_folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="One run, or several to compare.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    title: Annotated[str | None, typer.Option("--title")] = None,
) -> None:
    """Write one self-contained HTML page about one run, or comparing several."""
    write_report(run_folders, out, title)
    typer.echo(f"The report: {out}")
