"""Can a network read this diagnosis from the ECG alone? Train, transfer, compare and use ECG networks, honestly."""

from importlib.metadata import version

from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.recipe import Recipe, load_recipe

__version__ = version("ecgenough")
__all__ = ["BrokenRecord", "Ecg", "EcgenoughError", "Recipe", "WrongRequest", "__version__", "load_recipe"]
