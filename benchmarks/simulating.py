"""How fast ECGs are simulated and written."""

import time
from pathlib import Path

from ecgenough.simulation import simulate_collection


def simulated_per_second(records: int, workers: int, folder: Path) -> tuple[float, float]:
    """ECGs of 10 s at 500 Hz a second, simulated and written as WFDB files: of wall time, and of processor time."""
    simulate_collection(folder / "warm", "superclasses", min(records, 64), workers=workers)
    wall, processor = time.perf_counter(), time.process_time()
    simulate_collection(folder / "timed", "superclasses", records, workers=workers)
    return records / (time.perf_counter() - wall), records / (time.process_time() - processor)
