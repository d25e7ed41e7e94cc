"""Who was recorded, as formats spell it: sex, and age in years."""

import math
from datetime import date, datetime

from ecgenough.ecg import Sex

# Years in a unit of age: the Gregorian year has 365.2425 days.
YEARS = {"y": 1.0, "m": 1 / 12, "w": 7 / 365.2425, "d": 1 / 365.2425, "h": 1 / 8765.82}
OLDEST = 130.0  # years; beyond that a birth date or an age is a slip of the pen


def sex_of(spelling: str) -> Sex | None:
    """ "F", "Female", "m" ... as female or male; None for anything else, such as other, unknown or unspecified."""
    words: dict[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male"}
    return words.get(spelling.strip().lower())


def age_of(value: str, unit: str) -> float | None:
    """An age such as "45", "Years" in years; None where it is no age. Only the first letter of the unit counts."""
    try:
        years = float(value) * YEARS[unit.strip()[:1].lower()]
    except (ValueError, KeyError):
        return None
    return years if math.isfinite(years) and 0 < years <= OLDEST else None


def age_on(birth: date | None, recorded: datetime | None) -> float | None:
    """The age in years on the day of the recording; None where either day is unknown or the birth is no birth."""
    if birth is None or recorded is None:
        return None
    years = (recorded.date() - birth).days * YEARS["d"]
    return round(years, 2) if 0 <= years <= OLDEST else None


def digits_to_datetime(text: str) -> datetime | None:
    """ "20240131", "202401311530" or "20240131153059.5+0100" (HL7, DICOM) as a time; None where it is none.

    The offset from UTC is left out: the clock of the recording is what counts, as in the other formats.
    """
    digits = text.strip().split("+")[0].split("-")[0].partition(".")[0]
    if not digits.isdecimal() or not digits.isascii():
        return None
    for length, layout in ((14, "%Y%m%d%H%M%S"), (12, "%Y%m%d%H%M"), (8, "%Y%m%d")):
        if len(digits) == length:
            try:
                return datetime.strptime(digits, layout)
            except ValueError:
                return None
    return None
