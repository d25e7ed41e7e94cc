"""`ecgenough fetch`."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.fetching import COLLECTIONS
from ecgenough.fetching import fetch as fetch_collection
from ecgenough.sentences import counted


def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(COLLECTIONS)}.")],
    out: Annotated[Path, typer.Argument(help="The folder to fetch into.")],
    rate: Annotated[int | None, typer.Option("--rate", help="Hz; ptb-xl comes at 100 (the default) and 500.")] = None,
    mirror: Annotated[str | None, typer.Option("--from", help="Another address that has the same files.")] = None,
    connections: Annotated[int, typer.Option("--connections", min=1, max=32, help="Downloads side by side.")] = 8,
) -> None:
    """Download a public collection from its publisher: resumable, checksums verified."""
    files = fetch_collection(name, out, rate, mirror, connections)
    typer.echo(f"{counted(files, 'file')} of {name} in {out}, all with the publisher's checksums.")
