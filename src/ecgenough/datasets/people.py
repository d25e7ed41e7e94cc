"""Age and sex in the spellings publishers use."""

import math
import re

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.sheet import Sheet

_SEXES = {"female": "female", "f": "female", "woman": "female", "male": "male", "m": "male", "man": "male"}
_COMMA = re.compile(r"\d{1,3},\d{1,2}")  # 74,5 as half of the world writes it; no age has thousands
_UNKNOWN = frozenset({"", "unknown", "nan", "na", "n/a", "none", "other", "u", "-"})


def read_sex(text: str) -> str | None:
    """ "female" or "male", "" where it is not known, and None for a word (or a code) that says neither."""
    word = text.strip().lower()
    return "" if word in _UNKNOWN else _SEXES.get(word)


def read_age(text: str) -> float | None:
    """Years, NaN where it is not known, and None for text that is no age."""
    word = text.strip().lower()
    if word in _UNKNOWN:
        return math.nan
    try:
        age = float(word.replace(",", ".") if _COMMA.fullmatch(word) else word)
    except ValueError:
        return None
    return age if 0 <= age < 150 else None


def ages(sheet: Sheet, column: str) -> NDArray[np.float32]:
    """A column of ages. Raises WrongRequest naming the row of a value that is none."""
    values = []
    for row, text in enumerate(sheet.column(column)):
        age = read_age(text)
        if age is None:
            raise sheet.complaint(column, row, f'"{text}" is not an age in years')
        values.append(age)
    return np.array(values, dtype=np.float32)


def sexes(sheet: Sheet, column: str) -> tuple[str, ...]:
    """A column of sexes. Raises WrongRequest naming the row of a value that says neither."""
    values = []
    for row, text in enumerate(sheet.column(column)):
        sex = read_sex(text)
        if sex is None:
            raise sheet.complaint(column, row, f'"{text}" is neither female nor male; leave it empty if unknown')
        values.append(sex)
    return tuple(values)
