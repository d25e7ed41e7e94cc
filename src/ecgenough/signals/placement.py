"""Where the signals that batches are made of lie: all on the device, or in the store's file."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgenough.signals.store import Store, forget_pages

Rows = NDArray[np.int64]


class Signals(Protocol):
    """Gives int16 counts `[records, leads, length]` on the device: crops of records, each from its start."""

    placement: str

    def read(self, order: Rows, starts: Rows, parts: Sequence[slice], length: int) -> Iterator[tuple[Tensor, ...]]:
        """For each part of `order` what has to be brought to the device; nothing where the signals are there."""

    def crops(self, at: Tensor, since: Tensor, length: int, read: Sequence[Tensor]) -> Tensor:
        """The crops of the records at `at` `[records]`, each from its start in `since`; `read` was brought for them."""


class Resident:
    """All signals of the rows, on the device, as the int16 they are stored in."""

    def __init__(self, store: Store, rows: Rows, device: torch.device) -> None:
        self._counts = torch.empty((len(rows), *store.signals.shape[1:]), dtype=torch.int16, device=device)
        for part in slices(len(rows), 1024):
            self._counts[part] = torch.from_numpy(store.read(rows[part])).to(device)
        self._lead = torch.arange(self._counts.shape[1], device=device)
        self.placement = f"{len(rows):,} records ({_size(self._counts.nbytes)}) held on {device}"

    def read(self, order: Rows, starts: Rows, parts: Sequence[slice], length: int) -> Iterator[tuple[Tensor, ...]]:  # noqa: ARG002
        yield from [()] * len(parts)

    def crops(self, at: Tensor, since: Tensor, length: int, read: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        if length == self._counts.shape[-1]:
            return self._counts.index_select(0, at)
        return self._counts.unfold(-1, length, 1)[at[:, None], self._lead, since[:, None]]


class Streamed:
    """Signals read from the store's file by a thread, two batches ahead; memory does not grow with the file."""

    def __init__(self, store: Store, rows: Rows, device: torch.device) -> None:
        self._store, self._rows, self._device = store, rows, device
        size = _size(len(rows) * _record_bytes(store))
        self.placement = f"{len(rows):,} records ({size}) read from {store.path} as they are needed"

    def crops(self, at: Tensor, since: Tensor, length: int, read: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        return read[0]

    def read(self, order: Rows, starts: Rows, parts: Sequence[slice], length: int) -> Iterator[tuple[Tensor, ...]]:
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as reader:
            waiting: deque[Future[Tensor]] = deque()
            for part in parts:
                waiting.append(reader.submit(self._crops, self._rows[order[part]], starts[part], length))
                if len(waiting) > 2:
                    yield self._moved(waiting.popleft())
            while waiting:
                yield self._moved(waiting.popleft())

    def _crops(self, rows: Rows, starts: Rows, length: int) -> Tensor:
        signals = self._store.signals
        if length == signals.shape[-1]:
            counts = self._store.read(rows)
        else:
            self._store.check(rows)
            windows = np.lib.stride_tricks.sliding_window_view(np.asarray(signals), length, axis=-1)
            counts = windows[rows[:, None], np.arange(windows.shape[1]), starts[:, None]]
            forget_pages(signals)
        crops = torch.from_numpy(counts)
        return crops.pin_memory() if self._device.type == "cuda" else crops

    def _moved(self, crops: "Future[Tensor]") -> tuple[Tensor]:
        return (crops.result().to(self._device, non_blocking=True),)


def fits(store: Store, rows: Rows, device: torch.device) -> bool:
    """Whether the signals of the rows should live on the device: within half of a GPU's free memory.

    Not on the CPU, where the file's pages in the system's cache are read as fast as a copy (0.5 ms a batch of 128 x 12
    x 1000).
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    # What PyTorch keeps of a teacher's or an earlier training's, the driver does not call free, but we have it.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return len(rows) * _record_bytes(store) <= free / 2


def _record_bytes(store: Store) -> int:
    leads, samples = store.signals.shape[1:]
    return int(leads) * int(samples) * 2


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def slices(records: int, batch: int) -> list[slice]:
    """`records` in order, `batch` at a time."""
    return [slice(start, min(start + batch, records)) for start in range(0, records, batch)]
