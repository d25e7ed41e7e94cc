"""Folds: patients whole, sizes and prevalences fair, the same for the same seed whatever the order of rows."""

import time
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecgenough.datasets.folds import make_folds
from ecgenough.errors import WrongRequest

Table = tuple[list[str], NDArray[np.int64]]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    patients = draw(st.lists(st.integers(0, 60), min_size=30, max_size=200))
    patients += list(range(10))  # at least as many patients as folds
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prevalences = rng.uniform(0, 0.6, size=draw(st.integers(1, 6)))
    return [f"p{patient}" for patient in patients], (
        rng.random((len(patients), len(prevalences))) < prevalences
    ).astype(np.int64)


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(2, 10), st.integers(0, 5))
def test_every_patient_is_whole_and_no_fold_exceeds_its_share_by_a_patient(table: Table, k: int, seed: int) -> None:
    patients, labels = table
    folds = make_folds(patients, labels, k, seed)
    homes: dict[str, int] = {}
    for patient, fold in zip(patients, folds.tolist(), strict=True):
        assert homes.setdefault(patient, fold) == fold
    assert set(folds.tolist()) <= set(range(1, k + 1))
    largest = max(patients.count(patient) for patient in set(patients))
    assert np.bincount(folds, minlength=k + 1)[1:].max() < len(patients) / k + largest


@settings(max_examples=40, deadline=None)
@given(tables(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(table: Table, seed: int, random: Random) -> None:
    patients, labels = table
    order = list(range(len(patients)))
    random.shuffle(order)
    folds = make_folds(patients, labels, 10, seed)
    shuffled = make_folds([patients[row] for row in order], labels[order], 10, seed)
    assert (shuffled == folds[order]).all()
    assert (make_folds(patients, labels, 10, seed) == folds).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(100, 400), st.floats(0.05, 0.5), st.integers(0, 1000))
def test_positives_of_a_binary_label_differ_by_at_most_one_between_folds(n: int, prevalence: float, seed: int) -> None:
    """With one record a patient, positives are dealt first, each to a fold that has fewest: counts differ by one."""
    labels = (np.random.default_rng(seed).random(n) < prevalence).astype(np.int64)
    folds = make_folds([str(row) for row in range(n)], labels, 10, seed)
    positives = np.bincount(folds, weights=labels, minlength=11)[1:]
    sizes = np.bincount(folds, minlength=11)[1:]
    assert positives.max() - positives.min() <= 1
    assert sizes.max() - sizes.min() <= 1


def test_many_labels_are_spread_evenly_and_quickly() -> None:
    """20,000 records, 16,000 patients, 60 labels of prevalence 0.5% to 30%: each fold within 20% + 3 of its share."""
    rng = np.random.default_rng(0)
    patients = [str(patient) for patient in rng.integers(0, 16_000, 20_000)]
    labels = rng.random((20_000, 60)) < np.geomspace(0.005, 0.3, 60)
    began = time.process_time()
    folds = make_folds(patients, labels, 10, 0)
    assert time.process_time() - began < 2
    share = labels.sum(axis=0) / 10
    counts = np.stack([labels[folds == fold].sum(axis=0) for fold in range(1, 11)])
    assert (np.abs(counts - share) <= 0.2 * share + 3).all()


def test_another_seed_deals_anew() -> None:
    patients, labels = [str(row) for row in range(200)], np.zeros((200, 1))
    assert (make_folds(patients, labels, 10, 0) != make_folds(patients, labels, 10, 1)).any()


def test_fewer_patients_than_folds_are_refused() -> None:
    with pytest.raises(WrongRequest, match="3 patients cannot be dealt into 10 folds"):
        make_folds(["a", "b", "c", "a"], np.zeros((4, 1)))
