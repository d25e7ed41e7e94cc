"""What takes files from strangers: every reader, settings, manifests, models, stores and the service, ready to be fed.

A harness puts bytes where a file of its kind lies and uses it as the commands do. Where a checksum or a digest would stop
damaged bytes at the door it is made to fit, for nine files of ten, so that what lies behind it is reached.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.harnesses import models, service, texts
from benchmarks.harnesses.harness import Harness
from benchmarks.harnesses.readers import READERS, reader
from ecgenough.signals.store import DESCRIPTION, TABLE

__all__ = ["NAMES", "OTHERS", "READERS", "Harness", "harness"]

OTHERS: dict[str, Callable[[Path], Harness]] = {
    "recipe": partial(texts.of_settings, name="recipe", kind="recipes"),
    "study": partial(texts.of_settings, name="study", kind="study_files"),
    "search-space": partial(texts.of_settings, name="search-space", kind="spaces"),
    "changes": texts.changes,
    "manifest": texts.manifest,
    "sidecar": texts.sidecar,
    "ptb-xl": texts.ptbxl,
    "cpsc-2018": texts.cpsc,
    "listing": texts.listing,
    "model-card": models.card,
    "model-weights": models.weights,
    "onnx": models.onnx,
    "checkpoint": models.checkpoint,
    "store-json": partial(models.store, file=DESCRIPTION),
    "store-table": partial(models.store, file=TABLE),
    "archive": models.archive,
    "service": service.uploads,
}
NAMES = (*READERS, *OTHERS)


def harness(name: str, folder: Path) -> Harness:
    """The harness of that name, at work in `folder`, which it makes."""
    folder.mkdir(parents=True)
    return OTHERS[name](folder) if name in OTHERS else reader(name, folder)
