"""One file from the web: resumed where it stopped, started again where it changed, and kept only if its checksum fits.

A file grows beside its place as .NAME.part. What the server called this version of it (its ETag, or the date it was
changed) is kept in .NAME.version, so that a later run can ask for the rest of the same version and no other.
"""

import errno
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import TypeVar

import requests
import urllib3

from ecgenough.errors import EcgenoughError
from ecgenough.fetching.listings import Remote
from ecgenough.sentences import counted

Got = TypeVar("Got")

PIECE = 1 << 16
WORTH_RESUMING = 1 << 20  # bytes; smaller files are simply started again
_LATER = (408, 425, 429, 500, 502, 503, 504)  # statuses that may pass


@dataclass(frozen=True)
class Patience:
    """How long to wait: attempts, seconds before the second one (doubled each time), to connect, and in silence.

    In each `silence` seconds at least `least` bytes must come.
    """

    attempts: int = 5
    wait: float = 1.0
    connect: float = 15.0
    silence: float = 30.0
    least: int = 1024


class Failed(Exception):
    """This attempt failed, for the reason given; `final` where another one would fail as well."""

    def __init__(self, why: str, final: bool = False, wait: float = 0.0) -> None:
        super().__init__(why)
        self.final = final
        self.wait = wait


class Stopped(Exception):
    """The whole fetch is being stopped."""


@dataclass(frozen=True)
class Downloader:
    """Downloads files over one connection; `arrived` is told how many bytes came, `stop` ends it between two pieces."""

    session: requests.Session
    patience: Patience
    stop: threading.Event
    arrived: Callable[[int], None]

    def download(self, remote: Remote, place: Path) -> None:
        """Bring `remote` to `place`. Raises Failed after the last attempt, Stopped when asked to, OSError of the disk."""
        place.parent.mkdir(parents=True, exist_ok=True)
        self._patiently(lambda: self._attempt(remote, place))

    def text(self, address: str, most: int) -> str:
        """A text of at most `most` bytes, such as a listing. Raises EcgenoughError where it cannot be had."""
        try:
            return self._patiently(lambda: self._content(address, most)).decode("utf-8")
        except UnicodeDecodeError:
            raise EcgenoughError(f"{address} is no text. Is the address right?") from None
        except Failed as failure:
            raise EcgenoughError(f"{address} cannot be had: {failure}.") from None

    def _patiently(self, attempt: Callable[[], Got]) -> Got:
        """What an attempt gives. Raises Failed after the last one, Stopped when asked to."""
        number = 1
        while True:
            try:
                return attempt()
            except Failed as failure:
                if failure.final or number >= self.patience.attempts:
                    raise
                pause = max(failure.wait, self.patience.wait * 2 ** (number - 1))
            if self.stop.wait(pause):
                raise Stopped
            number += 1

    def _content(self, address: str, most: int) -> bytearray:
        content = bytearray()  # which grows in place; a listing comes in thousands of pieces
        with self._asked(address, {}) as response:
            for piece in self._pieces(response):
                content += piece
                if len(content) > most:
                    raise Failed(f"it is larger than {most:,} bytes", final=True)
        return content

    def _attempt(self, remote: Remote, place: Path) -> None:
        part, version = place.with_name(f".{place.name}.part"), place.with_name(f".{place.name}.version")
        held = part.stat().st_size if part.is_file() and version.is_file() else 0
        headers = {"Range": f"bytes={held}-", "If-Range": version.read_text("utf-8")} if held else {}
        with self._asked(remote.address, headers) as response:
            resumed = _resumes(response, held)
            total = _length(response, held if resumed else 0)
            if remote.size is not None and total not in (None, remote.size):
                raise Failed(f"it has {total:,} bytes where the publisher states {remote.size:,}", final=True)
            _remember(version, response, total or 0)
            self._receive(response, part, held if resumed else 0, remote.size if total is None else total)
        if digest(part, remote.algorithm) != remote.checksum:
            part.unlink()
            version.unlink(missing_ok=True)
            large = not resumed and (total or 0) >= WORTH_RESUMING  # and whole from one answer: it is so at the server
            raise Failed(f"its {remote.algorithm.upper()} is not the one the publisher states", final=large)
        # Not flushed to the disk: whatever a power cut leaves is checked against the checksum by the next run.
        part.replace(place)
        version.unlink(missing_ok=True)

    def _receive(self, response: requests.Response, part: Path, held: int, total: int | None) -> None:
        with part.open("ab" if held else "wb") as file:
            file.truncate(held)
            for piece in self._pieces(response):
                file.write(piece)
                held += len(piece)
                self.arrived(len(piece))
                if total is not None and held > total:
                    raise Failed(f"it sends more than the {total:,} bytes it announced", final=True)
        if total is not None and held < total:
            raise Failed(f"it ended after {held:,} of {total:,} bytes")

    @contextmanager
    def _asked(self, address: str, headers: dict[str, str]) -> Iterator[requests.Response]:
        """The response to a request, if it is the file or a part of it. Raises Failed otherwise."""
        timeout = (self.patience.connect, self.patience.silence)
        headers = {"Accept-Encoding": "identity", **headers}
        try:
            with self.session.get(address, headers=headers, timeout=timeout, stream=True) as response:
                if address.startswith("https:") and not response.url.startswith("https:"):
                    raise Failed("it was redirected to an address without encryption", final=True)
                if response.status_code == 416:  # what is held is not of this file
                    raise Failed("the server has no such part of it")
                if response.status_code not in (200, 206):
                    final = response.status_code not in _LATER
                    raise Failed(f"the server answered {response.status_code}", final, _retry_after(response))
                yield response
        except requests.exceptions.InvalidSchema:
            raise Failed("it was redirected to an address that is not of the web", final=True) from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            raise Failed(f"the server was silent for {self.patience.silence:g} s") from None
        except urllib3.exceptions.HTTPError:
            raise Failed("the connection broke") from None
        except requests.exceptions.RequestException as error:
            raise Failed(_reason(error)) from None

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        since, came = time.monotonic(), 0
        while piece := response.raw.read1(PIECE, decode_content=False):  # what is there, not a full piece
            if self.stop.is_set():
                raise Stopped
            came += len(piece)
            if time.monotonic() - since > self.patience.silence:
                if came < self.patience.least:
                    raise Failed(f"only {counted(came, 'byte')} came in {self.patience.silence:g} s")
                since, came = time.monotonic(), 0
            yield piece


