"""A training step recorded once as a CUDA graph and then replayed: one launch in place of thousands."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ecgenough.progress import say
from ecgenough.signals.batches import Share

Shares = Sequence[Share]
Record = Callable[[Callable[[], Tensor], Sequence[torch.Generator]], Callable[[], Tensor]]
"""Makes of some work, which draws from the generators given, what does the work again each time it is called."""

BY_HAND = 3  # steps before the recording, in which libraries choose their algorithms and the optimiser makes its state


class Recorded:
    """A step of which the batches of one shape are replayed.

    The shape is that of the first batch. The first such batches are learned from by hand, on a stream of their own, the
    next one's step is recorded, and from there on every one is replayed: what is recorded reads from the same memory
    each time, into which a batch is copied before. Batches of another shape, such as an epoch's last, are always
    learned from by hand. Numbers and random numbers are those of a step by hand, but for rounding; only dropout between
    the layers of cuDNN's recurrent networks draws others. Where the step cannot be recorded a sentence says why, and it
    goes on by hand.
    """

    def __init__(
        self, work: Callable[[Shares], Tensor], generators: Sequence[torch.Generator], record: Record, name: str
    ) -> None:
        """`work` is one step; it may draw from `generators` and from the global one of their device."""
        self.work, self.generators, self.record, self.name = work, generators, record, name
        self._held: Shares | None = None
        self._replay: Callable[[], Tensor] | None = None
        self._begun, self._gave_up = 0, False

    def __call__(self, shares: Shares) -> Tensor:
        """Learn from a batch, by hand or by replay; returns its loss."""
        if self._held is None:
            self._held = [replace(share, tensors=tuple(t.clone() for t in share.tensors)) for share in shares]
        if self._gave_up or _shape(shares) != _shape(self._held):
            return self.work(shares)
        if self._begun < BY_HAND:
            self._begun += 1
            return beside(lambda: self.work(shares), shares[0].tensors[0].device)
        for held, share in zip(self._held, shares, strict=True):
            for place, tensor in zip(held.tensors, share.tensors, strict=True):
                place.copy_(tensor)
        if self._replay is None:
            self._replay = self._recorded(self._held)
        return self._replay() if self._replay is not None else self.work(shares)

    def _recorded(self, held: Shares) -> Callable[[], Tensor] | None:
        """What replays the step on `held`; None where it cannot be recorded."""
        drawn_from = _on_gpu(self.generators)
        before = [generator.clone_state() for generator in drawn_from]
        try:
            replay = self.record(lambda: self.work(held), self.generators)
        except RuntimeError as error:
            self._gave_up = True
            # PyTorch leaves the generators of a failed recording unfit for use outside one; a copy of each is not.
            for generator, state in zip(drawn_from, before, strict=True):
                generator.graphsafe_set_state(state)
            reason = str(error).strip().partition("\n")[0].rstrip(".")
            say(f"{self.name}: the training step cannot be recorded as a CUDA graph ({reason}); it goes on by hand.")
            return None
        say(f"{self.name}: the training step is recorded as one CUDA graph and replayed.")
        return replay


def record_as_graph(work: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
    """Record `work` on the GPU it runs on. Raises RuntimeError where something in it cannot be recorded."""
    graph, stream, pool = torch.cuda.CUDAGraph(), torch.cuda.current_stream(), torch.cuda.graph_pool_handle()
    for generator in generators:
        graph.register_generator_state(generator)
    try:
        # Of this thread alone: that which reads ahead of a streamed set may pin memory meanwhile.
        with torch.cuda.graph(graph, pool, capture_error_mode="thread_local"):
            result = work()
    except RuntimeError:
        _end_pool(pool)
        raise
    finally:
        torch.cuda.set_stream(stream)  # a recording that failed does not leave its own

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


def _end_pool(pool: Any) -> None:
    """Have the allocator take a failed recording for over.

    Where the end of a recording fails, PyTorch leaves its memory pool open, and the next time that memory is to be given
    back, as it is before one runs out of it, an internal assertion fails. A pool that did end is the graph's to release:
    to end it again raises, and so nothing more is done.
    """
    device = torch.cuda.current_device()
    with suppress(AttributeError, RuntimeError):
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)


def beside(work: Callable[[], Tensor], device: torch.device) -> Tensor:
    """Do `work` on a stream of its own, as must be done before it is recorded; simply do it where there are none."""
    if device.type != "cuda":
        return work()
    stream: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    current = torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        result = work()
    current.wait_stream(stream)
    return result


def _on_gpu(generators: Sequence[torch.Generator]) -> list[torch.Generator]:
    """Those of a GPU, and the global one of that GPU."""
    own = [generator for generator in generators if generator.device.type == "cuda"]
    numbers = {generator.device.index or 0 for generator in own}
    return [*own, *(torch.cuda.default_generators[number] for number in numbers)]


def _shape(shares: Shares) -> list[object]:
    return [(share.whole, share.first, [tensor.shape for tensor in share.tensors]) for share in shares]
