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
_YES_NO = {"no": 0.0, "yes": 1.0}

# Columns of 0 and 1 that say who was recorded rather than what the ECG shows; taken as they are, and pointed out.
PERSONAL = frozenset({"male", "female", "smoker", "smoking", "alcohol", "diabetes", "diabetic", "obese", "pregnant"})


def read_tasks(
    sheet: Sheet,
    candidates: Sequence[str],
    wanted: Sequence[str] | None,
    positive: str | None,
    name: str,
    to_train_on: bool = True,
) -> tuple[Task, ...]:
    """The tasks that a manifest's columns state: first the one called `name`, then one of each label column alone.

    `wanted` columns if given; else every one of `candidates` that holds 0 and 1 only (true and false count, and yes and no
    where there is nothing else); else the one named label, class or diagnosis, with a class for each word in it; else
    none, and there is no task. Of two words, `positive` is the class; unless it is given, the one that is not a word for
    absence (no, normal, healthy...), else the alphabetically later one. What was found or chosen is said in a line, and
    how to choose. Unless the records are `to_train_on`, a column with one word throughout is one class, and one of as many
    words as rows is no label. Raises WrongRequest naming the row and column of anything else.
    """
    columns = list(wanted) if wanted is not None else _found(sheet, candidates)
    if not columns:
        if wanted is not None:
            raise WrongRequest(f"{sheet.path.name} names no label column.")
        return ()
    if len(columns) == 1 and _is_words(sheet, columns[0]):
        return _words_tasks(sheet, columns[0], positive, name, to_train_on)
    if positive is not None:
        raise WrongRequest(
            f'{sheet.path.name}: positive "{positive}" is for a label column of two words; columns of 0 and 1 need none.'
        )
    labels = np.stack([_zeros_and_ones(sheet, column) for column in columns], axis=1)
    tasks = [Task(name, tuple(columns), labels, _all_listed(sheet))]
    alone = enumerate(columns)
    tasks += [Task(one, (one,), labels[:, [at]], _all_listed(sheet)) for at, one in alone if one != name]
    return tuple(tasks)


def _found(sheet: Sheet, candidates: Sequence[str]) -> list[str]:
    shares = {column: _share_of_truth(sheet, column) for column in candidates}
    # A column that is mostly 0 and 1 is meant as a label: its other values are mistakes, to be named, not skipped.
    labels = [column for column, share in shares.items() if share >= 0.5]
    if not labels:
        labels = [column for column in candidates if column.lower() in WORD_COLUMNS][:1]
    _say_what_was_found(sheet, candidates, labels)
    return labels


def _say_what_was_found(sheet: Sheet, candidates: Sequence[str], labels: Sequence[str]) -> None:
    name = sheet.path.name
    if not labels:
        words = {column: sorted(set(sheet.columns[column])) for column in candidates}
        two = [f"{column} ({few[0]}, {few[1]})" for column, few in words.items() if len(few) == 2 and all(few)][:3]
        hint = f" For {' or '.join(two)}, write 0 and 1." if two else ""
        say(
            f"{name} has no label column: none holds 0 and 1 only, and none is named label, class or diagnosis.{hint} Its "
            f"columns: {', '.join(sheet.columns)}. Without labels it can be prepared and pretrained on, not trained on."
        )
        return
    ignored = [column for column in candidates if column not in labels]
    unused = f"; not used: {', '.join(ignored)}" if ignored else ""
    say(f"{name}: labels are in {', '.join(labels)}{unused}.")
    if len(labels) > 1:
        say(
            f'{name}: each is a class. For one alone, say --task {labels[0]}; for some, write "labels: [{labels[0]}, '
            f'...]" into {sheet.path.stem}.yaml beside it.'
        )
    if personal := [column for column in labels if column.lower() in PERSONAL]:
        say(f"{name}: {', '.join(personal)} may say who was recorded rather than what the ECG shows. Is that a label?")


def _share_of_truth(sheet: Sheet, column: str) -> float:
    truth, values = _truth_of(sheet, column), sheet.column(column)
    return sum(value.lower() in truth for value in values) / max(len(values), 1)


def _truth_of(sheet: Sheet, column: str) -> dict[str, float]:
    """What the words of a column say: yes and no are 1 and 0 where there is nothing else and the column names the class."""
    answers = {value.lower() for value in sheet.column(column)} <= _YES_NO.keys()
    return _YES_NO if answers and column.lower() not in WORD_COLUMNS else _TRUTH


def _is_words(sheet: Sheet, column: str) -> bool:
    truth = _truth_of(sheet, column)
    return not any(_is_number(value) or value.lower() in truth for value in sheet.column(column))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _zeros_and_ones(sheet: Sheet, column: str) -> NDArray[np.float32]:
    truth = _truth_of(sheet, column)
    values = [truth.get(value.lower()) for value in sheet.column(column)]
    if None in values:
        row = values.index(None)
        text = sheet.columns[column][row]
        what = f'"{text}" is' if text else "an empty cell is"
        raise sheet.complaint(
            column, row, f"{what} not a label; labels are 0 or 1, in every row{_of_several(text, column)}"
        )
    return np.array(values, dtype=np.float32)


def _of_several(text: str, column: str) -> str:
    """What to write where classes seem to be numbered."""
    numbered = _is_number(text) and column.lower() in WORD_COLUMNS
    return "; of more than two classes in one column, write the names" if numbered else ""


def _words_tasks(sheet: Sheet, column: str, positive: str | None, name: str, to_train_on: bool) -> tuple[Task, ...]:
    values = sheet.column(column)
    if "" in values:
        raise sheet.complaint(column, values.index(""), "an empty cell is not a label")
    words = sorted(set(values))
    if len(words) == 1 and to_train_on:
        raise WrongRequest(
            f'{sheet.path.name} column "{column}" says "{words[0]}" in every row, and one class leaves nothing to tell '
            "apart; list records of another class, too."
        )
    if len(words) > max(2, len(values) // 2):
        many = f'{sheet.path.name} column "{column}" has {len(words):,} different words in {len(values):,} rows'
        if to_train_on:
            raise WrongRequest(f"{many}; records must share classes.")
        say(f"{many}: these are no classes, so there are no labels.")
        return ()
    if len(words) == 2:
        words = [_positive(sheet, column, words, positive)]
    elif positive is not None:
        raise WrongRequest(
            f'{sheet.path.name}: positive "{positive}" is for two words; column "{column}" has {len(words)}.'
        )
    labels = np.array([[value == word for word in words] for value in values], dtype=np.float32)
    return (Task(name, tuple(words), labels, _all_listed(sheet)),)


def _positive(sheet: Sheet, column: str, words: Sequence[str], stated: str | None) -> str:
    if stated is not None:
        if stated not in words:
            raise WrongRequest(
                f'{sheet.path.name}: positive "{stated}" is not in column "{column}", which has {words[0]} and {words[1]}.'
            )
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
