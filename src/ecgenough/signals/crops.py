"""Which section of a conditioned recording a network is shown in evaluation."""

import torch
from torch import Tensor

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Recipe
from ecgenough.signals.normalisation import Normaliser


def evaluation_crops(ecg: Tensor, valid: Tensor, recipe: Recipe, normaliser: Normaliser) -> Tensor:
    """Conditioned ECGs in mV `[batch, leads, samples]` -> what a network is shown: `[batch, crops, leads, samples]`.

    `valid` `[batch]` says how many samples are signal. One crop from the centre of the signal, or `crop.crops` evenly
    spaced from its start to its end; where the crop is all that is conditioned, one. A signal shorter than the crop
    comes with padding.
    """
    length = crop_samples(recipe, ecg.shape[-1])
    if length == ecg.shape[-1]:
        starts = torch.zeros_like(valid)[:, None]
        crops = ecg[:, None]
    else:
        starts = evaluation_starts((valid - length).clamp(min=0), recipe)
        record = torch.arange(len(ecg), device=ecg.device)[:, None]
        crops = ecg.unfold(-1, length, 1)[record, :, starts]
    mask = torch.arange(length, device=ecg.device) < (valid[:, None] - starts)[..., None, None]
    normalised: Tensor = normaliser(crops.flatten(0, 1), mask.flatten(0, 1))
    return normalised.view(crops.shape)


def crop_samples(recipe: Recipe, samples: int) -> int:
    """How many of the conditioned `samples` a network sees. Raises WrongRequest where the crop is longer than these."""
    if recipe.crop.seconds is None:
        return samples
    length = round(recipe.crop.seconds * recipe.signal.rate)
    if not 1 <= length <= samples:
        has = f"{samples / recipe.signal.rate:g} s at {recipe.signal.rate:g} Hz"
        raise WrongRequest(f"crop.seconds of {recipe.crop.seconds:g} does not fit: records are conditioned to {has}.")
    return length


def evaluation_starts(spare: Tensor, recipe: Recipe) -> Tensor:
    """First samples `[batch, crops]` of the crops, where `spare` `[batch]` samples of signal do not fit into one."""
    crops = recipe.crop.crops
    if recipe.crop.evaluation == "centre" or crops == 1:
        return (spare // 2)[:, None]
    return spare[:, None] * torch.arange(crops, device=spare.device) // (crops - 1)
