"""What is hidden, what is counted, and who is told from whom: numbers worked out by hand."""

import math

import pytest
import torch

from ecgenough import networks
from ecgenough.learning.objectives import (
    MaskedReconstruction,
    Measuring,
    View,
    build_objective,
    draw_hidden,
    masked_error,
    nt_xent,
)
from ecgenough.networks.contract import Network
from ecgenough.recipe import Contrastive, Masked, Measured, Pretraining

SMALL = {
    "resnet18": {"width": 4},
    "crnn_gru": {"width": 4, "hidden": 8, "layers": 1},
    "gru": {"hidden": 8, "layers": 1},
    "eegnet": {},
    "alexnet": {},
    "s4d": {"width": 8, "layers": 1, "state": 8},
    "s4d_hybrid": {"width": 16, "layers": 1, "state": 8},
    "transformer": {"width": 8, "layers": 1, "heads": 2},
    "patch_transformer": {"width": 16, "layers": 1, "heads": 2},
}


def small(name: str, leads: int = 2) -> Network:
    torch.manual_seed(0)
    return networks.build(name, leads=leads, classes=1, **SMALL[name])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def signal_of(lengths: list[int], samples: int) -> torch.Tensor:
    return torch.arange(samples) < torch.tensor(lengths)[:, None, None]


def test_half_of_the_patches_are_hidden_and_never_padding() -> None:
    mask = signal_of([1000, 1000, 400, 90, 30], 1000)
    hidden = draw_hidden(mask, 40, 0.5, generator())
    assert not (hidden & ~mask).any()
    patches = hidden.float().unflatten(-1, (25, 40))[:, 0]
    # 25, 25, 10, 3 and 1 patches hold signal; half of them, rounded to even, at least one
    assert (patches.amax(dim=-1) > 0).sum(dim=1).tolist() == [12, 12, 5, 2, 1]
    assert set(patches[0].mean(dim=-1).tolist()) == {0.0, 1.0}  # whole patches
    assert hidden[4].sum() == 30
    assert not torch.equal(hidden[0], hidden[1])
    assert torch.equal(hidden, draw_hidden(mask, 40, 0.5, generator()))


def test_the_error_is_of_hidden_samples_alone() -> None:
    ecg = torch.tensor([[[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]]])
    rebuilt = torch.tensor([[[9.0, 2.0, 5.0, -7.0], [9.0, 3.0, 0.0, 50.0]]])
    hidden = torch.tensor([[[False, True, True, False]]])
    # lead one: 0 and 2; lead two: 3 and 0: (0 + 4 + 9 + 0) / 4
    assert masked_error(rebuilt, ecg, hidden).item() == pytest.approx(13 / 4)
    assert masked_error(rebuilt[..., :2], ecg, hidden).item() == pytest.approx(9 / 2)  # the body dropped the end
    assert masked_error(rebuilt, ecg, torch.zeros_like(hidden)).item() == 0


def test_neither_what_is_hidden_nor_padding_is_shown() -> None:
    """Changing hidden samples changes the target, not what is rebuilt; padding changes neither."""
    seen: list[torch.Tensor] = []

    class Spy(MaskedReconstruction):
        def forward(self, ecg: torch.Tensor) -> torch.Tensor:
            seen.append(ecg)
            return torch.zeros_like(ecg)

    spy = Spy(small("resnet18"), Masked(fraction=0.25, seconds=0.4), rate=100)
    mask = signal_of([600, 1000], 1000)
    ecg = torch.randn(2, 2, 1000) * mask
    cost = spy.cost(spy, [View(ecg, mask, torch.arange(2), torch.empty(2, 0))], generator(3))
    hidden = draw_hidden(mask, 40, 0.25, generator(3))
    assert torch.equal(seen[0], ecg.masked_fill(hidden, 0))
    expected = ecg.double()[hidden.expand_as(ecg)].square().mean()
    assert cost.item() == pytest.approx(expected.item(), rel=1e-5)


