"""Losses on logits, for multi-label and binary tasks, each with its source."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgenough import recipe
from ecgenough.errors import WrongRequest

LossFunction = Callable[[Tensor, Tensor], Tensor]


def build_loss(settings: recipe.Loss, labels: Tensor) -> LossFunction:
    """The loss a recipe asks for: (logits, targets), both `[batch, classes]`, -> scalar mean.

    `labels` `[records, classes]` of the training set give class counts. Raises WrongRequest where given weights do not
    match the classes.
    """
    smoothing = settings.label_smoothing
    match settings:
        case recipe.Bce():
            weight = positive_weight(settings, labels)
            plain: LossFunction = lambda logits, targets: F.binary_cross_entropy_with_logits(  # noqa: E731
                logits, targets, pos_weight=weight
            )
        case recipe.Focal():
            plain = lambda logits, targets: focal(logits, targets, settings.alpha, settings.gamma)  # noqa: E731
        case recipe.Asymmetric():
            plain = lambda logits, targets: asymmetric(  # noqa: E731
                logits, targets, settings.gamma_positive, settings.gamma_negative, settings.margin
            )
        case recipe.LogitAdjusted():
            shift = settings.tau * log_odds(labels)
            plain = lambda logits, targets: F.binary_cross_entropy_with_logits(logits + shift, targets)  # noqa: E731
    if not smoothing:
        return plain
    return lambda logits, targets: plain(logits, targets * (1 - smoothing) + smoothing / 2)


def positive_weight(settings: recipe.Bce, labels: Tensor) -> Tensor | None:
    """Weight of the positives of each class `[classes]`: as given, or (negatives / positives) ** power."""
    match settings.positive_weight:
        case None:
            return None
        case "counts":
            positives = labels.sum(dim=0).clamp(min=1)
            negatives = (len(labels) - labels.sum(dim=0)).clamp(min=1)
            return (negatives / positives) ** settings.power
        case given:
            if len(given) != labels.shape[1]:
                raise WrongRequest(
                    f"recipe key loss.positive_weight has {len(given)} numbers for {labels.shape[1]} classes; give one for each."
                )
            return torch.tensor(given, dtype=labels.dtype, device=labels.device)


def focal(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Mean of alpha_t (1 - p_t) ** gamma * cross-entropy; alpha weighs positives, 1 - alpha negatives (Lin et al. 2017)."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    chance = torch.sigmoid(logits)
    of_truth = chance * targets + (1 - chance) * (1 - targets)
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return (balance * (1 - of_truth) ** gamma * cross_entropy).mean()


def asymmetric(logits: Tensor, targets: Tensor, gamma_positive: float, gamma_negative: float, margin: float) -> Tensor:
    """Cross-entropy with its own focusing for positives and negatives; negatives below `margin` cost nothing.

    Source: Ridnik et al. 2021, equations 2-7.
    """
    chance = torch.sigmoid(logits)
    shifted = (chance - margin).clamp(min=0)
    positive = targets * (1 - chance) ** gamma_positive * F.logsigmoid(logits)
    negative = (1 - targets) * shifted**gamma_negative * torch.log((1 - shifted).clamp(min=1e-8))
    return -(positive + negative).mean()


def log_odds(labels: Tensor) -> Tensor:
    """Log odds of each class in the training set `[classes]`, counted with one record more on each side."""
    positives = labels.sum(dim=0) + 1
    negatives = len(labels) - labels.sum(dim=0) + 1
    return torch.log(positives / negatives)
