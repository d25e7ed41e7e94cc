"""Augmentations: what was drawn is applied, and nothing else changes."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import signal as scipy_signal

from ecgenough import recipe
from ecgenough.signals import augmentation
from ecgenough.signals.augmentation import STEPS, Augmenter, share_of

RATE = 100.0
SETTINGS = (
    recipe.Nothing(), recipe.Flip(), recipe.SampleDropout(), recipe.LeadDropout(), recipe.Sine(), recipe.Square(),
    recipe.Noise(amplitude=(0.1, 0.5)), recipe.CircularShift(), recipe.LeadScale(), recipe.TimeMask(),
)  # fmt: skip
EVERY = pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.kind)
VALID = torch.tensor([400, 250, 7])


def batch(records: int = 3, samples: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ECGs of three valid lengths, zero after them."""
    rng = torch.Generator().manual_seed(1)
    mask = torch.arange(samples) < VALID.repeat(records)[:records, None, None].clamp(max=samples)
    return torch.randn(records, 12, samples, generator=rng) * mask, mask


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one(settings: recipe.Section) -> Augmenter:
    return Augmenter(recipe.Augmentation(choose="all", of=(settings,)), RATE)


def constant(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1), value)


def test_every_step_of_a_recipe_has_its_augmentation() -> None:
    assert set(STEPS) == set(get_args(get_args(recipe.AugmentationStep)[0]))
    for settings in SETTINGS:
        defaults = type(settings)().model_dump(exclude={"kind"})
        assert vars(STEPS[type(settings)]()) == defaults


@EVERY
def test_the_same_seed_gives_the_same_and_padding_stays_zero(settings: recipe.Section) -> None:
    ecg, mask = batch()
    before = ecg.clone()
    first, second = (one(settings)(ecg, mask, seeded(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(ecg, before)
    assert not first.masked_select(~mask).any()
    assert (first.shape, first.dtype, first.device) == (ecg.shape, ecg.dtype, ecg.device)
    assert torch.isfinite(first).all()
    if settings.kind not in ("nothing", "flip"):
        assert not torch.equal(one(settings)(ecg, mask, seeded(4)), first)


@EVERY
def test_applying_is_a_function_of_what_was_drawn_on_any_device(settings: recipe.Section) -> None:
    ecg, mask = batch()
    augmenter = one(settings)
    drawn = augmenter.draw(ecg.shape, seeded())
    assert torch.equal(augmenter.apply(ecg, mask, drawn), augmenter.apply(ecg, mask, drawn))
    assert augmenter.apply(ecg.double(), mask, drawn).dtype == torch.float64
    assert augmenter.apply(ecg.bfloat16(), mask, drawn).dtype == torch.bfloat16
    elsewhere = tuple(tuple(parameter.to("meta") for parameter in parameters) for parameters in drawn)
    assert augmenter.apply(ecg.to("meta"), mask.to("meta"), elsewhere).device.type == "meta"


@EVERY
def test_a_share_of_a_batch_is_augmented_as_in_the_whole(settings: recipe.Section) -> None:
    ecg, mask = batch()
    for choose in ("all", "one"):
        augmenter = Augmenter(recipe.Augmentation(choose=choose, of=(settings, recipe.Flip())), RATE)
        drawn = augmenter.draw(ecg.shape, seeded())
        share = augmenter.apply(ecg[1:], mask[1:], share_of(drawn, slice(1, 3)))
        assert torch.equal(share, augmenter.apply(ecg, mask, drawn)[1:])


def test_flip_turns_the_sign() -> None:
    ecg, mask = batch()
    assert torch.equal(one(recipe.Flip())(ecg, mask, seeded()), -ecg)


def test_sample_dropout_loses_its_fraction_at_the_same_instants_of_all_leads() -> None:
    ecg, mask = torch.ones(50, 12, 1000), torch.ones(50, 1, 1000, dtype=torch.bool)
    kept = one(recipe.SampleDropout(fraction=0.1))(ecg, mask, seeded())
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
    assert float(1 - kept.mean()) == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / 50_000))


def test_lead_dropout_silences_whole_leads_at_its_probability() -> None:
    ecg, mask = torch.ones(2000, 12, 5), torch.ones(2000, 1, 5, dtype=torch.bool)
    kept = one(recipe.LeadDropout(probability=0.2))(ecg, mask, seeded())
    assert torch.equal(kept, kept[..., :1].expand_as(kept))
    assert float(1 - kept.mean()) == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / 24_000))


@pytest.mark.parametrize(
    ("step", "shape"), [(augmentation.Sine(), np.sin), (augmentation.Square(), scipy_signal.square)]
)
def test_waves_are_those_of_numpy_and_scipy_in_units_of_the_record_s_deviation(
    step: augmentation.Step, shape: np.ufunc
) -> None:
    ecg, mask = batch(1)
    amplitude, hertz, phase = 0.7, 3.3, 0.1234
    added = step.apply(ecg, mask, (constant(amplitude), constant(hertz / RATE), constant(phase))) - ecg
    deviation = np.sqrt(np.var(ecg[0].numpy().astype(np.float64), axis=-1).mean())
    wave = amplitude * deviation * shape(2 * np.pi * (hertz * np.arange(400) / RATE + phase))
    np.testing.assert_allclose(added[0].numpy(), np.tile(wave, (12, 1)), atol=2e-4)


