"""Engines: the same outcomes from processes and from Ray, also where a process is killed while it is at work."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import pytest

from ecgenough.errors import WrongRequest
from ecgenough.locks import claimed
from ecgenough.studies import engines
from ecgenough.studies.cell_folders import LOCKS
from ecgenough.studies.cell_runs import Place
from ecgenough.studies.engines import DIED, LocalProcesses, RayCluster
from ecgenough.studies.listings import prepared
from ecgenough.studies.plan import plan_study
from ecgenough.studies.study import Study
from ecgenough.studies.study_runs import Summary, run_study

ResultOf = Callable[[Path], tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Deadly:
    """Work that kills every process but this one as soon as it is looked at."""

    here: int

    @property
    def fingerprint(self) -> str:
        if os.getpid() != self.here:
            time.sleep(1)  # so that something else is under way too
            os.kill(os.getpid(), signal.SIGKILL)
        return "deadly"


def test_a_process_that_dies_costs_its_own_cell_and_no_other(small_study: Study, done: Path, place: Path) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    plan, out = plan_study(small_study), place / "deadly"
    cells = [cell for cell in plan.cells if not cell.pretrained]
    opened = {key: prepared(*plan.stores[key], out, place / "stores").path for key in {cell.store for cell in cells}}
    engine = LocalProcesses(2)
    everywhere = Place(out, opened, "cpu", threads=1, began=time.time(), keep_models=False)
    works = [Deadly(os.getpid()), *cells]
    outcomes = {outcome.fingerprint: outcome for outcome in engine.run(works, everywhere)}  # type: ignore[arg-type]
    engine.close()
    assert (outcomes["deadly"].status, outcomes["deadly"].reason) == ("failed", DIED)
    for cell in cells:
        assert outcomes[cell.fingerprint].status == "done"
        theirs, ours = (folder / "cells" / cell.fingerprint / "predictions.csv" for folder in (done, out))
        assert ours.read_text() == theirs.read_text()


@contextmanager
def _one_process_killed(out: Path) -> Iterator[list[int]]:
    """Kill the first process that is found in the middle of a training of `out`; gives the ids of those killed."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not killed and not over.wait(0.02):
            for lock in (out / LOCKS).glob("*"):
                at_work = (out / "cells" / f".{lock.name}.part" / "run" / "checkpoint.pt").exists()
                holder = lock.read_text().split()
                with claimed(lock) as idle:
                    pass
                if at_work and holder and not idle and int(holder[0]) != os.getpid():
                    os.kill(int(holder[0]), signal.SIGKILL)
                    killed.append(int(holder[0]))
                    return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield killed
    finally:
        over.set()
        watching.join()


def test_two_ray_workers_one_of_them_killed_give_the_same_table(
    small_study: Study, done: Path, place: Path, result_of: ResultOf
) -> None:
    pytest.importorskip("ray", reason="the extra cluster is not installed")
    out = place / "ray"
    with _one_process_killed(out) as killed:
        summary = run_study(small_study, out, lambda cells: RayCluster(jobs=2), device="cpu", stores=place / "stores")  # noqa: ARG005
    assert killed
    assert summary == Summary(8, {})
    assert result_of(out) == result_of(done)


def test_a_process_ends_when_the_study_it_works_for_is_killed() -> None:
    read, write = os.pipe()
    if not (study := os.fork()):
        if not os.fork():
            engines.end_with(os.getppid())
            os.write(write, str(os.getpid()).encode())
        time.sleep(60)
        os._exit(0)
    worker = int(os.read(read, 20))
    os.kill(study, signal.SIGKILL)
    os.waitpid(study, 0)
    within = time.monotonic() + 10
    while _is_alive(worker) and time.monotonic() < within:
        time.sleep(0.1)
    assert not _is_alive(worker)


def _is_alive(process: int) -> bool:
    """Whether the process runs; one that has ended but that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_ray_that_is_not_installed_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(WrongRequest, match=r"pip install 'ecgenough\[cluster\]'"):
        engines.RayCluster()
