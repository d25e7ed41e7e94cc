"""Losses against torch's own, hand-worked numbers and the formulas of their papers."""

import math

import pytest
import torch
from torch.nn import functional

from ecgenough.errors import WrongRequest
from ecgenough.learning.losses import asymmetric, build_loss, focal, log_odds
from ecgenough.recipe import Asymmetric, Bce, Focal, LogitAdjusted

LOGITS = torch.tensor([[0.0, 2.0], [-1.0, 0.5], [3.0, -2.0], [0.2, 0.1]])
TARGETS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])


def test_bce_is_torch_s() -> None:
    loss = build_loss(Bce(), TARGETS)
    assert loss(LOGITS, TARGETS) == functional.binary_cross_entropy_with_logits(LOGITS, TARGETS)


def test_weights_from_counts_are_negatives_over_positives() -> None:
    weight = torch.tensor([2 / 2, 3 / 1]) ** 0.5
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=weight)
    assert build_loss(Bce(positive_weight="counts", power=0.5), TARGETS)(LOGITS, TARGETS) == pytest.approx(
        float(expected)
    )


def test_given_weights_must_match_the_classes() -> None:
    with pytest.raises(WrongRequest, match="has 3 numbers for 2 classes"):
        build_loss(Bce(positive_weight=(1.0, 2.0, 3.0)), TARGETS)


def test_focal_of_one_logit_by_hand() -> None:
    # p = 1/2 for both: positive 0.7 * 0.25 * ln 2, negative 0.3 * 0.25 * ln 2
    logits, targets = torch.zeros(2, 1), torch.tensor([[1.0], [0.0]])
    assert float(focal(logits, targets, 0.7, 2.0).mean()) == pytest.approx((0.7 + 0.3) / 2 * 0.25 * math.log(2))


def test_focal_without_focus_is_half_the_cross_entropy() -> None:
    half = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS) / 2
    assert float(build_loss(Focal(alpha=0.5, gamma=0), TARGETS)(LOGITS, TARGETS)) == pytest.approx(float(half))


def test_asymmetric_without_focus_or_margin_is_cross_entropy() -> None:
    plain = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS)
    assert float(asymmetric(LOGITS, TARGETS, 0.0, 0.0, 0.0).mean()) == pytest.approx(float(plain), rel=1e-5)


def test_asymmetric_forgets_negatives_below_the_margin() -> None:
    easy = torch.full((3, 1), -4.0)  # p = 0.018 < 0.05
    assert float(build_loss(Asymmetric(margin=0.05), torch.zeros(3, 1))(easy, torch.zeros(3, 1))) == 0.0


def test_logit_adjustment_shifts_by_the_log_odds() -> None:
    shift = torch.tensor([math.log(3 / 3), math.log(2 / 4)])
    assert torch.allclose(log_odds(TARGETS), shift)
    expected = functional.binary_cross_entropy_with_logits(LOGITS + 2 * shift, TARGETS)
    assert float(build_loss(LogitAdjusted(tau=2), TARGETS)(LOGITS, TARGETS)) == pytest.approx(float(expected))


@pytest.mark.parametrize("settings", [Bce(), Focal(), Asymmetric(), LogitAdjusted()])
def test_label_smoothing_pulls_targets_toward_a_half(settings: Bce | Focal | Asymmetric | LogitAdjusted) -> None:
    smoothed = settings.model_copy(update={"label_smoothing": 0.2})
    softer = TARGETS * 0.8 + 0.1
    assert float(build_loss(smoothed, TARGETS)(LOGITS, TARGETS)) == pytest.approx(
        float(build_loss(settings, TARGETS)(LOGITS, softer))
    )


NAN = float("nan")
HALF_KNOWN = torch.tensor([[1.0, NAN], [0.0, 1.0], [NAN, 0.0], [0.0, NAN]])


def test_unknown_labels_cost_nothing_by_hand() -> None:
    # five labels are known; at logit 0 each costs ln 2, whatever it is, and an unknown one nothing
    loss = build_loss(Bce(), HALF_KNOWN)
    logits = torch.where(HALF_KNOWN.isnan(), 37.0, 0.0)
    assert float(loss(logits, HALF_KNOWN)) == pytest.approx(math.log(2))
    # one logit of 1 on a positive costs ln(1 + 1/e) instead
    logits[0, 0] = 1.0
    assert float(loss(logits, HALF_KNOWN)) == pytest.approx((4 * math.log(2) + math.log(1 + math.exp(-1))) / 5)


@pytest.mark.parametrize(
    "settings", [Bce(positive_weight="counts"), Focal(), Asymmetric(), LogitAdjusted(), Bce(label_smoothing=0.1)]
)
def test_what_is_unknown_teaches_nothing_whatever_is_answered(
    settings: Bce | Focal | Asymmetric | LogitAdjusted,
) -> None:
    loss = build_loss(settings, HALF_KNOWN)
    gradients = []
    for unknown in (-3.0, 80.0):
        logits = torch.where(HALF_KNOWN.isnan(), unknown, LOGITS).requires_grad_()
        loss(logits, HALF_KNOWN).backward()
        assert logits.grad is not None
        gradients.append(logits.grad)
    assert torch.equal(*gradients)
    assert (gradients[0][HALF_KNOWN.isnan()] == 0).all()
    assert (gradients[0][~HALF_KNOWN.isnan()] != 0).all()


def test_counts_are_of_the_known_labels() -> None:
    # class 0: one positive, two negatives; class 1: one of each
    weight = torch.tensor([2.0, 1.0])
    known = ~HALF_KNOWN.isnan()
    each = functional.binary_cross_entropy_with_logits(
        LOGITS, HALF_KNOWN.nan_to_num(), pos_weight=weight, reduction="none"
    )
    loss = build_loss(Bce(positive_weight="counts"), HALF_KNOWN)(LOGITS, HALF_KNOWN)
    assert float(loss) == pytest.approx(float(each[known].mean()))
    assert torch.allclose(log_odds(HALF_KNOWN), torch.tensor([math.log(2 / 3), 0.0]))


def test_a_batch_without_any_known_label_costs_nothing() -> None:
    assert float(build_loss(Bce(), HALF_KNOWN)(LOGITS, torch.full_like(LOGITS, NAN))) == 0.0
