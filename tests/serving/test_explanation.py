"""Explanations add up, stand where they belong, and are the network's own: random weights give another map."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ecgenough import networks
from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import BrokenRecord, WrongRequest
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.serving.explanation import METHODS, beat_average, explain
from ecgenough.serving.explanation_files import as_png, draw_explanation, numbers, write_explanation
from ecgenough.serving.pieces import PIECES, pieces_of, without_waves
from ecgenough.signals.conditioning import condition
from ecgenough.signals.delineation import WaveEdges, wave_edges
from ecgenough.signals.store import Store
from ecgenough.simulation import Case, simulate
from ecgenough.studies import runs

Make = Callable[..., Model]


@pytest.fixture(scope="module")
def heart() -> Ecg:
    return simulate([Case(frozenset({"CLBBB"}), record=3, patient=3)], rate=250.0, seed=11).ecg(0)


@pytest.fixture(scope="module")
def trained(stores: dict[str, Store], tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Model:
    recipe = tiny.with_changes(["crop={seconds: 2.56, evaluation: mean, crops: 5}", "training.epochs=4"])
    return Model.load(runs.train(stores["superclasses"], recipe, tmp_path_factory.mktemp("run") / "run"))


SMOOTH = ("resnet18", "crnn_gru", "lstm", "transformer", "s4d_hybrid", "eegnet", "convnext1d")


@pytest.mark.parametrize("name", SMOOTH)
def test_integrated_gradients_sum_to_the_difference_of_logits(name: str, make_model: Make, heart: Ecg) -> None:
    explanation = explain(make_model(name), heart, "MI")
    assert explanation.attribution.shape == heart.signal.shape
    difference = explanation.logit - explanation.silence
    assert explanation.attribution.sum() == pytest.approx(difference, abs=0.05 * abs(difference) + 2e-3)


@pytest.mark.parametrize("rate", [100.0, 250.0, 333.0])
@pytest.mark.parametrize("seconds", [2.0, 6.1, 14.0])
def test_attributions_keep_their_sum_at_any_rate_and_length(rate: float, seconds: float, make_model: Make) -> None:
    model = make_model("resnet18", "crop={seconds: 2.5, evaluation: mean, crops: 4}")
    ecg = simulate([Case()], rate=rate, duration=seconds).ecg(0)
    explanation = explain(model, ecg, "STTC")
    assert explanation.attribution.shape == (12, ecg.samples)
    assert explanation.attribution.sum() == pytest.approx(explanation.logit - explanation.silence, rel=0.03, abs=2e-3)
    assert not explanation.attribution[:, round(10 * rate) + 1 :].any()


def test_of_a_long_recording_the_first_window_is_explained_and_said_so(make_model: Make, tmp_path: Path) -> None:
    """Its probability is of what the colour is of: the answer, a mean over windows, would not fit the colours."""
    model = make_model("resnet18")
    ecg = simulate([Case()], rate=500.0, duration=15.0).ecg(0)
    first = Ecg(ecg.signal[:, :5000], ecg.rate, ecg.leads)
    explanation, of_first = explain(model, ecg, "MI"), explain(model, first, "MI")
    assert explanation.probability == pytest.approx(of_first.probability, abs=1e-4)
    assert explanation.logit == pytest.approx(of_first.logit, abs=1e-3)
    assert (explanation.part, of_first.part) == ("its first 10 s", "")
    assert "of its first 10 s;" in draw_explanation(explanation)
    assert "of its first" not in draw_explanation(of_first)
    write_explanation(explanation, tmp_path / "why.html")
    assert "Explained is its first 10 s of 15 s" in (tmp_path / "why.html").read_text()
    assert numbers(explanation)["seconds"] == pytest.approx(10.0)


def test_only_what_the_centre_crop_shows_is_explained(make_model: Make) -> None:
    model = make_model("resnet18", "crop={seconds: 4, evaluation: centre}")
    ecg = simulate([Case()], rate=500.0).ecg(0)  # 10 s, of which 3 to 7 s are seen
    for method in ("integrated-gradients", "grad-cam"):
        course = np.abs(explain(model, ecg, "MI", method).attribution).sum(axis=0)
        assert not course[: 3 * 500 - 5].any()
        assert not course[7 * 500 + 5 :].any()
        assert course[3 * 500 + 5 : 7 * 500 - 5].any()


def test_a_linear_network_is_explained_by_its_weights(make_model: Make, heart: Ecg) -> None:
    """For a linear model integrated gradients are weight times input, and a lead's loss is that lead's sum."""

    class Linear(networks.Network):
        def __init__(self) -> None:
            super().__init__(12, 3)
            self.mix = torch.nn.Conv1d(12, 4, 1, bias=False)
            self.head = torch.nn.Linear(4, 3)

        def features(self, ecg: torch.Tensor) -> torch.Tensor:
            return self.mix(ecg)

    torch.manual_seed(0)
    model = make_model("resnet18", "crop={seconds: null}")
    model = Model(Linear(), *(getattr(model, name) for name in (
        "recipe", "task", "classes", "titles", "thresholds", "normaliser", "calibration"
    )))  # fmt: skip
    ecg = Ecg(heart.signal, 250.0, STANDARD_LEADS)
    weights = (model.network.head.weight[1] @ model.network.mix.weight[:, :, 0]).detach().numpy()  # type: ignore[operator]
    from_leads = explain(model, ecg, "MI").attribution.sum(axis=1)
    losses = explain(model, ecg, "MI", "occlusion").lead_losses
    signal = _conditioned(model, ecg)
    expected = weights * (signal / model.normaliser.scale.numpy()[:, None]).mean(axis=1)
    np.testing.assert_allclose(from_leads, expected, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(list(losses.values()), expected, rtol=1e-3, atol=1e-5)


def _conditioned(model: Model, ecg: Ecg) -> NDArray[np.float32]:
    return condition(ecg, model.recipe.signal).signal


def test_occlusion_takes_waves_out_lead_by_lead(make_model: Make, heart: Ecg) -> None:
    explanation = explain(make_model("resnet18"), heart, "MI", "occlusion")
    assert tuple(explanation.wave_losses) == PIECES
    assert tuple(explanation.lead_losses) == STANDARD_LEADS
    assert explanation.edges is not None
    for lead in explanation.attribution:  # one number a piece, and there are four
        assert 1 < len(np.unique(lead)) <= len(PIECES)
    r = np.rint(explanation.edges.r * heart.rate).astype(int)
    inside = explanation.attribution[0][r[(r > 0) & (r < heart.samples)]]
    assert len(np.unique(inside)) == 1


def test_pieces_lie_between_their_edges_and_lines_take_their_place() -> None:
    truth = simulate([Case()], rate=250.0, noise=False)
    explanation_edges = _edges(truth.signal[0], 250.0)
    number = pieces_of(explanation_edges, 2500, 250.0)
    times = np.arange(2500) / 250
    for r, onset, offset in zip(truth.waves.r[0], truth.waves.qrs_onset[0], truth.waves.qrs_offset[0], strict=True):
        if 0.5 < r < 9.5:
            qrs = number[(times > onset + 0.03) & (times < offset - 0.03)]
            assert (qrs == PIECES.index("QRS")).all()
    flat = without_waves(truth.signal[0], number)
    bends = np.abs(np.diff(flat, n=2, axis=1)).max(axis=0) > 1e-4
    cuts = np.flatnonzero(np.diff(number))
    assert set(np.flatnonzero(bends)) <= {place + step for place in cuts for step in (-1, 0)}


def _edges(signal: NDArray[np.float32], rate: float) -> WaveEdges:
    edges = wave_edges(signal, rate)
    assert edges is not None
    return edges


def test_random_weights_destroy_the_map(trained: Model, heart: Ecg) -> None:
    """Adebayo et al. 2018: a map that survives new weights shows the ECG, not the network."""
    torch.manual_seed(5)
    recipe = trained.recipe
    fresh = networks.build(recipe.network.name, leads=12, classes=len(trained.classes), **recipe.network.options)
    random = Model(fresh.eval(), recipe, trained.task, trained.classes, trained.titles, trained.thresholds,
                   trained.normaliser, trained.calibration)  # fmt: skip
    maps = [explain(model, heart, "CD").attribution.ravel() for model in (trained, trained, random)]
    assert spearmanr(maps[0], maps[1]).statistic == pytest.approx(1)
    assert abs(spearmanr(maps[0], maps[2]).statistic) < 0.4


def test_the_map_follows_what_was_planted(trained: Model) -> None:
    """A wide QRS: what speaks for a conduction disturbance gathers in QRS and T, more than time is spent there."""
    made = simulate([Case(frozenset({"CLBBB"}), row, row) for row in range(6)], rate=250.0, seed=77)
    ratios = []
    for row in range(6):
        positive = np.maximum(explain(trained, made.ecg(row), "CD").attribution, 0).sum(axis=0)
        during = made.evidence(row, "CLBBB").any(axis=0)
        ratios.append(positive[during].sum() / positive.sum() / during.mean())
    assert np.median(ratios) > 1.15


def test_the_average_beat_is_that_of_the_beats_aligned_at_r(trained: Model, heart: Ecg) -> None:
    explanation = explain(trained, heart, "CD")
    marks = np.zeros_like(explanation.attribution)
    assert explanation.edges is not None
    marks[:, np.rint(explanation.edges.r * 250).astype(int)] = 1
    mean = beat_average(explanation, marks)
    assert mean is not None
    assert mean.shape == (12, round(0.35 * 250) + round(0.55 * 250))
    assert (mean[:, round(0.35 * 250)] == 1).all()
    assert mean.sum() == pytest.approx(12)


def test_files_hold_the_picture_and_the_numbers(trained: Model, heart: Ecg, tmp_path: Path) -> None:
    explanation = explain(trained, heart, None, "integrated-gradients")
    assert write_explanation(explanation, tmp_path / "a.png") == tuple(
        tmp_path / f"a.{kind}" for kind in ("png", "json", "npz")
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "a.json").read_text())
    assert told == numbers(explanation)
    assert sum(told["lead_sums"].values()) == pytest.approx(
        told["logit"] - told["logit_of_silence"], rel=0.05, abs=0.02
    )
    with np.load(tmp_path / "a.npz") as held:
        np.testing.assert_allclose(held["attribution"], explanation.attribution, rtol=1e-6, atol=1e-7)
        assert held["beat_signal"].shape == held["beat_attribution"].shape
    write_explanation(explanation, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "not a medical device" in page
    assert min(told["lead_sums"].values()) < 0
    assert "<td>−" in page
    assert "<td>-" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    drawing = draw_explanation(explanation)
    assert drawing.count('class="trace"') == 13 + 12
    assert 'class="for"' in drawing
    assert 'class="against"' in drawing


def test_wrong_requests_are_said(trained: Model, make_model: Make, heart: Ecg, tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match=r'class "CDD" is not one of this model\. Nearest: "CD"'):
        explain(trained, heart, "CDD")
    with pytest.raises(WrongRequest, match=r'method "gradcam" is unknown\. Nearest: "grad-cam"'):
        explain(trained, heart, "CD", "gradcam")
    with pytest.raises(WrongRequest, match="cannot be written as"):
        write_explanation(explain(trained, heart, "CD", "grad-cam"), tmp_path / "a.pdf")
    rest = np.random.default_rng(0).normal(0, 1, (12, 150))
    with pytest.raises(BrokenRecord, match="fewer than three beats"):
        explain(make_model(), Ecg(rest, 100.0, STANDARD_LEADS), "MI", "occlusion")


def test_every_method_explains_every_family(make_model: Make, heart: Ecg) -> None:
    for name in ("attresnet", "patch_transformer", "gru"):
        for method in METHODS:
            assert np.isfinite(explain(make_model(name), heart, "NORM", method).attribution).all()


@pytest.mark.parametrize("weight", [400, 600])
def test_a_png_has_the_text_of_its_drawing_whatever_fonts_the_machine_has(weight: int) -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10">'
        '<text y="8" font-family="Helvetica, Arial, sans-serif" font-weight="{}">{}</text></svg>'
    )
    assert len(as_png(drawing.format(weight, "V1"))) > 1.5 * len(as_png(drawing.format(weight, "")))
