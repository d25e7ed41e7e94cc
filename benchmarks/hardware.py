"""What the machine can do at its fastest: products of matrices, copies in memory, bytes of files."""

import os
from pathlib import Path

import numpy as np
import torch

from benchmarks.pairs import Bound

SIDE = {"cpu": 1024, "cuda": 8192}  # of the square matrices that are multiplied: large enough for the full rate
PRODUCTS = 4
COPIED = 1 << 26  # bytes, beyond what caches hold
TRAINING = 3  # a training step is the arithmetic of a forward pass, and twice as much for the gradient


def arithmetic(operations: float, device: torch.device) -> Bound:
    """Floating-point operations at the rate of float32 matrix products, on the same device and threads."""
    side = SIDE[device.type]
    one, product = torch.rand(side, side, device=device), torch.empty(side, side, device=device)

    def work() -> None:
        for _ in range(PRODUCTS):
            torch.mm(one, one, out=product)

    return Bound("arithmetic", work, operations / (PRODUCTS * 2 * side**3))


def moving(size: float, device: torch.device) -> Bound:
    """Bytes read from and written to memory, at the rate of one large copy on the same device and threads."""
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return Bound("memory", lambda: target.copy_(source), size / (2 * COPIED))


def filing(read: int, written: int, folder: Path) -> Bound:
    """`read` bytes out of one file that the system has cached, and `written` bytes into another, synced."""
    source, target, content = folder / "bound.in", folder / "bound.out", np.zeros(max(read, written), dtype=np.uint8)
    content[:read].tofile(source)

    def work() -> None:
        np.fromfile(source, dtype=np.uint8)
        if written:
            with open(target, "wb", buffering=0) as file:
                file.write(content[:written].data)
                os.fsync(file.fileno())

    return Bound("files", work, 1.0)
