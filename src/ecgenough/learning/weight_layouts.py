"""How others name the weights of networks that are also here, and what they do to an ECG before these.

Only names and settings are known of them; the networks are ecgenough's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecgenough.errors import WrongRequest, nearest
from ecgenough.recipe import BandPass, Crop, LowPassWavelet, Network, NoFilter, Normalisation, Recipe, Signal

Rules = tuple[tuple[str, str], ...]  # of a name: pattern and replacement; the first that fits the whole name counts


@dataclass(frozen=True)
class Layout:
    """Names of weights in a file -> names here; `unused` are known to have no counterpart, and why is in `notes`.

    `recipe` holds the network and the conditioning, crop and normalisation its weights expect. `notes` say where these
    differ from what the weights were trained with.
    """

    recipe: Recipe
    rules: Rules
    unused: str
    notes: tuple[str, ...]

    def ours(self, name: str) -> str | None:
        """What a weight called `name` in the file is called here, None where nothing is."""
        for pattern, replacement in self.rules:
            if re.fullmatch(pattern, name):
                return re.sub(pattern, replacement, name)
        return None

    def is_unused(self, name: str) -> bool:
        """Whether a weight called `name` in the file is known to have no counterpart here."""
        return re.fullmatch(self.unused, name) is not None


NO_HEAD = "the file does not name its classes, so its head is left out and a fresh one waits for transfer."

# --- ECGFounder (Li et al. 2025, arXiv 2410.04133) ------------------------------------------------------------------

_NET1D: Rules = (
    (r"first_conv\.conv\.(.+)", r"stem.0.\1"),
    (r"stage_list\.(\d+)\.block_list\.(\d+)\.conv1\.conv\.(.+)", r"layers.\1.\2.widen.\3"),
    (r"stage_list\.(\d+)\.block_list\.(\d+)\.conv2\.conv\.(.+)", r"layers.\1.\2.grouped.\3"),
    (r"stage_list\.(\d+)\.block_list\.(\d+)\.conv3\.conv\.(.+)", r"layers.\1.\2.mix.\3"),
    (r"stage_list\.(\d+)\.block_list\.(\d+)\.se_fc1\.(.+)", r"layers.\1.\2.squeeze.\3"),
    (r"stage_list\.(\d+)\.block_list\.(\d+)\.se_fc2\.(.+)", r"layers.\1.\2.excite.\3"),
)


def ecgfounder(config: Mapping[str, Any], network: str | None) -> Layout:  # noqa: ARG001 - no settings in its files
    """The published 12-lead model: 500 Hz, 10 s, one z-score over all leads of a record together."""
    if network not in (None, "net1d"):
        raise WrongRequest(f"layout ecgfounder is of the network net1d; --network {network} does not go with it.")
    settings = Recipe(
        signal=Signal(rate=500, duration=10, filter=BandPass(low=0.67, high=40, order=4, zero_phase=True)),
        crop=Crop(),
        normalisation=Normalisation(kind="z-score", across="record"),
        network=Network(name="net1d"),
    )
    notes = (
        NO_HEAD,
        "its batch norms are stored but never used, and are left out.",
        "band-pass 0.67-40 Hz stands for its filters; its notch at the mains and its median-filtered baseline are not "
        "there: the band-pass leaves little of either.",
    )
    return Layout(settings, _NET1D, r"dense\..+|(.+\.)?(first_bn|bn[123])\..+", notes)


# --- the checkpoints of Marques & Oliveira 2025 (arXiv 2503.08960) --------------------------------------------------

_RATE = 500.0
_IN_BLOCK = {
    "conv1": "path.0.0", "bn1": "path.0.1",
    "conv2": "path.2.0", "bn2": "path.2.1",
    "conv3": "path.4.0", "bn3": "path.4.1",
    r"downsample\.0": "shortcut.0", r"downsample\.1": "shortcut.1",
}  # fmt: skip


def _residual(stem: str, norm: str, stages: tuple[str, ...]) -> Rules:
    """A residual body whose stem, first norm and stages go by these names."""
    beginning = ((rf"{stem}\.(.+)", r"body.stem.0.0.\1"), (rf"{norm}\.(.+)", r"body.stem.0.1.\1"))
    blocks = (
        (rf"{stage}\.(\d+)\.{old}\.(.+)", rf"body.layers.{index}.\1.{new}.\2")
        for index, stage in enumerate(stages)
        for old, new in _IN_BLOCK.items()
    )
    return (*beginning, *blocks)


def _encoder(prefix: str) -> Rules:
    """PyTorch's own transformer encoder."""
    names = {
        r"self_attn\.in_proj_(weight|bias)": "attention.queries_keys_values",
        r"self_attn\.out_proj\.(weight|bias)": "attention.mix",
        r"linear1\.(weight|bias)": "feed_forward.0",
        r"linear2\.(weight|bias)": "feed_forward.3",
        r"norm1\.(weight|bias)": "attention_norm",
        r"norm2\.(weight|bias)": "feed_forward_norm",
    }
    return tuple((rf"{prefix}\.layers\.(\d+)\.{old}", rf"encoder.\1.{new}.\2") for old, new in names.items())


