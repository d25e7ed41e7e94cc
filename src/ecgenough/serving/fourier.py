"""Long convolutions through Fourier transforms that are matrix products of real numbers, for graphs without complex ones.

The discrete Fourier transform of n = rows x columns numbers is one of their columns, a turn of each number, and one of
their rows (Cooley & Tukey, Math. Comp. 1965;19:297): matrices of the root of n instead of n.
"""

from math import isqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.networks.s4d import StateSpace


class FixedStateSpace(nn.Module):
    """What a state space gives for inputs `[batch, width, time]` of one length: a convolution with a fixed kernel."""

    direct: Tensor

    def __init__(self, space: StateSpace, time: int) -> None:
        super().__init__()
        with torch.inference_mode():
            ahead, *back = space.kernel(time).double().cpu().unbind()
            before = back[0].flip(-1) if back else torch.zeros(ahead.shape[0], 0, dtype=ahead.dtype)
        self.convolution = LongConvolution(ahead.numpy(), before.numpy(), time)
        self.register_buffer("direct", space.direct.detach().cpu().clone().unsqueeze(-1))

    def forward(self, signal: Tensor) -> Tensor:
        convolved: Tensor = self.convolution(signal) + self.direct * signal
        return convolved


class LongConvolution(nn.Module):
    """Circular convolution of `[batch, width, time]` with one kernel a channel, over at least twice `time`.

    `ahead` `[width, time]` is the response 0, 1, ... steps after an input; `before` `[width, steps]` is that of the
    steps ..., -2, -1.
    """

    analysis: Tensor
    turn: Tensor
    along_rows: Tensor
    spectrum: Tensor
    synthesis: Tensor

    def __init__(self, ahead: NDArray[np.float64], before: NDArray[np.float64], time: int) -> None:
        super().__init__()
        self.time = time
        self.columns = isqrt(2 * time - 1) + 1
        rows = -(2 * time // -self.columns)
        self.filled = -(time // -self.columns)  # rows that hold signal; the others are zero
        size = rows * self.columns
        kernel = np.zeros((len(ahead), size))
        kernel[:, :time] = ahead
        kernel[:, size - before.shape[1] :] = before
        row, column = np.arange(rows), np.arange(self.columns)
        # Frequency c + rows * d stands at [c, d].
        spectrum = np.fft.fft(kernel)[:, row[:, None] + rows * column]
        first = _waves(np.outer(row, row) / rows)
        self._keep("analysis", np.concatenate([first.real, first.imag])[:, : self.filled])
        self._keep("turn", _parts(_waves(np.outer(row, column) / size)))
        second = _waves(np.outer(column, column) / self.columns)
        self._keep("along_rows", np.block([[second.real, second.imag], [-second.imag, second.real]]))
        self._keep("spectrum", _parts(spectrum))
        back = first.conj()[: self.filled] / size
        self._keep("synthesis", np.concatenate([back.real, -back.imag], axis=1))

    def _keep(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(values.astype(np.float32)))

    def forward(self, signal: Tensor) -> Tensor:
        missing = self.filled * self.columns - self.time
        rows = nn.functional.pad(signal, (0, missing)).view(*signal.shape[:2], self.filled, self.columns)
        real, imaginary = _times((self.analysis @ rows).chunk(2, dim=-2), self.turn)
        real, imaginary = (torch.cat([real, imaginary], dim=-1) @ self.along_rows).chunk(2, dim=-1)
        real, imaginary = _times((real, imaginary), self.spectrum)
        # The way back is the same with turns the other way: the conjugate matrix, transposed block by block.
        real, imaginary = (torch.cat([real, imaginary], dim=-1) @ self.along_rows.T).chunk(2, dim=-1)
        real, imaginary = _times((real, imaginary), self.turn * self.turn.new_tensor([1.0, -1.0])[:, None, None])
        convolved: Tensor = (self.synthesis @ torch.cat([real, imaginary], dim=-2)).flatten(-2)
        return convolved[..., : self.time]


def _waves(turns: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.asarray(np.exp(-2j * np.pi * turns))


def _parts(numbers: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Real and imaginary part, `[2, ...]`."""
    return np.stack([numbers.real, numbers.imag])


def _times(one: tuple[Tensor, ...], other: Tensor) -> tuple[Tensor, Tensor]:
    (real, imaginary), (other_real, other_imaginary) = one, other.unbind()
    return real * other_real - imaginary * other_imaginary, real * other_imaginary + imaginary * other_real
