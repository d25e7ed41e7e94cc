"""A collection from its publisher to a folder: what lacks is found, fits the disk, and is downloaded side by side."""

import errno
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import requests

from ecgenough.errors import EcgenoughError
from ecgenough.fetching.collections import Collection, named
from ecgenough.fetching.downloading import (
    Downloader,
    Failed,
    Patience,
    Stopped,
    disk_is_full,
    free_bytes,
    is_there,
)  # fmt: skip
from ecgenough.fetching.listings import Remote, checksums, safe_path, web_address, zenodo_files
from ecgenough.fetching.unpacking import files_in, unpack
from ecgenough.files import write_text
from ecgenough.locks import claimed
from ecgenough.progress import say, track
from ecgenough.sentences import agreed, counted

LARGEST_LISTING = 1 << 26  # bytes; that of PTB-XL has some 9 million
GIVE_UP = 20  # files in a row that fail before the others are not tried any more
SPARE = 1 << 26  # bytes of the disk that are left free
FAILED = "fetch-failed.txt"


def fetch(
    name: str,
    folder: Path,
    rate: int | None = None,
    mirror: str | None = None,
    connections: int = 8,
    patience: Patience | None = None,
) -> int:
    """Bring the collection `name` into `folder`; returns how many files it has there now.

    Files that are there with the right checksum stay; parts of files are continued. `rate` in Hz where a collection
    is published at several; `mirror` is another address with the same files. Raises WrongRequest for an unknown name
    or rate, and EcgenoughError where the listing cannot be had, the disk is too small, or files failed: these are
    listed in fetch-failed.txt, and the others are there.
    """
    collection = named(name)
    wanted = collection.pattern(rate)
    address = web_address(mirror or collection.address)
    patience = patience or Patience()
    ours = Downloader(_session(), patience, threading.Event(), lambda _: None)
    remotes = [remote for remote in _listing(ours, collection, address) if wanted.fullmatch(remote.path)]
    if not remotes:
        raise EcgenoughError(f"{address} lists no file of {name}. Is the address right?")
    folder.mkdir(parents=True, exist_ok=True)
    say(f"{name}: {counted(len(remotes), 'file')} at {address}; see {collection.page} for its licence.")
    with _alone(folder):
        missing = _missing(remotes, folder)
        needed = _check_room(collection, missing, folder)
        failures = _download_all(missing, folder, patience, connections, needed) if missing else {}
        _report(failures, folder, len(remotes))
        for archive in (folder / remote.path for remote in remotes if remote.path.endswith(".zip")):
            for _ in track(unpack(archive, folder), f"unpacking {archive.name}", files_in(archive), "files"):
                pass
    return len(remotes)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second fetch out of the folder: the two would write the same parts."""
    with claimed(folder / ".fetch.lock") as ours:
        if not ours:
            raise EcgenoughError(f"another fetch is writing to {folder}. Wait for it, or give another folder.")
        yield


def _session() -> requests.Session:
    session = requests.Session()
    session.max_redirects = 5
    session.headers["User-Agent"] = "ecgenough"
    return session


def _listing(ours: Downloader, collection: Collection, address: str) -> list[Remote]:
    if collection.publisher == "zenodo":
        return zenodo_files(ours.text(address, LARGEST_LISTING), address)
    base = address if address.endswith("/") else f"{address}/"
    return checksums(ours.text(f"{base}SHA256SUMS.txt", LARGEST_LISTING), base)


def _missing(remotes: list[Remote], folder: Path) -> list[Remote]:
    """What is not there, or is there and not right."""
    missing = []
    for remote in track(remotes, "looking at what is there", len(remotes), "files"):
        place = folder / safe_path(remote.path, "the listing")
        if not is_there(remote, place):
            missing.append(remote)
    return missing


def _check_room(collection: Collection, missing: list[Remote], folder: Path) -> int:
    """Raise EcgenoughError where the disk cannot hold what lacks; how many bytes that is."""
    needed = _bytes_needed(collection, missing, folder)
    free = free_bytes(folder) - SPARE
    if needed > free:
        raise EcgenoughError(
            f"{counted(len(missing), 'file')} of {collection.name} {agreed(len(missing), 'needs', 'need')} about "
            f"{needed / 1e9:,.2f} GB; {folder} has {max(0, free) / 1e9:,.2f} GB free. Make room, or give another folder."
        )
    return needed


def _bytes_needed(collection: Collection, missing: list[Remote], folder: Path) -> int:
    """Bytes still to come, from what the publisher states or else from what such files usually have."""
    sizes = ((each.size or collection.bytes_of(each.path)) - _held(folder / each.path) for each in missing)
    return sum(max(0, size) for size in sizes)


def _held(place: Path) -> int:
    part = place.with_name(f".{place.name}.part")
    return part.stat().st_size if part.is_file() else 0


def _download_all(
    missing: list[Remote], folder: Path, patience: Patience, connections: int, needed: int
) -> dict[str, str]:
    """Download side by side; what failed, and why. A full disk or a server that is gone ends it early."""
    events: SimpleQueue[Event] = SimpleQueue()
    stop, local = threading.Event(), threading.local()

    def download(remote: Remote) -> None:
        if not hasattr(local, "downloader"):  # a connection a thread, kept for its next file
            local.downloader = Downloader(_session(), patience, stop, events.put)
        local.downloader.download(remote, folder / remote.path)

    failures: dict[str, str] = {}
    pool = ThreadPoolExecutor(connections, thread_name_prefix="fetch")
    try:
        futures = {pool.submit(download, remote): remote for remote in missing}
        for future in futures:
            future.add_done_callback(events.put)
        for _ in track(_watched(futures, events, folder, failures), "fetching", needed, "bytes"):
            pass
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return failures


Event = int | Future[None]  # bytes that came, or a file that is done


def _watched(
    futures: dict[Future[None], Remote], events: "SimpleQueue[Event]", folder: Path, failures: dict[str, str]
) -> Iterator[int]:
    """Yield how many bytes came until all files are done; put those that failed into `failures`."""
    left, in_a_row = len(futures), 0
    while left:
        event = events.get()
        if isinstance(event, int):
            yield event
            continue
        left -= 1
        why = _failure(event, folder)
        in_a_row = in_a_row + 1 if why else 0
        if why:
            failures[futures[event].path] = why
        if in_a_row >= GIVE_UP:
            for future, remote in futures.items():  # some may be done and not have been looked at
                if why := _failure(future, folder) if future.done() else "not tried":
                    failures[remote.path] = why
            say(f"{in_a_row} files in a row failed, so the others are not tried now.")
            return


def _failure(future: Future[None], folder: Path) -> str:
    """Why a download failed; empty where it did not. Raises EcgenoughError where all others will fail as well."""
    try:
        future.result()
    except Failed as failure:
        return str(failure)
    except Stopped:
        return "stopped"
    except OSError as error:
        if disk_is_full(error):
            remedy = "Give a folder that can be written to" if error.errno == errno.EROFS else "Make room"
            raise EcgenoughError(f"{folder}: {error.strerror}. {remedy} and run the same command again.") from None
        return f"it cannot be written: {error.strerror or error}"
    return ""


def _report(failures: dict[str, str], folder: Path, total: int) -> None:
    place = folder / FAILED
    if not failures:
        place.unlink(missing_ok=True)
        return
    write_text(place, "".join(f"{path}: {why}\n" for path, why in sorted(failures.items())))
    for path, why in sorted(failures.items())[:20]:
        say(f"failed: {path}: {why}")
    raise EcgenoughError(
        f"{len(failures):,} of {counted(total, 'file')} failed (all of them in {place}). The same command tries them again."
    )
