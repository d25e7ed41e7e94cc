"""The page of every recipe key, from the models in recipe/: type, unit, default, allowed values, what it is."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ecgenough import recipe
from ecgenough.recipe import Recipe, Section
from ecgenough.recipe.changes import CHOICES

_PLAIN = {float: "number", int: "whole number", bool: "true or false", str: "text", Any: "anything"}
_BOUNDS = {
    "Gt": "above",
    "Ge": "from",
    "Lt": "below",
    "Le": "to",
}  # the classes of annotated_types, and a word for each


class Key(NamedTuple):
    """A row of the page: `signal.filter.low`, where `kind` says for which kind of section it is there."""

    name: str
    kind: str
    allowed: str
    unit: str
    default: str
    what: str


def keys(model: type[Section] = Recipe, prefix: str = "", kind: str = "") -> Iterator[Key]:
    """Every key of a recipe, sections before what stands in them."""
    told = descriptions()[model.__name__]
    for name, field in model.model_fields.items():
        if name in CHOICES and len(get_args(field.annotation)) == 1:
            continue
        inner = sections(_whole(field))
        unit = next((each for each in _metadata(_whole(field)) if isinstance(each, str)), "")
        yield Key(f"{prefix}{name}", kind, allowed(_whole(field)), unit, _default(field), told.get(name, ""))
        for section in inner:
            yield from keys(section, f"{prefix}{name}.", kind_of(section) if len(inner) > 1 else "")


def page() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION, _table(keys_of_no_section())]
    for name, field in Recipe.model_fields.items():
        if found := sections(_whole(field)):
            alone = [] if len(found) == 1 else [descriptions()["Recipe"][name]]  # one section says it itself
            parts += [f"## {name}", *alone, *_section_parts(found, f"{name}.")]
    return "\n\n".join(parts) + "\n"


def keys_of_no_section() -> list[Key]:
    """The keys that stand alone: task, labels, seed."""
    plain = {name for name, field in Recipe.model_fields.items() if not sections(_whole(field))}
    return [key for key in keys() if key.name in plain]


def _section_parts(found: Sequence[type[Section]], prefix: str) -> Iterator[str]:
    """Tables of the sections that may stand at a key, each kind under its own heading."""
    for section in found:
        if len(found) > 1:
            choice = next(name for name in CHOICES if name in section.model_fields)
            yield f"### {prefix}{choice}: {kind_of(section)}"
        yield inspect.getdoc(section) or ""
        own = [key for key in keys(section, prefix) if "." not in key.name.removeprefix(prefix)]
        if own:
            yield _table(own)
        for name, field in section.model_fields.items():
            yield from _section_parts(sections(_whole(field)), f"{prefix}{name}.")


def _table(rows: Sequence[Key]) -> str:
    lines = ["| key | allowed | unit | default | what |", "|---|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.allowed} | {row.unit} | {row.default} | {row.what} |" for row in rows]
    return "\n".join(lines)


def kind_of(section: type[Section]) -> str:
    """The value of `kind` or `objective` that asks for this section."""
    choices = [field for name, field in section.model_fields.items() if name in CHOICES]
    return str(choices[0].default) if choices else ""


def sections(annotation: Any) -> list[type[Section]]:
    """The sections that may stand where `annotation` does."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) if not isinstance(part, str) for section in sections(part)]


def allowed(annotation: Any) -> str:
    """What a value may be, in words: "number, above 0, or null"."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if origin is Annotated:
        return ", ".join([allowed(parts[0]), *filter(None, [" ".join(_bounds(parts[1:]))])])
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin in (Union, UnionType):
        told = list(dict.fromkeys(allowed(part) for part in parts if part is not NoneType))
        return ", or ".join([*told, *(["null"] if NoneType in parts else [])])
    if origin is tuple:
        return f"list of: {allowed(parts[0])}" if parts[-1] is Ellipsis else f"{len(parts)} of: {allowed(parts[0])}"
    if origin is dict:
        return "mapping"
    return "section"


def _bounds(metadata: Sequence[Any]) -> list[str]:
    """What Annotated says of how large a value may be: "above 0"."""
    every = [one for each in metadata for one in getattr(each, "metadata", [each])]
    named = [(type(one).__name__, one) for one in every]
    bounds = [(_BOUNDS[name], getattr(one, name.lower())) for name, one in named if name in _BOUNDS]
    return [f"{word} {bound if isinstance(bound, int) else f'{bound:g}'}" for word, bound in bounds]


def _metadata(annotation: Any) -> Iterator[Any]:
    """What Annotated says of the annotation or of anything in it."""
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
    for part in get_args(annotation):
        yield from _metadata(part)


def _whole(field: FieldInfo) -> Any:
    """The annotation as it was written; pydantic takes it apart."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if isinstance(value, Section):
        return kind_of(type(value)) if len(sections(_whole(field))) > 1 else ""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def descriptions() -> dict[str, dict[str, str]]:
    """The text under each key, by class and key."""
    found: dict[str, dict[str, str]] = {}
    sources = [path.read_text(encoding="utf-8") for path in Path(recipe.__file__).parent.glob("*.py")]
    for node in [node for source in sources for node in ast.parse(source).body]:
        if isinstance(node, ast.ClassDef):
            texts = found[node.name] = {}
            for key, text in zip(node.body, node.body[1:], strict=False):
                if (
                    isinstance(key, ast.AnnAssign)
                    and isinstance(text, ast.Expr)
                    and isinstance(text.value, ast.Constant)
                ):
                    texts[ast.unparse(key.target)] = str(text.value.value)
    return found


_INTRODUCTION = """# Every recipe key

A recipe is everything that decides a result. `ecgenough recipes NAME` prints one in full; `--set key=value` changes a key on
any command that takes `--recipe`, and a YAML file of your own may leave out what it does not change. Where a section has
kinds, its `kind` says which, and setting it takes the other keys of that section back to their defaults.

This page is made from the models that check a recipe (`src/ecgenough/recipe/`)."""
