"""The page of every command, from the functions that the command line calls."""

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from typer.main import get_command

from ecgenough.cli import COMMANDS, app

_KINDS = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH", bool: ""}


class Parameter(NamedTuple):
    """An argument or an option of a command."""

    spelled: str
    is_argument: bool
    default: str
    what: str


def page() -> str:
    """The page as Markdown."""
    return "\n\n".join([_INTRODUCTION, *(_section(name) for name in COMMANDS)]) + "\n"


def function(command: str) -> Callable[..., None]:
    """What the command line calls for a command."""
    place = command.replace("-", "_")
    found: Callable[..., None] = getattr(import_module(f"ecgenough.commands.{place}"), place)
    return found


def parameters(command: str) -> Iterator[Parameter]:
    """The arguments and options of a command, in the order of its help."""
    hints = get_type_hints(function(command))
    group: Any = get_command(app)
    for one in group.get_command(None, command).params:
        is_argument = one.param_type_name == "argument"
        default = "must be given" if one.required else _default(one.default)
        yield Parameter(_spelled(one, hints[one.name], is_argument), is_argument, default, one.help or "")


def _section(command: str) -> str:
    shown = list(parameters(command))
    needed = [one.spelled for one in shown if one.is_argument or one.default == "must be given"]
    usage = " ".join(["ecgenough", command, *needed])
    parts = [f"## {command}", inspect.getdoc(function(command)) or "", f"`{usage}`"]
    if shown:
        rows = [f"| `{one.spelled}` | {one.default} | {one.what} |" for one in shown]
        parts.append("\n".join(["| argument or option | default | what |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _spelled(one: Any, hint: Any, is_argument: bool) -> str:
    """`--set TEXT ...`, `FILES...`: as a usage line has it. `hint` is the type of what the function gets."""
    told = next((part for part in get_args(hint) if part is not type(None)), hint) if _optional(hint) else hint
    repeated = get_origin(told) is list
    if is_argument:
        return one.metavar or one.name.upper().replace("_", "-") + ("..." if repeated else "")
    kind = _KINDS[get_args(told)[0] if repeated else told]
    return f"{', '.join(one.opts)} {kind}".strip() + (" ..." if repeated else "")


def _optional(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    return "off" if value is False else f"`{value}`"


_INTRODUCTION = """# Every command

This page is made from the command line itself; `ecgenough COMMAND --help` prints the same. Exit status: 0 done, 1 the work
failed, 2 the request was wrong; 130 and 143 where it was stopped by Ctrl-C or by the system. Errors are one sentence. What
stands with `...` may be repeated."""
