"""Boosted trees on what calipers read off an ECG, in the shape of a network: kept, joined and used as any model."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ecgenough.errors import WrongRequest
from ecgenough.networks.contract import Network
from ecgenough.recipe import Count, Positive, Recipe
from ecgenough.sentences import counted
from ecgenough.signals.delineation import FEWEST_BEATS, SHORTEST, find_beats, prepared
from ecgenough.signals.measurements import measure, measures
from ecgenough.signals.store import MICROVOLTS

MOST_NODES = 255  # of a tree: their numbers are kept in a byte
MOST_AT_ONCE = 4_000_000  # trees that are gone through together, of all classes and records
NO_GRADIENTS, AT_ONCE = "nothing is learned by gradients", "they are fitted at once to all training records"
UNUSED = {  # of a recipe, and why; of training, select still judges a search and precision still decides what is answered
    "augmentation": "they are fitted to the recordings as they are",
    "loss": "their fit always minimises the cross-entropy",
    "optimizer": NO_GRADIENTS,
    "schedule": NO_GRADIENTS,
    "training.epochs": AT_ONCE,
    "training.batch": AT_ONCE,
    "training.clip": NO_GRADIENTS,
    "training.ema": NO_GRADIENTS,
    "training.patience": AT_ONCE,
    "training.sampling": "every training record counts once",
}
FOREST = ("feature", "number", "right", "missing_left")
KINDS = {"feature": torch.int16, "number": torch.float32}  # the others need a byte


class CaliperTrees(Network):
    """Measure the ECG (`measurements`), and for each class add up what its trees say of the measurements.

    Input: [batch, leads, samples], voltages divided by `scale`, padding of zeros behind. Output: logits [batch, classes].
    Nothing is learned by gradients and none comes through: see `baselines.intervals`, which fits the trees.
    Each node of a tree asks whether one measurement (`feature`) is at most `number`, and goes left, to the node after it,
    or to the node `right`; where it was not found, left if `missing_left`. A leaf has itself at its right, and `number` is
    what it adds.
    """

    by_gradients = False
    feature: nn.Parameter  # each `[classes, trees, nodes]`
    number: nn.Parameter
    right: nn.Parameter
    missing_left: nn.Parameter

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        lead_names: str = "",
        rate: Positive = 100.0,
        trees: Count = 1,
        nodes: Annotated[Count, Field(le=MOST_NODES)] = 1,
        depth: Annotated[Count, Field(le=MOST_NODES)] = 1,
    ) -> None:
        super().__init__(leads, classes)
        self.lead_names, self.rate, self.depth = tuple(lead_names.split()), rate, depth
        if self.lead_names and len(self.lead_names) != leads:
            raise WrongRequest(
                f"network.options.lead_names of caliper_trees names {len(self.lead_names)}; they read {counted(leads, 'lead')}."
            )
        shape = (classes, trees, nodes)
        for name in FOREST:
            room = nn.Parameter(torch.empty(shape, dtype=KINDS.get(name, torch.uint8)), requires_grad=False)
            self.register_parameter(name, room)  # only what may stay is filled: a card can ask for any number of trees
            nn.init.zeros_(room)
        self.scale = nn.Parameter(torch.ones(leads), requires_grad=False)  # mV for one unit of the input
        self.start = nn.Parameter(torch.zeros(classes), requires_grad=False)  # what the trees add to
        self.head = nn.Linear(classes, classes).requires_grad_(False)
        with torch.no_grad():
            self.head.weight.copy_(torch.eye(classes))
            self.head.bias.zero_()

    def options(self) -> dict[str, Any]:
        """What `networks.build` is to be told to make room for trees of this size."""
        _, trees, nodes = self.number.shape
        names = " ".join(self.lead_names)
        return {"lead_names": names, "rate": self.rate, "trees": trees, "nodes": nodes, "depth": self.depth}

    def features(self, ecg: Tensor) -> Tensor:
        """The log odds of every class, `[batch, classes, 1]`. Raises WrongRequest for trees that nobody has fitted."""
        if not self.lead_names:
            raise WrongRequest("caliper_trees are fitted by ecgenough train; nothing else makes or shapes them.")
        voltages = (ecg.detach().float() * self.scale[:, None]).cpu().numpy()
        read = np.stack([measure(_without_padding(one), self.rate, self.lead_names) for one in voltages])
        return self.log_odds(torch.from_numpy(read.astype(np.float32)).to(ecg.device)).unsqueeze(-1)

    def doubts(self, shown: Sequence[NDArray[np.int16]]) -> tuple[str, ...]:
        """That the answer rests on no measurements, where `measure` finds none."""
        unread = sum(not _can_be_measured(window, self.rate) for window in shown)
        if not unread:
            return ()
        where = "" if len(shown) == 1 else f" in {unread} of its {len(shown)} windows"
        what = "the answer of trees rests" if unread == len(shown) else "what trees answer there rests"
        return (f"Fewer than three beats were found{where}: {what} on no measurements, do not rely on it.",)

    def pool(self, features: Tensor) -> Tensor:
        return features.squeeze(-1)

    def log_odds(self, measured: Tensor) -> Tensor:
        """What the trees say of measurements `[batch, measures]`, NaN where not found: `[batch, classes]`."""
        classes, trees, _ = self.number.shape
        at_once = max(1, MOST_AT_ONCE // (classes * trees))
        return torch.cat([self._log_odds(block) for block in torch.split(measured, at_once)])

    def _log_odds(self, measured: Tensor) -> Tensor:
        classes, trees, nodes = self.number.shape
        first = torch.arange(classes * trees, device=measured.device) * nodes
        forest = {name: getattr(self, name).flatten() for name in FOREST}
        at = first.expand(len(measured), -1)
        for _ in range(self.depth):
            seen = measured.gather(1, forest["feature"][at].long())
            left = torch.where(seen.isnan(), forest["missing_left"][at].bool(), seen <= forest["number"][at])
            here, right = at - first, forest["right"][at].long()
            at = first + torch.where(left & (right != here), (here + 1).clamp(max=nodes - 1), right)
        said: Tensor = self.start + forest["number"][at].view(-1, classes, trees).sum(dim=-1)
        return said

    def stages(self) -> list[nn.Module]:
        return [self.head]

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As PyTorch does. Raises ValueError for trees with nodes or measurements that are not there, or not so."""
        feature = state_dict.get("feature")
        if feature is not None and feature.dtype != KINDS["feature"]:  # of 69 measures, a byte told which
            raise ValueError("its trees ask for the measurements of an earlier version; fit them again")
        loaded = super().load_state_dict(state_dict, strict, assign)
        nodes, known = self.number.shape[-1], len(measures(self.lead_names))
        unknown = int(self.feature.min()) < 0 or int(self.feature.max()) >= known
        if unknown or int(self.right.max()) >= nodes:
            raise ValueError("its trees name nodes or measurements that there are not")
        return loaded


