"""Every baseline on simulated collections: better than chance where there is something to learn, and only there."""

import dataclasses
import sys
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ecgenough import baselines
from ecgenough.baselines import intervals
from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.signals.store import Store

Rows = NDArray[np.int64]


@pytest.fixture(scope="module")
def superclasses(stores: dict[str, Store]) -> tuple[Store, Rows, Rows]:
    """240 records: the first seven folds and the last three."""
    store = stores["superclasses"]
    return store, store.rows("superdiagnostic", range(1, 8)), store.rows("superdiagnostic", range(8, 11))


@pytest.fixture(scope="module")
def aged(stores: dict[str, Store]) -> Store:
    """The store with ages of our own and two tasks: "old" follows age, "coin" follows nothing."""
    store, rng = stores["superclasses"], np.random.default_rng(0)
    count = len(store.records)
    ages = rng.uniform(20, 90, count).astype(np.float32)
    old = rng.random(count) < 1 / (1 + np.exp(-(ages - 55) / 5))
    coin = rng.random(count) < 0.5
    tasks = {
        name: Task(name, (name,), labels[:, None].astype(np.float32), np.ones(count, dtype=bool))
        for name, labels in (("old", old), ("coin", coin))
    }
    ages = np.where(rng.random(count) < 0.1, np.nan, ages).astype(np.float32)
    return dataclasses.replace(store, ages=ages, tasks=tasks, default_task="old")


@pytest.mark.parametrize("name", baselines.names())
def test_probabilities_are_probabilities_and_repeat(superclasses: tuple[Store, Rows, Rows], name: str) -> None:
    store, train, test = superclasses
    train, test = train[:60], test[:10]
    first, again = (baselines.fit(name, store, None, train, 3).probabilities(store, test) for _ in range(2))
    assert first.shape == (len(test), 5)
    assert ((first > 0) & (first < 1)).all()
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", baselines.names())
def test_a_binary_task_has_one_column(stores: dict[str, Store], name: str) -> None:
    store = stores["embolism"]
    fitted = baselines.fit(name, store, "embolism", store.rows("embolism", range(1, 4)), 0)
    assert fitted.probabilities(store, np.array([0, 1, 2])).shape == (3, 1)


@pytest.mark.parametrize(("name", "least"), [("intervals", 0.70), ("minirocket", 0.65)])
def test_signals_tell_superclasses_better_than_chance(
    superclasses: tuple[Store, Rows, Rows], name: str, least: float
) -> None:
    store, train, test = superclasses
    labels = store.task("superdiagnostic").labels[test]
    said = baselines.fit(name, store, None, train, 0).probabilities(store, test)
    assert roc_auc_score(labels, said, average="macro") > least


def test_prevalence_is_the_share_of_positives(stores: dict[str, Store]) -> None:
    store = stores["embolism"]
    rows = store.rows("embolism", range(1, 9))
    positives = store.task("embolism").labels[rows].sum()
    said = baselines.fit("prevalence", store, None, rows, 0).probabilities(store, np.array([5, 6]))
    np.testing.assert_allclose(said, (positives + 1) / (len(rows) + 2))


def test_age_tells_where_it_is_informative_and_nowhere_else(aged: Store) -> None:
    train, test = np.arange(0, 160), np.arange(160, len(aged.records))
    found = {}
    for task in ("old", "coin"):
        said = baselines.fit("demographics", aged, task, train, 0).probabilities(aged, test)[:, 0]
        found[task] = roc_auc_score(aged.task(task).labels[test, 0], said)
    assert found["old"] > 0.85
    assert 0.35 < found["coin"] < 0.65  # 80 records: the standard error of an AUC of 0.5 is 0.065


def test_unknown_age_and_sex_are_counted_and_answered(aged: Store) -> None:
    sexes = ("", *aged.sexes[1:])
    store = dataclasses.replace(aged, sexes=sexes)
    train = np.arange(0, 160)
    fitted = baselines.fit("demographics", store, "old", train, 0)
    assert fitted.about()["missing_in_training"] == {"age": int(np.isnan(store.ages[train]).sum()), "sex": 1}
    nobody = np.flatnonzero(np.isnan(store.ages))
    assert np.isfinite(fitted.probabilities(store, nobody)).all()


def test_nobody_s_age_known_is_no_error(aged: Store) -> None:
    store = dataclasses.replace(aged, ages=np.full_like(aged.ages, np.nan), sexes=("",) * len(aged.records))
    said = baselines.fit("demographics", store, "old", np.arange(160), 0).probabilities(store, np.arange(160, 200))
    assert len(np.unique(said)) == 1


def test_a_class_with_one_outcome_gets_its_smoothed_share(aged: Store) -> None:
    never = Task("never", ("never",), np.zeros((len(aged.records), 1), np.float32), np.ones(len(aged.records), bool))
    store = dataclasses.replace(aged, tasks={"never": never}, default_task="never")
    said = baselines.fit("demographics", store, None, np.arange(98), 0).probabilities(store, np.arange(5))
    np.testing.assert_allclose(said, 1 / 100)


def test_measurements_are_kept_beside_the_store(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store = stores["embolism"]
    kept = store.path.parent / f"{store.path.name}.intervals-{intervals.EDITION}.npz"
    kept.unlink(missing_ok=True)
    alone = intervals.measurements(store, workers=1)
    kept.unlink()
    together = intervals.measurements(store, workers=2)
    np.testing.assert_array_equal(alone, together)
    monkeypatch.setattr(intervals, "_measure", None)  # read from here on, not measured
    np.testing.assert_array_equal(intervals.measurements(store), alone)
    monkeypatch.undo()
    whole = kept.read_bytes()
    kept.write_bytes(whole[:100])
    np.testing.assert_array_equal(intervals.measurements(store), alone)
    with ZipFile(kept) as members:
        begins = members.getinfo("table.npy").header_offset
    name, extra = (int.from_bytes(whole[begins + at : begins + at + 2], "little") for at in (26, 28))
    packed = begins + 30 + name + extra
    kept.write_bytes(whole[:packed] + b"\xff" + whole[packed + 1 :])  # a kind of block that deflate does not know
    np.testing.assert_array_equal(intervals.measurements(store), alone)


def test_unknown_names_and_empty_folds_are_refused(stores: dict[str, Store]) -> None:
    store = stores["embolism"]
    with pytest.raises(WrongRequest, match='Nearest: "minirocket"'):
        baselines.fit("minirockt", store, None, np.arange(5), 0)
    with pytest.raises(WrongRequest, match="no training records"):
        baselines.fit("prevalence", store, None, np.arange(0), 0)


def test_without_scikit_learn_the_extra_is_named(stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(WrongRequest, match=r"ecgenough\[baselines\]"):
        baselines.fit("demographics", stores["embolism"], None, np.arange(100), 0)


@pytest.mark.parametrize("name", ["intervals", "minirocket"])
def test_a_store_of_other_leads_is_refused(stores: dict[str, Store], name: str) -> None:
    store = stores["embolism"]
    fitted = baselines.fit(name, store, None, np.arange(20), 0)
    signal = store.signal.model_copy(update={"leads": store.leads[:6]})
    fewer = dataclasses.replace(store, signal=signal, signals=store.signals[:, :6], path=Path("elsewhere"))
    with pytest.raises(WrongRequest, match="other"):
        fitted.probabilities(fewer, np.array([0]))
