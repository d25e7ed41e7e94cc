"""Batches over small stores whose counts tell which record, lead and sample they are."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ecgenough.datasets.table import Task
from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe
from ecgenough.signals import batches as module
from ecgenough.signals.batches import Batch, Batches, sampled, training_parts
from ecgenough.signals.crops import evaluation_crops
from ecgenough.signals.normalisation import Normaliser, fit_normaliser
from ecgenough.signals.placement import fits
from ecgenough.signals.store import Store

CPU = torch.device("cpu")
PLAIN: dict[str, Any] = {
    "signal": {"leads": ["I", "II"], "rate": 100.0, "duration": 3.0},
    "normalisation": {"kind": "none"},
    "training": {"batch": 8},
}


def recipe_with(**changes: Any) -> Recipe:
    return Recipe.of({**PLAIN, **changes})


def make_store(folder: Path, signals: np.ndarray, valid: np.ndarray | None = None) -> Store:
    """A store of these counts; padding is set to zero, a record's class is its row modulo 3, two records a patient."""
    records, _, samples = signals.shape
    valid = np.full(records, samples) if valid is None else valid
    signals = np.where(np.arange(samples) < valid[:, None, None], signals, 0).astype(np.int16)
    signals.tofile(folder / "signals.i16")
    labels = np.eye(3, dtype=np.float32)[np.arange(records) % 3]
    task = Task("kind", ("a", "b", "c"), labels, np.ones(records, bool), likelihoods=labels * np.float32(0.8))
    plain = Task("plain", ("a",), labels[:, :1], np.ones(records, bool))
    return Store(
        path=folder,
        name="rows",
        fingerprint="f",
        signal=recipe_with().signal,
        signals=np.memmap(folder / "signals.i16", dtype="<i2", mode="r", shape=signals.shape),
        records=tuple(f"r{row}" for row in range(records)),
        patients=tuple(f"p{row // 2}" for row in range(records)),
        folds=np.ones(records, np.int64),
        ages=np.zeros(records, np.float32),
        sexes=("",) * records,
        valid=valid.astype(np.int32),
        hashes=np.arange(records, dtype=np.uint64),
        clipped=np.zeros(records, np.int32),
        listing=np.arange(records),
        tasks={"kind": task, "plain": plain},
        default_task="kind",
        train_folds=(1,),
        validation_folds=(),
        test_folds=(),
        rejected=(),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """43 records of 2 leads and 300 samples; a count is 300 x row + sample, of the second lead its negative."""
    counts = 300 * np.arange(43)[:, None] + np.arange(300)
    return make_store(tmp_path, np.stack([counts, -counts], axis=1))


@pytest.fixture
def uneven(tmp_path: Path) -> Store:
    """Random counts, valid lengths from 1 to 300."""
    random = np.random.default_rng(0)
    return make_store(
        tmp_path, random.integers(-2000, 2000, (37, 2, 300)), random.permutation(np.linspace(1, 300, 37).astype(int))
    )


def open_batches(store: Store, recipe: Recipe, rows: Any = None, task: str = "kind", **devices: int) -> Batches:
    rows = np.arange(len(store.records)) if rows is None else np.array(rows)
    return Batches(store, rows, task, recipe, fit_normaliser(recipe.normalisation, store, rows), CPU, **devices)


def rows_of(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.rows for batch in batches]).tolist()


def same(first: list[Batch], second: list[Batch]) -> bool:
    pairs = list(itertools.zip_longest(first, second))
    return all(torch.equal(getattr(a, name), getattr(b, name)) for a, b in pairs for name in ("ecg", "labels", "rows"))


AUGMENTED: dict[str, Any] = {
    "crop": {"seconds": 1.5},
    "normalisation": {"kind": "z-score"},
    "augmentation": {
        "of": [{"kind": kind} for kind in ("circular-shift", "lead-scale", "lead-dropout", "noise", "sine")]
    },
}


def test_an_epoch_shows_every_row_once_with_its_own_signal_and_labels(store: Store) -> None:
    rows = np.arange(1, 43, 2)
    batches = open_batches(store, recipe_with(), rows)
    shown = list(batches.training(0))
    assert sorted(rows_of(shown)) == rows.tolist()
    assert (len(batches), batches.steps, [len(batch.rows) for batch in shown]) == (21, 3, [8, 8, 5])
    for batch in shown:
        assert torch.equal(batch.ecg, torch.from_numpy(store.signals[batch.rows.numpy()] / np.float32(1000)))
        assert torch.equal(batch.labels.argmax(dim=1), batch.rows % 3)
        assert batch.ecg.dtype == batch.labels.dtype == torch.float32


