"""One step of the optimiser: what a batch does to the weights, and the moving average of these."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ecgenough import recipe
from ecgenough.learning.recording import Record, Recorded, record_as_graph
from ecgenough.signals.batches import Share

Row = dict[str, float]


class Learner(Protocol):
    """What the loop trains, and what it is shown: with labels (`Supervised`) or without (`pretraining.SelfSupervised`).

    `module` holds every weight that is to learn and is called through the loop's wrapper of it; `records` and `steps`
    are those of an epoch; `identity` changes with the records and `labels` with what is to be answered for them; `name`
    is what it is called in messages. `cost` draws from `generators` and from PyTorch's global one alone.
    """

    name: str
    module: nn.Module
    records: int
    steps: int
    identity: str
    labels: str
    generators: Sequence[torch.Generator]

    def begin_epoch(self, epoch: int, epochs: int) -> bool:
        """Make ready what learns in `epoch`; true where that is not what learned before."""

    def groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser; `factor` scales the schedule's rate."""

    def shown(self, epoch: int) -> Iterator[Sequence[Share]]:
        """What decides each batch of `epoch`, one share or more of the same records; seeds `generators` for it."""

    def cost(self, module: nn.Module, shares: Sequence[Share]) -> Tensor:
        """The loss of a batch, from `module`, the loop's wrapper: arithmetic on the device, no number comes back."""

    def figures(self, module: nn.Module) -> Row:
        """What the validation records say of `module`; `validation_loss` at least."""

    def constrain(self) -> None:
        """Bring weights back within their bounds after a step."""

    def finish(self) -> None:
        """Leave the module ready for use."""


class Step:
    """Everything one batch does to the weights: batch, loss, gradient, clipping, optimiser, bounds, moving average.

    On one GPU it is recorded and replayed (see `recording`): numbers that change from step to step, the learning rate
    and the average's weight, are tensors there. `record` takes the place of that recording in tests.
    """

    def __init__(
        self,
        learner: Learner,
        wrapped: nn.Module,
        optimizer: Any,
        average: "Average",
        settings: recipe.Recipe,
        fabric: Fabric,
        record: Record | None = None,
    ) -> None:
        """`wrapped` is the learner's module as `fabric` set it up for what learns now."""
        self.learner, self.wrapped, self.optimizer, self.average = learner, wrapped, optimizer, average
        self.settings, self.fabric = settings, fabric
        if record is None and can_record(fabric):
            record = record_as_graph
        self.run: Callable[[Sequence[Share]], Tensor] = self.by_hand
        if record is not None:
            self.run = Recorded(self.by_hand, learner.generators, record, learner.name)

    def __call__(self, shares: Sequence[Share], rate: float, number: int) -> Tensor:
        """Learn from a batch at this learning rate; returns its loss. `number` counts steps from 0.

        The loss is overwritten by the next step.
        """
        for group in self.optimizer.param_groups:
            set_rate(group, rate * group["factor"])
        self.average.pace(number)
        return self.run(shares)

    def by_hand(self, shares: Sequence[Share]) -> Tensor:
        """The step itself, one operation after the other."""
        self.optimizer.zero_grad()
        cost = self.learner.cost(self.wrapped, shares)
        self.fabric.backward(cost)
        if self.settings.training.clip is not None:
            nn.utils.clip_grad_norm_(self.learner.module.parameters(), self.settings.training.clip)
        self.optimizer.step()
        self.learner.constrain()
        self.average.update()
        return cost.detach()


class Average:
    """An exponential moving average of a module's weights and statistics, itself such a module.

    The decay rises to its value as (1 + updates) / (10 + updates), so that short trainings are not held at their
    first weights. Without a decay the average is the module itself.
    """

    def __init__(self, source: nn.Module, decay: float | None, recorded: bool = False) -> None:
        """`recorded`: the update's weight is a tensor, as a recorded step must find it."""
        self.source, self.decay = source, decay
        self.module = source if decay is None else copy.deepcopy(source).requires_grad_(False)
        device = next(source.parameters()).device
        self._weight: float | Tensor = torch.zeros((), device=device) if recorded else 0.0

    def pace(self, step: int) -> None:
        """Make ready for the update after optimiser step `step`, counted from 0."""
        if self.decay is None:
            return
        weight = 1 - min(self.decay, (step + 2) / (step + 11))
        if isinstance(self._weight, Tensor):
            self._weight.fill_(weight)
        else:
            self._weight = weight

    @torch.no_grad()
    def update(self) -> None:
        """Move toward the source, all tensors at once."""
        if self.decay is None:
            return
        pairs = list(zip(self._tensors(self.module), self._tensors(self.source), strict=True))
        means, values = zip(*[pair for pair in pairs if pair[0].is_floating_point()], strict=True)
        if isinstance(self._weight, Tensor):
            ahead = torch._foreach_sub(values, means)
            torch._foreach_mul_(ahead, self._weight)
            torch._foreach_add_(means, ahead)
        else:
            torch._foreach_lerp_(means, values, self._weight)
        for mean, value in pairs:
            if not mean.is_floating_point():
                mean.copy_(value)

    @staticmethod
    def _tensors(module: nn.Module) -> list[Tensor]:
        return [*module.parameters(), *module.buffers()]


def build_optimizer(learner: Learner, settings: recipe.Optimizer, recorded: bool = False) -> torch.optim.AdamW:
    """AdamW over the learner's groups. `recorded`: its rates are tensors, as a recorded step must find them.

    Fused where PyTorch can: of networks with many weights and little arithmetic, an unfused step on a CPU takes as long as
    their forward pass.
    """
    groups = learner.groups(settings.learning_rate)
    device = next(learner.module.parameters()).device
    if recorded:
        for group in groups:
            group["lr"] = torch.tensor(settings.learning_rate, device=device)
    optimizer = torch.optim.AdamW(
        groups,
        lr=settings.learning_rate,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        capturable=recorded and device.type == "cuda",
        fused=device.type in ("cpu", "cuda") or None,
    )
    # Steps before the recording are run by hand on purpose; without this PyTorch warns of them.
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


def can_record(fabric: Fabric) -> bool:
    """Whether steps are to be recorded: on a GPU, by one process alone."""
    return fabric.device.type == "cuda" and fabric.world_size == 1


def restore_optimizer(optimizer: Any, state: dict[str, Any]) -> None:
    """Go on from `state`, the optimiser's of another process and perhaps of another device."""
    for saved, own in zip(state["param_groups"], optimizer.param_groups, strict=True):
        saved |= {key: own[key] for key in ("lr", "capturable", "fused")}
    optimizer.load_state_dict(state)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give a parameter group its learning rate, in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
