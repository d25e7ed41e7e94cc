"""A store made of an array instead of a folder, for ECGs that are in memory already."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgenough.datasets.table import Task
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord
from ecgenough.recipe import Signal, fingerprint
from ecgenough.signals.conditioning import condition_batch, usable
from ecgenough.signals.store import Store, to_microvolts, waveform_hash

TOGETHER = 32  # records conditioned at once
NAME = "array"


def conditioned_counts(
    signals: NDArray[np.float32], rate: float, leads: Sequence[str], settings: Signal
) -> tuple[NDArray[np.int16], int]:
    """mV `[records, leads, samples]` at `rate` Hz -> counts of 1 µV as a store keeps them, and how many are signal.

    Raises BrokenRecord naming the first record, counted from 0, that cannot be used.
    """
    parts, valid = [], 0
    for start in range(0, len(signals), TOGETHER):
        voltages = []
        for row in range(start, min(start + TOGETHER, len(signals))):
            try:
                voltages.append(usable(Ecg(signals[row], rate, tuple(leads)), settings).signal)
            except BrokenRecord as error:
                raise BrokenRecord(f"record {row}: {error}") from None
        batch = condition_batch(np.stack(voltages), rate, settings)
        parts.append(to_microvolts(batch.signal)[0])
        valid = batch.valid
    return np.concatenate(parts), valid


def store_of(
    counts: NDArray[np.int16],
    valid: int,
    settings: Signal,
    task: Task,
    patients: Sequence[str],
    folds: NDArray[np.int64],
) -> Store:
    """Conditioned counts `[records, leads, samples]` as a store with one task; the last fold validates, none tests."""
    records = len(counts)
    hashes = np.array([waveform_hash(row.tobytes()) for row in counts], dtype=np.uint64)
    last = int(folds.max())
    content = hashlib.sha256(hashes.tobytes() + task.labels.tobytes() + folds.tobytes()).hexdigest()
    return Store(
        path=Path(NAME),
        name=NAME,
        fingerprint=fingerprint({"signal": settings.model_dump(mode="json"), "content": content}),
        signal=settings,
        signals=counts,
        records=tuple(map(str, range(records))),
        patients=tuple(patients),
        folds=folds,
        ages=np.full(records, np.nan, dtype=np.float32),
        sexes=("",) * records,
        valid=np.full(records, valid, dtype=np.int32),
        hashes=hashes,
        clipped=np.zeros(records, dtype=np.int32),
        listing=np.arange(records),
        tasks={task.name: task},
        default_task=task.name,
        train_folds=tuple(range(1, last)),
        validation_folds=(last,),
        test_folds=(),
        rejected=(),
    )