@pytest.mark.parametrize("how", ["shuffle", "class-balanced", "patient-balanced"])
def test_seed_and_epoch_decide_everything(uneven: Store, how: str) -> None:
    def epoch(number: int, seed: int = 0) -> list[Batch]:
        recipe = recipe_with(**AUGMENTED, training={"batch": 8, "sampling": how}, seed=seed)
        return list(open_batches(uneven, recipe).training(number))

    assert same(epoch(3), epoch(3))
    assert len(rows_of(epoch(3))) == 37
    assert rows_of(epoch(3)) != rows_of(epoch(4))
    assert rows_of(epoch(3)) != rows_of(epoch(3, seed=1))


def test_two_epochs_of_one_object_can_run_at_once_and_be_left(store: Store) -> None:
    batches = open_batches(store, recipe_with(**AUGMENTED))
    whole = list(batches.training(0))
    left = batches.training(0)
    next(left)
    both = [pair[0] for pair in zip(batches.training(0), batches.training(1), strict=True)]
    left.close()
    assert same(whole, both)


@pytest.mark.parametrize("world", [2, 3])
def test_any_number_of_devices_sees_the_same_batches(uneven: Store, world: int) -> None:
    recipe = recipe_with(**AUGMENTED, training={"batch": 24})
    alone = list(open_batches(uneven, recipe, rows=range(36)).training(2))
    ranks = [list(open_batches(uneven, recipe, range(36), rank=rank, world=world).training(2)) for rank in range(world)]
    joined = [
        Batch(*(torch.cat([getattr(part, name) for part in parts]) for name in ("ecg", "labels", "rows")))
        for parts in zip(*ranks, strict=True)
    ]
    assert len(joined) == len(alone) == 2
    if world == 2:
        assert same(joined, alone)
    else:
        for ours, whole in zip(joined, alone, strict=True):
            assert torch.equal(ours.rows, whole.rows)
            torch.testing.assert_close(ours.ecg, whole.ecg)
    sizes = [len(part.rows) for parts in zip(*ranks, strict=True) for part in parts]
    assert sizes == [24 // world] * world + [12 // world] * world


def test_evaluation_is_shared_out_too(uneven: Store) -> None:
    ranks = [open_batches(uneven, recipe_with(), rank=rank, world=2) for rank in (0, 1)]
    shown = [rows_of(list(batches.evaluation(12))) for batches in ranks]
    assert sorted(shown[0] + shown[1]) == list(range(37))


def test_a_batch_too_small_for_the_devices_is_refused(store: Store) -> None:
    with pytest.raises(WrongRequest, match=r"training\.batch"):
        next(open_batches(store, recipe_with(), world=5).training(0))


@pytest.mark.parametrize(
    ("records", "batch", "sizes"),
    [
        (256, 128, [128, 128]),
        (17, 8, [8, 9]),  # one alone joins the batch before it
        (18, 8, [8, 8, 2]),
        (143, 128, [143]),  # 15 < 128 / 8
        (144, 128, [128, 16]),
        (1, 8, [1]),
        (3, 1, [1, 1, 1]),
        (5, 2, [2, 3]),
        (0, 8, []),
    ],
)
def test_sizes_of_the_batches(records: int, batch: int, sizes: list[int]) -> None:
    parts = training_parts(records, batch)
    assert [part.stop - part.start for part in parts] == sizes
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(records))


def test_training_crops_start_anywhere_in_the_signal(store: Store) -> None:
    batches = open_batches(store, recipe_with(crop={"seconds": 1.0}), rows=[7] * 40)
    starts = []
    for batch in itertools.chain(*(batches.training(epoch) for epoch in range(50))):
        counts = (batch.ecg * 1000).round().int()
        first = counts[:, 0, 0] - 300 * 7
        assert torch.equal(counts[:, 0], counts[:, 0, :1] + torch.arange(100))
        assert torch.equal(counts[:, 1], -counts[:, 0])
        starts += first.tolist()
    assert (min(starts), max(starts)) == (0, 200)
    assert np.mean(starts) == pytest.approx(100, abs=4 * 58 / np.sqrt(2000))


