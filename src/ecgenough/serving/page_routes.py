"""The page at `/`: its files from the package, and a simulated ECG to try it with."""

from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final

import numpy as np
from fastapi import FastAPI
from fastapi.responses import Response

from ecgenough.simulation.simulator import Case, simulate

TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
EXAMPLE: Final = "/page/example.npz"


def page_files() -> dict[str, tuple[bytes, str]]:
    """Every file of the page: its route, its bytes and their media type."""
    folder = files("ecgenough.serving") / "page"
    found = {}
    for file in folder.iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in TYPES:
            route = "/" if file.name == "index.html" else f"/page/{file.name}"
            found[route] = file.read_bytes(), TYPES[kind]
    return found


@cache
def example() -> bytes:
    """A simulated ECG with a left bundle branch block, 10 s at 500 Hz, as an NPZ file."""
    made = simulate([Case(frozenset({"CLBBB"}), age=63)], seed=4).ecg(0)
    held = BytesIO()
    np.savez_compressed(
        held, signal=made.signal, rate=made.rate, unit="mV", leads=made.leads, age=made.age or 0, sex=made.sex or ""
    )
    return held.getvalue()


def add_page(app: FastAPI) -> frozenset[str]:
    """Serve the page; its routes, which anyone may ask for and the OpenAPI document leaves out."""
    held = page_files()

    def give(route: str, content: bytes, kind: str) -> None:
        @app.get(route, include_in_schema=False)
        async def file() -> Response:
            return Response(content, media_type=kind)

    for route, (content, kind) in held.items():
        give(route, content, kind)

    @app.get(EXAMPLE, include_in_schema=False)
    def simulated() -> Response:
        return Response(example(), media_type="application/octet-stream")

    return frozenset(held) | {EXAMPLE}