_RESNET = _residual("conv1", "bn1", ("layer1", "layer2", "layer3", "layer4"))
_BODY = _residual(r"resnet\.0", r"resnet\.1", tuple(rf"resnet\.{child}" for child in (4, 5, 6, 7)))
_CELLS: Rules = ((r"(?:rnn|lstm|gru)\.(.+)", r"recurrence.cells.\1"),)
_ATTENTION: Rules = (
    (r"attention\.in_proj_(weight|bias)", r"attention.queries_keys_values.\1"),
    (r"attention\.out_proj\.(.+)", r"attention.mix.\1"),
)
_EEGNET: Rules = (
    (r"block1\.0\.(.+)", r"temporal.1.\1"), (r"block1\.1\.(.+)", r"temporal.2.\1"),
    (r"block2\.0\.(.+)", r"mixture.\1"), (r"block2\.1\.(.+)", r"after_mixture.0.\1"),
    (r"block3\.0\.(.+)", r"separable.1.\1"), (r"block3\.1\.(.+)", r"separable.2.\1"),
    (r"block3\.2\.(.+)", r"separable.3.\1"),
)  # fmt: skip
_RULES: dict[str, Rules] = {
    "resnet": _RESNET,
    "rnn": _CELLS,
    "crnn": (*_BODY, *_CELLS),
    "hsmnet": (*_BODY, *_ATTENTION),
    "transformer_encoder": ((r"embedding\.(.+)", r"embedding.\1"), *_encoder("full_encoder")),
    "restransformer": (*_BODY, *_encoder(r"encoder\.full_encoder")),
    "eegnet": _EEGNET,
}
_FILTERS = {
    "none": NoFilter(),
    "default": LowPassWavelet(high=50, order=2, baseline_below=None),
    # Designed for 100 Hz and used at 500 Hz, so 1-45 Hz became 5-225 Hz; once forward, so causal.
    "bandpass": BandPass(low=5, high=225, order=2, zero_phase=False),
}
_NORMS = {"none": "none", "minmax": "min-max", "zscore": "z-score", "rscal": "robust", "logscal": "log", "l2": "l2"}


def paper(config: Mapping[str, Any], network: str | None) -> Layout:
    """A checkpoint as the paper's code saves it, `config` being the settings it was trained with."""
    family = str(_setting(config, "model_type"))
    if family not in _RULES:
        raise WrongRequest(
            f'model_type "{family}" cannot be imported: its network here differs from the published one, or is not '
            f"there. {nearest(family, _RULES)}"
        )
    name, options = _paper_network(family, config)
    if network not in (None, name):
        raise WrongRequest(f"the file holds the network {name}; --network {network} does not go with it.")
    if _setting(config, "n_leads") != 12:
        raise WrongRequest(
            f"n_leads is {config['n_leads']} in the file; only networks of the 12 usual leads are known."
        )
    settings = Recipe.of(
        {
            "signal": {"rate": _RATE, "duration": _setting(config, "max_ecg_len") / _RATE,
                       "filter": _choice(config, "pre_process", _FILTERS).model_dump()},
            "crop": {"seconds": _setting(config, "ecg_len") / _RATE, "evaluation": "centre"},
            "normalisation": {"kind": _choice(config, "norm", _NORMS), "across": "lead"},
            "network": {"name": name, "options": options},
        }
    )  # fmt: skip
    notes = (NO_HEAD, "filters run before padding here, after it there: short records may come out otherwise.")
    return Layout(settings, _RULES[family], r"(fc|classifier|encoder\.fc)\..+", notes)


def _paper_network(family: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The network's name here, and its options."""
    depth = {"depth": int(str(config.get("resnet_type", "resnet18")).removeprefix("resnet"))}
    recurrent = {
        "hidden": config.get("rnn_hidden_size", 256),
        "layers": config.get("rnn_layers", 2),
        "dropout": float(config.get("rnn_dropout", 0.0)),
        "bidirectional": bool(config.get("bidirectional", False)),
    }
    encoder = {
        "layers": config.get("enc_num_layers", 2),
        "heads": config.get("num_heads", 4),
        "dropout": float(config.get("enc_dropout", 0.1)),
    }
    match family:
        case "resnet":
            return f"resnet{_setting(config, 'submodel')}", {}
        case "rnn":
            return str(_setting(config, "submodel")), recurrent
        case "crnn":
            return f"crnn_{_setting(config, 'submodel')}", {**depth, **recurrent}
        case "hsmnet":
            return "attresnet", {**depth, "readout": "mean"}  # how it is read belongs to the head, which is fresh
        case "restransformer":
            return "restransformer", {**depth, **encoder}
        case "transformer_encoder":
            return "transformer", {"width": _setting(config, "embed_dim"), **encoder}
        case _:
            return "eegnet", {"dropout": float(config.get("dropout", 0.5))}


def _setting(config: Mapping[str, Any], key: str) -> Any:
    if key not in config:
        raise WrongRequest(f'the file\'s config has no "{key}"; only files saved with their whole config can be read.')
    return config[key]


def _choice(config: Mapping[str, Any], key: str, known: Mapping[str, Any]) -> Any:
    value = str(_setting(config, key))
    if value not in known:
        raise WrongRequest(f'the file\'s config has {key} "{value}", which is unknown. {nearest(value, known)}')
    return known[value]


LAYOUTS = {"ecgfounder": ecgfounder, "paper": paper}
