"""Claims on work: whoever holds one is the only process to do it, and a dead process holds nothing."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCKS = ".locks"


@contextmanager
def claimed(folder: Path, work: str) -> Iterator[bool]:
    """Whether this process has `work` of `folder` for itself now; it does not wait for a process that has it.

    The claim ends with the block. Lock files stay, since to remove one is to let two processes hold it; they say which
    process held them last, and where.
    """
    locks = folder / LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    lock = os.open(locks / work, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            yield True
            fcntl.flock(lock, fcntl.LOCK_UN)  # explicitly: a forked process may hold a copy of the descriptor
    finally:
        os.close(lock)
