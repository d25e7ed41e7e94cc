import pytest
import torch

from ecgenough import networks
from ecgenough.networks.recurrent import Cell, Recurrence


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_last_state_is_what_each_direction_holds_at_its_own_end(cell: Cell, bidirectional: bool) -> None:
    recurrence = Recurrence(cell, inputs=3, hidden=5, layers=2, dropout=0.0, bidirectional=bidirectional)
    signal = torch.randn(4, 3, 40)
    final = recurrence.cells(signal.transpose(1, 2))[1]
    final = final[0] if cell == "lstm" else final  # [layers * directions, batch, hidden], the last layer last
    expected = torch.cat(list(final[-2:]), dim=1) if bidirectional else final[-1]
    torch.testing.assert_close(recurrence.last(recurrence(signal)), expected)


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_a_bidirectional_network_reads_both_ends(name: str) -> None:
    torch.manual_seed(0)
    network = networks.build(name, leads=1, classes=2, bidirectional=True, hidden=16).eval()
    ecg = torch.randn(1, 1, 250)
    for sample in (0, 249):
        changed = ecg.clone()
        changed[..., sample] += 3
        difference = (network.pool(network.features(changed)) - network.pool(network.features(ecg))).abs()[0]
        ahead, back = difference[:16].max(), difference[16:].max()
        assert (back > 10 * ahead) if sample == 0 else (ahead > 10 * back)


def test_explanations_reach_the_input_in_evaluation() -> None:
    network = networks.build("crnn_gru", leads=2, classes=1).eval()
    ecg = torch.randn(1, 2, 300, requires_grad=True)
    network(ecg).sum().backward()
    assert ecg.grad is not None
    assert ecg.grad.any()
