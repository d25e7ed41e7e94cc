"""`ecgenough serve`."""

import os
from typing import Annotated

import typer

from ecgenough import ensembles
from ecgenough.commands.arguments import OneOrMoreModels
from ecgenough.errors import WrongRequest
from ecgenough.serving.limits import Limits
from ecgenough.serving.process import serve as serve_requests

TOKEN = "ECGENOUGH_TOKEN"


def serve(
    model: OneOrMoreModels,
    host: Annotated[str, typer.Option("--host", help="Only this machine unless told.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8000,
    upload: Annotated[int, typer.Option("--upload", min=1, help="MiB that a request may have.")] = 32,
    waiting: Annotated[int, typer.Option("--waiting", min=1, help="Requests in work at once.")] = 256,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="That a request may take.")] = 30.0,
) -> None:
    """Answer over HTTP what a model reads in ECG files. The environment's ECGENOUGH_TOKEN, where set, is asked for."""
    token = os.environ.get(TOKEN)
    if token is not None and len(token) < 16:
        raise WrongRequest(f"{TOKEN} is shorter than 16 characters; choose a longer one, or unset it.")
    loaded = ensembles.load(model)
    loaded.check_it_answers()
    limits = Limits(upload=upload * 2**20, waiting=waiting, answer=seconds)
    typer.echo(f"http://{host}:{port} answers for {model}. Ctrl-C ends it.", err=True)
    serve_requests(loaded, ensembles.short_name(model), ensembles.digest(model), host, port, limits, token)
