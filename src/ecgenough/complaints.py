"""What is wrong with settings that people wrote, in one sentence: the key, what is wrong, what fits."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ecgenough.errors import closest, quoted

Model = type[BaseModel]

# What a value must be, by pydantic's type of error; in braces what its context holds.
_DEMANDS = {
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "string_type": "text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list in brackets, such as [a, b]"),
    "dict_type": "a mapping such as {{a: 1}}",
}
_SECTION = ("model_type", "model_attributes_type")


class Place(NamedTuple):
    """Where a complaint belongs: its key, the kind chosen for that section, its own model and those of all kinds."""

    path: list[str | int]
    kind: str
    own: list[Model]
    others: list[Model]

    @property
    def key(self) -> str:
        return ".".join(map(str, self.path))


def first_complaint(error: ValidationError, model: Model, where: str) -> str:
    """The first thing that `error` says of settings for `model`; `where` is the file or thing that holds them.

    An unknown key or choice comes with the nearest known one; a key of another kind of section says which kind is
    chosen. Where a value may be one of several things, it is told what each of them would need.
    """
    every = [(_followed(found, model), found) for found in error.errors(include_url=False)]
    first = every[0][0].path
    if not first and every[0][1]["type"] in _SECTION:
        return f"{where} must be a YAML mapping of keys such as {', '.join(list(model.model_fields)[:2])}."
    alike = [one for one in every if one[0].path[: len(first)] == first]
    depth = max(len(place.path) for place, _ in alike)
    told = [one for one in alike if len(one[0].path) == depth]
    place, found = told[0]
    subject = f"{where} key {quoted(place.key, 120)}"
    match found["type"]:
        case "extra_forbidden":
            return f"{subject} {_unknown(place)}"
        case "missing" if isinstance(place.path[-1], int):
            listed = f"{where} key {quoted('.'.join(map(str, place.path[:-1])), 120)}"
            return f"{listed} has too few values; it must have {max(int(one[0].path[-1]) for one in told) + 1}."
        case "missing":
            return f"{subject} is missing."
        case "too_long":
            return f"{subject} has too many values; it must have {found['ctx']['max_length']}."
        case "union_tag_invalid" | "union_tag_not_found":
            return f"{where} key {_wrong_kind(place, found)}"
        case "literal_error" if len(told) == 1:
            return f"{subject} is {_shown(found['input'])}; {_choices(found['input'], _options(found))}"
        case "value_error":
            return f"{subject}: {found['msg'].removeprefix('Value error, ').rstrip('.')}."
    return f"{subject} is {_shown(found['input'])}; it must be {', or '.join(_demand(*one) for one in told)}."


def value_complaint(error: ValidationError) -> str:
    """What `error` says of a single value, after its key: "is 0; it must be at least 1."."""
    found = error.errors(include_url=False)[0]
    if found["type"] == "literal_error":
        return f"is {_shown(found['input'])}; {_choices(found['input'], _options(found))}"
    return f"is {_shown(found['input'])}; it must be {_demand(Place([], '', [], []), found)}."


def _unknown(place: Place) -> str:
    """Of a key that its section does not have."""
    *section, word = map(str, place.path)
    if place.kind and word in _names(place.others):
        return f'does not go with "{place.kind}".'
    if own := closest(word, _names(place.own)):
        return f'is unknown. Nearest: "{".".join([*section, own])}".'
    if other := closest(word, _names(place.others)):
        return f'is unknown. Nearest: "{".".join([*section, other])}", of another kind than "{place.kind}".'
    return f"is unknown. Known{f' of {place.kind}' if place.kind else ''}: {', '.join(_names(place.own))}."


def _wrong_kind(place: Place, found: ErrorDetails) -> str:
    """Of the key that chooses a section's kind."""
    discriminator = found["ctx"]["discriminator"].strip("'")
    key = f'"{place.key}.{discriminator}"'
    if found["type"] == "union_tag_not_found":
        kinds = [str(one.model_fields[discriminator].default) for one in place.others]
        return f"{key} is missing; it must be one of {', '.join(kinds)}."
    return f"{key} is {quoted(str(found['ctx']['tag']))}; {_choices(found['ctx']['tag'], _options(found))}"


def _choices(value: Any, options: Sequence[str]) -> str:
    near = closest(value, options) if isinstance(value, str) else None
    return f"it must be one of {', '.join(options)}.{f' Nearest: {json.dumps(near)}.' if near else ''}"


def _options(found: ErrorDetails) -> list[str]:
    """The words that pydantic would have taken."""
    context = found["ctx"]
    return [option.strip("'") for option in re.split(", | or ", context.get("expected_tags") or context["expected"])]


def _demand(place: Place, found: ErrorDetails) -> str:
    kind = found["type"]
    if kind == "literal_error":
        return " or ".join(_options(found))
    if kind in _SECTION:
        return f"a mapping of keys such as {', '.join(_names(place.others)[:2])}"
    if kind in _DEMANDS:
        told = found.get("ctx", {}).items()
        context = {name: f"{value:g}" for name, value in told if isinstance(value, float)}
        context |= {name: str(value) for name, value in told if isinstance(value, int)}
        return _DEMANDS[kind].format(**context)
    message = str(found["msg"])
    return f"otherwise ({message[0].lower()}{message[1:].rstrip('.')})"


def _shown(value: Any) -> str:
    """A value as YAML has it, and not too much of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):  # keys that JSON does not have, or a list that holds itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:59]}…"


def _followed(found: ErrorDetails, model: Model) -> Place:
    """Follow a complaint's place down from `model`.

    Pydantic puts among the keys the kind that was chosen for a section, and what it tried for a value that may be one
    of several things; neither is a key.
    """
    path: list[str | int] = []
    kind, own, others, named = "", [model], [model], False  # named: what follows is a name that people chose
    *_, last = range(len(found["loc"])) or [None]
    for at, part in enumerate(found["loc"]):
        inner = [each.model_fields[part].annotation for each in own if part in each.model_fields]
        chosen = [each for each in own if any(field.default == part for field in each.model_fields.values())]
        unknown = at == last and found["type"] == "extra_forbidden"
        if isinstance(part, int) or unknown or named:
            path.append(part)
            named = False
        elif inner:
            path.append(part)
            named = any(get_origin(annotation) is dict and _models_in([annotation]) for annotation in inner)
            kind, own = "", _models_in(inner)
            others = own
        elif chosen:
            kind, own = part, chosen
    return Place(path, kind, own, others)


def _models_in(annotations: Iterable[Any]) -> list[Model]:
    """Every settings model that the annotations mention."""
    found: list[Model] = []
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            found += _models_in(get_args(annotation))
    return found


def _names(models: Iterable[Model]) -> list[str]:
    return list(dict.fromkeys(name for model in models for name in model.model_fields))
