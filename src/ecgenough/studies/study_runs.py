"""A study from its file to its table: plan, prepare once, do every cell once, and say what became of each."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from ecgenough import baselines
from ecgenough.baselines.intervals import measurements
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import remove_litter, write_text
from ecgenough.locks import claimed
from ecgenough.progress import say
from ecgenough.sentences import agreed, counted
from ecgenough.signals.store import Store
from ecgenough.studies.cell_folders import CELLS, FAILED, lock_of, row_of, working_folder, write_table
from ecgenough.studies.cell_runs import ELSEWHERE, Outcome, Place, is_done
from ecgenough.studies.engines import Engine, Work
from ecgenough.studies.leaks import doubled_records, refuse_known_records, refuse_shared_waveforms
from ecgenough.studies.listings import prepared
from ecgenough.studies.plan import BASELINE, NETWORK, Plan, Pretraining, described, plan_study
from ecgenough.studies.study import Study

STUDY, NOTES, DATA, STORES = "study.yaml", "notes.txt", "data", "stores"
SECONDS_BETWEEN_LOOKS = 0.5  # at what other engines on the same folder are doing


@dataclass(frozen=True)
class Summary:
    """How many cells there are, and the reasons of those that failed by fingerprint."""

    cells: int
    failed: Mapping[str, str]


def run_study(
    study: Study,
    out: Path,
    engine: Callable[[int], Engine],
    *,
    device: str = "auto",
    stores: Path | None = None,
    track: Sequence[str] = (),
) -> Summary:
    """Do every cell of `study` that is not done in folder `out`; `engine` is made for a number of pieces of work.

    A killed study goes on where it was, a finished one is left alone, and one whose file has changed keeps the cells
    that have not. Cells that failed earlier are tried again. `track` names trackers that show every training. Raises
    WrongRequest for another study's folder, for data that is not there, and for a target's recording that a source
    would learn from or has learned from.
    """
    out = out.resolve()
    plan = plan_study(study)
    _check_fits(plan, out)
    _take_over(out, plan)
    opened = _prepare(plan, out, stores)
    _tell(out, [*plan.notes, *doubled_records(plan, opened)])
    place = Place(
        out=out,
        stores={key: store.path for key, store in opened.items()},
        device=device,
        threads=threads_each(plan, device),
        began=time.time(),
        keep_models=study.keep_models,
        track=tuple(track),
    )
    with closing(engine(len(plan.cells))) as running:
        _Progress(plan, place, running).to_the_end()
    rows = [row_of(out, cell) for cell in plan.cells]
    write_table(out, rows)
    return Summary(len(rows), {row["cell"]: row["reason"] for row in rows if row["status"] == FAILED})


def jobs_here(cells: int, device: str = "auto") -> int:
    """How many processes this machine should have: one a core, or one where there is a GPU for them to share."""
    return 1 if _on_gpu(device) else max(1, min(os.cpu_count() or 1, cells))


def threads_each(plan: Plan, device: str = "auto") -> int:
    """Threads of a process on the CPU: one, or more where there are fewer cells than cores; 0 with a GPU.

    It follows from the whole plan, not from what is left of it, so that a continued study computes as an unbroken one.
    """
    return 0 if _on_gpu(device) else max(1, (os.cpu_count() or 1) // len(plan.cells))


def _on_gpu(device: str) -> bool:
    return device != "cpu" and torch.cuda.is_available()


def _check_fits(plan: Plan, out: Path) -> None:
    """Raise WrongRequest where cells that are to come fit what needs scikit-learn, and it is not installed."""
    to_come = [cell for cell in plan.cells if not is_done(cell, out)]
    recipes = [
        *(source.recipe for source in plan.pretrainings),
        *(cell.recipe for cell in to_come if cell.kind == NETWORK),
    ]
    taught = {name for recipe in recipes for name in baselines.fitted_by(recipe)}
    for baseline in taught.union(cell.arm for cell in to_come if cell.kind == BASELINE):
        baselines.check(baseline)


def _take_over(out: Path, plan: Plan) -> None:
    """Write study.yaml. Raises WrongRequest where `out` holds cells and none of them is of this study."""
    finished = {folder.name for folder in (out / CELLS).glob("[!.]*")}
    kept = finished & {cell.fingerprint for cell in plan.cells}
    if finished and not kept:
        raise WrongRequest(f"{out} holds another study's cells. Choose another --out, or delete that folder.")
    path, text = out / STUDY, plan.study.to_yaml()
    if path.exists() and path.read_text(encoding="utf-8") != text:
        spare = f"; {len(finished) - len(kept):,} are no longer part of it" if len(finished) > len(kept) else ""
        say(f"the study has changed since {path} was written: {len(kept):,} finished cells are used again{spare}.")
    remove_litter(out)
    for cell in finished:  # whoever finished it may have been killed before it had cleared up
        shutil.rmtree(working_folder(out, cell), ignore_errors=True)
    write_text(path, text)


def _prepare(plan: Plan, out: Path, stores: Path | None) -> dict[str, Store]:
    """All that cells share, done once: the stores, and the intervals where a baseline reads them."""
    opened = {
        key: prepared(collection, signal, out / DATA, (out / STORES) if collection.simulate else stores)
        for key, (collection, signal) in plan.stores.items()
    }
    refuse_shared_waveforms(plan, opened)
    refuse_known_records(plan, opened)
    for key in {cell.store for cell in plan.cells if cell.arm == "intervals" and not is_done(cell, out)}:
        measurements(opened[key])
    return opened


def _tell(out: Path, notes: Sequence[str]) -> None:
    for note in notes:
        say(note)
    write_text(out / NOTES, "".join(f"{note}\n" for note in notes))


class _Progress:
    """What has become of every cell; the table on the disk follows it."""

    def __init__(self, plan: Plan, place: Place, engine: Engine) -> None:
        self.plan, self.place, self.engine = plan, place, engine
        self.cells = {cell.fingerprint: cell for cell in plan.cells}
        self.rows = {cell.fingerprint: row_of(place.out, cell) for cell in plan.cells}
        self.done = sum(is_done(cell, place.out) for cell in plan.cells)
        if self.done:
            say(f"{self.done:,} of {counted(len(self.cells), 'cell')} {agreed(self.done, 'is', 'are')} done already.")

    def to_the_end(self) -> None:
        """Sources and what needs none of them first, then what is carried over."""
        write_table(self.place.out, self.rows.values())
        wanted = {cell.pretrained for cell in self.plan.cells if not is_done(cell, self.place.out)}
        sources = [source for source in self.plan.pretrainings if source.fingerprint in wanted]
        self._do([*sources, *(cell for cell in self.plan.cells if not cell.pretrained)])
        self._do([cell for cell in self.plan.cells if cell.pretrained])

    def _do(self, works: Iterable[Work]) -> None:
        left = {work.fingerprint: work for work in works if not is_done(work, self.place.out)}
        while left:
            for outcome in self.engine.run(list(left.values()), self.place):
                if outcome.status != ELSEWHERE:
                    self._note(left.pop(outcome.fingerprint), outcome)
            if left:
                say(f"{len(left):,} of them are being done by another process; waiting for it.")
                self._wait_for_others(left)

    def _wait_for_others(self, left: dict[str, Work]) -> None:
        """Until one of them is no longer held; what the others have finished is taken off `left`."""
        while all(_held(self.place.out, work) for work in left.values()):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        for work in [work for work in left.values() if is_done(work, self.place.out)]:
            self._note(left.pop(work.fingerprint), Outcome(work.fingerprint, "done"))

    def _note(self, work: Work, outcome: Outcome) -> None:
        fate = f"failed: {outcome.reason}" if outcome.status == FAILED else outcome.status
        if isinstance(work, Pretraining):
            say(f"{described(work)}: {fate}")
            return
        self.done += 1
        self.rows[work.fingerprint] = row = row_of(self.place.out, work)
        took = f" in {row['seconds']:.1f} s" if row["seconds"] is not None else ""
        say(f"{self.done:,} of {len(self.cells):,}: {described(work)}: {fate}{took}")
        write_table(self.place.out, self.rows.values())


def failures(summary: Summary) -> EcgenoughError:
    """What to say of a study that has ended with failed cells."""
    first, reason = next(iter(summary.failed.items()))
    return EcgenoughError(
        f"{len(summary.failed):,} of {counted(summary.cells, 'cell')} failed, the first ({first}) because: {reason} "
        "The others are done; the same command tries the failed ones again."
    )


def _held(out: Path, work: Work) -> bool:
    with claimed(lock_of(out, work.fingerprint)) as mine:
        return not mine
