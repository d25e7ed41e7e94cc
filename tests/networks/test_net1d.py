"""Net1D against a hand count of its weights, and its blocks against what they should leave alone."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ecgenough import networks
from ecgenough.networks.net1d import BLOCKS, WIDTHS, EvenConvolution, Net1dBlock


def block_size(inputs: int, outputs: int) -> int:
    pointwise = inputs * outputs + outputs + outputs * outputs + outputs
    grouped = outputs * 16 * 16 + outputs  # every output reads 16 channels over 16 samples
    squeeze = outputs * (outputs // 2) + outputs // 2 + (outputs // 2) * outputs + outputs
    return pointwise + grouped + squeeze


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_published_model_has_30_8_million_weights(batch_norm: bool) -> None:
    widths, total, norms, inputs = WIDTHS["large"], 12 * 64 * 16 + 64, 2 * 64, 64
    for outputs, blocks in zip(widths, BLOCKS, strict=True):
        for _ in range(blocks):
            total += block_size(inputs, outputs)
            norms += 2 * (inputs + 2 * outputs)
            inputs = outputs
    norms -= 2 * 64  # the first block has no activation before its first convolution, so no norm either
    network = networks.build("net1d", leads=12, classes=150, batch_norm=batch_norm)
    assert networks.parameter_count(network) == total + 1024 * 150 + 150 + norms * batch_norm


@pytest.mark.parametrize(("samples", "steps"), [(5000, 20), (1000, 4), (256, 1), (128, 1)])
def test_the_stem_and_seven_stages_halve_the_time(samples: int, steps: int) -> None:
    network = networks.build("net1d", leads=12, classes=1, size="small")
    assert network.features(torch.zeros(1, 12, samples)).shape == (1, 256, steps)


def test_an_even_kernel_pads_one_more_at_the_end() -> None:
    convolution = EvenConvolution(1, 1, 4, 1, bias=False)
    nn.init.ones_(convolution.weight)
    assert convolution(torch.tensor([[[1.0, 2, 4, 8]]])).tolist() == [[[7, 15, 14, 12]]]
    halved = EvenConvolution(1, 1, 4, 2, bias=False)
    nn.init.ones_(halved.weight)
    assert halved(torch.tensor([[[1.0, 2, 4, 8, 16]]])).tolist() == [
        [[7, 30, 24]]
    ]  # 5 -> 3, one zero before, two after


def test_the_shortcut_keeps_old_channels_in_the_middle_of_new_ones() -> None:
    block = Net1dBlock(16, 32, 2, batch_norm=False, first=True)
    nn.init.zeros_(block.mix.weight)
    nn.init.zeros_(block.mix.bias)
    signal = torch.rand(2, 16, 10)
    through = block(signal)
    assert torch.equal(through[:, 8:24], F.max_pool1d(signal, 2))
    assert not through[:, :8].any()
    assert not through[:, 24:].any()
