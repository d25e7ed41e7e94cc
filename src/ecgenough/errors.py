"""What goes wrong, in one sentence each: which file or key, what is wrong, what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class EcgenoughError(Exception):
    """The work failed. The message is one sentence a user can act on; the command line exits with `status`."""

    status = 1


class WrongRequest(EcgenoughError, ValueError):
    """What was asked for cannot be done: an unknown name, a wrong key, a missing folder."""

    status = 2


class Obstacle(EcgenoughError):
    """Something outside the work is in its way, such as a full disk or a damaged store: whatever comes next meets it too."""


class BrokenRecord(EcgenoughError, ValueError):
    """One recording cannot be used. Collections list it in rejected.csv; single-file commands stop."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name that `word` is likely a misspelling of, whatever its case; None where none is near."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.5)
    return names[close[0]] if close else None


def nearest(word: str, known: Iterable[str]) -> str:
    """The sentence that follows an unknown name: the nearest right one, or all of them."""
    names = list(known)
    if near := closest(word, names):
        return f'Nearest: "{near}".'
    return f"Known: {', '.join(names)}." if names else ""


def few(names: Sequence[str], most: int = 12) -> str:
    """Names as a sentence has room for them: the first ones, and how many more there are."""
    rest = len(names) - most
    return f"{', '.join(names[:most])} and {rest} more" if rest > 1 else ", ".join(names)
