"""Packages that only some of the work needs: the one place that imports them, and says which extra brings them."""

from importlib import import_module
from typing import Any

from ecgenough.errors import WrongRequest


def needed(module: str, extra: str, what: str) -> Any:
    """The imported `module`. Raises WrongRequest, naming the extra, where it is not installed; `what` needs it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise WrongRequest(f"{what} needs {package}: pip install 'ecgenough[{extra}]'.") from None
