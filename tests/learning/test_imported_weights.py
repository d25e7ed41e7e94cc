"""Files made with the published names and shapes: every weight finds its place, and computes what it did there."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from ecgenough.ecg import STANDARD_LEADS, Ecg
from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.learning.imported_weights import import_weights
from ecgenough.model import Model
from ecgenough.recipe import Recipe
from ecgenough.signals.store import Store
from ecgenough.studies import runs

State = dict[str, Tensor]
CONFIG: dict[str, Any] = {
    "model_type": "resnet", "submodel": "18", "n_leads": 12, "ecg_len": 2048, "max_ecg_len": 5000,
    "norm": "zscore", "pre_process": "bandpass", "resnet_type": "resnet18", "rnn_layers": 2, "rnn_hidden_size": 16,
    "rnn_dropout": 0.1, "bidirectional": False, "num_heads": 8, "enc_num_layers": 2, "enc_dropout": 0.1,
    "embed_dim": 32, "dropout": 0.5, "reduction": "mean", "lr": 0.002,
}  # fmt: skip


def convolution(name: str, outputs: int, inputs: int, kernel: int, bias: bool = True) -> State:
    weights = {f"{name}.weight": torch.randn(outputs, inputs, kernel) / math.sqrt(inputs * kernel)}
    return {**weights, f"{name}.bias": torch.randn(outputs) / 10} if bias else weights


def norm(name: str, channels: int) -> State:
    return {
        f"{name}.weight": torch.rand(channels) + 0.5,
        f"{name}.bias": torch.randn(channels) / 10,
        f"{name}.running_mean": torch.randn(channels) / 10,
        f"{name}.running_var": torch.rand(channels) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def linear(name: str, outputs: int, inputs: int) -> State:
    return {f"{name}.weight": torch.randn(outputs, inputs) / 10, f"{name}.bias": torch.randn(outputs) / 10}


# --- ECGFounder ------------------------------------------------------------------------------------------------------

WIDTHS, BLOCKS = (64, 160, 160, 400, 400, 1024, 1024), (2, 2, 2, 3, 3, 4, 4)


def ecgfounder_state() -> State:
    torch.manual_seed(0)
    state = {**convolution("first_conv.conv", 64, 12, 16), **norm("first_bn", 64), **linear("dense", 150, 1024)}
    inputs = 64
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        for block in range(blocks):
            name = f"stage_list.{stage}.block_list.{block}"
            state |= {**norm(f"{name}.bn1", inputs), **norm(f"{name}.bn2", width), **norm(f"{name}.bn3", width)}
            state |= convolution(f"{name}.conv1.conv", width, inputs, 1)
            state |= convolution(f"{name}.conv2.conv", width, 16, 16)
            state |= convolution(f"{name}.conv3.conv", width, width, 1)
            state |= {**linear(f"{name}.se_fc1", width // 2, width), **linear(f"{name}.se_fc2", width, width // 2)}
            inputs = width
    return state


def ecgfounder_features(state: State, ecg: Tensor) -> Tensor:
    """The published model up to its mean over time, written as formulas over its own names."""

    def convolve(name: str, signal: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        weight, time = state[f"{name}.conv.weight"], signal.shape[-1]
        padding = max(0, (math.ceil(time / stride) - 1) * stride + weight.shape[-1] - time)
        padded = F.pad(signal, (padding // 2, math.ceil(padding / 2)))
        return F.conv1d(padded, weight, state[f"{name}.conv.bias"], stride, groups=groups)

    def swish(signal: Tensor) -> Tensor:
        return signal / (1 + torch.exp(-signal))

    def dense(name: str, values: Tensor) -> Tensor:
        return values @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    signal = swish(convolve("first_conv", ecg, 2))
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        for block in range(blocks):
            name, stride = f"stage_list.{stage}.block_list.{block}", 1 if block else 2
            path = convolve(f"{name}.conv1", signal if (stage, block) == (0, 0) else swish(signal))
            path = convolve(f"{name}.conv2", swish(path), stride, width // 16)
            path = convolve(f"{name}.conv3", swish(path))
            scale = torch.sigmoid(dense(f"{name}.se_fc2", swish(dense(f"{name}.se_fc1", path.mean(-1)))))
            if stride == 2:
                signal = F.max_pool1d(F.pad(signal, (0, 1)), 2)
            wider = torch.zeros_like(path)
            before = (width - signal.shape[1]) // 2
            wider[:, before : before + signal.shape[1]] = signal
            signal = path * scale[..., None] + wider
    return signal.mean(-1)


@pytest.fixture(scope="module")
def ecgfounder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, State]:
    path, state = tmp_path_factory.mktemp("ecgfounder") / "12_lead.pth", ecgfounder_state()
    torch.save({"state_dict": state, "step": 10000, "val_auroc": np.float64(0.92)}, path)
    return path, state


def test_every_weight_of_ecgfounder_finds_its_place(ecgfounder: tuple[Path, State]) -> None:
    path, state = ecgfounder
    imported = import_weights(path, "ecgfounder")
    used = [name for name in state if "bn" not in name and not name.startswith("dense")]
    assert len(imported.matching.matched) == len(used) == 2 + 20 * 10
    assert imported.matching.missing == imported.matching.reshaped == imported.matching.unexpected == ()
    assert sorted(imported.matching.unused) == sorted(set(state) - set(used))
    assert imported.matching.sentence().startswith("202 weights matched, 0 missing, 0 reshaped, 0 unexpected;")


@torch.no_grad()
def test_ecgfounder_computes_here_what_it_does_there(ecgfounder: tuple[Path, State]) -> None:
    path, state = ecgfounder
    network = import_weights(path, "ecgfounder").model.network
    for samples in (5000, 999):
        ecg = torch.randn(1, 12, samples)
        expected = ecgfounder_features(state, ecg)
        torch.testing.assert_close(network.pool(network.features(ecg)), expected, rtol=1e-3, atol=1e-4)


def test_the_conditioning_comes_with_the_weights(ecgfounder: tuple[Path, State], tmp_path: Path) -> None:
    imported = import_weights(ecgfounder[0], "ecgfounder", "net1d")
    imported.save(tmp_path / "model")
    model = Model.load(tmp_path / "model")
    assert (model.recipe.signal.rate, model.recipe.signal.duration) == (500, 10)
    assert (model.normaliser.kind, model.normaliser.across) == ("z-score", "record")
    report = json.loads((tmp_path / "model" / "import.json").read_text())
    assert len(report["matched"]) == 202
    assert any("notch" in note for note in report["notes"])
    ecg = Ecg(np.random.default_rng(0).normal(size=(12, 5000)).astype(np.float32), 500, STANDARD_LEADS)
    with pytest.raises(WrongRequest, match="knows no classes yet"):
        model.predict(ecg)


# --- the paper's checkpoints -----------------------------------------------------------------------------------------


def residual_state(stem: str, bn: str, stages: list[str]) -> State:
    torch.manual_seed(1)
    state = {**convolution(stem, 64, 12, 7, bias=False), **norm(bn, 64)}
    inputs = 64
    for index, stage in enumerate(stages):
        width = 64 << index
        for block in range(2):
            name = f"{stage}.{block}"
            state |= {**convolution(f"{name}.conv1", width, inputs, 3, bias=False), **norm(f"{name}.bn1", width)}
            state |= {**convolution(f"{name}.conv2", width, width, 3, bias=False), **norm(f"{name}.bn2", width)}
            if inputs != width:
                state |= convolution(f"{name}.downsample.0", width, inputs, 1, bias=False)
                state |= norm(f"{name}.downsample.1", width)
            inputs = width
    return state


def residual_features(state: State, stem: str, bn: str, stages: list[str], ecg: Tensor) -> Tensor:
    def normed(name: str, signal: Tensor) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(signal, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])

    signal = F.conv1d(ecg, state[f"{stem}.weight"], stride=2, padding=3)
    signal = F.max_pool1d(F.relu(normed(bn, signal)), 3, 2, padding=1)
    for index, stage in enumerate(stages):
        for block in range(2):
            name, stride = f"{stage}.{block}", 2 if index and not block else 1
            path = F.relu(normed(f"{name}.bn1", F.conv1d(signal, state[f"{name}.conv1.weight"], None, stride, 1)))
            path = normed(f"{name}.bn2", F.conv1d(path, state[f"{name}.conv2.weight"], padding=1))
            if stride == 2:
                signal = normed(f"{name}.downsample.1", F.conv1d(signal, state[f"{name}.downsample.0.weight"], None, 2))
            signal = F.relu(path + signal)
    return signal


PLAIN = ("conv1", "bn1", ["layer1", "layer2", "layer3", "layer4"])
INSIDE = ("resnet.0", "resnet.1", ["resnet.4", "resnet.5", "resnet.6", "resnet.7"])


def named(prefix: str, module: nn.Module) -> State:
    return {f"{prefix}.{name}": tensor for name, tensor in module.eval().state_dict().items()}


def resnet() -> tuple[State, Callable[[Tensor], Tensor]]:
    state = residual_state(*PLAIN)
    return {**state, **linear("fc", 5, 512)}, lambda ecg: residual_features(state, *PLAIN, ecg)


def recurrent() -> tuple[State, Callable[[Tensor], Tensor]]:
    cells = nn.LSTM(12, 16, 2, batch_first=True)
    return {**named("lstm", cells), **linear("fc", 5, 16)}, lambda ecg: cells(ecg.mT)[0].mT


def crnn() -> tuple[State, Callable[[Tensor], Tensor]]:
    state, cells = residual_state(*INSIDE), nn.GRU(512, 16, 2, batch_first=True)
    everything = {**state, **named("gru", cells), **linear("fc", 5, 16)}
    return everything, lambda ecg: cells(residual_features(state, *INSIDE, ecg).mT)[0].mT


def hsmnet() -> tuple[State, Callable[[Tensor], Tensor]]:
    state, attention = residual_state(*INSIDE), nn.MultiheadAttention(512, 8, batch_first=True)
    nn.init.normal_(attention.in_proj_bias)

    def features(ecg: Tensor) -> Tensor:
        steps = residual_features(state, *INSIDE, ecg).mT
        return attention(steps, steps, steps)[0].mT

    return {**state, **named("attention", attention), **linear("classifier", 5, 512)}, features


def positions(steps: Tensor) -> Tensor:
    """Vaswani et al. 2017, section 3.5, step by step."""
    _, time, width = steps.shape
    table = torch.zeros(time, width)
    for i in range(0, width, 2):
        table[:, i] = torch.sin(torch.arange(time) / 10000 ** (i / width))
        table[:, i + 1] = torch.cos(torch.arange(time) / 10000 ** (i / width))
    return steps + table


def encoder(width: int, heads: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(width, heads, 4 * width, 0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def transformer() -> tuple[State, Callable[[Tensor], Tensor]]:
    embedding, layers = nn.Conv1d(12, 32, 3, padding=1), encoder(32, 8)
    everything = {**named("embedding", embedding), **named("full_encoder", layers), **linear("fc", 5, 32)}
    return everything, lambda ecg: layers(positions(embedding(ecg).mT)).mT


def restransformer() -> tuple[State, Callable[[Tensor], Tensor]]:
    state, layers = residual_state(*INSIDE), encoder(512, 8)
    everything = {**state, **named("encoder.full_encoder", layers), **linear("encoder.fc", 5, 512)}
    return everything, lambda ecg: layers(positions(residual_features(state, *INSIDE, ecg).mT)).mT


def eegnet() -> tuple[State, Callable[[Tensor], Tensor]]:
    first = nn.Sequential(nn.Conv2d(1, 16, (1, 32), padding="same", bias=False), nn.BatchNorm2d(16)).eval()
    second = nn.Sequential(
        nn.Conv2d(16, 32, (12, 1), groups=16, bias=False), nn.BatchNorm2d(32), nn.ELU(), nn.AvgPool2d((1, 8))
    ).eval()
    third = nn.Sequential(
        nn.Conv2d(32, 32, (1, 16), groups=32, bias=False, padding="same"), nn.Conv2d(32, 32, 1, bias=False),
        nn.BatchNorm2d(32), nn.ELU(), nn.AvgPool2d((1, 16)),
    ).eval()  # fmt: skip
    blocks = {**named("block1", first), **named("block2", second), **named("block3", third)}
    return {**blocks, **linear("fc", 5, 512)}, lambda ecg: third(second(first(ecg[:, None])))[:, :, 0]


PAPER = {
    "resnet": (resnet, "resnet18", {}),
    "rnn": (recurrent, "lstm", {"submodel": "lstm"}),
    "crnn": (crnn, "crnn_gru", {"submodel": "gru"}),
    "hsmnet": (hsmnet, "attresnet", {}),
    "transformer_encoder": (transformer, "transformer", {}),
    "restransformer": (restransformer, "restransformer", {}),
    "eegnet": (eegnet, "eegnet", {}),
}


def save(path: Path, state: State, **changes: Any) -> Path:
    torch.save({"model_state_dict": state, "config": {**CONFIG, **changes}}, path)
    return path


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("family", PAPER)
def test_the_paper_s_networks_compute_here_what_they_do_there(family: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    make, name, changes = PAPER[family]
    state, features = make()
    imported = import_weights(save(tmp_path / "a.pth", state, model_type=family, **changes), "paper")
    assert imported.model.recipe.network.name == name
    assert imported.matching.missing == imported.matching.reshaped == imported.matching.unexpected == ()
    assert len(imported.matching.matched) == len(state) - 2  # all but the head's weight and bias
    ecg = torch.randn(2, 12, 512)
    torch.testing.assert_close(imported.model.network.features(ecg), features(ecg), rtol=1e-4, atol=1e-4)


def test_the_paper_s_conditioning_is_what_its_code_did(tmp_path: Path) -> None:
    recipe = import_weights(save(tmp_path / "a.pth", resnet()[0]), "paper").model.recipe
    assert (recipe.signal.rate, recipe.signal.duration, recipe.crop.seconds) == (500, 10, 4.096)
    assert (recipe.normalisation.kind, recipe.normalisation.across) == ("z-score", "lead")
    # 1-45 Hz designed for 100 Hz: the same fractions of 500 Hz
    assert recipe.signal.filter.model_dump() == {
        "kind": "band-pass", "low": 5, "high": 225, "order": 2, "zero_phase": False,
    }  # fmt: skip


def test_missing_reshaped_and_unexpected_are_told_by_name(tmp_path: Path) -> None:
    state, _ = resnet()
    del state["layer2.0.conv1.weight"]
    state["conv1.weight"] = torch.randn(64, 8, 7)
    state["layer9.weight"] = torch.zeros(3)
    imported = import_weights(save(tmp_path / "a.pth", state), "paper")
    assert imported.matching.missing == ("body.layers.1.0.path.0.0.weight",)
    assert imported.matching.reshaped == ("body.stem.0.0.weight",)
    assert imported.matching.unexpected == ("layer9.weight",)
    assert "1 missing (first: body.layers.1.0.path.0.0.weight)" in imported.matching.sentence()


def test_imported_weights_can_be_transferred(stores: dict[str, Store], tmp_path: Path) -> None:
    """As the file says, but for the rate: the shared store is of 100 Hz."""
    imported = import_weights(save(tmp_path / "a.pth", resnet()[0]), "paper")
    here = imported.model.recipe.with_changes(["signal.rate=100", "signal.filter.kind=none", "crop.seconds=2.56"])
    vars(imported.model)["recipe"] = here
    imported.save(tmp_path / "model")
    changes = ["transfer.mode=frozen", "training.epochs=1", "training.batch=32", "training.select=last"]
    recipe = runs.recipe_for_transfer(Model.load(tmp_path / "model"), Recipe().with_changes(changes))
    out = runs.transfer(tmp_path / "model", stores["embolism"], recipe, tmp_path / "run", "cpu")
    body = Model.load(out).network.state_dict()
    assert all(torch.equal(body[name], imported.model.network.state_dict()[name]) for name in imported.matching.matched)


# --- files that are not what they should be --------------------------------------------------------------------------


def test_a_file_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"state_dict": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(WrongRequest, match=r"trap\.pth holds more than weights: opening it could run code"):
        import_weights(tmp_path / "trap.pth", "ecgfounder")
    assert not (tmp_path / "sprung").exists()


def test_safetensors_and_weights_of_several_devices_are_read(tmp_path: Path) -> None:
    few = {f"module.{name}": value for name, value in convolution("first_conv.conv", 64, 12, 16).items()}
    save_file(few, tmp_path / "few.safetensors")
    matching = import_weights(tmp_path / "few.safetensors", "ecgfounder").matching
    assert set(matching.matched) == {"stem.0.weight", "stem.0.bias"}
    assert len(matching.missing) == 200


@pytest.mark.parametrize(
    ("content", "layout", "network", "sentence"),
    [
        ({"state_dict": {"a": torch.zeros(2)}}, "ecgfounder", None, "of its 1 weight none is of layout ecgfounder"),
        ({"state_dict": {"a": torch.zeros(2)}}, "ecgfonder", None, 'Nearest: "ecgfounder"'),
        ({"state_dict": {"a": torch.zeros(2)}}, "ecgfounder", "resnet18", "--network resnet18 does not go with it"),
        ({"model_state_dict": {"a": torch.zeros(2)}}, "paper", None, "has no config"),
        ({"model_state_dict": {"a": torch.zeros(2)}, "config": {}}, "paper", None, 'config has no "model_type"'),
        ({"model_state_dict": {"a": torch.zeros(2)}, "config": {**CONFIG, "model_type": "vgg"}}, "paper", None,
         'model_type "vgg" cannot be imported'),
        ({"model_state_dict": {"a": torch.zeros(2)}, "config": {**CONFIG, "norm": "zscor"}}, "paper", None,
         'norm "zscor", which is unknown. Nearest: "zscore"'),
        ({"model_state_dict": {"a": torch.zeros(2)}, "config": CONFIG}, "paper", "resnet34",
         "the file holds the network resnet18"),
        ({"model_state_dict": {"a": torch.zeros(2)}, "config": {**CONFIG, "n_leads": 1}}, "paper", None, "n_leads is 1"),
        ({"epoch": 3}, "ecgfounder", None, "holds no weights by name"),
        ([torch.zeros(2)], "ecgfounder", None, "holds no weights by name"),
    ],
)  # fmt: skip
def test_wrong_files_and_wishes_get_a_sentence(
    content: Any, layout: str, network: str | None, sentence: str, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WrongRequest) as refusal:
        import_weights(tmp_path / "a.pth", layout, network)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut off"])
def test_damaged_files_get_a_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EcgenoughError, match=name.replace(".", r"\.")):
        import_weights(tmp_path / name, "ecgfounder")
    with pytest.raises(WrongRequest, match="is not there"):
        import_weights(tmp_path / "absent.pth", "ecgfounder")


class _Altered:
    """Pickled as a NumPy type whose state is cut short, which NumPy reads past."""

    def __reduce__(self) -> tuple[object, ...]:
        return np.dtype, ("f8", False, True), (3, "<", None, -1, -1, 0)


def test_a_figure_whose_pickled_type_was_altered_does_not_end_the_process(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "val_auroc": _Altered()}, tmp_path / "altered.pth")
    program = (
        "from pathlib import Path\nfrom ecgenough.learning.imported_weights import read_weights\n"
        f"print(read_weights(Path({str(tmp_path / 'altered.pth')!r}))['state_dict']['a'].tolist())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "[1.0, 1.0]\n"), ended.stderr[-300:]
