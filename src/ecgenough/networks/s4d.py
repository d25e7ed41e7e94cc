"""Diagonal state-space networks (S4D), over samples and over a strided convolutional stem."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough.networks.contract import Network
from ecgenough.networks.layers import (
    ChannelNorm,
    Convolution,
    Dropout,
    Residual,
    SqueezeExcitation,
    ThriftyDropout,
    conv_norm,
    gated,
    he_normal,
    repeated,
)
from ecgenough.recipe import Count

Spectrum = Literal["linear", "inverse"]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
MultipleOfFour = Annotated[int, Field(ge=4, multiple_of=4)]
Complex = tuple[Tensor, Tensor]  # real and imaginary part: ONNX and safetensors know no complex numbers
SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1


class StateSpace(nn.Module):
    """One linear state space for each channel: `[batch, width, time]` -> the same.

    With s' = A s + u and y = Re(C s) + D u, A diagonal and u held over each step of time, the output is a convolution
    of the input with a kernel as long as the input. `bidirectional` adds a second C that looks back from the end.
    Source: Gu et al. 2022 (arXiv 2206.11893), S4D-Lin ("linear") and S4D-Inv ("inverse"), zero-order hold, `state` / 2
    pairs of conjugate states. Float32 whatever the autocast: the kernel needs its precision.
    """

    undecayed_names = ("log_step", "log_decay", "frequency")  # shrinking these would change the time scales

    def __init__(self, width: int, state: int, bidirectional: bool, spectrum: Spectrum) -> None:
        super().__init__()
        pairs = state // 2
        order = torch.arange(pairs, dtype=torch.float32)
        frequency = math.pi * order if spectrum == "linear" else state / math.pi * (state / (2 * order + 1) - 1)
        step = torch.empty(width).uniform_(math.log(SHORTEST_STEP), math.log(LONGEST_STEP))
        self.log_step = nn.Parameter(step)
        self.log_decay = nn.Parameter(torch.full((width, pairs), math.log(0.5)))
        self.frequency = nn.Parameter(frequency.repeat(width, 1))
        self.readout = nn.Parameter(torch.randn(2, 2 if bidirectional else 1, width, pairs) * math.sqrt(0.5))
        self.direct = nn.Parameter(torch.randn(width))

    def forward(self, signal: Tensor) -> Tensor:
        with _without_autocast(signal.device):
            time, size = signal.shape[-1], fast_circle(signal.shape[-1])
            ahead, *back = self.kernel(time).unbind()
            # What passes at once is lag 0. On a circle at least twice as long, the end of the kernel reaches back in time.
            at_once = ahead[:, :1] + self.direct.unsqueeze(-1)
            between = ahead.new_zeros(len(ahead), size - time * (1 + len(back)))
            kernel = torch.cat([at_once, ahead[:, 1:], between, *(one.flip(-1) for one in back)], dim=-1)
            convolved: Tensor = CircularConvolution.apply(signal.float(), kernel)  # type: ignore[no-untyped-call]
            return convolved

    def kernel(self, time: int) -> Tensor:
        """The response l = 0 .. time - 1 steps after a unit input: `[directions, width, time]`.

        2 Re(sum over pairs of C exp(A dt l) (exp(A dt) - 1) / A). With l = far + near, far in strides of about the root
        of `time`, few powers of each state are worked out and one matrix product combines them.
        """
        stride = math.isqrt(time - 1) + 1
        near = torch.arange(stride, device=self.log_step.device)
        far = torch.arange(0, time, stride, device=self.log_step.device)
        readout = _times((self.readout[0], self.readout[1]), self._held())
        far_real, far_imaginary = _times((readout[0].unsqueeze(-1), readout[1].unsqueeze(-1)), self._powers(far))
        near_powers = torch.cat(self._powers(near), dim=-2)
        kernel: Tensor = torch.cat([far_real, -far_imaginary], dim=-2).transpose(-1, -2) @ near_powers
        return 2 * kernel.flatten(-2)[..., :time]

    def _powers(self, steps: Tensor) -> Complex:
        """exp(A dt l) for each of `steps`: `[width, pairs, steps]`."""
        durations = self.log_step.exp().unsqueeze(-1) * steps
        decay = -self.log_decay.exp().unsqueeze(-1) * durations.unsqueeze(1)
        turn = self.frequency.unsqueeze(-1) * durations.unsqueeze(1)
        return decay.exp() * turn.cos(), decay.exp() * turn.sin()

    def _held(self) -> Complex:
        """(exp(A dt) - 1) / A, the state after a unit input was held for one step: `[width, pairs]`."""
        real, imaginary = self._powers(torch.ones(1, device=self.log_step.device))
        decay, square = -self.log_decay.exp(), self.log_decay.exp() ** 2 + self.frequency**2
        return _times((real.squeeze(-1) - 1, imaginary.squeeze(-1)), (decay / square, -self.frequency / square))


class CircularConvolution(torch.autograd.Function):
    """`[batch, width, time]` with one kernel a channel, `[width, size]`: the first `time` samples of a circle of `size`.

    What comes out lies in memory as what came in. Gradients by real transforms too: those that PyTorch derives by itself
    go through complex ones of the full length, which made a training step of the hybrid network a fifth longer on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, signal: Tensor, kernel: Tensor) -> Tensor:
        ctx.size = kernel.shape[-1]
        of_signal, of_kernel = torch.fft.rfft(signal, n=ctx.size), torch.fft.rfft(kernel)
        ctx.save_for_backward(of_signal, of_kernel)
        return _start_of(of_signal * of_kernel, ctx.size, signal)

    @staticmethod
    def backward(ctx: Any, *of_outputs: Tensor) -> tuple[Tensor, Tensor]:
        of_signal, of_kernel = ctx.saved_tensors
        (gradient,) = of_outputs
        spectrum = torch.fft.rfft(gradient, n=ctx.size)
        of_kernel_gradient = (spectrum * of_signal.conj()).sum(dim=0)
        of_signal_gradient = spectrum.mul_(of_kernel.conj())
        return _start_of(of_signal_gradient, ctx.size, gradient), torch.fft.irfft(of_kernel_gradient, n=ctx.size)


