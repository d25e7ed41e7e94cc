"""Normalisation against numpy and scikit-learn on the valid part of each lead."""

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler

from ecgenough.errors import WrongRequest
from ecgenough.recipe import Normalisation
from ecgenough.signals.normalisation import Normaliser, fit_normaliser

KINDS = ("none", "scale", "min-max", "z-score", "robust", "log", "signed-log", "l2")
BY_SPREAD = ("scale", "min-max", "z-score", "robust")
VALID = (200, 151, 64, 1)


def ecgs(seed: int = 0, leads: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Four ECGs around levels of their own, of different valid lengths, with rubbish in the padding."""
    random = np.random.default_rng(seed)
    ecg = random.normal(random.normal(size=(4, leads, 1)), 0.3, (4, leads, 200)).astype(np.float32)
    mask = np.arange(200) < np.array(VALID)[:, None, None]
    ecg = np.where(mask, ecg, 77.0).astype(np.float32)
    return torch.from_numpy(ecg), torch.from_numpy(mask)


def a_normaliser(kind: str, across: str = "lead", leads: int = 3) -> Normaliser:
    return Normaliser(kind, across, torch.linspace(0.1, 0.4, leads) if kind == "scale" else None)


def a_store(signals: np.ndarray, valid: np.ndarray) -> Any:
    counts = signals.astype(np.int16)
    return SimpleNamespace(signals=counts, valid=valid.astype(np.int32), read=counts.__getitem__)


@pytest.mark.parametrize(
    ("kind", "scaler"),
    [("z-score", StandardScaler()), ("min-max", MinMaxScaler()), ("robust", RobustScaler())],
)
@pytest.mark.parametrize("across", ["lead", "record"])
def test_kinds_by_spread_agree_with_scikit_learn(kind: str, scaler: Any, across: str) -> None:
    ecg, mask = ecgs()
    ours = Normaliser(kind, across)(ecg, mask).numpy()
    for record, valid in enumerate(VALID[:3]):  # one sample has no spread
        signal = ecg[record, :, :valid].numpy().astype(np.float64)
        columns = signal.T if across == "lead" else signal.reshape(-1, 1)
        theirs = scaler.fit_transform(columns)
        theirs = theirs.T if across == "lead" else theirs.reshape(signal.shape)
        np.testing.assert_allclose(ours[record, :, :valid], theirs, atol=2e-5)


@pytest.mark.parametrize("across", ["lead", "record"])
def test_l2_agrees_with_scikit_learn(across: str) -> None:
    ecg, mask = ecgs()
    ours = Normaliser("l2", across)(ecg, mask).numpy()
    for record, valid in enumerate(VALID):
        signal = ecg[record, :, :valid].numpy()
        theirs = Normalizer("l2").fit_transform(signal if across == "lead" else signal.reshape(1, -1))
        np.testing.assert_allclose(ours[record, :, :valid], theirs.reshape(signal.shape), rtol=1e-5)


def test_logarithms_by_hand() -> None:
    ecg = torch.tensor([[[0.0, math.e - 1, 1 - math.e, -0.5]]])
    mask = torch.ones(1, 1, 4, dtype=torch.bool)
    half = math.log(1.5)
    torch.testing.assert_close(Normaliser("log")(ecg, mask), torch.tensor([[[0.0, 1.0, 1.0, half]]]))
    torch.testing.assert_close(Normaliser("signed-log")(ecg, mask), torch.tensor([[[0.0, 1.0, -1.0, -half]]]))


def test_scale_divides_and_keeps_relative_amplitudes_and_level() -> None:
    ecg = torch.tensor([[[0.2, 0.4, -0.6], [1.0, 1.0, 1.0]]])
    mask = torch.tensor([[[True, True, False]]])
    scaled = Normaliser("scale", "lead", torch.tensor([0.2, 0.5]))(ecg, mask)
    torch.testing.assert_close(scaled, torch.tensor([[[1.0, 2.0, 0.0], [2.0, 2.0, 0.0]]]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("across", ["lead", "record"])
def test_padding_is_exactly_zero_whatever_was_in_it(kind: str, across: str) -> None:
    ecg, mask = ecgs()
    normaliser = a_normaliser(kind, across)
    first = normaliser(ecg, mask)
    assert torch.equal(first.masked_select(~mask.expand_as(ecg)).unique(), torch.zeros(1))
    for rubbish in (0.0, -1e6, 1e9):
        again = normaliser(ecg.masked_fill(~mask, rubbish), mask)
        assert torch.equal(again, first)


@pytest.mark.parametrize("kind", BY_SPREAD[1:])
@pytest.mark.parametrize("level", [0.0, 0.3, -7.1, 1234.5678])
def test_flat_leads_become_zeros(kind: str, level: float) -> None:
    ecg, mask = ecgs()
    ecg[:, 1] = level
    normalised = Normaliser(kind, "lead")(ecg, mask)
    assert torch.isfinite(normalised).all()
    assert not normalised[:, 1].any()
    assert normalised[0, 0].any()
    assert not Normaliser(kind, "record")(torch.full_like(ecg, level), mask).any()


def test_a_lead_that_a_filter_left_a_trillionth_of_is_flat() -> None:
    _, mask = ecgs()
    ecg = 1e-12 * torch.randn(4, 3, 200, generator=torch.Generator().manual_seed(0))
    for kind in (*BY_SPREAD[1:], "l2"):
        assert not Normaliser(kind)(ecg, mask).any(), kind


def test_no_valid_sample_gives_zeros() -> None:
    ecg, mask = ecgs()
    for kind in KINDS:
        assert not a_normaliser(kind)(ecg, torch.zeros_like(mask)).any(), kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("across", ["lead", "record"])
def test_settings_survive_json(kind: str, across: str) -> None:
    ecg, mask = ecgs()
    normaliser = a_normaliser(kind, across)
    told = json.loads(json.dumps(normaliser.to_settings()))
    assert set(told) == {"kind", "across", "scale"}
    again = Normaliser.from_settings(told)
    assert torch.equal(again(ecg, mask), normaliser(ecg, mask))
    assert not again.state_dict()  # a network that holds one saves no more weights for it


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "zscore", "across": "lead", "scale": None},
        {"kind": "z-score", "across": "leads", "scale": None},
        {"kind": "scale", "across": "lead", "scale": None},
        {"kind": "l2", "across": "lead", "scale": [1.0]},
        {"kind": "scale", "across": "lead", "scale": ["a"]},
        {"kind": "scale", "across": "lead", "scale": [float("nan")]},
        {"kind": "scale", "across": "lead", "scale": [-1.0]},
        {"kind": "l2"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WrongRequest):
        Normaliser.from_settings(wrong)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("across", ["lead", "record"])
def test_device_and_precision_are_those_of_the_input(kind: str, across: str) -> None:
    ecg, mask = ecgs()
    normaliser = a_normaliser(kind, across)
    assert normaliser(ecg.double(), mask).dtype == torch.float64
    elsewhere = normaliser.to("meta")(ecg.to("meta"), mask.to("meta"))  # fails where a tensor is made on another device
    assert elsewhere.device.type == "meta"
    assert elsewhere.shape == ecg.shape


@pytest.mark.parametrize("across", ["lead", "record"])
def test_the_scale_is_numpy_s_standard_deviation_over_valid_training_samples(across: str) -> None:
    random = np.random.default_rng(5)
    signals = random.normal([[[100.0], [-900.0], [0.0]]], [[[50.0], [800.0], [3000.0]]], (40, 3, 90)).round()
    valid = random.integers(1, 91, 40)
    signals[np.arange(90) >= valid[:, None, None] + np.zeros((1, 3, 1))] = 32000
    rows = np.array([7, 3, 11, 30, 2])
    normaliser = fit_normaliser(Normalisation(kind="scale", across=across), a_store(signals, valid), rows)
    leads = [np.concatenate([signals[row, lead, : valid[row]] for row in rows]) for lead in range(3)]
    expected = [lead.std() for lead in leads] if across == "lead" else [np.concatenate(leads).std()] * 3
    assert normaliser.scale is not None
    np.testing.assert_allclose(normaliser.scale.numpy(), np.array(expected) / 1000, rtol=1e-6)


def test_the_scale_of_many_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = np.random.default_rng(1).integers(-3000, 3000, (50, 2, 64))
    store, rows = a_store(signals, np.full(50, 64)), np.arange(50)
    monkeypatch.setattr("ecgenough.signals.normalisation._BYTES_AT_ONCE", 1000)
    normaliser = fit_normaliser(Normalisation(), store, rows)
    assert normaliser.scale is not None
    np.testing.assert_allclose(normaliser.scale.numpy(), signals.std(axis=(0, 2)) / 1000, rtol=1e-6)


def test_the_scale_is_fitted_a_few_megabytes_at_a_time() -> None:
    """However many the records: what is freed here, a training on the CPU keeps."""
    store, read = a_store(np.zeros((200, 12, 1000)), np.full(200, 1000)), []
    give = store.read

    def noted(rows: np.ndarray) -> np.ndarray:
        read.append(len(rows))
        return np.asarray(give(rows))

    store.read = noted
    fit_normaliser(Normalisation(), store, np.arange(200))
    assert sum(read) == 200
    assert max(read) * 12 * 1000 * 2 <= 2_000_000


def test_a_lead_flat_in_all_of_training_scales_to_zeros() -> None:
    signals = np.random.default_rng(1).integers(-3000, 3000, (5, 2, 64))
    signals[:, 1] = 12345
    normaliser = fit_normaliser(Normalisation(), a_store(signals, np.full(5, 64)), np.arange(5))
    scaled = normaliser(torch.ones(1, 2, 64), torch.ones(1, 1, 64, dtype=torch.bool))
    assert scaled[0, 0].all()
    assert not scaled[0, 1].any()


def test_other_kinds_read_no_signal_and_no_training_records_is_said() -> None:
    assert (
        fit_normaliser(Normalisation(kind="robust"), a_store(np.zeros((0, 1, 1)), np.zeros(0)), np.arange(0)).kind
        == "robust"
    )
    with pytest.raises(WrongRequest, match="there are none"):
        fit_normaliser(Normalisation(), a_store(np.zeros((0, 1, 1)), np.zeros(0)), np.arange(0))


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from([kind for kind in KINDS if kind != "scale"]),
    across=st.sampled_from(["lead", "record"]),
    values=st.lists(st.integers(-32767, 32767), min_size=1, max_size=30),
    valid=st.integers(0, 30),
)
def test_any_stored_ecg_comes_out_finite(kind: str, across: str, values: list[int], valid: int) -> None:
    ecg = torch.tensor([values, values[::-1]], dtype=torch.float32)[None] / 1000
    mask = (torch.arange(len(values)) < valid)[None, None]
    normalised = Normaliser(kind, across)(ecg, mask)
    assert torch.isfinite(normalised).all()
    assert not normalised[..., valid:].any()
