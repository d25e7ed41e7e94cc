"""`ecgenough demo`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.reports import write_report
from ecgenough.studies.demo import run_demo


def demo(out: Annotated[Path, typer.Option("--out", help="The folder to write to.")] = Path("demo")) -> None:
    """Run the main job on simulated ECGs, start to report: pretrain, carry over to embolism, compare."""
    page = out / "report.html"
    write_report(run_demo(out), page, "Embolism from the ECG: scratch or transfer?")
    typer.echo(f"The report: {page}")
