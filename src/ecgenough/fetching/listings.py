"""What a publisher says is there: names, checksums and, on Zenodo, sizes. Nothing of it is believed unchecked."""

import json
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from ecgenough.errors import EcgenoughError, WrongRequest, quoted

_SUM = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(\S.*)")
_SAFE = re.compile(r"[^\x00-\x1f\x7f\\:*?\"<>|]+")  # what every file system takes
_CHECKSUM = re.compile(r"(md5|sha256):([0-9a-f]{32,64})")
LONGEST = 400  # characters of a path


@dataclass(frozen=True)
class Remote:
    """One file: its path below the output folder, its address, its checksum and, where it is told, its size."""

    path: str
    address: str
    algorithm: str
    checksum: str
    size: int | None = None


def checksums(text: str, base: str) -> list[Remote]:
    """The files of a SHA256SUMS.txt, whose addresses are `base` and their path.

    Raises EcgenoughError for a line that is none of sha256sum's, and for a path that leads out of the folder.
    """
    remotes: dict[str, Remote] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _SUM.fullmatch(line.strip())
        if found is None:
            page = " It looks like a web page: is the address right?" if line.lstrip().startswith("<") else ""
            raise EcgenoughError(f"line {number} of {base}SHA256SUMS.txt is no checksum and path.{page}")
        path = safe_path(found[2].removeprefix("./"), f"{base}SHA256SUMS.txt")
        remotes[path] = Remote(path, urljoin(base, quote(path)), "sha256", found[1].lower())
    return list(remotes.values())


def zenodo_files(text: str, address: str) -> list[Remote]:
    """The files of a Zenodo record. Raises EcgenoughError for a description that is none."""
    try:
        told = [
            (str(each["key"]), str(each["links"]["self"]), str(each["checksum"]), int(each["size"]))
            for each in json.loads(text)["files"]
        ]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise EcgenoughError(f"{address} does not describe a Zenodo record with files. Is the address right?") from None
    remotes = []
    for name, link, checksum, size in told:
        found = _CHECKSUM.fullmatch(checksum)
        if found is None or size < 0:
            raise EcgenoughError(f"{address} gives {quoted(name)} no checksum that is known.")
        remotes.append(Remote(safe_path(name, address), web_address(link), found[1], found[2], size))
    return remotes


def safe_path(path: str, where: str) -> str:
    """The path, if it stays below the folder it is put in. Raises EcgenoughError otherwise."""
    parts = path.split("/")
    if len(path) > LONGEST or not all(_SAFE.fullmatch(part) and part.strip(". ") for part in parts):
        raise EcgenoughError(f"{where} names a file that leads out of the folder or cannot be: {path[:80]!r}.")
    return path


def web_address(address: str) -> str:
    """The address, if it is one of the web. Raises WrongRequest otherwise."""
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise WrongRequest(f"{quoted(address, 200)} is no address of the web; say http:// or https://.")
    return address
