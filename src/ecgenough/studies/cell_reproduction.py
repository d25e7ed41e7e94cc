"""A finished cell of a study once more, from the study's own file, and how far the second is from the first."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from ecgenough import baselines
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.files import write_text
from ecgenough.learning.training import open_fabric
from ecgenough.signals.store import Store
from ecgenough.studies.cell_folders import CARD, FAILED, finished_folder
from ecgenough.studies.cell_runs import Place, carry_out, is_done, source_folder
from ecgenough.studies.environment import environment
from ecgenough.studies.listings import prepared
from ecgenough.studies.plan import Cell, Plan, plan_study
from ecgenough.studies.reproduction import check_versions, differences, table_deviations, use_as_many_threads
from ecgenough.studies.study import load_study
from ecgenough.studies.study_runs import DATA, STORES, STUDY


def reproduce_cell(
    folder: Path, out: Path, device: str = "auto", *, stores: Path | None = None, anyway: bool = False
) -> dict[str, Any]:
    """Do a cell again into the study's folder `out`, in this process; returns what reproduction.json holds.

    A source that it begins from is taken from the study where that still has it, and learned again where not. `figures`
    and `environment` are as those of `reproduction.reproduce`: the log, and the predictions of the cell's test records.
    Raises WrongRequest where the study's data are others or absent, or versions are and `anyway` does not say to go on.
    """
    folder, out = folder.resolve(), out.resolve()
    study = folder.parents[1]
    card = _read(folder / CARD)
    plan = plan_study(load_study(str(study / STUDY)))
    cell = next((cell for cell in plan.cells if cell.fingerprint == folder.name), None)
    if cell is None:
        raise WrongRequest(
            f"{study / STUDY} plans no cell {folder.name} any more: its data, a recipe or the study have changed. "
            "Bring them back, or repeat another cell."
        )
    place, store = _place(plan, cell, study, out, device, stores)
    then = card["origin"]
    if store.fingerprint != then["store"]:
        raise WrongRequest(
            f"the data are not those of {folder}: the store was {then['store']} and is {store.fingerprint}. "
            "Bring back the files that it was prepared from."
        )
    use_as_many_threads(then["environment"])
    fabric = open_fabric(cell.recipe.training.precision, device)
    changed = differences(then["environment"], environment(fabric.device, baselines.names()))
    check_versions(folder, changed, anyway)
    _carry_out(plan, cell, study, place)
    figures = table_deviations(folder, finished_folder(out, cell.fingerprint))
    found = {
        "run": str(folder),
        "identical": not any(figures.values()),
        "figures": figures,
        "environment": {name: list(pair) for name, pair in changed.items()},
    }
    write_text(out / "reproduction.json", json.dumps(found, indent=2) + "\n")
    return found


def _place(plan: Plan, cell: Cell, study: Path, out: Path, device: str, stores: Path | None) -> tuple[Place, Store]:
    if out == study:
        raise WrongRequest(f"{out} is the study itself; choose another --out.")
    needed = {cell.store, *(source.store for source in plan.pretrainings if source.fingerprint == cell.pretrained)}
    opened = {
        key: prepared(collection, signal, study / DATA, (study / STORES) if collection.simulate else stores)
        for key, (collection, signal) in plan.stores.items()
        if key in needed
    }
    paths = {key: store.path for key, store in opened.items()}
    place = Place(out, paths, device, 0, time.time(), keep_models=False)
    return place, opened[cell.store]


def _carry_out(plan: Plan, cell: Cell, study: Path, place: Place) -> None:
    """The source, where there is one, and the cell. Raises EcgenoughError where either fails."""
    for source in plan.pretrainings:
        if source.fingerprint == cell.pretrained and not is_done(source, place.out):
            if is_done(source, study):
                shutil.copytree(source_folder(study, source.fingerprint), source_folder(place.out, source.fingerprint))
            else:
                _must(carry_out(source, place).reason)
    outcome = carry_out(cell, place)
    _must(outcome.reason if outcome.status == FAILED else "")


def _must(reason: str) -> None:
    if reason:
        raise EcgenoughError(f"the cell could not be done again: {reason}")


def _read(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        dict(card["origin"]["environment"])
    except KeyError:
        raise WrongRequest(
            f"{path} does not say what it ran on: the cell is of an earlier version. Delete its folder, and run the "
            "study again to do it anew."
        ) from None
    except (OSError, ValueError, TypeError):
        raise EcgenoughError(f"{path} cannot be read; delete {path.parent} to do this cell again.") from None
    return dict(card)
