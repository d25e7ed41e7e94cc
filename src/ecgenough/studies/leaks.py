"""Recordings that a study must not learn from: those it is to be tested on, under whatever name they are listed."""

from collections.abc import Iterator, Mapping

import numpy as np

from ecgenough.errors import WrongRequest
from ecgenough.model import Model
from ecgenough.sentences import agreed, counted
from ecgenough.signals.store import Store
from ecgenough.studies.plan import Plan, Pretraining
from ecgenough.studies.resampling import doubled_waveforms
from ecgenough.studies.splits import refuse_overlap, split_rows
from ecgenough.studies.study import Published


def refuse_shared_waveforms(plan: Plan, stores: Mapping[str, Store]) -> None:
    """Raise WrongRequest naming the first recording of a target that one of its sources would learn from."""
    pretrainings = {pretraining.fingerprint: pretraining for pretraining in plan.pretrainings}
    pairs = {(cell.pretrained, cell.store, cell.target): cell for cell in plan.cells if cell.pretrained}
    for (fingerprint, key, target), cell in pairs.items():
        _refuse_shared(pretrainings[fingerprint], stores, stores[key], cell.task, target)


def refuse_known_records(plan: Plan, stores: Mapping[str, Store]) -> None:
    """Raise WrongRequest naming the first record or patient of a target that a source which is a model has learned from."""
    for model, key, task in {(cell.model, cell.store, cell.task): None for cell in plan.cells if cell.model}:
        refuse_overlap(Model.load(model), stores[key], task)


def doubled_records(plan: Plan, stores: Mapping[str, Store]) -> Iterator[str]:
    """A sentence for each target that lists one recording under two patients' names."""
    fate = (
        "the published folds are kept as they are"
        if isinstance(plan.study.resampling, Published)
        else "they count as one patient"
    )
    seen = set()
    for cell in plan.cells:
        if cell.target in seen:
            continue
        seen.add(cell.target)
        if pairs := doubled_waveforms(stores[cell.store], cell.task):
            first, second = pairs[0]
            yield (
                f'target "{cell.target}" lists {counted(len(pairs), "recording")} again under another patient '
                f"(first: {second} is {first}); {fate}."
            )


def _refuse_shared(pretraining: Pretraining, stores: Mapping[str, Store], target: Store, task: str, name: str) -> None:
    source = stores[pretraining.store]
    splits = split_rows(source, pretraining.recipe.task, pretraining.recipe.leave_out)
    learned = np.concatenate([splits["train"], splits["validation"]])
    tested = np.flatnonzero(target.task(task).listed)
    shared = np.flatnonzero(np.isin(target.hashes[tested], source.hashes[learned]))
    if not len(shared):
        return
    there = int(tested[shared[0]])
    here = int(learned[np.flatnonzero(source.hashes[learned] == target.hashes[there])[0]])
    are, them = agreed(len(shared), "is", "are"), agreed(len(shared), "it", "them")
    raise WrongRequest(
        f'{counted(len(shared), "recording")} of target "{name}" {are} among those that source "{pretraining.source}" would '
        f"learn from (first: record {target.records[there]} of {target.name} is record {source.records[here]} of "
        f"{source.name}); leave {them} out of one of the two."
    )