def test_crops_stay_within_the_signal_and_short_signals_come_whole_with_padding(uneven: Store) -> None:
    batches = open_batches(uneven, recipe_with(crop={"seconds": 1.0}))
    for batch in itertools.chain(*(batches.training(epoch) for epoch in range(5))):
        for ecg, row in zip((batch.ecg * 1000).round().int().numpy(), batch.rows.tolist(), strict=True):
            valid = uneven.valid[row]
            if valid <= 100:
                assert np.array_equal(ecg, uneven.signals[row, :, :100])
            else:
                windows = np.lib.stride_tricks.sliding_window_view(uneven.signals[row, :, :valid], 100, axis=-1)
                assert (windows == ecg[:, None]).all(axis=(0, 2)).any()


@pytest.mark.parametrize("kind", ["scale", "z-score", "min-max", "robust"])
def test_padding_is_zero_in_every_batch(uneven: Store, kind: str) -> None:
    changes = {**AUGMENTED, "normalisation": {"kind": kind}, "crop": {}}
    batches = open_batches(uneven, recipe_with(**changes))
    for batch in [*batches.training(0), *batches.evaluation()]:
        padding = torch.arange(300) >= torch.from_numpy(uneven.valid[batch.rows.numpy()])[:, None]
        ecg = batch.ecg.reshape(len(batch.rows), 2, 300)
        assert not ecg.transpose(0, 1)[:, padding].any()
        assert torch.isfinite(ecg).all()


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_signals_held_on_the_device_give_the_same_batches(
    uneven: Store, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_with(**{**AUGMENTED, "crop": {"seconds": seconds, "evaluation": "mean"}})
    streamed = open_batches(uneven, recipe, rows=range(3, 37))
    monkeypatch.setattr(module, "fits", lambda *_: True)
    held = open_batches(uneven, recipe, rows=range(3, 37))
    assert same(list(held.training(1)), list(streamed.training(1)))
    assert same(list(held.evaluation(10)), list(streamed.evaluation(10)))
    assert "held on cpu" in held.placement
    assert str(uneven.path) in streamed.placement


@pytest.mark.parametrize(("allocated", "held"), [(0, True), (2_000, True), (2_001, False)])
def test_signals_live_on_a_gpu_within_half_of_what_is_free_there(
    store: Store, allocated: int, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PyTorch keeps there without using it, such as a teacher's signals that are done with, is free for us."""
    asked: set[object] = set()
    size = len(store.records) * store.signals[0].nbytes

    def answering(number: object) -> Callable[[object], object]:
        def answer(device: object) -> object:
            asked.add(device)
            return number

        return answer

    monkeypatch.setattr(torch.cuda, "mem_get_info", answering((size, 10 * size)))
    monkeypatch.setattr(torch.cuda, "memory_reserved", answering(size + 2_000))
    monkeypatch.setattr(torch.cuda, "memory_allocated", answering(allocated))
    second = torch.device("cuda", 1)
    assert fits(store, np.arange(len(store.records)), second) is held
    assert asked == {second}


def test_evaluation_gives_rows_in_order_the_centre_and_hard_labels(store: Store) -> None:
    recipe = recipe_with(crop={"seconds": 1.0}, labels="likelihood", augmentation=AUGMENTED["augmentation"])
    batches = open_batches(store, recipe, rows=[5, 2, 40])
    (batch,) = batches.evaluation()
    assert batch.rows.tolist() == [5, 2, 40]
    assert batch.ecg.shape == (3, 1, 2, 100)
    assert (batch.ecg[:, 0, 0, 0] * 1000).round().tolist() == [300 * row + 100 for row in (5, 2, 40)]
    assert torch.equal(batch.labels, torch.eye(3)[torch.tensor([5, 2, 40]) % 3])
    assert [len(part.rows) for part in batches.evaluation(2)] == [2, 1]


def test_mean_evaluation_spaces_its_crops_over_the_signal() -> None:
    recipe = recipe_with(crop={"seconds": 1.0, "evaluation": "mean", "crops": 5})
    ecg = torch.arange(300.0).expand(3, 2, 300)
    crops = evaluation_crops(ecg, torch.tensor([300, 140, 60]), recipe, Normaliser("none"))
    assert crops.shape == (3, 5, 2, 100)
    assert crops[:, :, 0, 0].tolist() == [[0, 50, 100, 150, 200], [0, 10, 20, 30, 40], [0, 0, 0, 0, 0]]
    assert torch.equal(crops[2, 4, 1], torch.where(torch.arange(100) < 60, torch.arange(100.0), 0.0))
    one = evaluation_crops(
        ecg,
        torch.tensor([300, 140, 60]),
        recipe_with(crop={**recipe.crop.model_dump(), "crops": 1}),
        Normaliser("none"),
    )
    assert one[:, :, 0, 0].tolist() == [[100], [20], [0]]


@pytest.mark.parametrize("crop", [{}, {"seconds": 1.0}, {"seconds": 1.27, "evaluation": "mean", "crops": 3}])
@pytest.mark.parametrize("kind", ["scale", "z-score", "robust", "l2"])
def test_one_ecg_is_shown_as_in_the_evaluation_of_a_store(uneven: Store, crop: dict[str, Any], kind: str) -> None:
    recipe = recipe_with(crop=crop, normalisation={"kind": kind})
    batches = open_batches(uneven, recipe)
    for batch in batches.evaluation(16):
        for ecg, row in zip(batch.ecg, batch.rows.tolist(), strict=True):
            signal = torch.from_numpy(uneven.signals[row][None] / np.float32(1000))
            alone = evaluation_crops(signal, torch.tensor([int(uneven.valid[row])]), recipe, batches.normaliser)
            torch.testing.assert_close(alone[0], ecg, rtol=1e-6, atol=1e-6)


def test_class_balance_by_hand() -> None:
    labels = np.zeros((1000, 2), np.float32)
    labels[:10, 0] = 1  # 10 of a, of which 5 also of b; 100 of b; the others of none
    labels[5:105, 1] = 1
    random = np.random.default_rng(0)
    drawn = np.concatenate([sampled("class-balanced", random, labels, [""] * 1000) for _ in range(30)])
    # weights: a alone 1/10, a and b 1/10 + 1/100, b alone 1/100, none 1/895; they sum to 3
    for rows, weight in ((range(5), 0.1), (range(5, 10), 0.11), (range(10, 105), 0.01), (range(105, 1000), 1 / 895)):
        assert np.isin(drawn, rows).mean() == pytest.approx(len(rows) * weight / 3, abs=0.01)


def test_a_binary_task_is_balanced_half_and_half() -> None:
    labels = (np.arange(2000) % 20 == 0).astype(np.float32)[:, None]
    drawn = sampled("class-balanced", np.random.default_rng(0), labels, [""] * 2000)
    assert labels[drawn].mean() == pytest.approx(0.5, abs=0.05)


def test_patient_balance_by_hand() -> None:
    patients = ["many"] * 50 + ["two"] * 2 + ["", ""]  # four patients: the nameless are two
    random = np.random.default_rng(0)
    drawn = np.concatenate(
        [sampled("patient-balanced", random, np.zeros((54, 1), np.float32), patients) for _ in range(200)]
    )
    for rows in (range(50), (50, 51), (52,), (53,)):
        assert np.isin(drawn, rows).mean() == pytest.approx(0.25, abs=0.02)


def test_likelihoods_are_trained_on_where_the_recipe_says(store: Store) -> None:
    batch = next(open_batches(store, recipe_with(labels="likelihood")).training(0))
    assert batch.labels.max(dim=1).values.tolist() == pytest.approx([0.8] * 8)
    with pytest.raises(WrongRequest, match="task plain of rows states none"):
        open_batches(store, recipe_with(labels="likelihood"), task="plain")


def test_a_store_conditioned_otherwise_is_refused(store: Store) -> None:
    other = recipe_with(signal={**PLAIN["signal"], "filter": {"kind": "band-pass"}})
    with pytest.raises(WrongRequest, match=r"signal\.filter"):
        open_batches(store, other)


@pytest.mark.parametrize("seconds", [3.01, 0.001])
def test_a_crop_that_does_not_fit_is_refused(store: Store, seconds: float) -> None:
    with pytest.raises(WrongRequest, match=r"crop\.seconds"):
        open_batches(store, recipe_with(crop={"seconds": seconds}))


def test_identity_changes_with_the_data(store: Store) -> None:
    first = open_batches(store, recipe_with(), rows=[1, 2])
    assert first.identity == open_batches(store, recipe_with(seed=9), rows=[1, 2]).identity
    assert first.identity != open_batches(store, recipe_with(), rows=[1, 3]).identity
    assert first.identity != open_batches(store, recipe_with(), rows=[1, 2], task="plain").identity


def test_learning_needs_no_reader_of_collections() -> None:
    listed = "import sys, ecgenough.signals.batches; print([m for m in ('pandas', 'wfdb', 'pywt') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
