"""Searches: on validation folds alone, the same after being killed, shared by workers, and never stopped by one trial."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from ecgenough.errors import EcgenoughError, Obstacle, WrongRequest
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs
from ecgenough.studies.search import Search, pruner
from ecgenough.studies.search_space import read_space
from ecgenough.studies.trial_tables import ENOUGH, write_findings
from ecgenough.studies.trials import ByPlace
from ecgenough.studies.tuning import Pruning, tune, without_test

SPACE = """
optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
network.options.width: {choices: [4, 8]}
"""


@pytest.fixture(scope="module")
def quick(tiny: Recipe) -> Recipe:
    return tiny.with_changes(["training.epochs=2", "training.batch=64"])


def _search(recipe: Recipe, text: str = SPACE, **settings: object) -> Search:
    return Search(recipe, read_space(text, recipe), "macro_auc", sampler="random", **settings)  # type: ignore[arg-type]


def _told(out: Path) -> pd.DataFrame:
    """trials.csv without what another run of the same search may tell otherwise."""
    return pd.read_csv(out / "trials.csv").drop(columns=["seconds", "folder"])


@pytest.fixture(scope="module")
def searched(stores: dict[str, Store], quick: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tune") / "unbroken"
    tune(_search(quick), lambda _: stores["superclasses"], out, 3, device="cpu")
    return out


def test_the_best_recipe_is_that_of_the_best_figure(
    searched: Path, stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    """And training it anew gives that figure: what was searched is what is written."""
    trials = pd.read_csv(searched / "trials.csv")
    assert trials["state"].tolist() == ["complete"] * 3
    best = trials.loc[trials["validation_macro_auc"].idxmax()]
    recipe = load_recipe(str(searched / "best.yaml"))
    assert recipe.optimizer.learning_rate == pytest.approx(best["optimizer.learning_rate"])
    assert recipe.network.options == {"width": best["network.options.width"]}
    assert recipe.training == quick.training
    log = pd.read_csv(runs.train(stores["superclasses"], recipe, tmp_path / "run", "cpu") / "log.csv")
    assert log["validation_macro_auc"].max() == pytest.approx(best["validation_macro_auc"])


def test_the_test_folds_are_never_read(searched: Path, stores: dict[str, Store], quick: Recipe, tmp_path: Path) -> None:
    """With noise for the test folds' ECGs and the opposite of their labels, every figure stays what it was."""
    store = stores["superclasses"]
    test = np.isin(store.folds, store.test_folds)
    assert test.sum() > 10
    signals = np.array(store.signals)
    signals[test] = np.random.default_rng(0).integers(-9000, 9000, signals[test].shape)
    task = store.task("superdiagnostic")
    labels = np.where(test[:, None], 1 - task.labels, task.labels)
    tasks = {**store.tasks, task.name: replace(task, labels=labels, likelihoods=None)}
    spoilt = replace(store, signals=signals, tasks=tasks, hashes=store.hashes + test.astype(np.uint64))
    tune(_search(quick), lambda _: spoilt, tmp_path / "spoilt", 3, device="cpu")
    pd.testing.assert_frame_equal(_told(tmp_path / "spoilt"), _told(searched))
    assert not len(without_test(store, None).rows(None, store.test_folds))


def _command(stores: dict[str, Store], quick: Recipe, out: Path, trials: int) -> list[str]:
    (out.parent / "recipe.yaml").write_text(quick.to_yaml())
    (out.parent / "space.yaml").write_text(SPACE)
    command = [sys.executable, "-m", "ecgenough", "tune", str(stores["superclasses"].path), "--device", "cpu"]
    command += ["--recipe", str(out.parent / "recipe.yaml"), "--space", str(out.parent / "space.yaml")]
    return [*command, "--sampler", "random", "--trials", str(trials), "--out", str(out)]


