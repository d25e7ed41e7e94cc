"""What a run ran on is in every kind of run; the state of the code: a commit, one with changes, or none."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.baseline_runs import run_baseline
from ecgenough.studies.environment import environment, git_state
from ecgenough.studies.pretraining import run_pretraining
from ecgenough.studies.search import Search
from ecgenough.studies.search_space import read_space
from ecgenough.studies.tuning import tune


def _origin(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / "model" / "model.json").read_text())["origin"]
    return card


def test_every_kind_of_run_says_on_what_and_on_which_data_it_ran(
    stores: dict[str, Store], tiny: Recipe, done: Path, tmp_path: Path
) -> None:
    source, target = stores["superclasses"], stores["embolism"]
    quick = tiny.with_changes(["training.epochs=1", "training.select=last"])
    trained = runs.train(source, quick, tmp_path / "trained", "cpu")
    carried = runs.recipe_for_transfer(Model.load(trained), quick.with_changes(["transfer.mode=frozen"]))
    masked = quick.with_changes(["pretraining.objective=masked", "training.select=loss"])
    search = Search(quick, read_space("optimizer.learning_rate: {choices: [0.003]}", quick), "macro_auc", "random")
    tune(search, lambda _: source, tmp_path / "tuned", 1, device="cpu")
    baseline = run_baseline("prevalence", target, None, tmp_path / "baseline")
    card = json.loads((baseline / "baseline.json").read_text())
    found = [
        (_origin(trained), source),
        (_origin(runs.transfer(trained, target, carried, tmp_path / "carried", "cpu")), target),
        (_origin(run_pretraining(source, masked, tmp_path / "pretrained", "cpu")), source),
        (_origin(tmp_path / "tuned" / "trials" / "0000"), source),
        ({**card["origin"], "environment": card["environment"]}, target),
        *((_origin(folder), source) for folder in (done / "sources").iterdir()),
        *((json.loads(path.read_text())["origin"], target) for path in (done / "cells").glob("*/cell.json")),
    ]
    assert len(found) == 5 + 1 + 8
    here = environment(torch.device("cpu"))
    for origin, store in found:
        assert (origin["dataset"], origin["store"]) == (store.name, store.fingerprint)
        assert origin["environment"].items() >= here.items()
    fitted = {"scikit-learn": version("scikit-learn")}
    beyond = [origin["environment"].items() - here.items() for origin, _ in found]
    assert [set(fitted.items())] * 2 == [one for one in beyond if one]  # the study's demographics, twice


def test_where_a_baseline_was_fitted_by_scikit_learn_or_taught_its_version_is_told(
    stores: dict[str, Store], tiny: Recipe, tmp_path: Path
) -> None:
    changes = ["training.epochs=1", "distillation={teachers: [], baselines: [demographics]}"]
    taught = runs.train(stores["superclasses"], tiny.with_changes(changes), tmp_path / "taught", "cpu")
    fitted = run_baseline("demographics", stores["embolism"], None, tmp_path / "fitted")
    told = [_origin(taught)["environment"], json.loads((fitted / "baseline.json").read_text())["environment"]]
    assert [one["scikit-learn"] for one in told] == [version("scikit-learn")] * 2
    assert "scikit-learn" not in environment(torch.device("cpu"), ["prevalence", "minirocket"])


def test_the_environment_names_versions_device_and_threads() -> None:
    here = environment(torch.device("cpu"))
    assert here["device"] == f"cpu, {torch.get_num_threads()} threads"
    assert here["python"] == platform.python_version()
    assert all(here[name] == version(name) for name in ("ecgenough", "torch", "numpy", "scipy"))
    state = git_state(Path(runs.__file__).parents[1])
    assert here.get("git") == state


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "code" / "package"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("one = 1\n")
    _git(tmp_path, "init", "-q", "code")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "one")
    return folder


def _state(package: Path) -> str | None:
    git_state.cache_clear()
    return git_state(package)


def test_a_clean_checkout_is_its_commit(package: Path) -> None:
    assert _state(package) == _git(package, "rev-parse", "HEAD")


def test_changes_and_new_files_of_the_package_show_and_others_do_not(package: Path) -> None:
    commit = _git(package, "rev-parse", "HEAD")
    (package.parent / "notes.txt").write_text("beside the package")
    assert _state(package) == commit
    (package / "new.py").write_text("two = 2\n")
    added = _state(package)
    (package / "new.py").write_text("two = 3\n")
    rewritten = _state(package)
    (package / "__init__.py").write_text("one = 3\n")
    changed = _state(package)
    assert len({added, rewritten, changed}) == 3
    assert all(str(state).startswith(f"{commit}, changed ") for state in (added, rewritten, changed))


def test_a_package_installed_inside_somebody_s_checkout_has_none(package: Path, tmp_path: Path) -> None:
    installed = package.parent / "venv" / "ecgenough"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert _state(installed) is None
    assert _state(tmp_path) is None
