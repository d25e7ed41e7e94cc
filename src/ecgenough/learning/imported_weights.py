"""Weights that others trained, from a file on disk to a model for transfer. No code in a file is ever run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ecgenough import networks
from ecgenough.errors import EcgenoughError, WrongRequest, nearest
from ecgenough.files import write_text
from ecgenough.learning.weight_layouts import LAYOUTS, Layout
from ecgenough.model import PRETRAINED, Model
from ecgenough.networks.contract import Network
from ecgenough.scoring.calibration import Calibration
from ecgenough.sentences import counted
from ecgenough.signals.normalisation import Normaliser

State = Mapping[str, Tensor]


class _Figure:
    """Stands for a number of NumPy's, or its type, that a checkpoint keeps beside the weights; nobody reads it.

    NumPy's own trust what was pickled: of damaged bytes they end the process.
    """

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


_NUMPY = ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_FIGURES: list[Any] = [(_Figure, name) for name in _NUMPY]


@dataclass(frozen=True)
class Matching:
    """What became of every weight, by its name: those of the network here, then those of the file.

    `matched` were taken over. `missing` of the network are not in the file, and `reshaped` are there in another shape:
    both keep fresh values, as does the head. `unexpected` of the file have no place here, `unused` are known to have
    none.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    unexpected: tuple[str, ...]
    unused: tuple[str, ...]

    def sentence(self) -> str:
        """The counts, and the first name of whatever did not go as it should."""
        parts = [f"{counted(len(self.matched), 'weight')} matched"]
        for what in ("missing", "reshaped", "unexpected"):
            names = getattr(self, what)
            parts.append(f"{len(names):,} {what}" + (f" (first: {names[0]})" if names else ""))
        return f"{', '.join(parts)}; {len(self.unused):,} left out as they should be."


@dataclass(frozen=True)
class Imported:
    """A model with others' weights and no classes yet, and how its weights and its conditioning were found."""

    model: Model
    matching: Matching
    notes: tuple[str, ...]

    def save(self, folder: Path) -> None:
        """Write the model's folder, with the matching as import.json beside its files."""
        self.model.save(folder)
        write_text(folder / "import.json", json.dumps({**asdict(self.matching), "notes": self.notes}, indent=2) + "\n")


def import_weights(file: Path, layout: str, network: str | None = None) -> Imported:
    """Read weights of a published `layout` (ecgfounder or paper) into the network they belong to.

    Raises WrongRequest for an unknown layout, a file that is not there or holds more than weights, a `network` that is
    not the file's, or names of which none is the layout's; EcgenoughError for a damaged file.
    """
    if layout not in LAYOUTS:
        raise WrongRequest(f'layout "{layout}" is unknown. {nearest(layout, LAYOUTS)}')
    content = read_weights(file)
    state = _state(content, file)
    config = content.get("config")
    if layout == "paper" and not isinstance(config, Mapping):
        raise WrongRequest(f"{file} has no config beside its weights, which layout paper needs to tell the network.")
    plan = LAYOUTS[layout](config or {}, network)
    recipe = plan.recipe
    torch.manual_seed(recipe.seed)
    empty = networks.build(recipe.network.name, leads=len(recipe.signal.leads), classes=1, **recipe.network.options)
    matching = take_over(empty, state, plan)
    if not matching.matched:
        raise WrongRequest(
            f"{file}: of its {counted(len(state), 'weight')} none is of layout {layout}. Name another with --layout."
        )
    model = Model(
        network=empty.eval(),
        recipe=recipe,
        task=PRETRAINED,
        classes=(),
        titles=(),
        thresholds=(),
        normaliser=Normaliser(recipe.normalisation.kind, recipe.normalisation.across),
        calibration=Calibration.none(0),
        origin={"weights": file.name, "layout": layout, "matched": len(matching.matched)},
    )
    return Imported(model, matching, plan.notes)


def take_over(network: Network, state: State, layout: Layout) -> Matching:
    """Put the weights of a file, by the layout's names, into `network` where name and shape fit."""
    places = network.state_dict()
    head = {f"head.{name}" for name in network.head.state_dict()}
    unused = tuple(name for name in state if layout.is_unused(name))
    renamed = {name: layout.ours(name) for name in state if name not in unused}
    known = {name: ours for name, ours in renamed.items() if ours in places and ours not in head}
    fitting = {ours: _in_one_dimension(state[name], places[ours]) for name, ours in known.items() if ours is not None}
    matched = {ours: tensor for ours, tensor in fitting.items() if tensor.shape == places[ours].shape}
    network.load_state_dict(matched, strict=False)
    return Matching(
        matched=tuple(matched),
        missing=tuple(ours for ours in places if ours not in fitting and ours not in head),
        reshaped=tuple(ours for ours in fitting if ours not in matched),
        unexpected=tuple(name for name in renamed if name not in known),
        unused=unused,
    )


def _in_one_dimension(tensor: Tensor, place: Tensor) -> Tensor:
    """A kernel over an image of height one is a kernel over time: `[out, in, 1, width]` -> `[out, in, width]`."""
    over_time = tensor.ndim == 4 and place.ndim == 3 and tensor.shape[2] == 1
    return tensor.squeeze(2) if over_time else tensor


def read_weights(file: Path) -> dict[str, Any]:
    """The content of a .safetensors file or of a PyTorch checkpoint of plain values and tensors; nothing is run.

    Raises WrongRequest where there is no file or it holds objects with code, EcgenoughError where it cannot be read.
    """
    if not file.is_file():
        raise WrongRequest(f"{file} is not there. Name a .pth, .pt or .safetensors file.")
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        with torch.serialization.safe_globals(_FIGURES):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError:
        raise WrongRequest(
            f"{file} holds more than weights: opening it could run code, so it is refused. Save its state_dict alone."
        ) from None
    except (
        Exception
    ) as error:  # of damaged bytes PyTorch's unpickler raises whatever comes: IndexError, struct.error ...
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise EcgenoughError(f"{file} cannot be read as weights ({reason}); copy it again.") from None
    if not isinstance(content, dict):
        raise WrongRequest(f"{file} holds no weights by name. Save the network's state_dict.")
    return content


def _state(content: Mapping[str, Any], file: Path) -> dict[str, Tensor]:
    """The weights by name, wherever training loops put them, without the prefix of several devices."""
    found = next((content[key] for key in ("state_dict", "model_state_dict", "model") if key in content), content)
    if not isinstance(found, Mapping):
        raise WrongRequest(f"{file} holds no weights by name. Save the network's state_dict.")
    weights = {str(name).removeprefix("module."): value for name, value in found.items() if isinstance(value, Tensor)}
    if not weights:
        raise WrongRequest(f"{file} holds no weights by name. Save the network's state_dict.")
    return weights
