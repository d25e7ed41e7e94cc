"""Search spaces: which keys of a recipe are searched, and among which values. A space is YAML, a line a key:

    optimizer.learning_rate: {low: 1.0e-6, high: 1.0e-2, log: true}
    network.options.layers: {choices: [1, 2, 4]}
    network.options.dropout: {low: 0.0, high: 0.4, step: 0.1}
    training.epochs: {low: 10, high: 50}

A range is of whole numbers where its ends are and the key takes no others.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ecgenough import networks
from ecgenough.complaints import first_complaint
from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe, Section
from ecgenough.recipe.changes import CHOICES
from ecgenough.settings import read_mapping, read_settings
from ecgenough.signals.conditioning import check_settings, samples_of
from ecgenough.signals.crops import crop_samples

Plain = bool | int | float | str | None

# Keys that change the question or the luck instead of the answer: figures found that way do not compare.
NOT_SEARCHED = {
    "task": "figures of different tasks do not compare",
    "leave_out": "figures on different records do not compare",
    "seed": "a lucky seed is no setting",
    "transfer": "a search trains from scratch",
    "pretraining": "a search trains on labels",
}
# YAML 1.1 takes 1e-6, without a point, for a word.
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
FOLDER, WHAT = "spaces", "search space"  # of the package; what errors call one


class Choices(Section):
    """One of these, none nearer to another."""

    choices: Annotated[tuple[Plain, ...], Field(min_length=1)]

    @field_validator("choices")
    @classmethod
    def _different(cls, choices: tuple[Plain, ...]) -> tuple[Plain, ...]:
        if len({(type(choice), choice) for choice in choices}) < len(choices):
            raise ValueError("name each choice once")
        numbers = [isinstance(choice, str) and _EXPONENT.fullmatch(choice) for choice in choices]
        return tuple(float(str(c)) if number else c for c, number in zip(choices, numbers, strict=True))

    @property
    def tried(self) -> tuple[Plain, ...]:
        """The values that show whether the space fits a recipe."""
        return self.choices


class Range(Section):
    """From `low` to `high`, in steps where `step` is given, evenly over the logarithm where `log` is true."""

    low: int | float
    high: int | float
    step: Annotated[int | float, Field(gt=0)] | None = None
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.low < self.high < float("inf") or self.low == float("-inf"):
            raise ValueError(f"low must be below high, and both finite ({self.low:g} and {self.high:g} are not)")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and no step")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"a step of {self.step:g} is wider than the range")
        return self

    @property
    def tried(self) -> tuple[Plain, ...]:
        """The values that show whether the space fits a recipe."""
        return (self.low, self.high)

    @property
    def could_be_whole(self) -> bool:
        """Whether its ends and step are whole; whether the key takes others too, the recipe says."""
        return not any(isinstance(end, float) for end in (self.low, self.high, self.step))


@dataclass(frozen=True)
class SearchSpace:
    """Recipe keys and their values, checked against the recipe they are to change."""

    keys: Mapping[str, Choices | Range]

    def recipe(self, base: Recipe, values: Mapping[str, Plain]) -> Recipe:
        """The recipe with one value for each key. Raises WrongRequest where it does not fit."""
        changed = base.with_values((key, values[key]) for key in sorted(self.keys, key=_kinds_first))
        networks.check_recipe(changed)
        check_settings(changed.signal)
        crop_samples(changed, samples_of(changed.signal))
        return changed

    def to_settings(self) -> dict[str, Any]:
        """Plain values, for fingerprints."""
        return {key: values.model_dump(mode="json") for key, values in self.keys.items()}


def load_space(name_or_path: str, base: Recipe) -> SearchSpace:
    """A shipped space by name or one of your own by path, checked against the recipe it is to change.

    Raises WrongRequest where there is neither, where a key is no key of the recipe, and where any two of its values
    together do not fit the recipe.
    """
    return _space(read_settings(name_or_path, FOLDER, WHAT), base, name_or_path)


def read_space(text: str, base: Recipe, where: str = "the search space") -> SearchSpace:
    """A search space from YAML text; `where` is named in errors. See `load_space`."""
    return _space(read_mapping(text, where, WHAT), base, where)


def _space(settings: Mapping[Any, Any], base: Recipe, where: str) -> SearchSpace:
    if not settings:
        raise WrongRequest(f"{where} is not a {WHAT}: it must be recipe keys, each with low and high, or choices.")
    space = SearchSpace({str(key): _values(str(key), entry, where) for key, entry in settings.items()})
    try:
        _check(space, base)
        whole = {key: _as_whole(space, base, key, values) for key, values in space.keys.items()}
        return SearchSpace(whole)
    except WrongRequest as error:
        raise WrongRequest(f"{where}: {error}") from None


def _values(key: str, entry: Any, where: str) -> Choices | Range:
    section = key.partition(".")[0]
    if section in NOT_SEARCHED:
        raise WrongRequest(f'{where} key "{key}" cannot be searched: {NOT_SEARCHED[section]}.')
    if not isinstance(entry, dict) or not {"low", "high", "choices"} & set(entry):
        raise WrongRequest(
            f'{where} key "{key}" must say {{low: , high: }} or {{choices: [...]}}, '
            "under the recipe's key in full, such as optimizer.learning_rate."
        )
    if "whole" in entry:
        raise WrongRequest(f'{where} key "{key}.whole" is unknown: whole numbers are told from low and high.')
    model = Choices if "choices" in entry else Range
    try:
        return model.model_validate(entry)
    except ValidationError as error:
        if error.errors()[0]["loc"]:
            raise WrongRequest(first_complaint(error, model, f"{where}, {key},")) from None
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise WrongRequest(f'{where} key "{key}": {reason}.') from None


def _check(space: SearchSpace, base: Recipe) -> None:
    """Raise WrongRequest unless every two values fit the recipe together, the other keys at their first."""
    first = {key: values.tried[0] for key, values in space.keys.items()}
    every = [(key, value) for key, values in space.keys.items() for value in values.tried]
    for pair in _pairs(every):
        space.recipe(base, first | dict(pair))


def _pairs(every: list[tuple[str, Plain]]) -> Iterable[tuple[tuple[str, Plain], ...]]:
    yield from ((one,) for one in every)
    yield from ((one, other) for one, other in combinations(every, 2) if one[0] != other[0])


def _as_whole(space: SearchSpace, base: Recipe, key: str, values: Choices | Range) -> Choices | Range:
    """The range as one of whole numbers, where its ends are whole and the key refuses what lies between."""
    if isinstance(values, Choices) or not values.could_be_whole:
        return values
    first = {name: other.tried[0] for name, other in space.keys.items()}
    try:
        space.recipe(base, first | {key: values.low + 0.5})
    except WrongRequest:
        return values.model_copy(update={"whole": True})
    return values


def _kinds_first(key: str) -> tuple[bool, int]:
    """Keys that say which other keys there are go before those, the outer ones first."""
    decides = key == "network.name" or key.rpartition(".")[2] in CHOICES
    return (not decides, key.count("."))
