"""Packages that only some formats need: brought by the extra `formats`, and imported when such a file is read."""

from importlib import import_module
from types import ModuleType

from ecgenough.errors import WrongRequest


def package(name: str, what: str) -> ModuleType:
    """The package (or module) `name`, which reads `what`. Raises WrongRequest where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        bare = name.partition(".")[0]
        raise WrongRequest(f"{what} needs the package {bare}: pip install 'ecgenough[formats]'.") from None