@pytest.mark.parametrize("settings", [recipe.Sine(), recipe.Square(), recipe.Noise(amplitude=(0.1, 0.5))])
def test_amplitudes_follow_the_record_s_scale_and_not_its_level(settings: recipe.Section) -> None:
    ecg, mask = batch()
    augmenter = one(settings)
    drawn = augmenter.draw(ecg.shape, seeded())
    added = augmenter.apply(ecg, mask, drawn) - ecg
    scaled = (5 * ecg + 3) * mask
    torch.testing.assert_close(augmenter.apply(scaled, mask, drawn) - scaled, 5 * added, atol=1e-4, rtol=1e-4)


def test_waves_are_drawn_within_their_bounds_in_hertz() -> None:
    amplitude, frequency, phase = augmentation.Sine((0.25, 1.0), (0.5, 10.0)).draw(
        torch.Size((5000, 12, 9)), 500.0, seeded()
    )
    for drawn, low, high in ((amplitude, 0.25, 1.0), (frequency * 500, 0.5, 10.0), (phase, 0.0, 1.0)):
        assert low <= drawn.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < drawn.max() <= high
        assert drawn.shape == (5000, 1, 1)


def test_noise_has_its_deviation_and_differs_between_leads() -> None:
    ecg, mask = batch(1)
    noise = augmentation.Noise().apply(ecg, mask, (constant(0.2), torch.randn(1, 12, 400, generator=seeded()))) - ecg
    assert float(noise.std() / ecg.std()) == pytest.approx(0.2, rel=0.05)
    assert not torch.equal(noise[:, 0], noise[:, 1])


def test_circular_shift_is_numpy_s_roll_of_the_valid_part() -> None:
    ecg, mask = batch()
    fraction = torch.tensor([0.25, 0.5, 0.999])[:, None, None]
    shifted = augmentation.CircularShift().apply(ecg, mask, (fraction,))
    for record, (valid, by) in enumerate([(400, 100), (250, 125), (7, 6)]):
        expected = np.roll(ecg[record, :, :valid].numpy(), by, axis=-1)
        assert np.array_equal(shifted[record, :, :valid].numpy(), expected)


def test_lead_scale_stays_within_its_spread() -> None:
    ecg, mask = batch()
    factor = one(recipe.LeadScale(spread=0.1))(ecg, mask, seeded())[0] / ecg[0]
    assert torch.allclose(factor, factor[:, :1].expand_as(factor))
    assert 0.9 <= factor.min() < 1 < factor.max() <= 1.1


def test_time_mask_silences_one_stretch_within_the_signal() -> None:
    ecg, mask = torch.ones(300, 2, 400), (torch.arange(400) < VALID.repeat(100)[:, None, None])
    silent = (one(recipe.TimeMask(seconds=1.5))(ecg * mask, mask, seeded()) == 0) & mask
    assert torch.equal(silent, silent[:, :1].expand_as(silent))
    lengths = silent[:, 0].sum(dim=-1)
    assert lengths.max() <= 150
    assert lengths[0::3].max() > 130
    edges = silent[:, 0].int().diff(dim=-1).abs().sum(dim=-1)
    assert edges.max() <= 2
    # by hand: 100 samples at the middle of what 400 leave
    kept = augmentation.TimeMask().apply(ecg[:1], mask[:1], (constant(100.0), constant(0.5)))
    assert torch.equal(kept[0, 0] == 0, (torch.arange(400) >= 150) & (torch.arange(400) < 250))


def test_one_is_drawn_uniformly_for_each_record() -> None:
    ecg, mask = torch.ones(6000, 1, 4), torch.ones(6000, 1, 4, dtype=torch.bool)
    of = (recipe.Nothing(), recipe.Nothing(), recipe.Flip(), recipe.LeadDropout(probability=1.0))
    outcome = Augmenter(recipe.Augmentation(choose="one", of=of), RATE)(ecg, mask, seeded())
    assert torch.equal(outcome, outcome[..., :1].expand_as(outcome))
    for value, share in ((1, 0.5), (-1, 0.25), (0, 0.25)):
        assert float((outcome[:, 0, 0] == value).float().mean()) == pytest.approx(share, abs=0.025)


def test_all_are_applied_in_order() -> None:
    ecg, mask = batch()
    of = (recipe.LeadDropout(probability=1.0), recipe.Sine())
    there = Augmenter(recipe.Augmentation(of=of), RATE)(ecg, mask, seeded())
    back = Augmenter(recipe.Augmentation(of=of[::-1]), RATE)(ecg, mask, seeded())
    assert not there.any()  # silence has no deviation for a sine to be relative to
    assert not back.any()
    assert torch.equal(Augmenter(recipe.Augmentation(), RATE)(ecg, mask, seeded()), ecg)