def digest(place: Path, algorithm: str) -> str:
    """The checksum of a file, in hexadecimal."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def is_there(remote: Remote, place: Path) -> bool:
    """Whether the file is there, whole and right."""
    if not place.is_file() or (remote.size is not None and place.stat().st_size != remote.size):
        return False
    return digest(place, remote.algorithm) == remote.checksum


def disk_is_full(error: OSError) -> bool:
    """Whether no file can be written any more, so that it is no use to go on."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _resumes(response: requests.Response, held: int) -> bool:
    """Whether the response is the rest of what is held, and not the whole file again."""
    if response.status_code != 206:
        return False
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    if not held or start != str(held):
        raise Failed("the server sent another part than it was asked for")
    return True


def _length(response: requests.Response, held: int) -> int | None:
    """Bytes of the whole file, as far as the response tells."""
    length = response.headers.get("Content-Length", "")
    return held + int(length) if length.isdecimal() else None


def _remember(version: Path, response: requests.Response, total: int) -> None:
    """Keep what the server calls this version, where resuming is worth it; a weak ETag is none (RFC 9110, 13.1.5)."""
    name = response.headers.get("ETag", "")
    if not name or name.startswith("W/"):
        name = response.headers.get("Last-Modified", "")
    if total >= WORTH_RESUMING and name and len(name) < 1024 and name.isprintable():
        version.write_text(name, encoding="utf-8")
    else:
        version.unlink(missing_ok=True)


def _retry_after(response: requests.Response) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), 60.0) if asked.isdecimal() else 0.0


def _reason(error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's certificate is not trusted"
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return "it is redirected without end"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "the connection failed or broke"
    return f"the transfer broke ({type(error).__name__})"


def free_bytes(folder: Path) -> int:
    """Bytes that can be written to the disk of a folder, which need not be there yet."""
    return disk_usage(next(place for place in (folder, *folder.absolute().parents) if place.is_dir())).free
