import torch

from ecgenough import networks
from ecgenough.networks.eegnet import EegNet


def test_norms_are_brought_back_to_1_and_a_quarter_and_no_further() -> None:
    network = networks.build("eegnet", leads=4, classes=2)
    assert isinstance(network, EegNet)
    with torch.no_grad():
        network.mixture.weight.zero_()[0, 0, :, 0] = torch.tensor([3.0, 0.0, 4.0, 0.0])
        network.mixture.weight[1, 0, 0, 0] = 0.5
        network.head.weight.zero_()[0, :2] = torch.tensor([0.3, 0.4])
        network.head.weight[1, 0] = 0.1
    for _ in range(2):
        network.constrain()
        torch.testing.assert_close(network.mixture.weight[0, 0, :, 0], torch.tensor([0.6, 0.0, 0.8, 0.0]))
        assert network.mixture.weight[1, 0, 0, 0] == 0.5
        torch.testing.assert_close(network.head.weight[0, :2], torch.tensor([0.15, 0.2]))
        torch.testing.assert_close(network.head.weight[1, 0], torch.tensor(0.1))


def test_2048_samples_leave_the_16_steps_that_the_head_reads() -> None:
    network = networks.build("eegnet", leads=12, classes=5).eval()
    features = network.features(torch.randn(2, 12, 2048))
    assert features.shape == (2, 32, 16)
    torch.testing.assert_close(network.pool(features), features.flatten(1))
