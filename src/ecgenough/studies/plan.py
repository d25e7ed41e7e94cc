"""A study's plan: its cells, the sources they begin from, and the stores that both need."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgenough import shipped
from ecgenough.errors import WrongRequest, doubled
from ecgenough.model import weights_digest
from ecgenough.recipe import Recipe, Signal, fingerprint
from ecgenough.sentences import counted
from ecgenough.studies.listings import Listing, list_collection
from ecgenough.studies.resampling import Split, shares, splits_of
from ecgenough.studies.study import Arm, Collection, Folds, Published, Study

FORMAT = 1  # of a cell: another one is computed anew
NETWORK, BASELINE = "network", "baseline"


@dataclass(frozen=True)
class Pretraining:
    """A source to be learned once: the network of `recipe`, on the source's own training and validation folds.

    `store` is a key of the plan's stores; `expected` are its training, validation and test records, before any are left
    out.
    """

    fingerprint: str
    source: str
    network: str
    store: str
    recipe: Recipe
    expected: tuple[int, int, int]


@dataclass(frozen=True)
class Cell:
    """One training and one test of it. `recipe` says everything; of a baseline's, only task, signal and seed count.

    `arm` is what is compared: the same over seeds, repeats, folds, sizes and targets. `pretrained` is the fingerprint
    of the source it begins from, `model` the model where that is one; `source` is its name in the study, `learner` the
    name of the recipe. `expected` are its training, validation and test records as far as planning can tell; `store` is
    a key of the plan's stores.
    """

    fingerprint: str
    kind: str
    arm: str
    target: str
    task: str
    network: str
    learner: str
    mode: str
    source: str
    split: Split
    store: str
    recipe: Recipe
    resampling: Published | Folds
    expected: tuple[int, int, int]
    pretrained: str = ""
    model: str = ""


@dataclass(frozen=True)
class Plan:
    """All there is to do. `stores` says by key which records are to be conditioned how; `notes` are for people."""

    study: Study
    cells: tuple[Cell, ...]
    pretrainings: tuple[Pretraining, ...]
    stores: dict[str, tuple[Collection, Signal]]
    notes: tuple[str, ...]


def described(work: Cell | Pretraining) -> str:
    """A cell or source in words."""
    if isinstance(work, Pretraining):
        return f"source {work.source}, {work.network}"
    size = f", {counted(work.split.size, 'record')}" if work.split.size is not None else ""
    where = f"repeat {work.split.repeat}, fold {work.split.fold}"
    return f"{work.target}, {work.arm}, seed {work.recipe.seed}, {where}{size}"


def plan_study(study: Study) -> Plan:
    """Expand a study to its cells; no signal is read and nothing is written.

    Raises WrongRequest for a collection or task that is not there, and for a source that is its target.
    """
    return _Planner(study).plan()


class _Planner:
    """What is gathered while the cells are laid out."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.listings: dict[tuple[str, str | None], Listing] = {}
        self.stores: dict[str, tuple[Collection, Signal]] = {}
        self.pretrainings: dict[str, Pretraining] = {}
        self.cells: dict[str, Cell] = {}
        self.notes: dict[str, None] = {}

    def plan(self) -> Plan:
        arms = self.study.arms()
        if (twice := doubled([*(arm.name for arm in arms), *self.study.baselines])) is not None:
            raise WrongRequest(f'two configurations are called "{twice}"; give the networks other names.')
        for target, collection in self.study.targets.items():
            for arm in arms:
                self._plan_arm(target, collection, arm)
            for name in self.study.baselines:
                self._plan_baseline(target, collection, name, arms[0].recipe)
        return Plan(
            self.study,
            tuple(self.cells.values()),
            tuple(self.pretrainings.values()),
            self.stores,
            tuple(self.notes),
        )

    def _plan_arm(self, target: str, collection: Collection, arm: Arm) -> None:
        key, listing = self._listed(collection, arm.recipe.signal)
        began_as = self._pretraining(arm, target, listing) if arm.pretraining else None
        model = weights_digest(arm.model) if arm.model else None
        for split in self._splits(target, listing):
            for seed in self.study.seeds:
                recipe = arm.recipe.model_copy(update={"task": listing.task, "seed": seed})
                cell = Cell(
                    fingerprint=self._fingerprint(listing, split, recipe=_plain(recipe), pretrained=model or began_as),
                    kind=NETWORK,
                    arm=arm.name,
                    target=target,
                    task=listing.task,
                    network=arm.network,
                    learner=arm.learner,
                    mode=arm.mode,
                    source=arm.source,
                    split=split,
                    store=key,
                    recipe=recipe,
                    resampling=self.study.resampling,
                    expected=self._parts(listing, split.size),
                    pretrained=began_as or "",
                    model=_at(arm.model),
                )
                self._add(cell)

    def _plan_baseline(self, target: str, collection: Collection, name: str, recipe: Recipe) -> None:
        """A baseline sees the signals of the first network, and the first seed decides what it draws."""
        key, listing = self._listed(collection, recipe.signal)
        recipe = recipe.model_copy(update={"task": listing.task, "seed": self.study.seeds[0], "transfer": None})
        for split in self._splits(target, listing):
            cell = Cell(
                fingerprint=self._fingerprint(listing, split, baseline=name, seed=recipe.seed),
                kind=BASELINE,
                arm=name,
                target=target,
                task=listing.task,
                network="",
                learner="",
                mode="",
                source="",
                split=split,
                store=key,
                recipe=recipe,
                resampling=self.study.resampling,
                expected=self._parts(listing, split.size),
            )
            self._add(cell)

    def _add(self, cell: Cell) -> None:
        known = self.cells.setdefault(cell.fingerprint, cell)
        if known != cell:
            raise WrongRequest(
                f'"{cell.arm}" on {cell.target} is the same as "{known.arm}" on {known.target}; '
                "a study compares each configuration once."
            )

    def _listed(self, collection: Collection, signal: Signal) -> tuple[str, Listing]:
        key = _store_key(collection, signal)
        self.stores.setdefault(key, (collection, signal))
        known = (key, collection.task)
        if known not in self.listings:
            self.listings[known] = list_collection(collection, signal)
        return key, self.listings[known]

    def _pretraining(self, arm: Arm, target: str, listing: Listing) -> str:
        """The source that `arm` begins from, for this target; its fingerprint."""
        assert arm.pretraining is not None  # of arms that carry nothing over, nothing is asked
        collection = self.study.sources[arm.source]
        key, source = self._listed(collection, arm.pretraining.signal)
        recipe = arm.pretraining.model_copy(update={"task": source.task})
        if source.place == listing.place:
            recipe = self._sparing(recipe, arm.source, source, target, listing)
        word = fingerprint({"format": FORMAT, "data": source.identity, "recipe": _plain(recipe)})
        self.pretrainings.setdefault(word, Pretraining(word, arm.source, arm.network, key, recipe, source.parts))
        return word

    def _sparing(self, recipe: Recipe, name: str, source: Listing, target: str, listing: Listing) -> Recipe:
        """The same collection is source and target: the source does without the target's patients."""
        if source.task == listing.task:
            raise WrongRequest(
                f'source "{name}" and target "{target}" are the same records of {listing.name} and the same task '
                f"({listing.task}); a network would be tested on what it has learned from. Name another source."
            )
        self.notes[
            f'source "{name}" and target "{target}" are both {listing.name}: the source learns without the patients of '
            f"{listing.task}."
        ] = None
        return recipe.with_changes([f"leave_out={listing.task}"])

    def _splits(self, target: str, listing: Listing) -> Iterator[Split]:
        train = self._parts(listing)[0]
        for split in splits_of(self.study.resampling, listing.test_folds, self.study.sizes):
            if split.size is not None and split.size >= train:
                self.notes[
                    f'target "{target}" has about {train:,} training records a fold: size {split.size:,} is left out.'
                ] = None
                continue
            yield split

    def _parts(self, listing: Listing, size: int | None = None) -> tuple[int, int, int]:
        """How many records train, choose and test, as far as planning can tell."""
        if isinstance(self.study.resampling, Published):
            train, chosen, tested = listing.parts
        else:
            train, chosen, tested = (round(listing.records * share) for share in shares(self.study.resampling))
        return (train, chosen, tested) if size is None else (size, round(chosen * size / max(train, 1)), tested)

    def _fingerprint(self, listing: Listing, split: Split, **decided: Any) -> str:
        """Sixteen hex digits over all that decides a cell's figures. How often folds are dealt does not."""
        dealt = self.study.resampling.model_dump(mode="json", exclude={"repeats"})
        place = {"repeat": split.repeat, "fold": split.fold, "size": split.size}
        return fingerprint({"format": FORMAT, "target": listing.identity, "dealt": dealt, **place, **decided})


def _at(model: str) -> str:
    """A shipped model's name, or a folder from the root: workers may stand elsewhere."""
    return model if not model or shipped.folder(model) else str(Path(model).resolve())


def _store_key(collection: Collection, signal: Signal) -> str:
    """A collection and how it is conditioned, as one word."""
    records = collection.model_dump(mode="json", include={"data", "folder", "simulate"})
    return fingerprint({**records, "signal": signal.model_dump(mode="json")})


def _plain(recipe: Recipe) -> dict[str, Any]:
    return dict(json.loads(recipe.model_dump_json()))