def test_a_killed_search_goes_on_to_the_same_result(
    searched: Path, stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    """Killed in the second trial, after the checkpoint of its first epoch, from which it is taken up."""
    out = tmp_path / "killed"
    command, threads = _command(stores, quick, out, 3), {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=threads, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    second = False
    for line in process.stderr:
        second |= line.startswith("trial 2 of 3")
        if second and line.startswith("epoch 2/2"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    again = subprocess.run(command, env=threads, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "going on after epoch" in again.stderr
    assert again.stderr.count("\ntrial ") == 2  # the second again, and the third
    pd.testing.assert_frame_equal(_told(out), _told(searched))


def test_two_workers_share_a_search(stores: dict[str, Store], quick: Recipe, tmp_path: Path) -> None:
    """On one database, each with a part of the trials: together as many as asked for, no two alike."""
    short = quick.with_changes(["training.epochs=1"])
    command = _command(stores, short, tmp_path / "shared", 4)
    command += ["--storage", f"sqlite:///{tmp_path / 'any.db'}"]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen(command, env=threads, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    trials = pd.read_csv(tmp_path / "shared" / "trials.csv")
    assert trials["state"].tolist() == ["complete"] * 4
    assert trials["folder"].nunique() == trials["optimizer.learning_rate"].nunique() == 4
    assert sum(text.count("\ntrial ") for text in told) == 4
    assert not (tmp_path / "shared" / "tune.db").exists()


def test_a_failed_trial_is_recorded_and_the_search_goes_on(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    wild = quick.with_changes(["training.clip=null", "training.ema=null", "training.epochs=1"])
    search = _search(wild, "optimizer.learning_rate: {choices: [1.0e+30, 0.003]}", seed=1)
    best = tune(search, lambda _: stores["superclasses"], tmp_path / "wild", 4, device="cpu")
    trials = pd.read_csv(tmp_path / "wild" / "trials.csv")
    failed = trials["optimizer.learning_rate"] > 1
    assert 0 < failed.sum() < 4
    assert (trials["state"] == np.where(failed, "failed", "complete")).all()
    assert trials.loc[failed, "reason"].str.contains("training loss is nan").all()
    assert load_recipe(str(best)).optimizer.learning_rate == 0.003


def test_a_damaged_store_is_no_trial_s_fault(
    searched: Path, stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    """The search ends, and with the store made anew it goes on to what it would have found; litter of a kill goes too."""
    whole, out = stores["superclasses"], tmp_path / "out"
    bent = shutil.copytree(whole.path, tmp_path / "bent")
    with (bent / "signals.i16").open("r+b") as file:
        file.seek(int(whole.rows(None, whole.train_folds)[0]) * whole.signals[0].nbytes)
        file.write(b"\x55\x2a")
    with pytest.raises(Obstacle, match=r"bent is damaged: .* Remove the folder and prepare it again"):
        tune(_search(quick), lambda _: Store.open(bent), out, 3, device="cpu")
    litter = out / f".trials.csv.{2**22 + 1}@{socket.gethostname()}.part"  # above any process number
    litter.write_text("half")
    tune(_search(quick), lambda _: whole, out, 3, device="cpu")
    pd.testing.assert_frame_equal(_told(out), _told(searched))
    assert not litter.exists()


def test_a_search_of_failures_says_why(stores: dict[str, Store], quick: Recipe, tmp_path: Path) -> None:
    wild = quick.with_changes(["training.clip=null", "training.ema=null", "training.epochs=1"])
    search = _search(wild, "optimizer.learning_rate: {choices: [1.0e+30]}")
    with pytest.raises(
        EcgenoughError, match=r"has no complete trial among 1\. The first failed: the training loss is nan"
    ):
        tune(search, lambda _: stores["superclasses"], tmp_path / "out", 1, device="cpu")
    assert not (tmp_path / "out" / "best.yaml").exists()


def test_another_search_is_never_written_over(
    searched: Path, stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    before = (searched / "trials.csv").read_bytes()
    with pytest.raises(WrongRequest, match="holds another search"):
        tune(_search(quick, seed=1), lambda _: stores["superclasses"], searched, 3, device="cpu")
    with pytest.raises(WrongRequest, match="holds another search"):
        tune(_search(quick), lambda _: stores["embolism"], searched, 3, device="cpu")
    assert (searched / "trials.csv").read_bytes() == before
    (tmp_path / "recipe.yaml").write_text("")
    with pytest.raises(WrongRequest, match="holds a run"):
        tune(_search(quick), lambda _: stores["superclasses"], tmp_path, 3, device="cpu")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampler": "tpa"}, 'sampler "tpa" is unknown. Nearest: "tpe".'),
        ({"pruner": "medium"}, 'pruner "medium" is unknown. Nearest: "median".'),
        ({"metric": "auc"}, 'metric "auc" is unknown.'),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(quick: Recipe, settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(WrongRequest) as refusal:
        Search(**{"recipe": quick, "space": read_space(SPACE, quick), "metric": "macro_auc", **settings})  # type: ignore[arg-type]
    assert sentence in str(refusal.value)


def test_a_recipe_that_carries_over_is_refused(quick: Recipe) -> None:
    with pytest.raises(WrongRequest, match="trains from scratch"):
        _search(quick.with_changes(["transfer.mode=full"]))


def test_a_storage_that_does_not_open_is_named_without_its_password(
    stores: dict[str, Store], quick: Recipe, tmp_path: Path
) -> None:
    for storage in (f"sqlite:///{tmp_path}/absent/tune.db", "nothing://ann:secret@host/db"):
        with pytest.raises(WrongRequest, match="cannot be opened") as refusal:
            tune(_search(quick), lambda _: stores["superclasses"], tmp_path / "out", 1, storage=storage)
        assert "secret" not in str(refusal.value)


def test_a_trial_behind_the_median_is_pruned_and_one_ahead_is_not(quick: Recipe) -> None:
    """Five trials at 0.8; then one at 0.7 and one at 0.9. The first epoch, of two, does not count yet."""
    search = _search(quick, pruner="median")
    study = optuna.create_study(direction=search.direction, pruner=pruner(search))
    for _ in range(5):
        trial = study.ask()
        trial.report(0.8, 1)
        trial.report(0.8, 2)
        study.tell(trial, 0.8)
    behind, ahead = study.ask(), study.ask()
    Pruning(ahead, search.figure).epoch({"epoch": 2, search.figure: 0.9})
    Pruning(behind, search.figure).epoch({"epoch": 1, search.figure: 0.1})
    with pytest.raises(optuna.TrialPruned):
        Pruning(behind, search.figure).epoch({"epoch": 2, search.figure: 0.7})


def test_draws_follow_from_the_seed_and_the_place_alone() -> None:
    """A study that was closed and opened between any two trials draws what one in a single go does."""

    def drawn(studies: int) -> list[float]:
        values: list[float] = []
        storage = optuna.storages.InMemoryStorage()
        for number in range(6):
            if number == 0 or number < studies:
                sampler = ByPlace(lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=3), seed=7)
                study = optuna.create_study(storage=storage, study_name="s", sampler=sampler, load_if_exists=True)
            trial = study.ask()
            values.append(trial.suggest_float("x", 0, 1))
            study.tell(trial, (values[-1] - 0.3) ** 2)
        return values

    assert drawn(1) == drawn(6)
    assert len(set(drawn(1))) == 6


def test_importance_is_written_once_there_are_trials_enough(quick: Recipe, tmp_path: Path) -> None:
    """Of two keys, the one that the figure depends on has nearly all of it."""
    search = _search(quick)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(ENOUGH):
        assert not (tmp_path / "importance.csv").exists(), number
        trial = study.ask()
        rate = trial.suggest_float("optimizer.learning_rate", 1e-4, 1e-2, log=True)
        trial.suggest_categorical("network.options.width", [4, 8])
        study.tell(trial, rate)
        write_findings(study, search, tmp_path)
    shares = pd.read_csv(tmp_path / "importance.csv").set_index("key")["importance"]
    assert shares.sum() == pytest.approx(1, abs=1e-3)
    assert shares["optimizer.learning_rate"] > 0.8
