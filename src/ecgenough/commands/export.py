"""`ecgenough export`."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ecgenough import ensembles
from ecgenough.commands.arguments import OneOrMoreModels
from ecgenough.errors import WrongRequest, few, nearest
from ecgenough.formats import read
from ecgenough.serving.export import export_onnx
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.serving.quantisation import quantise

TARGETS = ("onnx",)


def export(
    model: OneOrMoreModels,
    out: Annotated[Path, typer.Option("--out", help="The file to write, such as model.onnx.")],
    to: Annotated[str, typer.Option("--to", help="The format; so far onnx.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Quantise weights and activations to 8 bits.")] = False,
    calibration: Annotated[
        list[Path] | None, typer.Option("--calibration", help="An ECG to measure ranges on for --int8; repeat it.")
    ] = None,
) -> None:
    """Write a model as one file that says what goes in and what comes out, and needs no PyTorch to run."""
    if to not in TARGETS:
        raise WrongRequest(f'export to "{to}" is unknown. {nearest(to, TARGETS)}')
    if calibration and not int8:
        raise WrongRequest("--calibration is for --int8, which is not asked for.")
    ecgs = [read(path) for path in calibration or ()]
    loaded, digest = ensembles.load(model), ensembles.digest(model)
    if not int8:
        _tell(export_onnx(loaded, out, digest), out)
        return
    with TemporaryDirectory(prefix="ecgenough-export-") as folder:
        whole = Path(folder) / "float32.onnx"
        _tell(quantise(export_onnx(loaded, whole, digest), whole, out, ecgs), out)


def _tell(exported: OnnxModel, out: Path) -> None:
    card = exported.card
    typer.echo(f"{card['network']} as ONNX ({card['precision']}, {out.stat().st_size / 1e6:.1f} MB): {out}")
    typer.echo(f"Goes in: {', '.join(card['leads'])} in mV at {card['rate']:g} Hz, [batch, leads, samples].")
    typer.echo(f"Before it: {', '.join(card['before'])}. Inside: {', '.join(card['inside'])}.")
    typer.echo(f"Comes out: probabilities of {few(card['classes'])}.")
