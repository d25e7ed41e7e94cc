"""Numbers of weights: those of the paper, and those of torchvision's layer tables with lines in place of squares.

Each formula below is first put to the published number of weights of the two-dimensional network (`dimensions=2`, three
colours, 1,000 classes), then to ours.
"""

import pytest

from ecgenough import networks

IMAGE = {"inputs": 3, "classes": 1000, "dimensions": 2}
ECG = {"inputs": 12, "classes": 5, "dimensions": 1}
RESNET_BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
RESNET_PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
VGG_LAYERS = {
    11: "64 | 128 | 256 256 | 512 512 | 512 512",
    13: "64 64 | 128 128 | 256 256 | 512 512 | 512 512",
    16: "64 64 | 128 128 | 256 256 256 | 512 512 512 | 512 512 512",
    19: "64 64 | 128 128 | 256 256 256 256 | 512 512 512 512 | 512 512 512 512",
}
VGG_PUBLISHED = {11: 132_863_336, 13: 133_047_848, 16: 138_357_544, 19: 143_667_240}


def size(name: str, **options: object) -> int:
    return networks.parameter_count(networks.build(name, leads=12, classes=5, **options))


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def resnet(depth: int, inputs: int, classes: int, dimensions: int) -> int:
    def convolution(inputs: int, outputs: int, kernel: int) -> int:
        return inputs * outputs * kernel**dimensions + 2 * outputs  # with the two weights a channel of its norm

    total, channels = convolution(inputs, 64, 7), 64
    for width, blocks in zip([64, 128, 256, 512], RESNET_BLOCKS[depth], strict=True):
        outputs = width if depth < 50 else 4 * width
        for block in range(blocks):
            if depth < 50:
                total += convolution(channels, width, 3) + convolution(width, width, 3)
            else:
                total += convolution(channels, width, 1) + convolution(width, width, 3) + convolution(width, outputs, 1)
            if block == 0 and channels != outputs:
                total += convolution(channels, outputs, 1)
            channels = outputs
    return total + linear(channels, classes)


def vgg(depth: int, inputs: int, classes: int, dimensions: int, after_convolution: int = 1) -> int:
    """`after_convolution` weights a channel: one for a bias, two for a norm, three for both."""
    total = 0
    for width in map(int, VGG_LAYERS[depth].replace("|", "").split()):
        total += inputs * width * 3**dimensions + after_convolution * width
        inputs = width
    return total + linear(512 * 7**dimensions, 4096) + linear(4096, 4096) + linear(4096, classes)


def alexnet(inputs: int, classes: int, dimensions: int, after_convolution: int) -> int:
    total = 0
    for width, kernel in ((64, 11), (192, 5), (384, 3), (256, 3), (256, 3)):
        total += inputs * width * kernel**dimensions + after_convolution * width
        inputs = width
    return total + linear(256 * 6**dimensions, 4096) + linear(4096, 4096) + linear(4096, classes)


def recurrent(gates: int, inputs: int, hidden: int = 256) -> int:
    """Two layers: each gate has a matrix for the input, one for the state, and two biases (cuDNN's convention)."""
    return sum(gates * hidden * (width + hidden + 2) for width in (inputs, hidden))


def encoder_layer(width: int) -> int:
    return 4 * linear(width, width) + linear(width, 4 * width) + linear(4 * width, width) + 2 * 2 * width


@pytest.mark.parametrize("depth", RESNET_BLOCKS)
def test_resnets_are_torchvision_s_in_one_dimension(depth: int) -> None:
    assert resnet(depth, **IMAGE) == RESNET_PUBLISHED[depth]
    assert size(f"resnet{depth}") == resnet(depth, **ECG)


@pytest.mark.parametrize("depth", VGG_LAYERS)
def test_vggs_are_torchvision_s_in_one_dimension(depth: int) -> None:
    assert vgg(depth, **IMAGE) == VGG_PUBLISHED[depth]
    assert size(f"vgg{depth}") == vgg(depth, **ECG)


def test_vgg_with_batch_norm_leaves_out_the_biases_that_a_norm_takes_away_again() -> None:
    assert vgg(11, **IMAGE, after_convolution=3) == 132_868_840
    assert size("vgg11_bn") == vgg(11, **ECG, after_convolution=2)


def test_alexnet_has_norms_where_torchvision_s_has_biases() -> None:
    assert alexnet(**IMAGE, after_convolution=1) == 61_100_840
    assert size("alexnet") == alexnet(**ECG, after_convolution=2)


@pytest.mark.parametrize(("name", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_recurrent_networks_have_one_pair_of_matrices_a_gate(name: str, gates: int) -> None:
    assert size(name) == recurrent(gates, inputs=12) + linear(256, 5)
    assert size(f"crnn_{name}") == resnet(18, **ECG) - linear(512, 5) + recurrent(gates, inputs=512) + linear(256, 5)


def test_attention_and_encoders_add_their_matrices_to_the_body() -> None:
    assert size("attresnet") == resnet(18, **ECG) + 4 * linear(512, 512)
    assert size("restransformer") == resnet(18, **ECG) + 2 * encoder_layer(512)
    assert size("transformer") == 12 * 256 * 3 + 256 + 2 * encoder_layer(256) + linear(256, 5)


def test_eegnet_by_hand() -> None:
    temporal, mixture = 16 * 32 + 2 * 16, 32 * 12 + 2 * 32
    separable = 32 * 16 + 32 * 32 + 2 * 32
    assert size("eegnet") == temporal + mixture + separable + linear(16 * 32, 5)


def test_inceptiontime_by_hand() -> None:
    def block(inputs: int) -> int:
        return inputs * 32 + 32 * 32 * (39 + 19 + 9) + inputs * 32 + 2 * 128

    shortcuts = 12 * 128 + 2 * 128 + 128 * 128 + 2 * 128
    assert size("inceptiontime") == block(12) + 5 * block(128) + shortcuts + linear(128, 5)


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("resnet18", 3.85),
        ("resnet50", 15.97),
        ("crnn_gru", 4.84),
        ("attresnet", 4.90),
        ("restransformer", 10.16),
        ("alexnet", 23.88),
        ("lstm", 0.80),
        ("transformer", 1.59),
    ],
)
def test_sizes_are_the_paper_s(name: str, millions: float) -> None:
    assert round(size(name) / 1e6, 2) == millions


def test_the_hybrid_with_a_head_for_all_six_tasks_of_ptb_xl_is_of_the_size_that_was_searched() -> None:
    hybrid = networks.build("s4d_hybrid", leads=12, classes=174)
    assert round(networks.parameter_count(hybrid) / 1e6, 1) == 1.1
