"""Properties that every network keeps, whatever its family."""

from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ecgenough import networks
from ecgenough.errors import WrongRequest
from ecgenough.networks import NETWORKS, Network

RECURRENT = ("rnn", "lstm", "gru")
ONE_OF_EACH_FAMILY = list({family: name for name, (family, _) in reversed(NETWORKS.items())}.values())
SMALL = {"rnn": {"hidden": 4}, "crnn_rnn": {"width": 4, "hidden": 4}}


@pytest.fixture(scope="module", params=networks.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared(name: str) -> Network:
    torch.manual_seed(0)
    return networks.build(name, leads=12, classes=5)


@pytest.fixture
def network(shared: Network) -> Iterator[Network]:
    """Built once for all tests of a name: the tests at the end change it, no test relies on its weights."""
    torch.manual_seed(1)
    yield shared.eval()
    shared.zero_grad(set_to_none=True)


def ecg(batch: int = 2, samples: int = 250) -> Tensor:
    return torch.randn(batch, 12, samples)


@torch.no_grad()
@pytest.mark.parametrize("samples", [128, 250, 1000, 2048, 5000])
def test_gives_logits_for_any_length(network: Network, samples: int) -> None:
    logits = network(ecg(1, samples))
    assert logits.shape == (1, 5)
    assert logits.isfinite().all()


@torch.no_grad()
def test_gives_logits_for_any_number_of_leads_and_makes_no_tensor_of_its_own_elsewhere(name: str) -> None:
    # On the meta device shapes alone are worked out, and a tensor that the network made on the CPU would be refused.
    # Recurrent layers go through raw samples one by one there, so these are given for real.
    device = "cpu" if name in RECURRENT else "meta"
    for leads, samples in ((1, 250), (2, 1000), (8, 2048)):
        with torch.device(device):
            network = networks.build(name, leads=leads, classes=2).eval()
            features = network.features(torch.zeros(2, leads, samples))
        assert features.ndim == 3
        pooled = network.pool(features)
        assert pooled.shape == (2, network.head.in_features)
        assert network.head(pooled).shape == (2, 2)


@torch.no_grad()
@pytest.mark.parametrize("family", ONE_OF_EACH_FAMILY)
@pytest.mark.parametrize("leads", [1, 2, 8])
def test_every_family_takes_every_length_with_every_number_of_leads(family: str, leads: int) -> None:
    """With 12 leads, every network has every length above. Families with recurrent layers are small, and on the CPU."""
    small = SMALL.get(family)
    with torch.device("meta" if small is None else "cpu"):
        network = networks.build(family, leads=leads, classes=2, **(small or {})).eval()
        for samples in (250, 1000, 2048, 5000):
            assert network(torch.zeros(2, leads, samples)).shape == (2, 2)


@torch.no_grad()
def test_evaluation_repeats_itself_and_ignores_neighbours_in_the_batch(network: Network) -> None:
    batch = ecg(3)
    together = network(batch)
    assert torch.equal(network(batch), together)
    torch.testing.assert_close(network(batch[1:2]), together[1:2], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_weights_survive_safetensors(name: str, network: Network) -> None:
    with torch.device("meta"):
        restored = networks.build(name, leads=12, classes=5).eval()
    restored.load_state_dict(load(save(network.state_dict())), assign=True)
    batch = ecg(1)
    assert torch.equal(restored(batch), network(batch))


def test_stages_hold_every_weight_once_and_end_in_the_head(network: Network) -> None:
    stages = network.stages()
    assert stages[-1] is network.head
    assert isinstance(network.head, nn.Linear)
    assert all(any(True for _ in stage.parameters()) for stage in stages)
    listed = [id(parameter) for stage in stages for parameter in stage.parameters()]
    assert sorted(listed) == sorted(id(parameter) for parameter in network.parameters())
    statistics = {id(buffer) for stage in stages for buffer in stage.buffers()}
    assert statistics == {id(buffer) for buffer in network.buffers()}


@torch.no_grad()
def test_other_leads_and_too_short_ecgs_are_refused_in_a_sentence(network: Network) -> None:
    with pytest.raises(WrongRequest, match="reads 12 leads; the ECG has 8"):
        network(torch.zeros(1, 8, 1000))
    with pytest.raises(WrongRequest, match=r"at least 128 samples; the ECG has 127\. Lengthen signal\.duration"):
        network(torch.zeros(1, 12, 127))


@torch.no_grad()
def test_silence_and_huge_input_stay_finite(network: Network) -> None:
    for batch in (torch.zeros(2, 12, 250), 1e4 * ecg()):
        assert network.eval()(batch).isfinite().all()
        assert network.train()(batch).isfinite().all()


@torch.no_grad()
def test_resetting_the_head_changes_nothing_else(network: Network) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.reset_head(3)
    assert network(ecg(1)).shape == (1, 3)
    assert network.classes == network.head.out_features == 3
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert {key for key in before if not torch.equal(before[key], after[key])} == {"head.weight", "head.bias"}


def test_gradients_reach_every_parameter(network: Network) -> None:
    for parameter in network.parameters():
        if not parameter.any():  # a norm that begins at zero lets nothing through in the first step
            nn.init.normal_(parameter)
    logits = network.train()(ecg())
    (logits * torch.randn_like(logits)).sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@torch.no_grad()
def test_kept_leads_are_read_as_if_the_others_were_silent(name: str, network: Network) -> None:
    """And what is left, down to a single lead, is an ordinary network whose weights can be saved and loaded."""
    network.train()(3 + ecg())  # statistics of norms as a training leaves them, where silence is not nothing
    network.eval()
    for leads, kept in ((12, [0, 1, 7, 3]), (4, [2])):
        batch = torch.randn(2, leads, 250)
        silenced = torch.zeros_like(batch)
        silenced[:, kept] = batch[:, kept]
        expected = network(silenced)
        network.keep_leads(kept)
        assert network.leads == len(kept)
        torch.testing.assert_close(network(batch[:, kept]), expected, rtol=1e-4, atol=1e-5)
        with torch.device("meta"):
            ordinary = networks.build(name, leads=len(kept), classes=network.classes).eval()
        ordinary.load_state_dict(network.state_dict(), assign=True)
        assert torch.equal(ordinary(batch[:, kept]), network(batch[:, kept]))
    assert all(parameter.requires_grad for parameter in network.parameters())
