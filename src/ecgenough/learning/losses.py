"""Losses on logits, for multi-label and binary tasks, each with its source."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgenough import recipe
from ecgenough.errors import WrongRequest
from ecgenough.sentences import counted

LossFunction = Callable[[Tensor, Tensor], Tensor]


def build_loss(settings: recipe.Loss, labels: Tensor) -> LossFunction:
    """The loss a recipe asks for: (logits, targets), both `[batch, classes]`, -> scalar mean.

    `labels` `[records, classes]` of the training set give class counts. Where some are NaN, as in a joint task, only
    those that are not count: in the class counts, and in the mean over a batch. Raises WrongRequest where given weights
    do not match the classes.
    """
    costs = _costs(settings, labels)
    if smoothing := settings.label_smoothing:
        plain = costs
        costs = lambda logits, targets: plain(logits, targets * (1 - smoothing) + smoothing / 2)  # noqa: E731
    if labels.isnan().any():
        return lambda logits, targets: known_mean(costs, logits, targets)
    return lambda logits, targets: costs(logits, targets).mean()


def _costs(settings: recipe.Loss, labels: Tensor) -> LossFunction:
    """The cost of each answer: (logits, targets) -> costs, all `[batch, classes]`."""
    match settings:
        case recipe.Bce():
            weight = positive_weight(settings, labels)
            return lambda logits, targets: F.binary_cross_entropy_with_logits(
                logits, targets, pos_weight=weight, reduction="none"
            )
        case recipe.Focal():
            return lambda logits, targets: focal(logits, targets, settings.alpha, settings.gamma)
        case recipe.Asymmetric():
            return lambda logits, targets: asymmetric(
                logits, targets, settings.gamma_positive, settings.gamma_negative, settings.margin
            )
        case recipe.LogitAdjusted():
            shift = settings.tau * log_odds(labels)
            return lambda logits, targets: F.binary_cross_entropy_with_logits(logits + shift, targets, reduction="none")


def known_mean(costs: LossFunction, logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cost of the answers whose target is known; those that are NaN cost nothing and teach nothing."""
    known = ~targets.isnan()
    each = costs(logits, torch.where(known, targets, 0.0))
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)


def positive_weight(settings: recipe.Bce, labels: Tensor) -> Tensor | None:
    """Weight of the positives of each class `[classes]`: as given, or (negatives / positives) ** power."""
    match settings.positive_weight:
        case None:
            return None
        case "counts":
            positives, negatives = _counts(labels)
            return (negatives.clamp(min=1) / positives.clamp(min=1)) ** settings.power
        case given:
            if len(given) != labels.shape[1]:
                raise WrongRequest(
                    f"recipe key loss.positive_weight has {counted(len(given), 'number')} for "
                    f"{counted(labels.shape[1], 'class', 'classes')}; give one for each."
                )
            return torch.tensor(given, dtype=labels.dtype, device=labels.device)


def focal(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Each alpha_t (1 - p_t) ** gamma * cross-entropy; alpha weighs positives, 1 - alpha negatives (Lin et al. 2017)."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    chance = torch.sigmoid(logits)
    of_truth = chance * targets + (1 - chance) * (1 - targets)
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return balance * (1 - of_truth) ** gamma * cross_entropy


def asymmetric(logits: Tensor, targets: Tensor, gamma_positive: float, gamma_negative: float, margin: float) -> Tensor:
    """Each cross-entropy, with its own focusing for positives and negatives; negatives below `margin` cost nothing.

    Source: Ridnik et al. 2021, equations 2-7.
    """
    chance = torch.sigmoid(logits)
    shifted = (chance - margin).clamp(min=0)
    positive = targets * (1 - chance) ** gamma_positive * F.logsigmoid(logits)
    negative = (1 - targets) * shifted**gamma_negative * torch.log((1 - shifted).clamp(min=1e-8))
    return -(positive + negative)


def log_odds(labels: Tensor) -> Tensor:
    """Log odds of each class in the training set `[classes]`, counted with one record more on each side."""
    positives, negatives = _counts(labels)
    return torch.log((positives + 1) / (negatives + 1))


def _counts(labels: Tensor) -> tuple[Tensor, Tensor]:
    """How many positives and negatives each class has `[classes]` among the labels that are known."""
    positives = labels.nansum(dim=0)
    return positives, (~labels.isnan()).sum(dim=0) - positives
