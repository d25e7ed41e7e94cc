"""What a network can learn from ECGs without labels: to rebuild hidden stretches, to know a record again, to measure."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough import recipe
from ecgenough.learning.losses import known_mean
from ecgenough.networks.contract import Network

DECODER_WIDTH = 128
_PROBED = 1024  # samples: a multiple of every network's stride


@dataclass(frozen=True)
class View:
    """Records as a network sees them: normalised `ecg` `[batch, leads, samples]`.

    `mask` `[batch, 1, samples]` is true for signal; `group` `[batch]` is the same number for what belongs together;
    `measured` `[batch, measures]` is what calipers read off the whole record (see `measuring`), without columns where
    the objective does not ask for it.
    """

    ecg: Tensor
    mask: Tensor
    group: Tensor
    measured: Tensor


class Objective(nn.Module):
    """A network and the layers that only its pretraining needs.

    Weights of the network that the objective does not reach, such as those of its head, do not learn.
    """

    views: int  # of each record, for one cost

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def cost(self, called: nn.Module, views: Sequence[View], rng: torch.Generator) -> Tensor:
        """The loss of a batch, from `called`: this objective, or what wraps it or averages over it."""
        raise NotImplementedError

    def hold_what_is_not_reached(self) -> None:
        """Keep weights from learning that no gradient comes to; called once, on the CPU."""
        self.eval()
        output = self(torch.randn(2, self.network.leads, _PROBED))
        reached = torch.autograd.grad(output.sum(), list(self.network.parameters()), allow_unused=True)
        for parameter, gradient in zip(self.network.parameters(), reached, strict=True):
            parameter.requires_grad_(gradient is not None)


class MaskedReconstruction(Objective):
    """The hidden samples of an ECG from the features of what is left.

    Each step of the features is decoded to the samples it stands for, so any body will do: one that keeps the rate is
    read sample by sample, one that strides by 32 in patches of 32. Mean squared error over hidden samples of the
    signal, in units of the normalised ECG. What a body drops at the end of a recording is not rebuilt.
    Source: He et al. 2022 (arXiv 2111.06377), "Masked autoencoders"; hidden samples are zero here, not left out.
    """

    views = 1

    def __init__(self, network: Network, settings: recipe.Masked, rate: float) -> None:
        super().__init__(network)
        channels, self.stride = _channels_and_stride(network)
        self.fraction, self.patch = settings.fraction, max(round(settings.seconds * rate), 1)
        self.decoder = nn.Sequential(
            nn.Conv1d(channels, DECODER_WIDTH, 3, padding=1),
            nn.GELU(),
            nn.Conv1d(DECODER_WIDTH, network.leads * self.stride, 1),
        )

    def forward(self, ecg: Tensor) -> Tensor:
        """A rebuilt ECG: `[batch, leads, samples]` -> the same, or shorter where the body drops the end."""
        patches: Tensor = self.decoder(self.network.features(ecg))
        in_time = patches.view(len(ecg), self.network.leads, self.stride, -1).transpose(2, 3)
        return in_time.flatten(2)[..., : ecg.shape[-1]]

    def cost(self, called: nn.Module, views: Sequence[View], rng: torch.Generator) -> Tensor:
        (view,) = views
        hidden = draw_hidden(view.mask, self.patch, self.fraction, rng)
        return masked_error(called(view.ecg * ~hidden).float(), view.ecg, hidden)


class Contrast(Objective):
    """Two views of a record nearer to each other than to those of other records of the batch.

    The head is replaced by two layers, as in Chen et al. 2020 (arXiv 2002.05709).
    """

    views = 2

    def __init__(self, network: Network, settings: recipe.Contrastive) -> None:
        super().__init__(network)
        self.temperature = settings.temperature
        width = network.head.in_features
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, settings.width))

    def forward(self, ecg: Tensor) -> Tensor:
        """Embeddings `[batch, width]`, of any length."""
        projected: Tensor = self.projection(self.network.pool(self.network.features(ecg)))
        return projected

    def cost(self, called: nn.Module, views: Sequence[View], rng: torch.Generator) -> Tensor:  # noqa: ARG002
        embeddings = called(torch.cat([view.ecg for view in views]))
        return nt_xent(embeddings.float(), torch.cat([view.group for view in views]), self.temperature)


class Measuring(Objective):
    """What calipers read off the whole ECG, by a linear layer in place of the head.

    Huber's loss of the normal scores, quadratic within half a unit; what was not found costs nothing.
    """

    views = 1

    def __init__(self, network: Network, measures: int) -> None:
        super().__init__(network)
        self.scores = nn.Linear(network.head.in_features, measures)

    def forward(self, ecg: Tensor) -> Tensor:
        """Scores `[batch, measures]`, of any length."""
        scores: Tensor = self.scores(self.network.pool(self.network.features(ecg)))
        return scores

    def cost(self, called: nn.Module, views: Sequence[View], rng: torch.Generator) -> Tensor:  # noqa: ARG002
        (view,) = views
        return known_mean(_huber, called(view.ecg).float(), view.measured)


def build_objective(settings: recipe.Pretraining, network: Network, rate: float, measures: int = 0) -> Objective:
    """The objective of a recipe over `network`, for ECGs of `rate` Hz of which `measures` are known.

    Draws from PyTorch's global random numbers.
    """
    match settings:
        case recipe.Masked():
            objective: Objective = MaskedReconstruction(network, settings, rate)
        case recipe.Contrastive():
            objective = Contrast(network, settings)
        case recipe.Measured():
            objective = Measuring(network, measures)
    objective.hold_what_is_not_reached()
    return objective


def draw_hidden(mask: Tensor, patch: int, fraction: float, rng: torch.Generator) -> Tensor:
    """Which samples are hidden: bool, of the shape of `mask` `[batch, 1, samples]`, and true only where that is.

    The signal is divided into patches of `patch` samples, the last perhaps shorter; of each record's, `fraction` are
    drawn (rounded, at least one).
    """
    of_patch = torch.arange(mask.shape[-1], device=mask.device) // patch
    patches = -(-mask.sum(dim=-1) // patch)  # [batch, 1], rounded up: those that hold signal
    order = torch.rand(len(mask), -(-mask.shape[-1] // patch), generator=rng, device=rng.device)
    order = order + (torch.arange(order.shape[1], device=mask.device) >= patches)  # padding is drawn last
    rank = order.argsort(dim=1).argsort(dim=1)
    hidden = rank < (patches * fraction).round().clamp(min=1)
    return hidden[:, None, of_patch] & mask


def masked_error(rebuilt: Tensor, ecg: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error over all leads where `hidden` `[batch, 1, samples]` is true; `rebuilt` may be shorter."""
    samples = rebuilt.shape[-1]
    hidden = hidden[..., :samples]
    squares = (rebuilt - ecg[..., :samples]).square() * hidden
    return squares.sum() / (hidden.sum() * ecg.shape[1]).clamp(min=1)


