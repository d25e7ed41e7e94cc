"""Conditioning a collection in blocks on a Ray cluster: the blocks of `conditioned_blocks`, from other machines."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ecgenough.cluster import connect, ray
from ecgenough.errors import EcgenoughError
from ecgenough.signals.blocks import Block, Request, condition_block

RETRIES = 2  # of a block that was under way in a process that Ray lost


class OnRay:
    """The Ray cluster at `address`, or one of `workers` processes that is started here; all of it must see the recordings.

    One block is worked on for each processor, and one more waits. Blocks come back to this process, which writes them.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        """Raises WrongRequest where Ray is not installed."""
        self.ray, self.workers, self.address = ray(), workers, address

    def __call__(self, requests: Sequence[Request]) -> Iterator[Block]:
        """The block of every request, in order.

        Raises EcgenoughError where a process dies again and again, WrongRequest for settings that fit no recording.
        """
        connect(self.address, self.workers)
        ahead = 2 * (self.workers or max(1, int(self.ray.cluster_resources().get("CPU", 1))))
        remote = self.ray.remote(condition_block).options(num_cpus=1, max_retries=RETRIES)
        coming, waiting = iter(requests), deque[Any]()
        try:
            waiting.extend(remote.remote(request) for request in islice(coming, ahead))
            while waiting:
                yield self._got(waiting.popleft())
                waiting.extend(remote.remote(request) for request in islice(coming, 1))
        finally:
            for reference in waiting:
                self.ray.cancel(reference, force=True)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self.ray.is_initialized():
            self.ray.shutdown()

    def _got(self, reference: Any) -> Block:
        try:
            block: Block = self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None  # Ray's own error would say where in the worker it was raised
        except self.ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:200]
            raise EcgenoughError(
                f"a process of the Ray cluster that prepared records died: {reason} "
                "Run the same command again; it goes on where it stopped."
            ) from None
        return block
