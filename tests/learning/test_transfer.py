"""Each mode trains exactly what it says, in every network; frozen stages stay as they were, statistics and all."""

import copy

import pytest
import torch

from ecgenough import networks
from ecgenough.learning.transfer import Adaptation, learning_stages
from ecgenough.networks.contract import Network
from ecgenough.recipe import Transfer

EPOCHS = 4
ONE_OF_EACH_FAMILY = list({family: name for name, (family, _) in reversed(networks.NETWORKS.items())}.values())


def _network(name: str) -> Network:
    torch.manual_seed(1)
    return networks.build(name, leads=2, classes=3)


def _two_steps(adaptation: Adaptation, epoch: int) -> set[str]:
    """Train as the loop does; the names of everything in the state that changed.

    Two steps: weights behind a scale that starts at zero get their first gradient in the second.
    """
    network = adaptation.network
    optimizer = torch.optim.AdamW(adaptation.groups(0.01), lr=0.01)
    adaptation.begin_epoch(epoch, EPOCHS)
    before = copy.deepcopy(network.state_dict())
    torch.manual_seed(2)
    ecg = torch.randn(4, 2, 256)
    for _ in range(2):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(ecg), torch.ones(4, 3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def _classifier_keys(network: Network) -> set[str]:
    return {key for key in network.state_dict() if key.startswith("head.")}


@pytest.mark.parametrize("name", networks.names())
def test_frozen_trains_the_classifier_and_nothing_else(name: str) -> None:
    adaptation = Adaptation(_network(name), Transfer(mode="frozen"))
    assert _two_steps(adaptation, epoch=0) == _classifier_keys(adaptation.network)


@pytest.mark.parametrize("name", networks.names())
def test_every_mode_lets_those_stages_learn_that_it_says_and_freezes_the_others_whole(name: str) -> None:
    """In every epoch: parameters, batch-norm statistics and dropout, of which only learning stages are in training."""
    network = _network(name)
    stages = network.stages()
    ecg = torch.randn(2, 2, 256)
    for mode in ("full", "frozen", "lp-ft", "gradual", "layerwise"):
        settings = Transfer.model_validate({"mode": mode, "head_epochs": 2})
        adaptation = Adaptation(network, settings)
        for epoch in range(EPOCHS):
            adaptation.begin_epoch(epoch, EPOCHS)
            learning = learning_stages(settings, len(stages), epoch, EPOCHS)
            for index, stage in enumerate(stages):
                assert {weight.requires_grad for weight in stage.parameters()} == {index in learning}
                assert {module.training for module in stage.modules()} == {index in learning}
    Adaptation(network, Transfer(mode="frozen")).begin_epoch(0, EPOCHS)
    with torch.no_grad():
        frozen = network.pool(network.features(ecg))
        assert torch.equal(network.pool(network.features(ecg)), frozen)  # nothing is dropped
        assert torch.equal(frozen, network.eval().pool(network.features(ecg)))


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY)
def test_gradual_trains_the_thawed_stages_and_nothing_else(name: str) -> None:
    adaptation = Adaptation(_network(name), Transfer(mode="gradual"))
    network = adaptation.network
    stages = network.stages()
    thawed = {id(weight) for index in learning_stages(adaptation.settings, len(stages), 1, EPOCHS)
              for weight in stages[index].parameters()}  # fmt: skip
    expected = {key for key, weight in network.named_parameters() if id(weight) in thawed}
    changed = _two_steps(adaptation, epoch=1)
    assert expected
    assert changed & {key for key, _ in network.named_parameters()} == expected


@pytest.mark.parametrize("name", networks.names())
def test_full_trains_every_parameter(name: str) -> None:
    adaptation = Adaptation(_network(name), Transfer(mode="full"))
    changed = _two_steps(adaptation, epoch=0)
    assert {key for key, _ in adaptation.network.named_parameters()} <= changed


@pytest.mark.parametrize("name", networks.names())
def test_low_rank_updates_leave_the_weights_and_fold_in(name: str) -> None:
    network = _network(name).eval()
    ecg = torch.randn(2, 2, 256)
    before = network(ecg)
    adaptation = Adaptation(network, Transfer(mode="lora", rank=2))
    assert torch.allclose(network.eval()(ecg), before, atol=1e-5)  # an update starts at zero
    changed = _two_steps(adaptation, epoch=0)
    assert all(".parametrizations.weight.0." in key or key in _classifier_keys(network) for key in changed)
    assert any(key.endswith("up") for key in changed) or name in ("rnn", "lstm", "gru")
    after = network.eval()(ecg)
    adaptation.finish()
    assert torch.allclose(network.eval()(ecg), after, atol=1e-4)
    assert set(network.state_dict()) == set(_network(name).state_dict())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Transfer(mode="full"), [range(0, 5)] * 4),
        (Transfer(mode="layerwise"), [range(0, 5)] * 4),
        (Transfer(mode="frozen"), [range(4, 5)] * 4),
        (Transfer(mode="lora"), [range(4, 5)] * 4),
        (Transfer(mode="lp-ft", head_epochs=2), [range(4, 5), range(4, 5), range(0, 5), range(0, 5)]),
        (Transfer(mode="gradual"), [range(4, 5), range(3, 5), range(1, 5), range(0, 5)]),
    ],
)
def test_which_stages_learn_when(settings: Transfer, expected: list[range]) -> None:
    assert [learning_stages(settings, 5, epoch, EPOCHS) for epoch in range(EPOCHS)] == expected


def test_layerwise_rates_fall_toward_the_input() -> None:
    network = _network("resnet18")
    groups = Adaptation(network, Transfer(mode="layerwise", decay=0.5)).groups(1.0)
    factor = {id(parameter): group["factor"] for group in groups for parameter in group["params"]}
    for depth, stage in enumerate(reversed(network.stages())):
        assert {factor[id(parameter)] for parameter in stage.parameters()} == {0.5**depth}
    assert sum(parameter.numel() for group in groups for parameter in group["params"]) == sum(
        parameter.numel() for parameter in network.parameters()
    )


def test_weight_decay_spares_biases_norms_and_the_dynamics_of_state_spaces() -> None:
    network = _network("s4d_hybrid")
    groups = Adaptation(network).groups(1.0)
    spared = {id(parameter) for group in groups if group.get("weight_decay") == 0 for parameter in group["params"]}
    names = {name for name, parameter in network.named_parameters() if id(parameter) in spared}
    assert {"head.bias", "layers.0.space.log_decay", "layers.0.space.frequency", "layers.1.space.log_step"} <= names
    assert not names & {"head.weight", "layers.0.mix.weight", "layers.0.space.readout"}


@pytest.mark.parametrize("mode", ["frozen", "full", "lora"])
def test_learned_counts_what_moves(mode: str) -> None:
    adaptation = Adaptation(_network("resnet18"), Transfer.model_validate({"mode": mode, "rank": 2}))
    adaptation.begin_epoch(0, EPOCHS)
    moving = sum(parameter.numel() for parameter in adaptation.network.parameters() if parameter.requires_grad)
    assert adaptation.learned(EPOCHS) == moving
