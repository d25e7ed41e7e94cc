"""Memory that one training step frees is kept for the next, where the C library can be told so."""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of glibc's malloc.h
NEVER, NONE = -1, 0


def keep_freed_memory() -> bool:
    """Have this process keep what tensors on the CPU free, in place of giving it back; whether that could be asked.

    By default glibc gives large tensors back to the system as they are freed and asks for them anew: of a training step of
    s4d_hybrid, a sixth went into the 47,000 fresh pages, and of evaluation a third. In return a process holds somewhat more at
    its peak, as what is kept does not always fit.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: macOS, Windows, musl
        return False
    return bool(mallopt(TRIM_THRESHOLD, NEVER) and mallopt(MMAP_MAX, NONE))
