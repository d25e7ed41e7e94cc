"""Reading elsewhere: the same recording, and a reader that is stopped costs one request and no more."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from ecgenough import formats
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.serving.limits import Limits
from ecgenough.serving.reading import Readers


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    some = Readers(Limits(readers=1))
    some.await_start()
    yield some
    some.close()


def _header(folder: Path) -> Path:
    return sorted(folder.rglob("*.hea"))[0]


def test_the_recording_is_the_one_that_formats_reads(readers: Readers, simulated: Path) -> None:
    header = _header(simulated)
    here, there = formats.read(header), readers.read(header)
    assert np.array_equal(here.signal, there.signal, equal_nan=True)
    assert (here.rate, here.leads) == (there.rate, there.leads)


def test_errors_come_as_they_are(readers: Readers, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    with pytest.raises(WrongRequest, match=r"a\.csv is a table"):
        readers.read(tmp_path / "a.csv")
    with pytest.raises(BrokenRecord, match="is not there"):
        readers.read(tmp_path / "b.hea")


def test_a_reader_that_takes_too_long_is_replaced(simulated: Path) -> None:
    header, others = _header(simulated), set(active_children())
    readers = Readers(Limits(readers=1, reading=2.0))
    try:
        readers.await_start()
        (process,) = set(active_children()) - others
        os.kill(process.pid or 0, signal.SIGSTOP)  # it never answers
        with pytest.raises(BrokenRecord, match="took longer than 2 s"):
            readers.read(header)
        assert not process.is_alive()
        assert readers.read(header).leads == formats.read(header).leads  # by the next process
    finally:
        readers.close()
