"""Where a study's work is done: in processes of this machine, or on Ray. Both give the same outcomes, in any order."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from joblib.externals.loky import get_reusable_executor

from ecgenough.cluster import connect, ray
from ecgenough.signals.processes import first_of
from ecgenough.studies.cell_folders import FAILED, FAILURE, note_failure
from ecgenough.studies.cell_runs import Outcome, Place, carry_out, folder_of
from ecgenough.studies.plan import Cell, Pretraining

SECONDS_BETWEEN_LOOKS = 0.5  # at whether the study is still there
RETRIES = 2  # of what was under way in a process that Ray lost
DIED = "its process was killed while it was at work, as happens when memory runs out; try fewer --jobs."

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Work = Cell | Pretraining


class Engine(Protocol):
    """Does every piece of work once and tells what became of it; a process that dies stops no other work."""

    def run(self, works: Sequence[Work], place: Place) -> Iterator[Outcome]:
        """The outcomes of `works`, in the order they come."""

    def close(self) -> None:
        """End the processes, those at work too."""


class LocalProcesses:
    """`jobs` processes of this machine, through joblib's loky."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._pool: Any = None

    def run(self, works: Sequence[Work], place: Place) -> Iterator[Outcome]:
        """Work that was under way when a process died is done again by itself, once: one of it may have been to blame."""
        suspects: list[Work] = []
        yield from self._in_processes(works, place, self.jobs, suspects)
        for work in suspects:
            to_blame: list[Work] = []
            yield from self._in_processes([work], place, 1, to_blame)
            for culprit in to_blame:
                yield _died(culprit, place)
        if suspects:
            self.close()  # one process was enough for them

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None

    def _in_processes(self, works: Sequence[Work], place: Place, at_once: int, lost: list[Work]) -> Iterator[Outcome]:
        """Outcomes of `works`, `at_once` of them at a time; what is under way when a process dies goes to `lost`."""
        waiting = deque(works)
        while waiting:
            under_way: dict[Future[Outcome], Work] = {}
            try:
                while waiting or under_way:
                    while waiting and len(under_way) < at_once:
                        under_way[self._submitted(waiting[0], place, at_once)] = waiting[0]
                        waiting.popleft()
                    for future in first_of(under_way, self._pool):
                        outcome = future.result()
                        del under_way[future]
                        yield outcome
            except BrokenProcessPool:
                lost += under_way.values()
                self.close()

    def _submitted(self, work: Work, place: Place, at_once: int) -> Future[Outcome]:
        if self._pool is None:
            env = dict.fromkeys(THREAD_VARIABLES, str(place.threads)) if place.threads else {}
            self._pool = get_reusable_executor(
                max_workers=at_once,
                reuse=False,
                timeout=None,
                env=env,
                initializer=end_with,
                initargs=(os.getpid(),),
            )
        future: Future[Outcome] = self._pool.submit(carry_out, work, place)
        return future


def end_with(parent: int) -> None:
    """End this process when `parent` has ended: that a killed study leaves none behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class RayCluster:
    """The Ray cluster at `address`, or one that is started on this machine; all of it must see the study's folder."""

    def __init__(self, jobs: int | None = None, address: str | None = None) -> None:
        self.ray = ray()
        self.jobs, self.address = jobs, address

    def close(self) -> None:
        if self.ray.is_initialized():
            self.ray.shutdown()

    def run(self, works: Sequence[Work], place: Place) -> Iterator[Outcome]:
        connect(self.address, self.jobs * max(place.threads, 1) if self.jobs else None)
        there = self.ray.cluster_resources()
        gpus = there.get("GPU", 0) if place.device != "cpu" else 0
        cores = max(place.threads, 1)
        jobs = self.jobs or max(1, int(gpus or there.get("CPU", 1) // cores))
        remote = self.ray.remote(carry_out).options(
            num_cpus=cores, num_gpus=min(1.0, gpus / jobs), max_retries=RETRIES, retry_exceptions=False
        )
        waiting, under_way = deque(works), dict[Any, Work]()
        try:
            while waiting or under_way:
                while waiting and len(under_way) < jobs:
                    work = waiting.popleft()
                    under_way[remote.remote(work, place)] = work
                finished, _ = self.ray.wait(list(under_way), num_returns=1)
                for reference in finished:
                    work = under_way.pop(reference)
                    try:
                        yield self.ray.get(reference)
                    except self.ray.exceptions.RayError:
                        yield _died(work, place)
        finally:
            for reference in under_way:
                self.ray.cancel(reference, force=True)


def _died(work: Work, place: Place) -> Outcome:
    reason = note_failure(folder_of(work, place.out) / FAILURE, DIED)
    return Outcome(work.fingerprint, FAILED, reason)
