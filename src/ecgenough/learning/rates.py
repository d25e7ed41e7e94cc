"""The learning rate of every step, as a factor of the optimiser's own."""

import math

from ecgenough import recipe

START, END = 1 / 25, 1e-5  # of one-cycle: where the rise begins and the fall ends (Smith & Topin 2018)


def rate_factor(schedule: recipe.Schedule, step: int, steps_per_epoch: int, epochs: int) -> float:
    """What the optimiser's learning rate is multiplied by at `step`, counted from 0 over the whole training."""
    last = max(steps_per_epoch * epochs - 1, 1)
    match schedule:
        case recipe.Step(every=every, factor=factor):
            return float(factor ** (step // steps_per_epoch // every))
        case recipe.Cosine():
            return _cosine(1.0, 0.0, step / (last + 1))
        case recipe.OneCycle(warmup=warmup):
            peak = warmup * last
            if step < peak:
                return _cosine(START, 1.0, step / peak)
            return _cosine(1.0, END, (step - peak) / max(last - peak, 1e-9))
        case _:
            return 1.0


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
