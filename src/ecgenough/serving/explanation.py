"""What a model's answer rests on: how much each sample of each lead speaks for a class, or against it.

Integrated gradients (Sundararajan et al. 2017), Grad-CAM (Selvaraju et al. 2017) and occlusion, by captum, on what the
network sees: the normalised crops. Attributions of crops are put back where the crops came from, as means over crops like
the logits themselves, and then brought to the recording's own rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgenough.datasets.joint import joint_class
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest, nearest
from ecgenough.extras import needed
from ecgenough.model import Model
from ecgenough.networks.contract import Network
from ecgenough.networks.ensemble import Ensemble
from ecgenough.sentences import listing
from ecgenough.serving.pieces import PIECES, pieces_of, without_waves
from ecgenough.signals.conditioning import condition
from ecgenough.signals.crops import evaluation_crops, evaluation_starts
from ecgenough.signals.delineation import WaveEdges, wave_edges
from ecgenough.signals.store import MICROVOLTS, to_microvolts
from ecgenough.signals.windows import window_starts

Floats = NDArray[np.float64]
STEPS = 64  # of the path from silence to the ECG, Gauss-Legendre
AT_ONCE = 64  # crops that go through the network together


@dataclass(frozen=True, eq=False)
class Explanation:
    """How much each sample of an ECG speaks for (above 0) or against one class, in logits.

    `ecg` has the model's leads at its own rate; `attribution` is `[leads, samples]` of it, 0 where the model does not
    look; `course` is the same at the model's `rate`. Of a recording longer than the model takes at once all of this is of
    its first window, `probability` and `logit` too, while the model's answer is the mean over windows. Integrated
    gradients: the samples' shares of `logit - silence`, which they sum to, `silence` being the logit of an ECG of zeros.
    Grad-CAM: one course over time for all leads, none negative. Occlusion: at each sample what the logit loses when the
    piece it lies in (a wave in one lead, in all beats) is replaced by a line; `lead_losses` and `wave_losses` tell the
    same of whole leads, silenced, and of waves in all leads at once. `edges` are the waves, None where they were not found.
    """

    method: str
    label: str
    title: str
    probability: float
    logit: float
    silence: float
    ecg: Ecg
    attribution: Floats
    course: Floats
    rate: float
    edges: WaveEdges | None
    lead_losses: dict[str, float]
    wave_losses: dict[str, float]

    @property
    def part(self) -> str:
        """ "its first 10 s" where only that much of a longer recording is explained, else nothing."""
        seconds = self.course.shape[1] / self.rate
        return (
            f"its first {seconds:.3g} s"
            if len(window_starts(self.ecg.samples, round(seconds * self.ecg.rate))) > 1
            else ""
        )


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the network sees of an ECG: `crops` `[crops, leads, length]`, their first samples, and the whole."""

    crops: Tensor
    starts: list[int]
    signal: NDArray[np.float32]  # conditioned, mV [leads, samples], of which `valid` are signal
    valid: int


def explain(model: Model, ecg: Ecg, label: str | None = None, method: str = "integrated-gradients") -> Explanation:
    """Explain what `model` says of `ecg` about the class `label`; the likeliest class unless told.

    Of a longer recording than the model takes at once the first window is explained (`Explanation.part`).

    Raises WrongRequest for an unknown class or method or without the extra `explain`, BrokenRecord where the recording
    cannot be used, or has no beats to take apart by occlusion.
    """
    _captum()
    if method not in METHODS:
        raise WrongRequest(f'method "{method}" is unknown. {nearest(method, METHODS)}')
    model.check_it_answers()
    if method != "occlusion" and not model.network.by_gradients:
        raise WrongRequest(
            f"no gradients come through calipers, and {method} needs them; for this model choose the method occlusion."
        )
    said = model.predict(ecg)
    of_part = model.prediction(model.logits(ecg))
    label = said.classes[int(np.argmax(said.probabilities))] if label is None else label
    if label not in said.classes:
        raise WrongRequest(f'class "{label}" is not one of this model. {_instead(label, model)}')
    target = said.classes.index(label)
    seen = _seen(model, ecg)
    edges = wave_edges(seen.signal[:, : seen.valid], model.recipe.signal.rate)
    own = ecg.select(model.recipe.signal.leads)
    found = METHODS[method](model, seen, target, edges)
    return Explanation(
        method=method,
        label=label,
        title=said.titles[target],
        probability=of_part.probabilities[target],
        logit=_logit(model, seen.crops, target),
        silence=_logit(model, torch.zeros_like(seen.crops), target),
        ecg=own,
        attribution=_at_own_rate(found.course, seen.valid, model.recipe.signal.rate, own, found.share),
        course=found.course[:, : seen.valid],
        rate=model.recipe.signal.rate,
        edges=edges,
        lead_losses=dict(zip(own.leads, found.leads.tolist(), strict=False)),
        wave_losses=dict(zip(PIECES, found.waves.tolist(), strict=False)),
    )