def test_nt_xent_of_two_records_by_hand() -> None:
    # Directions at 0, 90, 30 and 150 degrees: records (0, 30) and (90, 150), cosines of the angles between, over t.
    degrees, t = [0, 90, 30, 150], 0.5
    embeddings = torch.stack([torch.tensor([math.cos(math.radians(d)), math.sin(math.radians(d))]) for d in degrees])
    group = torch.tensor([0, 1, 0, 1])

    def one(own: int, partner: int, *others: int) -> float:
        weight = {d: math.exp(math.cos(math.radians(own - d)) / t) for d in (partner, *others)}
        return -math.log(weight[partner] / sum(weight.values()))

    by_hand = (one(0, 30, 90, 150) + one(30, 0, 90, 150) + one(90, 150, 0, 30) + one(150, 90, 0, 30)) / 4
    assert nt_xent(embeddings, group, t).item() == pytest.approx(by_hand, rel=1e-5)
    lengths = torch.tensor([[1.0], [7.0], [0.2], [3.0]])
    assert nt_xent(embeddings * lengths, group, t).item() == pytest.approx(by_hand, rel=1e-5)  # only directions count


def test_nt_xent_of_equal_views_and_of_larger_groups() -> None:
    alike = torch.ones(6, 3)
    assert nt_xent(alike, torch.tensor([0, 1, 2, 0, 1, 2]), 0.1).item() == pytest.approx(math.log(5))
    # Three views of one patient, one of another that has no second: each finds either of two with chance 1 / 3.
    assert nt_xent(torch.ones(4, 2), torch.tensor([0, 0, 0, 1]), 0.1).item() == pytest.approx(math.log(3))
    assert nt_xent(torch.ones(2, 2), torch.tensor([0, 1]), 0.1).item() == 0


def test_what_was_not_measured_costs_nothing() -> None:
    class Silent(Measuring):
        def forward(self, ecg: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(ecg), 2)

    measured = torch.tensor([[2.0, torch.nan], [0.25, -1.0]])
    silent, ecg = Silent(small("resnet18"), 2), torch.randn(2, 2, 512)
    cost = silent.cost(silent, [View(ecg, signal_of([512, 512], 512), torch.arange(2), measured)], generator())
    # Huber's loss, quadratic within half a unit: 2 - 1/4, 1/16 and 1 - 1/4, over three measures
    assert cost.item() == pytest.approx((1.75 + 0.0625 + 0.75) / 3)


@pytest.mark.parametrize("objective", [Masked(), Contrastive(width=8), Measured()])
@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_the_body_and_the_rest_is_held(name: str, objective: Pretraining) -> None:
    network = small(name)
    learner = build_objective(objective, network, rate=100, measures=3).train()
    mask = signal_of([500, 512, 300, 512], 512)
    measured = torch.tensor(
        [[0.0, 1.0, -1.0], [torch.nan, 0.5, 2.0], [torch.nan, torch.nan, torch.nan], [3.0, 0.0, 1.0]]
    )
    views = [View(torch.randn(4, 2, 512) * mask, mask, torch.arange(4), measured) for _ in range(learner.views)]
    learner.cost(learner, views, generator()).backward()  # type: ignore[no-untyped-call]
    assert not network.head.weight.requires_grad
    for key, parameter in learner.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
        assert parameter.grad is None or parameter.grad.isfinite().all(), key
    reached = [p for p in network.stages()[0].parameters() if p.grad is not None and p.grad.any()]
    assert reached, "the first stage learns nothing"


@pytest.mark.parametrize(
    ("name", "stride"), [("resnet18", 32), ("s4d", 1), ("s4d_hybrid", 8), ("gru", 1), ("eegnet", 128)]
)
def test_each_step_of_the_features_is_decoded_to_its_samples(name: str, stride: int) -> None:
    objective = MaskedReconstruction(small(name), Masked(), rate=100)
    assert objective.stride == stride
    rebuilt = objective.eval()(torch.zeros(1, 2, 1000))
    assert rebuilt.shape == (1, 2, 1000 if name != "eegnet" else 7 * 128)  # its pools drop what fills no window


def test_rebuilt_samples_stand_in_time_and_lead_order() -> None:
    objective = MaskedReconstruction(small("s4d_hybrid"), Masked(), rate=100)
    last = objective.decoder[-1]
    torch.nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.arange(16.0))  # two leads of eight samples a step
    rebuilt = objective(torch.zeros(1, 2, 512))
    assert rebuilt[0, 0].tolist() == [*range(8)] * 64
    assert rebuilt[0, 1].tolist() == [*range(8, 16)] * 64
