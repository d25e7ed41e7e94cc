import platform
import subprocess
import sys

import pytest

# 16 tensors of 64 MB one after the other, each of 16,384 pages: fresh ones where the last were given back. First come as many as
# it takes for what is kept to fit: glibc before 2.38 asks for a little more than it has just freed, and 5 to 9 were seen fresh.
PROGRAM = """
import resource, torch
from ecgenough.learning.memory import keep_freed_memory
assert not {keeping} or keep_freed_memory()
for _ in range(32):
    torch.zeros(1 << 24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(16):
    torch.zeros(1 << 24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fresh_pages(keeping: bool) -> int:
    words = [sys.executable, "-c", PROGRAM.format(keeping=keeping)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks this of glibc alone")
def test_memory_that_is_freed_is_used_again_without_asking_for_it() -> None:
    kept, given_back = fresh_pages(True), fresh_pages(False)
    assert kept < given_back / 2
