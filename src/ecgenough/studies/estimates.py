"""How long a study will take, from steps of each of its networks timed on this machine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from ecgenough import networks
from ecgenough.learning.transfer import Adaptation
from ecgenough.networks.contract import Network
from ecgenough.recipe import Recipe, Transfer
from ecgenough.signals.conditioning import samples_of
from ecgenough.signals.crops import crop_samples
from ecgenough.studies.plan import BASELINE, Cell, Plan, Pretraining

BATCH = 16  # records a timed step shows
ENOUGH = 0.3  # seconds of steps, beyond the first, that a figure rests on
HEAD_ALONE = ("frozen", "lora")


@dataclass(frozen=True)
class Pace:
    """Seconds a record: learning from it once, and answering one crop of it."""

    learn: float
    answer: float


def time_steps(recipe: Recipe, device: str) -> Pace:
    """Time training steps and answers of the recipe's network on random signals of its shape."""
    length = crop_samples(recipe, samples_of(recipe.signal))
    where = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
    leads = len(recipe.signal.leads)
    network = networks.build(recipe.network.name, leads=leads, classes=2, **recipe.network.options).to(where)
    ecg = torch.randn(BATCH, leads, length, device=where)
    answer = _timed(lambda: _answer(network, ecg), where)
    adaptation = Adaptation(network, recipe.transfer or Transfer(mode="full"))
    adaptation.begin_epoch(0 if _head_alone(recipe) else recipe.training.epochs, recipe.training.epochs)
    optimizer = torch.optim.AdamW(adaptation.groups(1e-4))
    return Pace(_timed(lambda: _step(network, optimizer, ecg), where) / BATCH, answer / BATCH)


def estimate(plan: Plan, device: str = "cpu", timed: Callable[[Recipe, str], Pace] = time_steps) -> Mapping[str, float]:
    """Seconds of each source and each network's cell, by fingerprint; baselines, trees, stores and reports are not counted.

    A recipe's epochs are all counted, though its patience may end sooner.
    """
    paces: dict[str, Pace] = {}
    seconds = {}
    works: list[Cell | Pretraining] = [
        *plan.pretrainings,
        *(cell for cell in plan.cells if cell.kind != BASELINE and cell.recipe.network.name not in networks.FITTED),
    ]
    for work in works:
        key = _pace_key(work.recipe)
        if key not in paces:
            paces[key] = timed(work.recipe, device)
        seconds[work.fingerprint] = _seconds(work, paces[key])
    return seconds


def _seconds(work: Cell | Pretraining, pace: Pace) -> float:
    recipe, (train, chosen, tested) = work.recipe, work.expected
    crops = recipe.crop.crops if recipe.crop.evaluation == "mean" and recipe.crop.seconds is not None else 1
    answered = recipe.training.epochs * chosen + tested
    return recipe.training.epochs * train * pace.learn + answered * crops * pace.answer


def _pace_key(recipe: Recipe) -> str:
    shape = (samples_of(recipe.signal), recipe.crop.seconds, len(recipe.signal.leads), _head_alone(recipe))
    return f"{recipe.network.model_dump_json()} {shape}"


def _head_alone(recipe: Recipe) -> bool:
    return recipe.transfer is not None and recipe.transfer.mode in HEAD_ALONE


def _timed(step: Callable[[], None], device: torch.device) -> float:
    """Seconds a step, the first aside unless it alone took long."""
    began = time.perf_counter()
    step()
    first, steps = _since(began, device), 0
    if first > ENOUGH * 4:
        return first
    began = time.perf_counter()
    while _since(began, device) < ENOUGH:
        step()
        steps += 1
    return _since(began, device) / steps


def _since(began: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


@torch.inference_mode()
def _answer(network: Network, ecg: torch.Tensor) -> None:
    network.eval()
    network(ecg)


def _step(network: Network, optimizer: torch.optim.Optimizer, ecg: torch.Tensor) -> None:
    optimizer.zero_grad()
    network(ecg).square().mean().backward()
    optimizer.step()
