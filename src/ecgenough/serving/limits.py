"""What a service accepts and how much of the machine it takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `upload` bounds a request's body, `files` how many files it may hold; `reading` is what reading one recording may
    take, `memory` the address space of a process that reads; `answer` is how long a request may take in all; `waiting`
    is how many requests may be in work at once, `batch` how many ECGs the network is shown at once; `readers` is how
    many processes read files. `explaining` is how many explanations may wait: each takes as long as dozens of answers.
    """

    upload: int = 32 * 2**20
    files: int = 64
    reading: float = 10.0
    memory: int = 3 * 2**30
    answer: float = 30.0
    waiting: int = 256
    batch: int = 32
    readers: int = 2
    explaining: int = 8
