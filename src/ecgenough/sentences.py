"""Names and numbers as they stand in a sentence."""

from collections.abc import Iterable


def listing(words: Iterable[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    *first, final = list(words) or [""]
    return f"{', '.join(first)} {last} {final}" if first else final


def counted(number: int, word: str, plural: str | None = None) -> str:
    """ "1 record", "2,158 records"."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def agreed(number: int, one: str, many: str) -> str:
    """The verb of what was counted: `one` for a single thing, `many` for several or none."""
    return one if number == 1 else many


def numeral(number: float, form: str) -> str:
    """A number in the form of `format`, as it is read: with a minus sign, which a hyphen is not."""
    return f"{number:{form}}".replace("-", "−")


def in_quotes(name: str) -> str:
    """ "“a”": a name on a page. What an error quotes comes from anywhere, and `errors.quoted` makes it safe."""
    return f"“{name}”"
