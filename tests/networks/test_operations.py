import pytest

from ecgenough import networks


def counted(name: str, leads: int = 12, samples: int = 2048, **options: object) -> int:
    return networks.operations(networks.build(name, leads, classes=5, **options), leads, samples)


def test_resnet18_takes_what_the_paper_says() -> None:
    assert round(counted("resnet18") / 1e9, 2) == 0.71


@pytest.mark.parametrize(("name", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers_multiply_each_weight_once_a_step(name: str, gates: int, directions: int) -> None:
    first = gates * 256 * (12 + 256) * directions
    second = gates * 256 * (256 * directions + 256) * directions
    head = 256 * directions * 5
    assert counted(name, bidirectional=directions == 2) == 2 * (2048 * (first + second) + head)


def test_attention_grows_with_the_square_of_the_length() -> None:
    samples, width, layers = 1000, 256, 2
    embedding = samples * 12 * 3 * width
    dense = samples * 12 * width**2  # queries, keys, values and mix: 4; feed-forward: 4 up and 4 down
    attention = 2 * samples**2 * width
    assert counted("transformer", samples=samples) == 2 * (embedding + layers * (dense + attention) + width * 5)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = networks.build("crnn_gru", leads=2, classes=1).train()
    networks.operations(network, leads=2, samples=500)
    assert network.training
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}
