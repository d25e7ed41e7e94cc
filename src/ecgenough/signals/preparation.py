"""A collection conditioned once: `prepare` makes its store, or finds it made."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError, Obstacle, WrongRequest
from ecgenough.files import sync, write_text, written_aside
from ecgenough.locks import alone
from ecgenough.progress import say
from ecgenough.recipe import Signal
from ecgenough.sentences import counted
from ecgenough.signals.blocks import Conditioner, Outcome, Request, condition_block
from ecgenough.signals.building import JOURNAL, build_signals, disk_failures
from ecgenough.signals.conditioning import check_settings, samples_of
from ecgenough.signals.noticed import tell, write_duplicates, write_notices, write_rejected
from ecgenough.signals.store import DESCRIPTION, FORMAT, TABLE, Store, pack_table, table_digest
from ecgenough.signals.store_identity import store_fingerprint


def prepare(
    dataset: Dataset,
    signal: Signal,
    folder: str | Path,
    workers: int | None = None,
    conditioner: Conditioner | None = None,
) -> Store:
    """The store of `dataset` conditioned as `signal` says, in a folder of its own below `folder`.

    It is made again only if the conditioning, the list of records or one of their files has changed; where only labels,
    folds or patients have, the table alone is. Records that cannot be used are left out and told in `Store.rejected`. A
    killed run is taken up where it stopped. `workers` is the number of processes, by default one a core; `conditioner` takes
    their place, as `on_ray.OnRay` does.

    Raises WrongRequest for settings that fit no recording, EcgenoughError where no record fits or the disk fails.
    """
    if workers is not None and workers < 1:
        raise WrongRequest(f"{counted(workers, 'worker')} cannot prepare anything; give at least 1.")
    plan = Plan.of(dataset, signal, Path(folder))
    if (store := plan.made()) is not None and plan.describes(store):
        return store
    check_settings(signal)
    lock, busy = (
        plan.path.with_name(f"{plan.path.name}.lock"),
        f"another process is preparing {dataset.name}; waiting for it.",
    )
    with disk_failures(plan.path, plan.part), alone(lock, busy):
        if (store := plan.made()) is None:  # another process may just have made it
            plan.make(workers or os.cpu_count() or 1, conditioner)
            store = Store.open(plan.path)
            tell(store)
        if not plan.describes(store):
            plan.describe(plan.path, plan.outcome_of(store))
            say(f"{dataset.name}: labels, folds or patients have changed; {plan.path} has the new ones now.")
            store = Store.open(plan.path)
    return store


@dataclass(frozen=True)
class Plan:
    """A collection, how it is to be conditioned, and the folder its store goes to."""

    dataset: Dataset
    signal: Signal
    fingerprint: str
    path: Path

    @classmethod
    def of(cls, dataset: Dataset, signal: Signal, folder: Path) -> "Plan":
        """The plan of a store below `folder`, called after the collection and its fingerprint."""
        name = re.sub(r"[^\w.-]+", "-", dataset.name).strip("-.") or "collection"
        fingerprint = store_fingerprint(dataset, signal)
        return cls(dataset, signal, fingerprint, folder / f"{name}-{fingerprint}")

    @property
    def part(self) -> Path:
        """Where the store is built before it is renamed to `path`."""
        return self.path.with_name(f"{self.path.name}.part")

    def made(self) -> Store | None:
        """The finished store; None where there is none, or one that is damaged."""
        if not self.path.exists():
            return None
        try:
            return Store.open(self.path)
        except EcgenoughError:
            return None

    def make(self, workers: int, conditioner: Conditioner | None = None) -> None:
        """Build the store aside, as far as a killed run has not, and put it in its place."""
        if self.path.exists():
            say(f"{self.path} is damaged and is made again.")
            shutil.rmtree(self.path)
        if not (self.part / DESCRIPTION).exists():
            outcome = build_signals(self.part, self.dataset, self.signal, workers, conditioner)
            self._refuse_changed(outcome)
            if not outcome.listing:
                shutil.rmtree(self.part)
                reason = outcome.broken[0][1]
                raise EcgenoughError(f"no record of {self.dataset.name} can be used; the first because: {reason}")
            write_notices(self.part, self.dataset, outcome)
            self.describe(self.part, outcome)
        (self.part / JOURNAL).unlink(missing_ok=True)
        self.part.rename(self.path)
        sync(self.path.parent)

    def _refuse_changed(self, outcome: Outcome) -> None:
        """Raise Obstacle where the store would lack or mistake a record whose file changed while it was being made.

        Records that were left out are read once more: a file that was gone for a moment leaves no other trace.
        """
        dataset, signal = self.dataset, self.signal
        requests = (
            Request(dataset.root, (dataset.paths[place],), place, signal, dataset.layout) for place, _ in outcome.broken
        )
        back = next((one.paths[0] for one in requests if not condition_block(one).outcome.broken), None)
        if back is not None or store_fingerprint(dataset, signal) != self.fingerprint:
            shutil.rmtree(self.part)
            which = "files" if back is None else f"files ({back} among them)"
            raise Obstacle(
                f"{which} of {dataset.name} changed while they were being prepared, so nothing of it is kept. "
                "Give the same command again."
            )

    def describe(self, folder: Path, outcome: Outcome) -> None:
        """Write table.npz, the tables for people and then store.json, which makes the store whole."""
        for stray in folder.glob(".*.part"):  # of a killed run
            stray.unlink()
        table = _table(self.dataset, outcome)
        with written_aside(folder / TABLE) as aside:
            aside.write_bytes(table)
        write_rejected(folder, self._rejected(outcome))
        write_duplicates(folder, self.dataset, outcome)
        write_text(folder / DESCRIPTION, self._description(outcome, table))

    def describes(self, store: Store) -> bool:
        """Whether the store's table is what the collection says of its records now."""
        outcome = self.outcome_of(store)
        text = self._description(outcome, _table(self.dataset, outcome))
        return text == (store.path / DESCRIPTION).read_text(encoding="utf-8")

    def outcome_of(self, store: Store) -> Outcome:
        """What became of the collection's records when the store was made."""
        places = sorted(set(range(len(self.dataset.records))) - set(store.listing.tolist()))
        reasons = [reason for _, reason in store.rejected[len(store.rejected) - len(places) :]]
        return Outcome(
            listing=store.listing.tolist(),
            valid=store.valid.tolist(),
            hashes=store.hashes.tolist(),
            clipped=store.clipped.tolist(),
            broken=list(zip(places, reasons, strict=True)),
        )

    def _description(self, outcome: Outcome, table: bytes) -> str:
        dataset = self.dataset
        about = {
            "format": FORMAT,
            "name": dataset.name,
            "fingerprint": self.fingerprint,
            "rate": self.signal.rate,
            "leads": self.signal.leads,
            "samples": samples_of(self.signal),
            "records": len(outcome.listing),
            "signal": self.signal.model_dump(mode="json"),
            "tasks": list(dataset.tasks),
            "default_task": dataset.default_task,
            "train_folds": dataset.train_folds,
            "validation_folds": dataset.validation_folds,
            "test_folds": dataset.test_folds,
            "table": table_digest(table),
            "rejected": self._rejected(outcome),
        }
        return json.dumps(about, indent=1, ensure_ascii=False) + "\n"

    def _rejected(self, outcome: Outcome) -> list[tuple[str, str]]:
        """Those found while listing, then those that conditioning refused: `outcome_of` counts on this order."""
        refused = [(self.dataset.records[place], reason) for place, reason in outcome.broken]
        return [*self.dataset.rejected, *refused]


def _table(dataset: Dataset, outcome: Outcome) -> bytes:
    rows = np.asarray(outcome.listing, dtype=np.int64)
    columns = {
        "records": np.asarray(dataset.records, dtype=np.str_)[rows],
        "patients": np.asarray(dataset.patients, dtype=np.str_)[rows],
        "sexes": np.asarray(dataset.sexes, dtype=np.str_)[rows],
        "folds": np.asarray(dataset.folds, dtype=np.int64)[rows],
        "ages": np.asarray(dataset.ages, dtype=np.float32)[rows],
        "listing": rows,
        "valid": np.asarray(outcome.valid, dtype=np.int32),
        "hashes": np.asarray(outcome.hashes, dtype=np.uint64),
        "clipped": np.asarray(outcome.clipped, dtype=np.int32),
    }
    return pack_table(columns, list(dataset.tasks.values()), rows)