def check_fit(recipe: Recipe) -> None:
    """Raise WrongRequest for a recipe that asks of trees what their fit does not do."""
    asked = {
        "network.options": bool(recipe.network.options) and "their fit finds them; leave them out",
        "normalisation.kind": recipe.normalisation.kind not in ("none", "scale")
        and "calipers read mV; take none or scale",
        "crop.seconds": recipe.crop.seconds is not None and "they measure the whole recording; set crop.seconds=null",
        "labels": recipe.labels != "hard" and "trees learn 0 and 1; set labels=hard",
        "distillation": recipe.distillation is not None and "nobody teaches trees; set distillation=null",
        "pretraining": recipe.pretraining is not None and "trees learn from labels; take another network",
    }
    for key, complaint in (asked | _unheard(recipe)).items():
        if complaint:
            raise WrongRequest(f'recipe key "{key}" is not for caliper_trees: {complaint}.')


def _unheard(recipe: Recipe) -> dict[str, str]:
    """The keys of what trees have no use for that are not as they always are, each with why."""
    told, usual = recipe.flat(), Recipe().flat()
    return {
        key: f"{why}; leave it out"
        for key, value in told.items()
        for section, why in UNUSED.items()
        if f"{key}.".startswith(f"{section}.") and usual.get(key) != value
    }


def _can_be_measured(counts: NDArray[np.int16], rate: float) -> bool:
    """Whether `measure` finds anything in counts of 1 µV `[leads, samples]`, measured as `features` does."""
    counts = _without_padding(counts)
    if counts.shape[1] < SHORTEST * rate:
        return False
    return len(find_beats(prepared(counts.astype(np.float32) / MICROVOLTS, rate))) >= FEWEST_BEATS


def _without_padding(ecg: Any) -> Any:
    """`[leads, samples]` up to the last sample that is not zero in every lead."""
    signal = np.flatnonzero(ecg.any(axis=0))
    return ecg[:, : signal[-1] + 1] if len(signal) else ecg
