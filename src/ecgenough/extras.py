"""Packages that only some of the work needs: the one place that imports them, and says which extra brings them."""

from importlib import import_module
from typing import Any

from ecgenough.errors import WrongRequest


def needed(module: str, extra: str, what: str) -> Any:
    """The package or module `module`, which `what` needs. Raises WrongRequest naming the extra where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise WrongRequest(f"{what} needs the package {package}: pip install 'ecgenough[{extra}]'.") from None