def fast_circle(time: int) -> int:
    """Samples of a circle on which no end of `time` samples meets the other, of a size that transforms are fast at.

    The least power of two, or three quarters of it, that is at least twice as long: 256 for 125 steps, where transforms
    of 250 took a third longer.
    """
    power = 1 << (2 * time - 1).bit_length()
    return power * 3 // 4 if power * 3 // 4 >= 2 * time else power


class S4dLayer(nn.Module):
    """Norm, state space, gated mixing of channels, added to the input: `[batch, width, time]` -> the same."""

    def __init__(self, width: int, state: int, dropout: float, bidirectional: bool, spectrum: Spectrum) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.space = StateSpace(width, state, bidirectional, spectrum)
        self.dropout = ThriftyDropout(dropout)
        self.mix = Convolution(width, 2 * width, 1)

    def forward(self, signal: Tensor) -> Tensor:
        seen = self.dropout(F.gelu(self.space(self.norm(signal))))
        mixed: Tensor = signal + self.dropout(gated(self.mix(seen)))
        return mixed


class S4d(Network):
    """S4D (Gu et al. 2022): diagonal state-space layers over single samples, averaged over time.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Sources: arXiv 2206.11893; four bidirectional layers for ECGs as in Mehari & Strodthoff 2023 (arXiv 2308.15291).
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        width: Count = 256,
        layers: Count = 4,
        state: Even = 64,
        dropout: Dropout = 0.2,
        bidirectional: bool = True,
        spectrum: Spectrum = "linear",
    ) -> None:
        super().__init__(leads, classes)
        self.embedding = Convolution(leads, width, 1)
        self.layers = nn.Sequential(*[S4dLayer(width, state, dropout, bidirectional, spectrum) for _ in range(layers)])
        self.norm = ChannelNorm(width)
        self.head = nn.Linear(width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.norm(self.layers(self.embedding(ecg)))
        return features

    def stages(self) -> list[nn.Module]:
        return [self.embedding, *self.layers, self.norm, self.head]


class S4dHybrid(Network):
    """State-space layers on a strided residual stem, averaged over time: an eighth of the rate, small and accurate.

    Input: [batch, leads, samples], normalised. Output: logits [batch, classes].
    Three strided steps of width / 4, width / 2 and width channels (residual blocks with squeeze-excitation) bring
    100 Hz to 12.5 Hz; then S4D layers (Gu et al. 2022, arXiv 2206.11893). A recording shorter than the input is followed by
    zeros: of one trained on whole recordings alone, which never saw any, say `short` "repeated", and it sees the signal again.
    """

    def __init__(
        self,
        leads: int,
        classes: int,
        *,
        width: MultipleOfFour = 256,
        kernel: Literal[3, 5, 7, 9, 11, 13, 15] = 5,
        layers: Count = 2,
        state: Even = 64,
        dropout: Dropout = 0.2,
        bidirectional: bool = True,
        spectrum: Spectrum = "linear",
        short: Literal["padded", "repeated"] = "padded",
    ) -> None:
        super().__init__(leads, classes)
        self.repeats = short == "repeated"
        self.stem = nn.Sequential(
            nn.Sequential(conv_norm(leads, width // 4, kernel, stride=2), nn.ReLU()),
            _strided_block(width // 4, width // 2, kernel),
            _strided_block(width // 2, width, kernel),
        )
        he_normal(self.stem)
        self.layers = nn.Sequential(*[S4dLayer(width, state, dropout, bidirectional, spectrum) for _ in range(layers)])
        self.norm = ChannelNorm(width)
        self.head = nn.Linear(width, classes)

    def features(self, ecg: Tensor) -> Tensor:
        features: Tensor = self.norm(self.layers(self.stem(repeated(ecg) if self.repeats else ecg)))
        return features

    def stages(self) -> list[nn.Module]:
        return [*self.stem, *self.layers, self.norm, self.head]


def _strided_block(inputs: int, outputs: int, kernel: int) -> Residual:
    convolutions = nn.Sequential(conv_norm(inputs, outputs, kernel, 2), nn.ReLU(), conv_norm(outputs, outputs, kernel))
    return Residual(convolutions.append(SqueezeExcitation(outputs)), conv_norm(inputs, outputs, 1, 2))


def _start_of(spectrum: Tensor, size: int, like: Tensor) -> Tensor:
    """The first samples of the circle of `size` samples with this half spectrum: of shape and memory `like` another's."""
    return torch.empty_like(like).copy_(torch.fft.irfft(spectrum, n=size)[..., : like.shape[-1]])


def _times(one: Complex, other: Complex) -> Complex:
    return one[0] * other[0] - one[1] * other[1], one[0] * other[1] + one[1] * other[0]


def _without_autocast(device: torch.device) -> AbstractContextManager[object]:
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()
