"""Uploaded files in a folder of their own, and which of them are recordings."""

import re
from collections.abc import Sequence
from pathlib import Path

from ecgenough.errors import WrongRequest

_NAME = re.compile(r"[\w\-.+ ()]{1,120}")
_SIGNALS = (".dat", ".mat")  # of a WFDB record, whose header says what they hold


def safe_name(name: str) -> str:
    """The last part of an uploaded file's name. Raises WrongRequest for one that is no plain file name."""
    bare = re.split(r"[/\\]", name)[-1]
    if not _NAME.fullmatch(bare) or bare.startswith("."):
        raise WrongRequest(
            "a file's name must be 1 to 120 letters, digits, spaces and . _ - + ( ), and begin otherwise than with a dot."
        )
    return bare


def save(folder: Path, files: Sequence[tuple[str, bytes]]) -> list[Path]:
    """Write uploaded files to `folder`. Raises WrongRequest for none, a wrong name or two of one name."""
    if not files:
        raise WrongRequest('no file was sent. Send recordings as multipart/form-data in fields named "files".')
    paths = [folder / safe_name(name) for name, _ in files]
    if len(set(paths)) < len(paths):
        raise WrongRequest("two of the files have the same name; send them one by one.")
    for path, (_, content) in zip(paths, files, strict=True):
        path.write_bytes(content)
    return paths


def recordings(paths: Sequence[Path]) -> list[Path]:
    """The files that are a recording each: all but the samples of a WFDB record whose header is there too."""
    headers = {path.stem for path in paths if path.suffix == ".hea"}
    return [path for path in paths if not (path.suffix in _SIGNALS and path.stem in headers)]
