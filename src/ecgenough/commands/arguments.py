"""The arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from ecgenough.errors import WrongRequest, nearest

Dataset = Annotated[str, typer.Argument(help="A known name, the path of a manifest CSV, or a store's folder.")]
ModelFolder = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A name from `ecgenough models`, or the folder of a trained model or run."),
]
OneOrMoreModels = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name from `ecgenough models`, or the folder of a trained model or run; joined by +, several answer as one.",
    ),
]
From = Annotated[Path | None, typer.Option("--from", help="The folder that holds the recordings.")]
Stores = Annotated[Path | None, typer.Option("--store", help="Where prepared stores are kept.")]
RecipeName = Annotated[str, typer.Option("--recipe", help="A shipped recipe (see `ecgenough recipes`) or a YAML file.")]
Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a recipe key: --set training.epochs=5.")]
Task = Annotated[
    str | None,
    typer.Option(
        "--task", help="Which labels, or several tasks at once: form+rhythm. The data set's own default unless told."
    ),
]
LeaveOut = Annotated[
    str | None, typer.Option("--leave-out", help="A task whose patients are kept from training and validation.")
]
Out = Annotated[Path, typer.Option("--out", help="The folder to write to.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; all cores unless told.")]
Track = Annotated[
    list[str] | None, typer.Option("--track", help="Show the run elsewhere too: wandb, mlflow or tensorboard.")
]
On = Annotated[str, typer.Option("--on", help="local processes, or ray.")]
Address = Annotated[
    str | None, typer.Option("--address", help="The Ray cluster to join; one is started here unless told.")
]

ENGINES = ("local", "ray")


def on_ray(on: str, address: str | None) -> bool:
    """Whether `--on` says Ray. Raises WrongRequest where it names no engine, or an `--address` is of no use to it."""
    if on not in ENGINES:
        raise WrongRequest(f'--on "{on}" is unknown. {nearest(on, ENGINES)}')
    if address is not None and on != "ray":
        raise WrongRequest(f"--address {address} is a Ray cluster's; say --on ray too.")
    return on == "ray"
