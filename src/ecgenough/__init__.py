"""Can a network read this diagnosis from the ECG alone? Train, transfer, compare and use ECG networks, honestly.

The names below are loaded when they are first used, so that `import ecgenough` takes no time.
"""

from importlib import import_module

from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest

TYPE_CHECKING = False  # which type checkers take for true; to import it from typing would take longer than all else
if TYPE_CHECKING:
    from typing import Any

    from ecgenough.ecg import Ecg
    from ecgenough.estimator import ECGClassifier
    from ecgenough.formats import read
    from ecgenough.model import Model
    from ecgenough.notebook import load_model, plot
    from ecgenough.recipe import Recipe, load_recipe
    from ecgenough.studies.runs import evaluate, train, transfer
    from ecgenough.studies.stores import open_store

    __version__: str

__all__ = [
    "BrokenRecord",
    "ECGClassifier",
    "Ecg",
    "EcgenoughError",
    "Model",
    "Recipe",
    "WrongRequest",
    "__version__",
    "evaluate",
    "load_model",
    "load_recipe",
    "open_store",
    "plot",
    "read",
    "train",
    "transfer",
]

_PLACES = {
    "ECGClassifier": "estimator",
    "Ecg": "ecg",
    "Model": "model",
    "Recipe": "recipe",
    "evaluate": "studies.runs",
    "load_model": "notebook",
    "load_recipe": "recipe",
    "open_store": "studies.stores",
    "plot": "notebook",
    "read": "formats",
    "train": "studies.runs",
    "transfer": "studies.runs",
}


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        value: object = import_module("importlib.metadata").version("ecgenough")
    elif name in _PLACES:
        value = getattr(import_module(f"ecgenough.{_PLACES[name]}"), name)
    else:
        raise AttributeError(f"module 'ecgenough' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
