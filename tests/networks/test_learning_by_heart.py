"""Every family learns 32 simulated ECGs by heart: normal conduction from left bundle branch block, in a few steps."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ecgenough import networks
from ecgenough.networks import NETWORKS
from ecgenough.simulation import Case, simulate

STEPS = 120  # at most: most need fewer than ten
LEADS = [0, 6]  # I and V1

# One name of each family, small and without dropout, and the rates of those that want another than 0.003.
LEARNERS = {
    "alexnet": {"dropout": 0.0},
    "vgg11_bn": {"dropout": 0.0},
    "resnet18": {"width": 8},
    "attresnet": {"width": 8, "heads": 2},
    "gru": {"hidden": 32, "layers": 1},
    "crnn_gru": {"width": 8, "hidden": 32, "layers": 1},
    "transformer": {"width": 32, "layers": 1, "dropout": 0.0},
    "restransformer": {"width": 8, "layers": 1, "dropout": 0.0},
    "eegnet": {"dropout": 0.0},
    "xresnet1d50": {"dropout": 0.0},
    "inceptiontime": {"filters": 8, "groups": 1},
    "convnext1d": {"width": 8, "skip": 0.0},
    "net1d": {"size": "small", "batch_norm": True},
    "patch_transformer": {"width": 32, "layers": 2, "heads": 4, "dropout": 0.0},
    "s4d": {"width": 32, "layers": 2, "state": 16, "dropout": 0.0},
    "s4d_hybrid": {"width": 32, "layers": 1, "state": 16, "dropout": 0.0},
}
RATES = {"alexnet": 3e-4, "vgg11_bn": 3e-4, "gru": 3e-2, "convnext1d": 5e-3}


@pytest.fixture(scope="module")
def ecgs() -> tuple[Tensor, Tensor]:
    """32 ECGs of 2.56 s at 100 Hz, every other one with a left bundle branch block: `[32, 2, 256]` and `[32, 1]`."""
    labels = torch.arange(32) % 2
    blocks = [frozenset({"CLBBB"}) if label else frozenset[str]() for label in labels]
    cases = [Case(findings, record=number, patient=number) for number, findings in enumerate(blocks)]
    signal = torch.from_numpy(simulate(cases, rate=100, duration=2.56, seed=3).signal[:, LEADS])
    return signal / signal.std(dim=(0, 2), keepdim=True), labels.float()[:, None]


def test_there_is_a_learner_of_every_family() -> None:
    assert {NETWORKS[name][0] for name in LEARNERS} == {family for family, _ in NETWORKS.values()}


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_32_simulated_ecgs_by_heart(name: str, ecgs: tuple[Tensor, Tensor]) -> None:
    signals, labels = ecgs
    torch.manual_seed(0)
    network = networks.build(name, leads=len(LEADS), classes=1, **LEARNERS[name]).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATES.get(name, 3e-3))
    right = 0.0
    for _ in range(STEPS):
        logits = network(signals)
        right = ((logits > 0) == labels.bool()).float().mean().item()
        if right == 1:
            break
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logits, labels).backward()
        optimizer.step()
        network.constrain()
    assert right == 1
