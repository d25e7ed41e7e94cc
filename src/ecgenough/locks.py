"""Lock files, by which processes on one disk know of each other. A process that dies holds nothing."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgenough.progress import say


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, waiting for as long as another process does. The file stays."""
    lock = _opened(path)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with _until_the_end(lock):
        yield


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process holds the lock file `path` now; it does not wait for another that does.

    The file stays, since to remove one is to let two processes hold it; it says which process held it last, and where.
    """
    lock = _opened(path)
    if not _is_free(lock):
        os.close(lock)
        yield False
        return
    with _until_the_end(lock):
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield True


@contextmanager
def alone(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock file `path`, which goes in the end; `busy` is said while another process is waited for."""
    lock = _fresh(path, busy)
    with _until_the_end(lock):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def was_left(path: Path) -> bool:
    """Whether the lock file is there, and nobody holds it any more."""
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    free = _is_free(lock)
    os.close(lock)
    return free


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)


def _is_free(lock: int) -> bool:
    """Whether nobody else holds it; then it is ours."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _until_the_end(lock: int) -> Iterator[None]:
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)  # explicitly: a forked process may hold a copy of the descriptor
        os.close(lock)


def _fresh(path: Path, busy: str) -> int:
    """A lock that is ours on the file that is at `path`: whoever held the file has removed it since."""
    said = False
    while True:
        lock = _opened(path)
        if not _is_free(lock):
            if not said:
                say(busy)
            said = True
            fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_at(lock, path):
            return lock
        os.close(lock)


def _is_at(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False