def nt_xent(embeddings: Tensor, group: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding those of one's own `group` `[views]` among all other `embeddings` `[views, width]`.

    With two views a group: NT-Xent, equation 1 of Chen et al. 2020. With more, the mean over them, as equation 2 of
    Khosla et al. 2020 (arXiv 2004.11362). Views that are alone in their group only serve to tell others from.
    """
    unit = F.normalize(embeddings, dim=1)
    oneself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(oneself, float("-inf"))
    log_chance = similarity.log_softmax(dim=1).masked_fill(oneself, 0)
    alike = (group[:, None] == group) & ~oneself
    counts = alike.sum(dim=1)
    found = (log_chance * alike).sum(dim=1) / counts.clamp(min=1)
    return -found.sum() / (counts > 0).sum().clamp(min=1)


def _huber(scores: Tensor, targets: Tensor) -> Tensor:
    return F.smooth_l1_loss(scores, targets, reduction="none", beta=0.5)


@torch.no_grad()
def _channels_and_stride(network: Network) -> tuple[int, int]:
    """How many channels the features have, and how many samples one step of them stands for."""
    network.eval()
    short, long = (network.features(torch.zeros(1, network.leads, n * _PROBED)) for n in (1, 2))
    return short.shape[1], _PROBED // (long.shape[-1] - short.shape[-1])
