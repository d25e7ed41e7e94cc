"""The command line: a table of commands, each loaded only when it is called, so that none waits for another's imports."""

import errno
import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ecgenough.errors import EcgenoughError, nearest

COMMANDS = {
    "demo": "Run the main job on simulated ECGs, start to report.",
    "datasets": "Show the data sets known by name.",
    "networks": "Show the networks, their sizes and their operations.",
    "models": "Show the trained models that come with the package.",
    "recipes": "Show the shipped recipes, or print one as YAML.",
    "simulate": "Write a collection of simulated 12-lead ECGs as WFDB files with labels.",
    "fetch": "Download a public collection from its publisher.",
    "inspect": "Look through a collection: what it holds, and what to doubt in it.",
    "prepare": "Condition every recording once, for fast training.",
    "train": "Train a network and choose its epoch on the validation folds.",
    "pretrain": "Learn from ECGs without their labels, for transfer to any task.",
    "import-weights": "Turn weights that others trained into a model for transfer.",
    "tune": "Search for a better recipe, on the validation folds alone.",
    "transfer": "Carry a trained model over to another data set or task.",
    "evaluate": "Score a model on folds it has not seen.",
    "reproduce": "Rerun a finished run and say how far each figure is from the first.",
    "baseline": "Fit and score a sober baseline to compare networks with.",
    "study": "Compare networks, preparations and ways of transfer, cell by cell.",
    "predict": "Say what a model reads in each ECG.",
    "explain": "Show on the ECG what a model's answer rests on.",
    "export": "Write a model as one ONNX file that needs no PyTorch.",
    "serve": "Answer over HTTP what a model reads in ECG files.",
    "report": "Write one self-contained HTML page about one run, or comparing several.",
}


class LoadedWhenCalled(TyperGroup):
    """The commands of the table: `name-of-it` is the function `name_of_it` of `commands/name_of_it.py`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        place = cmd_name.replace("-", "_")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        app.command(cmd_name)(getattr(import_module(f"ecgenough.commands.{place}"), place))
        return get_command(app)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f'command "{args[0]}" is unknown. {nearest(args[0], COMMANDS)}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    name="ecgenough", cls=LoadedWhenCalled, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


@app.callback(no_args_is_help=True)
def ecgenough() -> None:
    """Can a network read this diagnosis from the ECG alone? Train, transfer, compare and use ECG networks."""


def main() -> NoReturn:
    """Run the command line. Exit status: 0 done, 1 the work failed, 2 the request was wrong."""
    signal.signal(signal.SIGTERM, lambda *_: _stop(_stopped(), 143))
    signal.signal(signal.SIGINT, lambda *_: _stop(_stopped(), 130))
    threading.excepthook = _thread_failed
    try:
        app()
    except EcgenoughError as error:
        _stop(str(error), error.status)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("ecgenough"):
            raise
        package = error.name.partition(".")[0]
        _stop(f"the package {package} is not installed, which this needs: pip install ecgenough.", 1)
    except (OSError, MemoryError, RuntimeError) as error:
        if _is_want_of_memory(error):
            _stop(f"{_NO_MEMORY}{_going_on()}", 1)
        if not isinstance(error, OSError):
            raise
        if error.errno == errno.EPIPE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{error.strerror or error}.{_remedy(error)}", 1)
    sys.exit(0)


# go on where they were stopped
RESUMED = ("demo", "fetch", "prepare", "train", "pretrain", "transfer", "study", "tune")


_FULL, _PROTECTED = (errno.ENOSPC, errno.EDQUOT), (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_MEMORY = "memory ran out. Close other programs, or ask for less at once: a smaller training.batch, fewer --workers or --jobs."
# PyTorch's words on the CPU, where it raises a RuntimeError: its own, oneDNN's, C++'s and Python's threads'.
_WANT_OF_MEMORY = ("can't allocate memory", "could not create a primitive", "bad_alloc", "can't start new thread")


def _remedy(error: OSError) -> str:
    """What to do about a file that cannot be read or written, as far as that is known."""
    if error.errno in _FULL:
        return f" Free some space, or choose another folder.{_going_on()}"
    if error.errno in _PROTECTED:
        return f" Make it accessible, or choose another folder.{_going_on()}"
    return " Put it right, and give the same command again."


def _is_want_of_memory(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = any(words in str(error) for words in _WANT_OF_MEMORY)
    return told or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # that of a GPU


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Leave it to the main thread to say that memory ran out: it waits for the others, and has a sentence for it."""
    if not isinstance(failure.exc_value, Exception) or not _is_want_of_memory(failure.exc_value):
        threading.__excepthook__(failure)


def _going_on() -> str:
    resumed = any(command in sys.argv[1:2] for command in RESUMED)
    return " What was finished is kept; the same command goes on from there." if resumed else ""


def _stopped() -> str:
    return f"stopped.{_going_on()}"


def _stop(sentence: str, status: int) -> NoReturn:
    print(f"ecgenough: {sentence}", file=sys.stderr)
    sys.exit(status)
