"""Networks by name: what there is, what can be set, and building one."""

import inspect
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from ecgenough.complaints import value_complaint
from ecgenough.errors import WrongRequest, nearest
from ecgenough.networks.alexnet import AlexNet
from ecgenough.networks.attresnet import AttentionResNet
from ecgenough.networks.caliper_trees import CaliperTrees, check_fit
from ecgenough.networks.contract import Network, parameter_count
from ecgenough.networks.convnext import ConvNext
from ecgenough.networks.crnn import Crnn
from ecgenough.networks.eegnet import EegNet
from ecgenough.networks.inceptiontime import InceptionTime
from ecgenough.networks.net1d import Net1d
from ecgenough.networks.operations import operations
from ecgenough.networks.patch_transformer import PatchTransformer
from ecgenough.networks.recurrent import RecurrentNetwork
from ecgenough.networks.resnet import ResNet
from ecgenough.networks.s4d import S4d, S4dHybrid
from ecgenough.networks.transformer import ResTransformer, Transformer
from ecgenough.networks.vgg import Vgg
from ecgenough.networks.xresnet import XResNet
from ecgenough.recipe import Recipe

__all__ = ["Network", "build", "check", "describe", "match", "names", "operations", "options", "parameter_count"]

# A name stands for a family and the options that the name fixes; the family's other options are the user's.
NETWORKS: dict[str, tuple[Callable[..., Network], dict[str, Any]]] = {
    "alexnet": (AlexNet, {}),
    "vgg11": (Vgg, {"depth": 11, "batch_norm": False}),
    "vgg13": (Vgg, {"depth": 13, "batch_norm": False}),
    "vgg16": (Vgg, {"depth": 16, "batch_norm": False}),
    "vgg19": (Vgg, {"depth": 19, "batch_norm": False}),
    "vgg11_bn": (Vgg, {"depth": 11, "batch_norm": True}),
    "vgg13_bn": (Vgg, {"depth": 13, "batch_norm": True}),
    "vgg16_bn": (Vgg, {"depth": 16, "batch_norm": True}),
    "vgg19_bn": (Vgg, {"depth": 19, "batch_norm": True}),
    "resnet18": (ResNet, {"depth": 18}),
    "resnet34": (ResNet, {"depth": 34}),
    "resnet50": (ResNet, {"depth": 50}),
    "resnet101": (ResNet, {"depth": 101}),
    "resnet152": (ResNet, {"depth": 152}),
    "attresnet": (AttentionResNet, {}),
    "rnn": (RecurrentNetwork, {"cell": "rnn"}),
    "lstm": (RecurrentNetwork, {"cell": "lstm"}),
    "gru": (RecurrentNetwork, {"cell": "gru"}),
    "crnn_rnn": (Crnn, {"cell": "rnn"}),
    "crnn_lstm": (Crnn, {"cell": "lstm"}),
    "crnn_gru": (Crnn, {"cell": "gru"}),
    "transformer": (Transformer, {}),
    "restransformer": (ResTransformer, {}),
    "eegnet": (EegNet, {}),
    "xresnet1d50": (XResNet, {"depth": 50}),
    "xresnet1d101": (XResNet, {"depth": 101}),
    "inceptiontime": (InceptionTime, {}),
    "convnext1d": (ConvNext, {}),
    "net1d": (Net1d, {}),
    "patch_transformer": (PatchTransformer, {}),
    "s4d": (S4d, {}),
    "s4d_hybrid": (S4dHybrid, {}),
}
# Fitted otherwise than by gradients, which is all that most of what is said of networks is about.
FITTED: dict[str, tuple[Callable[..., Network], dict[str, Any]]] = {"caliper_trees": (CaliperTrees, {})}


def names() -> tuple[str, ...]:
    """The name of every network that learns by gradients."""
    return tuple(NETWORKS)


def match(pattern: str) -> tuple[str, ...]:
    """The names that fit a pattern such as `resnet*`. Raises WrongRequest where none does."""
    found = tuple(name for name in NETWORKS if fnmatchcase(name, pattern))
    if not found:
        raise WrongRequest(f'network "{pattern}" is unknown. {nearest(pattern.strip("*?"), NETWORKS)}')
    return found


def describe(name: str) -> str:
    """The idea of a network, in one line."""
    family, fixed = _known(name)
    told = ", ".join(_told(option.replace("_", " "), value) for option, value in fixed.items())
    idea = (inspect.getdoc(family) or "").partition("\n")[0]
    return f"{idea.removesuffix('.')}; {told}." if told else idea


def options(name: str) -> dict[str, Any]:
    """The options of a network with their defaults."""
    family, fixed = _known(name)
    parameters = inspect.signature(family).parameters.values()
    return {
        option.name: option.default
        for option in parameters
        if option.kind is option.KEYWORD_ONLY and option.name not in fixed
    }


def build(name: str, leads: int, classes: int, **options: Any) -> Network:
    """The network `name` with fresh weights, for ECGs of `leads` leads and `classes` classes.

    Draws from PyTorch's global random numbers. Raises WrongRequest for an unknown name or option, or a value that does
    not fit its option.
    """
    family, fixed = _known(name)
    if leads < 1 or classes < 1:
        raise WrongRequest(f"a network needs at least one lead and one class; asked for {leads} and {classes}.")
    return family(leads, classes, **fixed, **_checked(name, options))


def check(name: str, options: Mapping[str, Any]) -> None:
    """Raise what `build` would raise for this name and these options, without building anything."""
    _known(name)
    _checked(name, options)


def check_recipe(recipe: Recipe) -> None:
    """Raise WrongRequest for a network that there is not, and for one that cannot do what the recipe asks of it."""
    if recipe.network.name in FITTED:
        check_fit(recipe)
    check(recipe.network.name, recipe.network.options)


def _known(name: str) -> tuple[Callable[..., Network], dict[str, Any]]:
    everything = NETWORKS | FITTED
    if name not in everything:
        raise WrongRequest(f'network "{name}" is unknown. {nearest(name, everything)}')
    return everything[name]


def _checked(name: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The chosen options, each of the type and within the bounds that its family's constructor states."""
    (family, fixed), known = _known(name), options(name)
    types = get_type_hints(family.__init__, include_extras=True)
    for option, value in chosen.items():
        key = f'recipe key "network.options.{option}"'
        if option in fixed:
            raise WrongRequest(f"{key} cannot be set: the name {name} says {_told(option, fixed[option])}.")
        if option not in known:
            raise WrongRequest(f"{key} is unknown. {nearest(option, known) or f'{name} has no options.'}")
        try:
            TypeAdapter(types[option]).validate_python(value, strict=True)
        except ValidationError as error:
            raise WrongRequest(f"{key} {value_complaint(error)}") from None
    return dict(chosen)


def _told(option: str, value: Any) -> str:
    if isinstance(value, bool):
        return option if value else f"no {option}"
    return f"{option} {value}"
