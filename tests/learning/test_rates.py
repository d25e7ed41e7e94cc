"""Learning rates against torch's own schedulers."""

import pytest
import torch
from torch.optim import lr_scheduler

from ecgenough.learning.rates import rate_factor
from ecgenough.recipe import Constant, Cosine, OneCycle, Schedule, Step

STEPS_PER_EPOCH, EPOCHS = 7, 6


def _rates(
    scheduler: lr_scheduler.LRScheduler, optimizer: torch.optim.Optimizer, per_epoch: bool = False
) -> list[float]:
    rates = []
    for step in range(STEPS_PER_EPOCH * EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if not per_epoch or (step + 1) % STEPS_PER_EPOCH == 0:
            scheduler.step()
    return rates


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def _ours(schedule: Schedule) -> list[float]:
    return [rate_factor(schedule, step, STEPS_PER_EPOCH, EPOCHS) for step in range(STEPS_PER_EPOCH * EPOCHS)]


def test_one_cycle_is_torch_s() -> None:
    optimizer = _optimizer()
    total = STEPS_PER_EPOCH * EPOCHS
    theirs = lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=total, pct_start=(0.3 * (total - 1) + 1) / total, final_div_factor=1e5 / 25
    )
    assert _ours(OneCycle(warmup=0.3)) == pytest.approx(_rates(theirs, optimizer), abs=1e-6)


def test_cosine_is_torch_s() -> None:
    optimizer = _optimizer()
    theirs = lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS_PER_EPOCH * EPOCHS)
    assert _ours(Cosine()) == pytest.approx(_rates(theirs, optimizer), abs=1e-6)


def test_step_is_torch_s() -> None:
    optimizer = _optimizer()
    theirs = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    assert _ours(Step(every=2, factor=0.1)) == pytest.approx(_rates(theirs, optimizer, per_epoch=True))


def test_constant_stays() -> None:
    assert set(_ours(Constant())) == {1.0}


@pytest.mark.parametrize("schedule", [OneCycle(), OneCycle(warmup=0), OneCycle(warmup=1), Cosine(), Step(), Constant()])
def test_one_step_trainings_have_a_rate(schedule: Schedule) -> None:
    assert 0 < rate_factor(schedule, 0, 1, 1) <= 1
