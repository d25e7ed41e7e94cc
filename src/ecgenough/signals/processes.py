"""The same work on many pieces, on all cores, answered in order."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as futures_wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

from ecgenough.errors import EcgenoughError

SECONDS_BETWEEN_LOOKS = 2.0  # at whether a pool's own thread is alive

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")


def worked(
    work: Callable[[Piece], Answer],
    pieces: Sequence[Piece],
    workers: int,
    what: str,
    advice: str = "Run the same command with fewer workers.",
) -> Iterator[Answer]:
    """What `work` answers to every piece, in order, from `workers` processes that run a few pieces ahead.

    Raises EcgenoughError where a process dies, as it does when memory runs out: a process "that `what`" was killed, and
    then `advice`.
    """
    if min(workers, len(pieces)) <= 1:
        yield from map(work, pieces)
        return
    # Workers run NumPy and SciPy only, so a fork beside torch's threads is safe.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(min(workers, len(pieces)), mp_context=context, initializer=_begin_worker)
    coming = iter(pieces)
    try:
        ahead = deque(pool.submit(work, piece) for piece in islice(coming, 2 * workers))
        while ahead:
            first_of([ahead[0]], pool)
            answer = ahead.popleft().result()
            ahead.extend(pool.submit(work, piece) for piece in islice(coming, 1))
            yield answer
    except BrokenProcessPool:
        raise EcgenoughError(f"a process that {what} was killed, perhaps for want of memory. {advice}") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def first_of(futures: Iterable[Future[Answer]], pool: Any) -> set[Future[Answer]]:
    """Those that are done, waiting for the first. `pool` is one of concurrent.futures or of loky.

    Raises BrokenProcessPool, and ends the pool's processes, where none ever will be: the thread of the pool that hands
    out the work dies where memory or threads are refused, and Python would wait for ever.
    """
    while True:
        done, _ = futures_wait(futures, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
        if done:
            return done
        thread = getattr(pool, "_executor_manager_thread", None)
        if thread is not None and not thread.is_alive():
            for process in list((pool._processes or {}).values()):
                process.kill()  # they wait for work, and the end of this process would wait for them
            raise BrokenProcessPool("the thread that hands out work has ended")


def _begin_worker() -> None:
    """Leave Ctrl-C to the parent, and end when it does: a killed parent cannot tell its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
