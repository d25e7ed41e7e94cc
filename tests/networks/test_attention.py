import numpy as np
import pytest
import torch
from torch import nn

from ecgenough.errors import WrongRequest
from ecgenough.networks.attention import EncoderLayer, SelfAttention, add_positions, angles, rotate


def test_self_attention_is_torch_s_multi_head_attention() -> None:
    ours, theirs = SelfAttention(24, heads=4), nn.MultiheadAttention(24, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.queries_keys_values.weight,
            "in_proj_bias": ours.queries_keys_values.bias,
            "out_proj.weight": ours.mix.weight,
            "out_proj.bias": ours.mix.bias,
        }
    )
    steps = torch.randn(2, 17, 24)
    torch.testing.assert_close(ours(steps), theirs(steps, steps, steps)[0])


def test_encoder_layer_is_torch_s() -> None:
    ours = EncoderLayer(16, heads=4, dropout=0.1).eval()
    theirs = nn.TransformerEncoderLayer(16, 4, dim_feedforward=64, dropout=0.1, batch_first=True)
    theirs.load_state_dict(
        {
            "self_attn.in_proj_weight": ours.attention.queries_keys_values.weight,
            "self_attn.in_proj_bias": ours.attention.queries_keys_values.bias,
            "self_attn.out_proj.weight": ours.attention.mix.weight,
            "self_attn.out_proj.bias": ours.attention.mix.bias,
            "norm1.weight": ours.attention_norm.weight,
            "norm1.bias": ours.attention_norm.bias,
            "linear1.weight": ours.feed_forward[0].weight,
            "linear1.bias": ours.feed_forward[0].bias,
            "linear2.weight": ours.feed_forward[3].weight,
            "linear2.bias": ours.feed_forward[3].bias,
            "norm2.weight": ours.feed_forward_norm.weight,
            "norm2.bias": ours.feed_forward_norm.bias,
        }
    )
    steps = torch.randn(2, 11, 16)
    # Its fast path for evaluation is a different kernel; the plain one is taken where gradients are wanted.
    torch.testing.assert_close(ours(steps), theirs.eval()(steps), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("width", "heads", "rotary"), [(10, 4, False), (12, 4, True)])
def test_a_width_that_does_not_divide_is_refused(width: int, heads: int, rotary: bool) -> None:
    with pytest.raises(WrongRequest, match=f"width of {width} does not divide among {heads} heads"):
        SelfAttention(width, heads, rotary=rotary)


def test_positions_are_sines_and_cosines_of_falling_frequency() -> None:
    added = add_positions(torch.zeros(1, 300, 6))[0].numpy()
    time = np.arange(300)
    expected = np.stack(
        [wave(time / 10000 ** (2 * pair / 6)) for pair in range(3) for wave in (np.sin, np.cos)], axis=1
    )
    np.testing.assert_allclose(added, expected, atol=2e-5)


def test_rotary_products_depend_on_distance_alone() -> None:
    query, key = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    turn = angles(50, 8, torch.device("cpu")).double()
    queries, keys = rotate(query.expand(50, 8), turn), rotate(key.expand(50, 8), turn)
    products = queries @ keys.T
    for distance in (0, 1, 7, 30):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(products.diagonal(1)[0], products.diagonal(2)[0])


def test_a_rotary_network_tells_order_from_disorder() -> None:
    attention = SelfAttention(16, heads=2, rotary=True)
    steps = torch.randn(1, 20, 16)
    shuffled = steps[:, torch.randperm(20)]
    assert not torch.allclose(attention(steps).mean(dim=1), attention(shuffled).mean(dim=1), atol=1e-4)
