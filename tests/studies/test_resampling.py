"""Divisions of a target: whole patients, everything tested once a repeat, nothing chosen or learned on the tested."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ecgenough.datasets import Task
from ecgenough.errors import EcgenoughError
from ecgenough.signals.store import Store
from ecgenough.studies.resampling import (
    TEST,
    TRAIN,
    UNUSED,
    VALIDATION,
    Split,
    check_apart,
    divided,
    doubled_waveforms,
    people_of,
    splits_of,
)
from ecgenough.studies.splits import split_rows
from ecgenough.studies.study import Folds, Published


def _with_patients(store: Store, records_each: int) -> Store:
    """The store with as many records a patient as said."""
    return replace(store, patients=tuple(f"p{row // records_each}" for row in range(len(store.records))))


@hypothesis_settings(max_examples=12, deadline=None)
@given(folds=st.integers(2, 6), seed=st.integers(0, 99), records_each=st.integers(1, 4), share=st.floats(0.1, 0.5))
def test_every_record_is_tested_once_and_never_learned_from_or_chosen_on_then(
    stores: dict[str, Store], folds: int, seed: int, records_each: int, share: float
) -> None:
    store = _with_patients(stores["embolism"], records_each)
    scheme = Folds(folds=folds, seed=seed, validation=share)
    tested = np.zeros(len(store.records), dtype=int)
    for split in splits_of(scheme, store.test_folds):
        parts = split_rows(divided(store, "embolism", scheme, split), "embolism")
        patients = {part: {store.patients[row] for row in rows} for part, rows in parts.items()}
        assert not patients["validation"] & patients["test"]
        assert not patients["train"] & (patients["validation"] | patients["test"])
        assert sum(map(len, parts.values())) == len(store.records)
        tested[parts["test"]] += 1
    assert (tested == 1).all()


def test_folds_share_the_positives_and_repeats_are_dealt_anew(stores: dict[str, Store]) -> None:
    store, scheme = stores["embolism"], Folds(folds=4, repeats=2)
    positives = store.task("embolism").labels[:, 0] > 0
    roles = [divided(store, "embolism", scheme, split).folds for split in splits_of(scheme, store.test_folds)]
    assert len(roles) == 8
    for role in roles:
        in_test = int(positives[role == TEST].sum())
        assert abs(in_test - positives.sum() / 4) <= 1  # stratified: a fold's share, but for a whole record
    assert not np.array_equal(roles[0], roles[4])  # fold 1 of the second repeat is another one


def test_published_folds_are_taken_as_they_are(stores: dict[str, Store]) -> None:
    store = stores["superclasses"]
    (split,) = splits_of(Published(), store.test_folds)
    assert split == Split(0, 10)
    ours = split_rows(divided(store, "superdiagnostic", Published(), split), "superdiagnostic")
    theirs = split_rows(store, "superdiagnostic")
    assert all(np.array_equal(ours[part], theirs[part]) for part in theirs)


def test_smaller_sizes_are_part_of_larger_ones_with_as_large_a_share_to_choose_on(stores: dict[str, Store]) -> None:
    store, scheme = stores["embolism"], Folds(folds=2)
    labels = store.task("embolism").labels[:, 0] > 0
    whole = divided(store, "embolism", scheme, Split(0, 1)).folds
    kept: dict[int, np.ndarray] = {}
    for size in (16, 32, 48):
        roles = divided(store, "embolism", scheme, Split(0, 1, size)).folds
        assert (roles == TRAIN).sum() == size
        share = size / (whole == TRAIN).sum()
        assert (roles == VALIDATION).sum() == round(share * (whole == VALIDATION).sum())
        assert np.array_equal(roles == TEST, whole == TEST)
        expected = size * labels[whole == TRAIN].mean()
        assert abs(labels[roles == TRAIN].sum() - expected) <= 1  # every beginning is stratified
        kept[size] = roles
    for smaller, larger in ((16, 32), (32, 48)):
        assert set(np.flatnonzero(kept[smaller] == TRAIN)) <= set(np.flatnonzero(kept[larger] == TRAIN))
        assert ((kept[larger] == UNUSED) <= (kept[smaller] == UNUSED)).all()


def test_records_outside_the_task_take_no_part(stores: dict[str, Store]) -> None:
    store = stores["embolism"]
    listed = np.arange(len(store.records)) % 2 == 0
    half = Task("half", ("embolism",), store.task("embolism").labels, listed)
    divided_half = divided(replace(store, tasks={"half": half}), "half", Folds(folds=2), Split(0, 1))
    assert (divided_half.folds[~listed] == UNUSED).all()
    assert (divided_half.folds[listed] != UNUSED).all()


def test_one_recording_under_two_names_is_flagged_and_kept_on_one_side(stores: dict[str, Store]) -> None:
    store = stores["embolism"]
    hashes = store.hashes.copy()
    hashes[[20, 40]] = hashes[0]  # the waveform of record 0 again, as other patients'
    planted = replace(store, hashes=hashes)
    first, second, third = (store.records[row] for row in (0, 20, 40))
    assert doubled_waveforms(planted, "embolism") == [(first, second), (first, third)]
    assert len({people_of(planted)[row] for row in (0, 20, 40)}) == 1
    scheme = Folds(folds=5)
    for split in splits_of(scheme, store.test_folds):
        roles = divided(planted, "embolism", scheme, split).folds
        assert roles[0] == roles[20] == roles[40]


def test_a_test_record_that_is_also_chosen_on_is_refused(stores: dict[str, Store]) -> None:
    """The leak that a fold used for both would be: one patient's records among validation and test."""
    store = _with_patients(stores["embolism"], 2)
    roles = np.full(len(store.records), TRAIN)
    roles[0], roles[1] = VALIDATION, TEST
    with pytest.raises(EcgenoughError, match="patient p0 has records in folds validation and test"):
        check_apart(store, store.patients, roles)
