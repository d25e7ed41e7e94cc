"""The recipe's Butterworth filters as convolutions, for graphs that know no recursion.

A recursive filter's response to an impulse dies away, so over a bounded signal a convolution with its beginning does the
same. Filtering that starts settled is filtering a signal that held its first value for ever: the ends are extended so.
"""

from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import sosfilt
from torch import Tensor, nn

from ecgenough.recipe import BandPass, Signal
from ecgenough.signals.filters import band_pass_design

REMAINDER = 1e-7  # of the response's magnitude may be cut off: below the resolution of float32
LONGEST = 8192  # samples of response; a longer one is not worth a convolution


class TorchFilter(nn.Module):
    """`filters.band_pass` over the last axis of `[batch, leads, samples]`, any length from 2 samples."""

    response: Tensor

    def __init__(self, response: NDArray[np.float64], extension: int, zero_phase: bool) -> None:
        super().__init__()
        self.extension, self.zero_phase = extension, zero_phase
        self.register_buffer("response", torch.from_numpy(response[::-1].astype(np.float32))[None, None])

    def forward(self, ecg: Tensor) -> Tensor:
        rows = ecg.flatten(0, 1).unsqueeze(1)
        rows = self._there_and_back(rows) if self.zero_phase else self._run(rows)
        return rows.view(ecg.shape)

    def _there_and_back(self, rows: Tensor) -> Tensor:
        """Forward and backward over ends that are extended oddly, as far as there is signal to turn over."""
        left = 2 * rows[..., :1] - rows[..., 1 : self.extension + 1].flip(-1)
        right = 2 * rows[..., -1:] - rows[..., -self.extension - 1 : -1].flip(-1)
        extended = torch.cat([left, rows, right], dim=-1)
        filtered = self._run(self._run(extended).flip(-1)).flip(-1)
        return filtered[..., left.shape[-1] : left.shape[-1] + rows.shape[-1]]

    def _run(self, rows: Tensor) -> Tensor:
        settled = nn.functional.pad(rows, (self.response.shape[-1] - 1, 0), mode="replicate")
        return nn.functional.conv1d(settled, self.response)


def torch_filter(signal: Signal) -> TorchFilter | None:
    """The filter of a recipe's section `signal` at the model's rate; None where there is none to put into a graph.

    Not the wavelet baseline, whose depth depends on the recording; not a filter whose upper edge does not fit below
    half the model's rate, which belongs before the resampling; not one that remembers for more than LONGEST samples.
    """
    settings, rate = signal.filter, signal.rate
    if not isinstance(settings, BandPass) or settings.high >= rate / 2:
        return None
    sections = band_pass_design(rate, settings.low, settings.high, settings.order)
    impulse = np.zeros(8 * LONGEST)
    impulse[0] = 1
    response = np.asarray(sosfilt(sections, impulse))
    left = np.cumsum(np.abs(response[::-1]))[::-1]  # from each sample on
    length = int(np.argmax(left < REMAINDER * left[0]))
    if not 0 < length <= LONGEST:
        return None
    extension = max(ceil(rate / settings.low), 6 * len(sections) + 3)
    return TorchFilter(response[:length], extension, settings.zero_phase)
