"""A pool whose own thread has died is noticed; one that is at work is waited for."""

import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, queues

import pytest

from ecgenough.errors import EcgenoughError
from ecgenough.signals import processes
from ecgenough.signals.processes import first_of, worked


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SECONDS_BETWEEN_LOOKS", 0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_where_no_thread_can_be_started_the_wait_ends_and_so_do_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(queues.Queue, "_start_thread", refuse)
    pool = ProcessPoolExecutor(1, mp_context=get_context("fork"))
    future = pool.submit(os.getpid)
    started = list(pool._processes.values())
    with pytest.raises(BrokenProcessPool, match="hands out work has ended"):
        first_of([future], pool)
    for process in started:
        process.join(timeout=20)
        assert process.exitcode == -signal.SIGKILL
    pool.shutdown(wait=True)
    with pytest.raises(EcgenoughError, match=r"process that worked was killed, .* with fewer workers"):
        list(worked(abs, [1, 2], 2, "worked"))


def test_long_work_is_waited_for_and_a_process_that_dies_is_told() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        slow = pool.submit(time.sleep, 0.3)
        assert first_of([slow], pool) == {slow}
        dead = pool.submit(os._exit, 1)
        assert isinstance(next(iter(first_of([dead], pool))).exception(timeout=20), BrokenProcessPool)
