"""How much arithmetic a network does."""

import copy

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ecgenough.networks.contract import Network


def operations(network: Network, leads: int, samples: int) -> int:
    """Floating-point operations of a forward pass over one ECG of `leads` leads and `samples` samples.

    A multiply-accumulate counts as two. Convolutions and matrix products count, those of recurrent and attention layers
    among them; biases, norms, activations, pools and Fourier transforms do not. Nothing is computed: a copy without
    values, on PyTorch's meta device, is run. Of trees none are counted: they compare, and measure by a program.
    """
    if not network.by_gradients:
        return 0
    shapes = copy.deepcopy(network).to("meta").eval()
    stand_ins = []
    for name, layers in list(shapes.named_modules()):
        if isinstance(layers, nn.RNNBase):
            stand_ins.append(_Recurrence(layers))
            shapes.set_submodule(name, stand_ins[-1])
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes(torch.empty(1, leads, samples, device="meta"))
    return int(counter.get_total_flops()) + sum(stand_in.operations for stand_in in stand_ins)


class _Recurrence(nn.Module):
    """Gives the shape that recurrent layers give, and counts what they do: every weight matrix, once a step.

    PyTorch's counter misses an LSTM on the CPU, and on the meta device runs each step for itself, which takes seconds.
    """

    def __init__(self, layers: nn.RNNBase) -> None:
        super().__init__()
        self.width = layers.hidden_size * (2 if layers.bidirectional else 1)
        self.multiplications = sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2)
        self.operations = 0

    def forward(self, sequence: Tensor) -> tuple[Tensor, None]:
        batch, steps, _ = sequence.shape
        self.operations = 2 * batch * steps * self.multiplications
        return sequence.new_empty(batch, steps, self.width), None
