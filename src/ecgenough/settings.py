"""Settings in YAML: files of one's own, and those that come with the package in folders of their kind."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ecgenough.errors import WrongRequest, nearest


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
        text = path.read_text(encoding="utf-8", errors="replace")
    else:
        raise WrongRequest(f'{what} "{name_or_path}" is neither shipped nor a file. {nearest(name_or_path, known)}')
    return read_mapping(text, name_or_path, what)


def read_mapping(text: str, where: str, what: str) -> dict[str, Any]:
    """YAML text as a mapping of keys. Raises WrongRequest saying that `where` is not a `what` where it is none."""
    try:
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise WrongRequest(f"{where} is not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(settings, dict):
        raise WrongRequest(f"{where} is not a {what}: it must be a YAML mapping of keys, a key and its value a line.")
    return settings
