"""Packages that are slow to import, loaded when something of them is first used.

A second `ecgenough prepare` only looks at files: pandas, wfdb and SciPy alone would take longer to import than that
takes. What uses such a package says so at its top, where imports stand, and names it there as usual.
"""

from importlib import import_module
from typing import Any


class Later:
    """Stands for the module `name`; its attributes are those of the module, which the first of them imports."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
