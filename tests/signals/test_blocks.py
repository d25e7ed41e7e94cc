"""Blocks: the same whoever conditions them, and their broken records told by place and reason."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgenough.datasets.table import Dataset
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.formats import read
from ecgenough.recipe import BandPass, Signal
from ecgenough.signals import blocks
from ecgenough.signals.blocks import Request, condition_block, conditioned_blocks
from ecgenough.signals.conditioning import Usable, condition

Collection = Callable[..., Dataset]
WANTED = Signal(leads=("I", "II"), duration=2.0, filter=BandPass())


def test_a_block_holds_what_its_records_give_one_by_one(collection: Collection) -> None:
    listed = collection(50, flat=(3, 40), absent=(7,))
    block = condition_block(Request(listed.root, listed.paths, 1000, WANTED))
    kept = [place for place in range(50) if place not in (3, 7, 40)]
    assert block.outcome.listing == [1000 + place for place in kept]
    assert [place for place, _ in block.outcome.broken] == [1003, 1007, 1040]
    assert block.outcome.records == 50
    for row, place in enumerate(kept):
        alone = condition(read(listed.root / listed.paths[place]), WANTED)
        assert block.outcome.valid[row] == alone.valid
        np.testing.assert_array_equal(block.rows[row], np.rint(alone.signal * np.float32(1000)))


def test_the_reason_says_what_is_wrong(collection: Collection) -> None:
    listed = collection(4, flat=(1,), absent=(2,))
    (listed.root / "1" / "r0003.dat").unlink()
    block = condition_block(Request(listed.root, listed.paths, 0, WANTED))
    reasons = dict(block.outcome.broken)
    assert "flat" in reasons[1]
    assert "r0002" in reasons[2]
    assert "r0003.dat" in reasons[3]
    assert block.rows.shape == (1, 2, 200)


def test_processes_give_the_blocks_in_order_and_as_one_process_does(collection: Collection) -> None:
    listed = collection(60, flat=(3, 40), absent=(7,))
    requests = [Request(listed.root, listed.paths[at : at + 7], at, WANTED) for at in range(0, 60, 7)]
    for one, many in zip(conditioned_blocks(requests, 1), conditioned_blocks(requests, 3), strict=True):
        assert one.outcome == many.outcome
        np.testing.assert_array_equal(one.rows, many.rows)


def test_settings_that_fit_no_recording_stop_the_work(collection: Collection) -> None:
    listed = collection(20)
    wrong = Signal(leads=("I", "II"), filter=BandPass(low=60, high=70))
    requests = [Request(listed.root, listed.paths[at : at + 5], at, wrong) for at in range(0, 20, 5)]
    for workers in (1, 2):
        with pytest.raises(WrongRequest, match="raise the rate"):
            list(conditioned_blocks(requests, workers))


def test_a_killed_process_is_told_in_a_sentence(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, parent = collection(20), os.getpid()

    def dying(*asked: Any, real: Callable[..., Usable] = blocks.usable) -> Usable:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*asked)

    monkeypatch.setattr(blocks, "usable", dying)
    requests = [Request(listed.root, listed.paths[at : at + 5], at, WANTED) for at in range(0, 20, 5)]
    with pytest.raises(EcgenoughError, match="fewer workers"):
        list(conditioned_blocks(requests, 2))


def test_real_records_come_through_without_a_changed_count(real_data: Path) -> None:
    """PTB-XL's own counts are 1 µV: at its rate, without a filter, a store holds the file's numbers."""
    wfdb = pytest.importorskip("wfdb")
    paths = tuple(f"records100/00000/{number:05}_lr" for number in range(1, 40))
    present = tuple(path for path in paths if (real_data / "ptb-xl" / f"{path}.hea").exists())
    block = condition_block(Request(real_data / "ptb-xl", present, 0, Signal()))
    assert not block.outcome.broken
    for path, row in zip(present, block.rows, strict=True):
        stored = wfdb.rdrecord(str(real_data / "ptb-xl" / path), physical=False).d_signal
        np.testing.assert_array_equal(row, stored.T)
