"""What a harness is: where bytes of strangers are put, how they are used, and what a refusal must name."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.guarded import Guard, Outcome


@dataclass(frozen=True)
class Harness:
    """`put` lays bytes where `use` takes them; a refusal must hold one of `names`. `writing`: it may, in its folder."""

    name: str
    seeds: tuple[bytes, ...]
    put: Callable[[bytes], object]
    use: Callable[[], str]
    names: tuple[str, ...] = ("damaged",)
    writing: bool = False

    def run(self, content: bytes, guard: Guard) -> Outcome:
        self.put(content)
        return guard.watch(self.use, self.names, self.writing)


def fits(content: bytes) -> bool:
    """Whether the checksum of damaged bytes is made to fit: so it is for nine of ten."""
    return zlib.crc32(content) % 10 != 0
