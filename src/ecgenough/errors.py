"""What goes wrong, in one sentence each: which file or key, what is wrong, what to do."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

LONGEST = 800  # characters of a message

Named = TypeVar("Named", bound=Hashable)


class EcgenoughError(Exception):
    """The work failed. The message is one sentence a user can act on; the command line exits with `status`.

    What it quotes may come from anywhere: a message is one line without control characters, and not too long.
    """

    status = 1

    def __init__(self, sentence: str = "") -> None:
        line = printable(sentence)
        super().__init__(line if len(line) <= LONGEST else f"{line[:500]} … {line[-200:]}")


class WrongRequest(EcgenoughError, ValueError):
    """What was asked for cannot be done: an unknown name, a wrong key, a missing folder."""

    status = 2


class Obstacle(EcgenoughError):
    """Something outside the work is in its way, such as a full disk or a damaged store: whatever comes next meets it too."""


class BrokenModel(EcgenoughError):
    """A model gives no answer, whatever it is shown: its weights are damaged, or its training diverged."""


class BrokenRecord(EcgenoughError, ValueError):
    """One recording cannot be used. Collections list it in rejected.csv; single-file commands stop."""


def check_format(found: object, known: int, what: str, again: str) -> None:
    """Raise EcgenoughError unless a file's format is the one this version reads.

    `what` begins the sentence ("model.json is"), `again` says how to make the thing anew where it is the older one.
    """
    if found == known and not isinstance(found, bool):
        return
    newer = isinstance(found, int) and found > known
    advice = "It was made by a newer version: update ecgenough." if newer else again
    raise EcgenoughError(f"{what} of format {found}; this version of ecgenough reads format {known}. {advice}")


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


def doubled(names: Iterable[Named]) -> Named | None:
    """The first of the names that is there more than once; None where all differ."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def few(names: Sequence[str], most: int = 12) -> str:
    """Names as a sentence has room for them: the first ones, and how many more there are."""
    rest = len(names) - most
    return f"{', '.join(names[:most])} and {rest} more" if rest > 1 else ", ".join(names)


def printable(text: str) -> str:
    """Text from anywhere as one line that can be shown: what a terminal or a log would act on becomes a space."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def quoted(text: str, most: int = 60) -> str:
    """Text out of a file, made safe for an error: printable characters only, and not too many."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return '"' + "".join(letter if letter.isprintable() else "?" for letter in short) + '"'
