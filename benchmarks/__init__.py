"""How fast ecgenough is beside the way one would write the same by hand: `python -m benchmarks`."""
