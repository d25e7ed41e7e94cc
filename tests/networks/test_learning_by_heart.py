"""Networks of different kinds learn: a few steps suffice for signals that a child could tell apart."""

import pytest
import torch
from torch.nn import functional as F

from ecgenough import networks

LEARNERS = {
    "crnn_gru": {"hidden": 64, "layers": 1},
    "eegnet": {"dropout": 0.0},
    "inceptiontime": {"filters": 8},
    "patch_transformer": {"layers": 2, "heads": 4, "dropout": 0.0},
    "s4d_hybrid": {"width": 64, "dropout": 0.0},
}


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_32_separable_signals_by_heart(name: str) -> None:
    torch.manual_seed(0)
    labels = (torch.arange(32) % 2).float().unsqueeze(1)
    phase = torch.arange(256) * torch.where(labels == 1, 0.5, 0.25) + 6.28 * torch.rand(32, 1)
    signals = phase.sin().unsqueeze(1) + 0.5 * torch.randn(32, 2, 256)
    network = networks.build(name, leads=2, classes=1, **LEARNERS[name]).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(20):
        loss = F.binary_cross_entropy_with_logits(network(signals), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        network.constrain()
    assert ((network(signals) > 0) == labels.bool()).float().mean() > 0.9