def _instead(label: str, model: Model) -> str:
    """What to say for a class that `model` does not know by that name."""
    tasks = [task for task in model.parts if joint_class(task, label) in model.classes]
    if not tasks:
        return nearest(label, model.classes)
    return f"It is one of the task{'s' * (len(tasks) > 1)} {listing(tasks)}; say which, as with --task {tasks[0]}."


@dataclass(frozen=True, eq=False)
class _Found:
    """`course` `[leads, conditioned samples]`; `share` where samples share a sum; losses of leads and waves."""

    course: Floats
    share: bool
    leads: Floats = field(default_factory=lambda: np.zeros(0))
    waves: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be explained: as the arguments of `explain`, and of which of the model's tasks."""

    ecg: Ecg
    task: str | None = None
    label: str | None = None
    method: str = "integrated-gradients"


def explain_all(model: Model, questions: Sequence[Question]) -> list[Explanation | Exception]:
    """An explanation for each question, or the error that says why there is none."""
    return [_explanation_or_error(model, question) for question in questions]


def _explanation_or_error(model: Model, asked: Question) -> Explanation | Exception:
    try:
        of_task = model if asked.task is None else model.for_task(asked.task)
        return explain(of_task, asked.ecg, asked.label, asked.method)
    except EcgenoughError as error:
        return error


def can_explain() -> bool:
    """Whether the packages of the extra `explain` are installed."""
    return all(find_spec(package) is not None for package in ("captum", "resvg_py"))


def _integrated_gradients(model: Model, seen: _Seen, target: int, _: WaveEdges | None) -> _Found:
    method = _captum().IntegratedGradients(model.network)
    with torch.enable_grad():
        shares = method.attribute(seen.crops, target=target, n_steps=STEPS, internal_batch_size=AT_ONCE)
    return _Found(_put_back(shares, seen), share=True)


def _grad_cam(model: Model, seen: _Seen, target: int, _: WaveEdges | None) -> _Found:
    if isinstance(model.network, Ensemble):
        raise WrongRequest(
            "an ensemble has no course over time to show by grad-cam; use another method, or one member."
        )
    parted = _Parted(model.network)
    with torch.enable_grad():
        course = (
            _captum().LayerGradCam(parted, parted.body).attribute(seen.crops, target=target, relu_attributions=True)
        )
    course = _captum().LayerAttribution.interpolate(course.detach(), seen.crops.shape[-1], interpolate_mode="linear")
    return _Found(_put_back(course.expand(-1, seen.crops.shape[1], -1), seen), share=False)


def _occlusion(model: Model, seen: _Seen, target: int, edges: WaveEdges | None) -> _Found:
    if edges is None:
        raise BrokenRecord("fewer than three beats were found, so there are no waves to occlude; use another method.")
    leads, samples = seen.signal.shape
    wave = pieces_of(edges, samples, model.recipe.signal.rate)
    lead = np.arange(leads)[:, None]
    lines = np.stack(
        [without_waves(crop, part) for crop, part in zip(seen.crops.cpu().numpy(), _cut(wave, seen), strict=True)]
    )
    without = torch.from_numpy(lines).to(seen.crops)
    each = _losses(model, seen, target, lead * len(PIECES) + wave, without)
    course = each[lead * len(PIECES) + wave]
    course[:, seen.valid :] = 0
    return _Found(
        course=course,
        share=False,
        leads=_losses(model, seen, target, np.broadcast_to(lead, (leads, samples)), torch.zeros_like(without)),
        waves=_losses(model, seen, target, np.broadcast_to(wave, (leads, samples)), without),
    )


def _losses(model: Model, seen: _Seen, target: int, number: NDArray[np.int64], without: Tensor) -> Floats:
    """What the logit loses by each of the pieces that `number` `[leads, samples]` tells apart, taken out one by one.

    `without` `[crops, leads, length]` is what stands in their place. The loss is the mean over crops, like the logit.
    """
    masks = _cut(number, seen)
    lost = (
        _captum()
        .FeatureAblation(model.network)
        .attribute(
            seen.crops,
            baselines=without,
            target=target,
            feature_mask=torch.from_numpy(masks).to(seen.crops.device),
            perturbations_per_eval=8,
        )
    )
    total = np.zeros(int(number.max()) + 1)
    for crop, mask in zip(lost.detach().double().cpu().numpy(), masks, strict=True):
        of_crop = np.zeros(len(total))
        of_crop[mask] = crop
        total += of_crop / len(masks)
    return total


