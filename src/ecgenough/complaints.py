"""What is wrong with settings that people wrote, in one sentence: the key, what is wrong, what fits."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ecgenough.errors import nearest

Model = type[BaseModel]


def first_complaint(error: ValidationError, model: Model, where: str) -> str:
    """The first thing that `error` says of settings for `model`; `where` is the file or thing that holds them.

    An unknown key comes with the nearest known one; a key of another kind of section says which kind is chosen.
    """
    found = error.errors(include_url=False)[0]
    path, kind, others = _followed(found["loc"], model)
    key = ".".join(map(str, path))
    if not path:
        return f"{where} must be a YAML mapping of keys such as {', '.join(list(model.model_fields)[:2])}."
    if found["type"] == "missing":
        return f'{where} key "{key}" is missing.'
    if found["type"] == "extra_forbidden":
        if kind and path[-1] in _names(others):
            return f'{where} key "{key}" does not go with "{kind}".'
        known = [".".join(map(str, [*path[:-1], name])) for name in _names(others)]
        return f'{where} key "{key}" is unknown. {nearest(key, known)}'
    message = found["msg"].removeprefix("Value error, ")
    value = found.get("input")
    shown = "" if isinstance(value, dict | BaseModel) else f" (it is {value!r})"
    return f'{where} key "{key}": {message[0].lower()}{message[1:].rstrip(".")}{shown}.'


def _followed(loc: Sequence[str | int], model: Model) -> tuple[list[str | int], str, list[Model]]:
    """Follow a complaint's place down from `model`: the keys, the last kind chosen, the models of all kinds.

    Pydantic puts the kind that was chosen for a section among the keys; it is none.
    """
    path: list[str | int] = []
    kind, own, others = "", [model], [model]
    for part in loc:
        inner = [each.model_fields[part].annotation for each in own if part in each.model_fields]
        chosen = [each for each in own if any(field.default == part for field in each.model_fields.values())]
        if isinstance(part, int):
            path.append(part)
        elif inner:
            path.append(part)
            kind, last = "", part == loc[-1]
            own = others = own if last else _models_in(inner)
        elif chosen and part != loc[-1]:
            kind, own = part, chosen
        else:
            path.append(part)
    return path, kind, others


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
    return sorted({name for model in models for name in model.model_fields})
