"""Several trained models that answer as one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit

from ecgenough.errors import WrongRequest
from ecgenough.model import Model, weights_digest
from ecgenough.networks.ensemble import Ensemble
from ecgenough.scoring.calibration import Calibration, log_odds

JOINED = "+"  # between the names of an ensemble's members
_ALIKE = ("signal", "crop", "normalisation")  # what all members of an ensemble are shown


def load(name_or_folder: str | Path, device: str | torch.device = "cpu") -> Model:
    """A model by its name or folder, as `Model.load` reads it; of several joined by +, what they answer together.

    Raises what `Model.load` and `ensemble` do, and WrongRequest for a member named twice.
    """
    names = _members(name_or_folder)
    if len(names) == 1:
        return Model.load(name_or_folder, device)
    return ensemble({name: Model.load(name, device) for name in names})


def digest(name_or_folder: str | Path) -> str:
    """The SHA-256 of a model's weights, as its card gives it; of several joined by +, one of all of theirs, in their order."""
    names = _members(name_or_folder)
    if len(names) == 1:
        return weights_digest(name_or_folder)
    return hashlib.sha256("".join(weights_digest(name) for name in names).encode()).hexdigest()


def short_name(name_or_folder: str | Path) -> str:
    """What a model is called without where it lies; of several joined by +, what all of them are."""
    return JOINED.join(Path(name).name or Path(name).resolve().name for name in _members(name_or_folder))


def ensemble(members: Mapping[str, Model]) -> Model:
    """The model whose answer is the mean of its members' calibrated log-odds, by the names they are known by.

    Its thresholds are the means of theirs, in log-odds too. It answers, is evaluated, explained and exported as any model;
    it is neither saved nor carried over. Raises WrongRequest for members of other tasks, or that are shown ECGs otherwise.
    """
    (leader, first), *_ = members.items()
    first.check_it_answers()
    for name, model in members.items():
        if (model.task, model.classes) != (first.task, first.classes):
            raise WrongRequest(
                f"{name} answers {model.task}, {leader} {first.task}; an ensemble's members answer alike."
            )
        for section in _ALIKE:
            if getattr(model.recipe, section) != getattr(first.recipe, section):
                raise WrongRequest(f"{name} has another {section} than {leader}; an ensemble's members see the same.")
        if model.normaliser.to_settings() != first.normaliser.to_settings():
            raise WrongRequest(f"{name} normalises otherwise than {leader}; an ensemble's members see the same.")
    models = list(members.values())
    slopes, intercepts = (
        torch.tensor([getattr(model.calibration, part) for model in models], dtype=torch.float32)
        for part in ("slope", "intercept")
    )
    network = Ensemble([model.network for model in models], slopes, intercepts)
    absent = sorted({column for model in models for column in model.calibration.absent})
    count = len(first.classes)
    return replace(
        first,
        network=network.to(next(first.network.parameters()).device).eval(),
        recipe=first.recipe.model_copy(
            update={"network": first.recipe.network.model_copy(update={"name": "ensemble"})}
        ),
        thresholds=_mean_thresholds(models),
        calibration=Calibration((1.0,) * count, (0.0,) * count, tuple(absent)),
        origin={"members": {name: dict(model.origin) for name, model in members.items()}},
        seen=np.unique(np.concatenate([model.seen for model in models])),
        seen_patients=np.unique(np.concatenate([model.seen_patients for model in models])),
        name=f"one of {' and '.join(members)}",
    )


def _members(name_or_folder: str | Path) -> tuple[str, ...]:
    """The names that a text joins; a folder whose own name has a + is one model."""
    whole = str(name_or_folder)
    if isinstance(name_or_folder, Path) or Path(whole).exists():
        return (whole,)
    names = tuple(whole.split(JOINED))
    if len(names) > 1 and "" in names:
        raise WrongRequest(
            f'the ensemble "{whole}" has a member without a name; write one before and after each {JOINED}.'
        )
    for place, one in enumerate(names):
        if one in names[:place]:
            raise WrongRequest(f'the ensemble "{whole}" names {one} twice; name each member once.')
    return names


def _mean_thresholds(models: Sequence[Model]) -> tuple[float, ...]:
    return tuple(expit(log_odds([model.thresholds for model in models]).mean(axis=0)).tolist())