Method = Callable[[Model, _Seen, int, WaveEdges | None], _Found]
METHODS: dict[str, Method] = {
    "integrated-gradients": _integrated_gradients,
    "grad-cam": _grad_cam,
    "occlusion": _occlusion,
}


def methods_of(model: Model) -> tuple[str, ...]:
    """The methods that `model` can be explained by."""
    if not model.network.by_gradients:
        return ("occlusion",)
    return tuple(method for method in METHODS if method != "grad-cam" or not isinstance(model.network, Ensemble))


class _Body(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ecg: Tensor) -> Tensor:
        return self.network.features(ecg)


class _Parted(nn.Module):
    """A network as two modules, so that captum can look at the features between them."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.body, self.network = _Body(network), network

    def forward(self, ecg: Tensor) -> Tensor:
        logits: Tensor = self.network.head(self.network.pool(self.body(ecg)))
        return logits


def _seen(model: Model, ecg: Ecg) -> _Seen:
    conditioned = condition(ecg, model.recipe.signal)
    counts, _ = to_microvolts(conditioned.signal)
    signal = (counts.astype(np.float32) / np.float32(MICROVOLTS)).astype(np.float32)
    crops = _crops(model, signal, conditioned.valid)
    length = crops.shape[-1]
    starts = [0]
    if length < signal.shape[1]:
        spare = torch.tensor([max(conditioned.valid - length, 0)])
        starts = [int(start) for start in evaluation_starts(spare, model.recipe)[0]]
    return _Seen(crops, starts, signal, conditioned.valid)


def _crops(model: Model, signal: NDArray[np.float32], valid: int) -> Tensor:
    device = next(model.network.parameters()).device
    whole = torch.from_numpy(signal)[None].to(device)
    with torch.no_grad():
        return evaluation_crops(whole, torch.tensor([valid], device=device), model.recipe, model.normaliser)[0]


def _logit(model: Model, crops: Tensor, target: int) -> float:
    with torch.no_grad():
        return float(model.network(crops)[:, target].double().mean())


def _put_back(crops: Tensor, seen: _Seen) -> Floats:
    """The mean over crops of `[crops, leads, length]`, each where it came from, 0 elsewhere: `[leads, samples]`."""
    whole = np.zeros(seen.signal.shape)
    for crop, start in zip(crops.detach().double().cpu().numpy(), seen.starts, strict=True):
        whole[:, start : start + crop.shape[1]] += crop / len(seen.starts)
    return whole


def _cut(whole: NDArray[np.int64], seen: _Seen) -> NDArray[np.int64]:
    """`[..., samples]` -> `[crops, ..., length]`, cut where the crops were."""
    length = seen.crops.shape[-1]
    return np.stack([whole[..., start : start + length] for start in seen.starts])


def _at_own_rate(course: Floats, valid: int, rate: float, own: Ecg, share: bool) -> Floats:
    """`[leads, conditioned samples]` at `rate` -> `[leads, samples]` of the recording; 0 beyond what was conditioned.

    Where samples `share` a sum it stays the same: each sample's part is spread over its time.
    """
    if share:
        edges = np.arange(valid + 1) / rate
        until = np.pad(np.cumsum(course[:, :valid], axis=1), ((0, 0), (1, 0)))
        at = np.minimum(np.arange(own.samples + 1) / own.rate, edges[-1])
        at[-1] = edges[-1]  # resampling rounds the length up, so the last sample may reach beyond the recording
        return np.diff(np.stack([np.interp(at, edges, row) for row in until]), axis=1)
    at, times = np.arange(own.samples) / own.rate, np.arange(valid) / rate
    nearest_sample = np.clip(np.rint(at * rate), 0, valid - 1).astype(np.int64)
    return np.where(at <= times[-1] + 1 / rate, course[:, nearest_sample], 0.0)


def beat_average(explanation: Explanation, values: Any, before: float = 0.35, after: float = 0.55) -> Floats | None:
    """The mean over beats of `values` `[leads, samples]`, aligned at R: `[leads, before + after]`; None without beats.

    Only beats whose whole window lies on the recording count.
    """
    if explanation.edges is None:
        return None
    rate, line = explanation.ecg.rate, np.asarray(values, dtype=np.float64)
    first, last = round(before * rate), round(after * rate)
    peaks = np.rint(explanation.edges.r * rate).astype(np.int64)
    whole = [line[:, peak - first : peak + last] for peak in peaks if first <= peak <= line.shape[1] - last]
    return np.asarray(np.mean(whole, axis=0)) if whole else None


def _captum() -> Any:
    return needed("captum.attr", "explain", "explaining")
