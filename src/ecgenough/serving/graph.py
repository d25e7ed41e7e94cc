"""A model as one computation that can be exported: raw mV at the model's rate in, probabilities out.

Everything that `Model.predict` does after resampling happens inside, on a batch of ECGs of one length, whatever that is:
filter, cut or pad, rounding to the microvolt of a store, crops, normalisation, network, mean over crops, calibration. As
the ECG is cut or padded to the recipe's duration before the network sees it, any length of input fits any network.
"""

import copy
from math import ceil

import torch
from scipy.special import logit
from torch import Tensor, nn

from ecgenough.model import Model
from ecgenough.networks.contract import Network
from ecgenough.networks.s4d import StateSpace
from ecgenough.recipe import Signal
from ecgenough.scoring.calibration import NEAREST_TO_CERTAIN, Calibration
from ecgenough.serving.fourier import FixedStateSpace
from ecgenough.serving.zero_phase import torch_filter
from ecgenough.signals.conditioning import MARGIN, samples_of
from ecgenough.signals.crops import crop_samples, evaluation_starts
from ecgenough.signals.normalisation import Normaliser
from ecgenough.signals.store import LARGEST, MICROVOLTS


class RawEcgNetwork(nn.Module):
    """A model whose conditioning after resampling is part of it.

    Input: mV `[batch, leads, samples]` at the model's rate, its leads in its order, no gaps. Output: calibrated
    probabilities and logits (means over crops), both `[batch, classes]`. Where `filter_inside` is false, the recipe's
    filter adapts to the recording or belongs before the resampling: then it is the caller's (see `torch_filter`).
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        signal = model.recipe.signal
        self.filter = torch_filter(signal)
        self.most = ceil((signal.duration + MARGIN) * signal.rate)
        self.samples = samples_of(signal)
        self.length = crop_samples(model.recipe, self.samples)
        self.recipe = model.recipe
        self.normaliser: Normaliser = copy.deepcopy(model.normaliser).cpu()
        self.network = exportable(model.network, self.length)
        self.calibration = LogitCalibration(model.calibration)

    def forward(self, ecg: Tensor) -> tuple[Tensor, Tensor]:
        ecg = ecg[..., : self.most]
        if self.filter is not None:
            ecg = self.filter(ecg)
        ecg, signal = self._cut_or_padded(ecg)
        ecg = (ecg * MICROVOLTS).round().clamp(-LARGEST, LARGEST) / MICROVOLTS
        crops, mask = self._crops(ecg, signal)
        logits = self.network(self.normaliser(crops.flatten(0, 1), mask.flatten(0, 1)))
        logits = logits.view(-1, crops.shape[1], logits.shape[-1]).mean(dim=1)
        return self.calibration(logits), logits

    def _cut_or_padded(self, ecg: Tensor) -> tuple[Tensor, Tensor]:
        """The ECG at the length of the recipe, and which samples `[samples]` are signal."""
        padding = torch.zeros(self.samples, dtype=ecg.dtype)
        signal = torch.cat([torch.ones_like(ecg[0, 0]), padding])[: self.samples] > 0.5
        padded = torch.cat([ecg, padding.expand(ecg.shape[0], ecg.shape[1], -1)], dim=-1)
        return padded[..., : self.samples], signal

    def _crops(self, ecg: Tensor, signal: Tensor) -> tuple[Tensor, Tensor]:
        """`[batch, crops, leads, length]` and its mask `[batch, crops, 1, length]`: `crops.evaluation_crops`."""
        if self.length == self.samples:
            return ecg[:, None], signal.expand(ecg.shape[0], 1, 1, -1)
        spare = (signal.sum(dtype=torch.int64) - self.length).clamp(min=0)
        starts = evaluation_starts(spare[None], self.recipe)[0]
        places = starts[:, None] + torch.arange(self.length)
        crops = ecg[:, :, places].transpose(1, 2)
        return crops, signal[places][None, :, None].expand(ecg.shape[0], -1, -1, -1)


class LogitCalibration(nn.Module):
    """`scoring.Calibration` from logits: sigmoid(slope * z + intercept), z bounded as the calibration bounds it."""

    slope: Tensor
    intercept: Tensor
    untouched: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        self.bound = float(logit(1 - NEAREST_TO_CERTAIN))
        self.register_buffer("slope", torch.tensor(calibration.slope))
        self.register_buffer("intercept", torch.tensor(calibration.intercept))
        self.register_buffer("untouched", (self.slope == 1) & (self.intercept == 0))

    def forward(self, logits: Tensor) -> Tensor:
        bounded = logits.clamp(-self.bound, self.bound)
        return torch.where(self.untouched, logits, self.slope * bounded + self.intercept).sigmoid()


def filter_inside(signal: Signal) -> bool:
    """Whether nothing is left to filter before the graph."""
    return signal.filter.kind == "none" or torch_filter(signal) is not None


def exportable(network: Network, samples: int) -> Network:
    """A copy on the CPU, in evaluation mode, for ECGs of `samples` samples, without complex numbers.

    State spaces, whose kernel is as long as their input and whose convolution goes through Fourier transforms, become
    convolutions with a fixed kernel that takes matrix products alone.
    """
    network = copy.deepcopy(network).cpu().eval()
    spaces = {name: module for name, module in network.named_modules() if isinstance(module, StateSpace)}
    lengths: dict[str, int] = {}
    hooks = [
        space.register_forward_pre_hook(lambda _, inputs, name=name: lengths.update({name: inputs[0].shape[-1]}))
        for name, space in spaces.items()
    ]
    with torch.inference_mode():
        if spaces:
            network(torch.zeros(1, network.leads, samples))
    for hook in hooks:
        hook.remove()
    for name, space in spaces.items():
        network.set_submodule(name, FixedStateSpace(space, lengths[name]))
    return network
