"""Labels from the columns of a manifest: 0/1 columns, or one column of words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.sheet import Sheet
from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.progress import say

WORD_COLUMNS = ("label", "labels", "class", "diagnosis", "target", "category", "dx")
ABSENCE = frozenset({"no", "n", "none", "neg", "negative", "normal", "healthy", "control", "absent", "acceptable"})

_TRUTH = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def read_task(
    sheet: Sheet, candidates: Sequence[str], wanted: Sequence[str] | None, positive: str | None, name: str
) -> Task:
    """The task that a manifest's columns state.

    `wanted` columns if given; else every one of `candidates` that holds 0 and 1 only (true and false count); else the
    one named label, class or diagnosis, with a class for each word in it. Of two words, `positive` is the class; unless
    it is given, the one that is not a word for absence (no, normal, healthy...), else the alphabetically later one.
    What was found or chosen is said in a line. Raises WrongRequest naming the row and column of anything else.
    """
    columns = list(wanted) if wanted is not None else _found(sheet, candidates)
    if not columns:
        raise WrongRequest(f"{sheet.path.name} names no label column.")
    if len(columns) == 1 and _is_words(sheet.column(columns[0])):
        return _words_task(sheet, columns[0], positive, name)
    if positive is not None:
        raise WrongRequest(f'positive "{positive}" is for a label column of two words; columns of 0 and 1 need none.')
    labels = np.stack([_zeros_and_ones(sheet, column) for column in columns], axis=1)
    return Task(name, tuple(columns), labels, _all_listed(sheet))


def _found(sheet: Sheet, candidates: Sequence[str]) -> list[str]:
    shares = {column: _share_of_truth(sheet.columns[column]) for column in candidates}
    # A column that is mostly 0 and 1 is meant as a label: its other values are mistakes, to be named, not skipped.
    labels = [column for column, share in shares.items() if share >= 0.5]
    if not labels:
        labels = [column for column in candidates if column.lower() in WORD_COLUMNS][:1]
    if not labels:
        raise WrongRequest(
            f"{sheet.path.name} has no label column: none holds 0 and 1 only, and none is named label, class or "
            f"diagnosis. Its columns: {', '.join(sheet.columns)}."
        )
    ignored = [column for column in candidates if column not in labels]
    unused = f"; not used: {', '.join(ignored)}" if ignored else ""
    say(f"{sheet.path.name}: labels are in {', '.join(labels)}{unused}.")
    return labels


def _share_of_truth(values: Sequence[str]) -> float:
    return sum(value.lower() in _TRUTH for value in values) / max(len(values), 1)


def _is_words(values: Sequence[str]) -> bool:
    return not any(_is_number(value) or value.lower() in _TRUTH for value in values)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _zeros_and_ones(sheet: Sheet, column: str) -> NDArray[np.float32]:
    values = [_TRUTH.get(value.lower()) for value in sheet.column(column)]
    if None in values:
        row = values.index(None)
        text = sheet.columns[column][row]
        what = f'"{text}" is' if text else "an empty cell is"
        raise sheet.complaint(column, row, f"{what} not a label; labels are 0 or 1, in every row")
    return np.array(values, dtype=np.float32)


def _words_task(sheet: Sheet, column: str, positive: str | None, name: str) -> Task:
    values = sheet.column(column)
    if "" in values:
        raise sheet.complaint(column, values.index(""), "an empty cell is not a label")
    words = sorted(set(values))
    if not 2 <= len(words) <= max(2, len(values) // 2):
        raise WrongRequest(
            f'{sheet.path.name} column "{column}" has {len(words)} different words in {len(values)} rows; classes must '
            "be at least two, and shared by records."
        )
    if len(words) == 2:
        words = [_positive(sheet, column, words, positive)]
    elif positive is not None:
        raise WrongRequest(f'positive "{positive}" is for two words; column "{column}" has {len(words)}.')
    labels = np.array([[value == word for word in words] for value in values], dtype=np.float32)
    return Task(name, tuple(words), labels, _all_listed(sheet))


def _positive(sheet: Sheet, column: str, words: Sequence[str], stated: str | None) -> str:
    if stated is not None:
        if stated not in words:
            raise WrongRequest(f'positive "{stated}" is not in column "{column}", which has {words[0]} and {words[1]}.')
        return stated
    present = [word for word in words if word.lower() not in ABSENCE]
    chosen = present[0] if len(present) == 1 else words[-1]
    say(
        f'{sheet.path.name}: the positive class is "{chosen}" of column "{column}". To turn it round, write '
        f'"positive: {words[0] if chosen == words[1] else words[1]}" into {sheet.path.stem}.yaml.'
    )
    return chosen


def _all_listed(sheet: Sheet) -> NDArray[np.bool_]:
    return np.ones(len(sheet), dtype=np.bool_)
