"""What a handful of positives, or of negatives, cannot decide, in the words of every report."""

from collections.abc import Iterable, Mapping

from ecgenough.sentences import counted, listing

FEW_POSITIVES = 30  # below this an AUC's interval is a rough guide (Hanley & McNeil 1982: error grows as 1 / sqrt(n))
FEWEST_TO_DECIDE = 5  # positives, or negatives: of fewer, where a threshold falls is up to each one of them
Sides = tuple[int, int]  # positives and negatives of a class


def hardly_decided(validation: Mapping[str, Sides]) -> str:
    """A caution on the classes that few validation records of one side decided, by their sides; nothing where none are."""
    smaller = {name: min((sides[0], "positive"), (sides[1], "negative")) for name, sides in validation.items()}
    few = [f"{name} ({counted(*side)})" for name, side in smaller.items() if side[0] < FEWEST_TO_DECIDE]
    if not few:
        return ""
    return f"The threshold and calibration of {listing(few)} rest on that few validation ECGs, and so mostly on chance."


def not_asked(classes: Iterable[Sides], shown: str = "test") -> str:
    """Why it is not asked which of several is better, where no class has enough on both sides; nothing where one has.

    Those few come again in every resample, so that p would be far too low. `shown` says of which records they are.
    """
    number, side = min(zip(max(classes, key=min), ("positive", "negative"), strict=True))
    if number >= FEWEST_TO_DECIDE:
        return ""
    most = f"{'only ' if number else ''}{counted(number, f'{shown} {side}')}"
    return f"With {most} of any class, which is better is not asked: it would be up to each one."
