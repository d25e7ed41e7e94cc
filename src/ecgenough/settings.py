"""Settings in YAML: files of one's own, and those that come with the package in folders of their kind."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ecgenough.errors import WrongRequest, nearest, quoted

MOST_BYTES = 1 << 18  # of a file of settings; the largest that ships has a few thousand
MOST_NODES = 20_000  # keys, values and lists, each alias counted as what it stands for
DEEPEST = 40  # lists and mappings within each other

# What PyYAML lets through where a value contradicts its tag, as in "!!timestamp 1", or a number has too many digits.
_CONTRADICTIONS = (ValueError, AttributeError, KeyError, IndexError, TypeError, OverflowError, RecursionError)


def shipped_names(folder: str) -> tuple[str, ...]:
    """The names of the YAML files in a folder of the package."""
    names = (entry.name for entry in (files("ecgenough") / folder).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read_settings(name_or_path: str, folder: str, what: str) -> dict[str, Any]:
    """The keys of a shipped file of `folder` by name, or of one by path; `what` says in errors what it should be.

    Raises WrongRequest when there is neither, or it is no YAML mapping.
    """
    known, path = shipped_names(folder), Path(name_or_path)
    if name_or_path in known:
        text = (files("ecgenough") / folder / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    elif path.is_file():
        text = read_text(path)
    else:
        raise WrongRequest(f'{what} "{name_or_path}" is neither shipped nor a file. {nearest(name_or_path, known)}')
    return read_mapping(text, name_or_path, what)


def read_text(path: Path) -> str:
    """The text of a file of settings. Raises WrongRequest for one that is larger than any or cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WrongRequest(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > MOST_BYTES:
        raise WrongRequest(f"{path} is larger than {MOST_BYTES >> 10} KiB; no file of settings is.")
    return content.decode("utf-8", errors="replace")


def read_mapping(text: str, where: str, what: str) -> dict[str, Any]:
    """YAML text as a mapping of keys. Raises WrongRequest saying that `where` is not a `what` where it is none."""
    settings = read_value(text, where)
    if not isinstance(settings, dict):
        raise WrongRequest(f"{where} is not a {what}: it must be a YAML mapping of keys, a key and its value a line.")
    return settings


def read_value(text: str, where: str) -> Any:
    """Whatever value a YAML text from anywhere holds. Raises WrongRequest naming `where` for one that is no YAML, or
    that is nested or multiplied by aliases beyond reason.
    """
    try:
        return yaml.load(text, Loader=_Bounded)
    except (yaml.YAMLError, *_CONTRADICTIONS) as error:
        raise WrongRequest(f"{where} is not YAML: {quoted(' '.join(str(error).split()), 200)}") from None


class _Bounded(yaml.SafeLoader):
    """YAML's plain values, so long as they are few, flat, and none holds itself: a text of 300 bytes can be a billion.

    In Python, though libyaml is faster: it overflows the stack where lists are nested deeply.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._nodes = 0
        self._sizes: dict[int, int] = {}

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        value = int(super().construct_yaml_int(node))
        if not -(1 << 63) <= value < 1 << 63:
            raise yaml.YAMLError("one of its whole numbers takes more than 64 bits")
        return value

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        before, is_alias = self._nodes, self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.YAMLError(f"its values nest deeper than {DEEPEST}")
        node = super().compose_node(parent, index)
        if is_alias and id(node) not in self._sizes:
            raise yaml.YAMLError("one of its anchors holds itself")
        self._nodes += self._sizes[id(node)] if is_alias else 1
        if self._nodes > MOST_NODES:
            raise yaml.YAMLError(f"it has more than {MOST_NODES:,} values, aliases counted as what they stand for")
        if not is_alias:
            self._sizes[id(node)] = self._nodes - before
        self._depth -= 1
        return node


_Bounded.add_constructor("tag:yaml.org,2002:int", _Bounded.construct_yaml_int)
