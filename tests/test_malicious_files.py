"""One file for each class of attack that has bitten other libraries: a sentence, and nothing run, read or written elsewhere.

The numbers are those of the advisories; what is tested is that our own guards hold, whatever version is installed.
"""

import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from benchmarks.broken import broken_files
from benchmarks.guarded import Guard
from benchmarks.harnesses.models import small_model
from benchmarks.harnesses.service import BOUNDARY, multipart
from benchmarks.samples import counts_of, dicom
from onnx import TensorProto
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from safetensors.torch import load, save
from starlette.testclient import TestClient

from ecgenough.datasets.manifest import open_manifest
from ecgenough.ecg import Ecg
from ecgenough.errors import BrokenRecord, EcgenoughError, WrongRequest
from ecgenough.fetching.listings import zenodo_files
from ecgenough.fetching.unpacking import unpack
from ecgenough.formats import TableLayout, read
from ecgenough.learning.imported_weights import import_weights
from ecgenough.model import Model
from ecgenough.recipe import Recipe, load_recipe
from ecgenough.serving import onnx_model
from ecgenough.serving.export import as_onnx, onnx_card
from ecgenough.serving.limits import Limits
from ecgenough.serving.onnx_model import OnnxModel
from ecgenough.serving.service import build_app

SOON = 10.0  # seconds, on a busy machine; all of these take a part of one


class Trap:
    """What an unpickler would run: it makes a folder that a test looks for."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    (tmp_path / "in").mkdir()
    return Guard(tmp_path / "in")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's folder."""
    folder = tmp_path_factory.mktemp("model")
    small_model("eegnet", {}).save(folder)
    return folder


def copied(model: Path, to: Path, **changes: Any) -> Path:
    """The model with a changed card; weights are given as bytes and their digest is made to fit."""
    to.mkdir(exist_ok=True)
    weights = changes.pop("weights", (model / "model.safetensors").read_bytes())
    card = {**json.loads((model / "model.json").read_bytes()), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    (to / "model.json").write_text(json.dumps({**card, **changes}))
    (to / "model.safetensors").write_bytes(weights)
    return to


# --- paths and links that lead out of the folder ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../secret.dat", "{secret}", "link.dat", "folder/secret.dat"])
def test_a_header_leads_nowhere_else(name: str, tmp_path: Path, guard: Guard) -> None:
    secret, inside = tmp_path / "secret.dat", tmp_path / "in"
    secret.write_bytes(bytes(range(1, 41)))
    (inside / "link.dat").symlink_to(secret)
    (inside / "folder").symlink_to(tmp_path)
    (inside / "a.hea").write_text(f"a 1 500 20\n{name.format(secret=secret)} 16 200/mV 16 0 0 0 0 I\n")
    outcome = guard.read(inside / "a.hea")
    assert (outcome.kind, outcome.elsewhere) == ("refused", ())
    assert "lies outside its folder" in outcome.what
    (inside / "a.hea").write_text("a 1 500 20\nb.dat 16 200/mV 16 0 0 0 0 I\n")
    (inside / "b.dat").write_bytes(secret.read_bytes())
    assert guard.read(inside / "a.hea").kind == "read"


def test_a_dicomdir_s_files_are_not_followed(tmp_path: Path, guard: Guard) -> None:
    """CVE-2026-32711: pydicom's FileSet opened whatever path a DICOMDIR's Referenced File ID gave."""
    (tmp_path / "secret.dcm").write_bytes(dicom(counts_of(1, 50), 2.5, 500, ("I",)))
    record, whole = Dataset(), Dataset()
    record.DirectoryRecordType, record.ReferencedFileID = "WAVEFORM", ["..", "secret.dcm"]
    record.ReferencedSOPClassUIDInFile, record.ReferencedSOPInstanceUIDInFile = "1.2.840.10008.5.1.4.1.1.9.1.1", "1.2.3"
    whole.FileSetID, whole.DirectoryRecordSequence = "X", DicomSequence([record])
    whole.file_meta = FileMetaDataset()
    whole.file_meta.MediaStorageSOPClassUID, whole.file_meta.MediaStorageSOPInstanceUID = "1.2.840.10008.1.3.10", "1.2"
    whole.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dcmwrite(tmp_path / "in" / "DICOMDIR", whole, enforce_file_format=True)
    outcome = guard.read(tmp_path / "in" / "DICOMDIR")
    assert (outcome.kind, outcome.elsewhere) == ("refused", ())


@pytest.mark.parametrize("location", ["../secret", "{secret}", "link"])
def test_onnx_tensors_in_other_files_reach_no_loader(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2024-27318 (a path out of the folder) and CVE-2026-27489 (a link out of it)."""
    secret, folder = tmp_path / "secret", tmp_path / "model"
    folder.mkdir()
    secret.write_bytes(np.ones(64, dtype=np.float32).tobytes())
    (folder / "link").symlink_to(secret)
    made = small_model("eegnet", {})
    graph = onnx.load_from_string(as_onnx(made, onnx_card(made)))
    tensor = next(tensor for tensor in graph.graph.initializer if tensor.data_type == TensorProto.FLOAT)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location.format(secret=secret)
    (folder / "a.onnx").write_bytes(graph.SerializeToString())
    monkeypatch.setattr(onnx_model, "needed", lambda *_: pytest.fail("a loader was asked for"))
    with pytest.raises(EcgenoughError, match=r"a\.onnx keeps tensors in other files, which is not followed"):
        OnnxModel.load(folder / "a.onnx")


@pytest.mark.parametrize("name", ["../../outside", "/tmp/outside", "a/../../outside", "..\\outside"])
def test_an_archive_writes_into_its_folder_only(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.hea", "x")
        archive.writestr(name, "x")
    (tmp_path / "out" / "deep").mkdir(parents=True)
    with pytest.raises(EcgenoughError, match=r"a\.zip names a file that leads out of the folder"):
        list(unpack(tmp_path / "a.zip", tmp_path / "out" / "deep"))
    assert list((tmp_path / "out" / "deep").iterdir()) == []


@pytest.mark.parametrize("damage", ["a directory in the wrong place", "a file without a name"])
def test_a_damaged_archive_gets_a_sentence(damage: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", "content")
    content = bytearray(buffer.getvalue())
    directory, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    if damage.startswith("a directory"):
        content[end + 16 : end + 20] = struct.pack("<I", 1 << 27)
    else:
        content[directory + 28 : directory + 32] = struct.pack(
            "<HH", 0, 1
        )  # the name's byte belongs to what follows it
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(EcgenoughError, match=r"^a\.zip cannot be unpacked: [^\n]+\. Delete it and fetch it again\.$"):
        list(unpack(tmp_path / "a.zip", tmp_path / "out"))


def test_a_path_with_a_zero_byte_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"path,mi\na\x00/b,1\n")
    with pytest.raises(WrongRequest, match=r"m\.csv lists 1 file, none of them in"):
        open_manifest(tmp_path / "m.csv")


def test_a_listing_of_infinite_size_gets_a_sentence() -> None:
    text = '{"files": [{"key": "a", "links": {"self": "https://x/y"}, "checksum": "md5:0", "size": 1e999}]}'
    with pytest.raises(EcgenoughError, match="does not describe a Zenodo record"):
        zenodo_files(text, "https://zenodo.org/api/records/1")


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    said = str(WrongRequest("a\nb\x1b[31m" + "c" * 5000 + " end"))
    assert said.isprintable()
    assert said.startswith("a b [31m")
    assert said.endswith(" end")
    assert len(said) < 800


# --- pickles and configured code -------------------------------------------------------------------------------------


def test_a_pickle_in_the_weights_place_is_refused(model: Path, tmp_path: Path) -> None:
    folder = copied(model, tmp_path / "m", weights=pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(EcgenoughError, match=r"model\.json does not fit its weights"):
        Model.load(folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("form", ["zip", "legacy", "tar", "tensor"])
def test_a_checkpoint_runs_nothing(form: str, tmp_path: Path) -> None:
    """CVE-2025-32434: before 2.6, PyTorch's weights_only let the legacy tar format run code."""
    place, trap = tmp_path / "a.pth", Trap(tmp_path / "sprung")
    if form == "tar":
        with tarfile.open(place, "w") as archive:
            for name in ("sys_info", "pickle", "tensors", "storages"):
                content = pickle.dumps(trap, protocol=2)
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    else:
        content = {"state_dict": {"a": torch.zeros(2)}, "callbacks": trap} if form == "tensor" else {"state_dict": trap}
        torch.save(content, place, _use_new_zipfile_serialization=form != "legacy")
    with pytest.raises(EcgenoughError, match=r"a\.pth"):
        import_weights(place, "ecgfounder")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"\x80\x02e.", b"\x80\x02T\x01", b"\x80\x02R.", b"\x80\x02h\x05."])
def test_a_damaged_pickle_gets_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(EcgenoughError, match=r"a\.pth"):
        import_weights(tmp_path / "a.pth", "ecgfounder")


def test_what_a_checkpoint_configures_is_not_called(tmp_path: Path) -> None:
    """CVE-2026-58659: Lightning imported and called what a checkpoint's hyperparameters named."""
    place = tmp_path / "a.ckpt"
    called = {"_target_": "os.mkdir", "_instantiator": "os.mkdir", "path": str(tmp_path / "sprung")}
    weights = {"a.weight": torch.zeros(2)}
    torch.save({"state_dict": weights, "hyper_parameters": called, "hparams_name": "kwargs"}, place)
    with pytest.raises(WrongRequest, match=r"a\.ckpt: of its 1 weight none"):
        import_weights(place, "ecgfounder")
    config = {"model_type": "os.mkdir", "n_leads": 12, **called}
    torch.save({"model_state_dict": weights, "config": config}, place)
    with pytest.raises(WrongRequest, match=r'model_type "os\.mkdir"'):
        import_weights(place, "paper")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("network", ["os.mkdir", "posix:mkdir", "ecgenough.files.write_text", "keras.src.ops"])
def test_a_card_names_networks_and_nothing_else(network: str, model: Path, tmp_path: Path) -> None:
    """CVE-2025-1550: Keras imported the module and called the function that a model's config named."""
    card = json.loads((model / "model.json").read_bytes())
    section = {"name": network, "options": {"path": str(tmp_path / "sprung")}}
    folder = copied(
        model, tmp_path / "m", recipe={**card["recipe"], "network": section}, module="os", class_name="mkdir"
    )
    with pytest.raises(EcgenoughError, match=r"model\.json"):
        Model.load(folder)
    section = {"name": "eegnet", "options": {"__class__": "os.mkdir"}}
    with pytest.raises(EcgenoughError, match=r"model\.json"):
        Model.load(copied(model, tmp_path / "m", recipe={**card["recipe"], "network": section}))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.mkdir [{place}]", "!!python/name:os.mkdir", "!!python/module:os"]
)
def test_a_recipe_makes_no_objects(tag: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(f"seed: {tag.format(place=tmp_path / 'sprung')}\n")
    with pytest.raises(WrongRequest, match=r"r\.yaml is not YAML: .*could not determine a constructor"):
        load_recipe(str(tmp_path / "r.yaml"))
    with pytest.raises(WrongRequest, match="could not determine a constructor"):
        Recipe().with_changes([f"seed={tag.format(place=tmp_path / 'sprung')}"])
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["code.npz", "code.npy", "code.pkl"])
def test_arrays_of_objects_are_not_unpickled(name: str, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(guard.folder, name)
    place.write_bytes(broken_files()[name])
    monkeypatch.chdir(place.parent)
    assert guard.read(place, TableLayout(500, "mV", ("I",), "leads-by-samples")).kind == "refused"
    assert guard.seen == []
    assert [path.name for path in place.parent.iterdir()] == [name]


def test_a_changed_model_is_refused(model: Path, tmp_path: Path) -> None:
    weights = bytearray((model / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    folder = copied(model, tmp_path / "m")
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(EcgenoughError, match=r"model\.safetensors is not the file that model\.json describes"):
        Model.load(folder)


def test_weights_that_are_no_numbers_are_refused(model: Path, tmp_path: Path) -> None:
    tensors = load((model / "model.safetensors").read_bytes())
    next(tensor for tensor in tensors.values() if tensor.is_floating_point() and tensor.numel()).view(-1)[0] = torch.nan
    with pytest.raises(EcgenoughError, match=r"model\.json does not fit its weights: some of its weights are NaN"):
        Model.load(copied(model, tmp_path / "m", weights=save(tensors)))


# --- XML -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["AnnotatedECG", "RestingECG", "restingecgdata"])
@pytest.mark.parametrize(
    "declared", ['<!ENTITY x SYSTEM "file://{secret}">', '<!ENTITY % x SYSTEM "file://{secret}"> %x;']
)
def test_entities_read_no_files(root: str, declared: str, tmp_path: Path, guard: Guard) -> None:
    """CVE-2026-41066: lxml resolved external entities where a parser was not told otherwise."""
    secret = tmp_path / "secret"
    secret.write_text("told")
    place = tmp_path / "in" / "a.xml"
    place.write_text(f"<!DOCTYPE {root} [{declared.format(secret=secret)}]><{root}>&x;</{root}>")
    outcome = guard.read(place)
    assert (outcome.kind, outcome.elsewhere) == ("refused", ())
    assert "its XML declares entities, which are refused" in outcome.what
    assert "told" not in outcome.what


# --- bombs of size and shape -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["bomb.dcm", "bomb.npz", "bomb-hidden.npz", "bomb.parquet", "bomb-lzw.xml", "bomb.mat"]
)
def test_what_unpacks_without_end_is_stopped(name: str, guard: Guard) -> None:
    """pydicom inflates a deflated file of any size; NPZ, Parquet, Philips' codes and MATLAB's elements can do the same."""
    place = Path(guard.folder, name)
    place.write_bytes(broken_files()[name])
    outcome = guard.read(place)
    assert outcome.kind == "refused"
    assert any(word in outcome.what for word in ("MiB", "GiB", "declares", "expand to", "unpacks", "not a whole"))
    assert outcome.seconds < SOON


@pytest.mark.parametrize("network", [
    {"name": "eegnet", "options": {}, "leads": 10**6}, {"name": "resnet18", "options": {"width": 4096}},
    {"name": "s4d", "options": {"layers": 10**8}}, {"name": "lstm", "options": {"hidden": 10**6, "layers": 10**6}},
])  # fmt: skip
def test_a_card_cannot_ask_for_a_network_larger_than_its_weights(
    network: dict[str, Any], model: Path, tmp_path: Path
) -> None:
    """Keras issue 21880: the shape in a model file took memory before anything was compared."""
    card = json.loads((model / "model.json").read_bytes())
    classes = ["c"] * network.pop("leads", 3)
    recipe = {**card["recipe"], "network": network}
    thresholds = [0.5] * len(classes)
    folder = copied(model, tmp_path / "m", recipe=recipe, classes=classes, titles=classes, thresholds=thresholds)
    start = time.monotonic()
    told = r"model\.json does not fit its weights: .*(larger than its weights|can't allocate|network\.options)"
    with pytest.raises(EcgenoughError, match=told):
        Model.load(folder)
    assert time.monotonic() - start < SOON


def test_shapes_that_the_weights_do_not_hold_are_refused(model: Path, tmp_path: Path) -> None:
    header = {"w": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 1 << 62]}}
    packed = json.dumps(header).encode()
    weights = struct.pack("<Q", len(packed)) + packed + bytes(64)
    with pytest.raises(EcgenoughError, match=r"model\.json does not fit its weights"):
        Model.load(copied(model, tmp_path / "m", weights=weights))
    with pytest.raises(EcgenoughError, match=r"model\.json does not fit its weights"):
        Model.load(copied(model, tmp_path / "m", weights=struct.pack("<Q", 1 << 60) + b"{}"))
    with pytest.raises(EcgenoughError, match=r"model\.json does not fit its weights"):
        Model.load(copied(model, tmp_path / "m", weights=save({"other": torch.zeros(3)})))


def test_an_onnx_file_that_asks_for_more_memory_than_there_is_gets_a_sentence(tmp_path: Path) -> None:
    made = small_model("eegnet", {})
    graph = onnx.load_from_string(as_onnx(made, onnx_card(made)))
    shape = onnx.helper.make_tensor("shape", TensorProto.INT64, [1], [1 << 45])
    graph.graph.initializer.append(shape)
    extra = onnx.helper.make_node("ConstantOfShape", ["shape"], ["huge"])
    total = onnx.helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0)
    last = next(node for node in graph.graph.node if "logits" in node.output)
    last.output[list(last.output).index("logits")] = "plain"
    add = onnx.helper.make_node("Add", ["plain", "sum"], ["logits"])
    for node in graph.graph.node:
        node.input[:] = ["plain" if name == "logits" else name for name in node.input]
    graph.graph.node.extend([extra, total, add])
    (tmp_path / "a.onnx").write_bytes(graph.SerializeToString())
    ecg = Ecg(counts_of(12, 1000) * 1e-3, 100, read_leads())
    with pytest.raises(EcgenoughError, match=r"a\.onnx cannot be (loaded|run)"):
        OnnxModel.load(tmp_path / "a.onnx", threads=1).predict(ecg)


def read_leads() -> tuple[str, ...]:
    return Recipe().signal.leads


def test_a_yaml_of_a_billion_values_is_refused(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{c}: &{c} [{', '.join([f'*{chr(ord(c) - 1)}'] * 10)}]" for c in "bcdefghij"]
    (tmp_path / "r.yaml").write_text("\n".join(lines))
    start = time.monotonic()
    with pytest.raises(WrongRequest, match=r"r\.yaml is not YAML: .*more than 20,000 values"):
        load_recipe(str(tmp_path / "r.yaml"))
    (tmp_path / "r.yaml").write_text("signal: &a {rate: *a}")
    with pytest.raises(WrongRequest, match=r"one of its anchors holds itself"):
        load_recipe(str(tmp_path / "r.yaml"))
    (tmp_path / "r.yaml").write_text("signal: " + "[" * 100_000)
    with pytest.raises(WrongRequest, match=r"nest deeper than 40"):
        load_recipe(str(tmp_path / "r.yaml"))
    (tmp_path / "r.yaml").write_bytes(b"#" * (1 << 19))
    with pytest.raises(WrongRequest, match=r"r\.yaml is larger than 256 KiB"):
        load_recipe(str(tmp_path / "r.yaml"))
    assert time.monotonic() - start < SOON


# --- uploads ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    door, _ = build_app(small_model("eegnet", {}), "small", Limits(readers=1, upload=8 << 20))
    with TestClient(door) as client:
        yield client


@pytest.mark.parametrize("body", [
    b"--%s\r\n%s" % (BOUNDARY, b"a: b\r\n" * 300_000),
    b"--%s\r\nContent-Disposition: form-data; x=%s" % (BOUNDARY, b"y" * (4 << 20)),
    b"\r\n" * (1 << 20) + b"--%s--\r\n" % BOUNDARY,
    b"--%s--\r\n" % BOUNDARY + b"\r\n" * (1 << 20),
    multipart([("name=x", b"y")] * 50_000),
    multipart([("name=unit", b"y" * (3 << 20))]),
    multipart([(f'name=files; filename="{n}.hea"', b"") for n in range(5000)]),
], ids=["headers", "a header", "breaks before", "breaks behind", "fields", "a field", "files"])  # fmt: skip
def test_oversized_multipart_is_refused_soon(body: bytes, client: TestClient) -> None:
    """GHSA-pp6c-gr5w-3c5g: python-multipart took headers of any number and size."""
    start = time.monotonic()
    answer = client.post(
        "/v1/predict", content=body, headers={"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
    )
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]
    assert time.monotonic() - start < SOON


def test_forms_of_another_kind_are_not_parsed(client: TestClient) -> None:
    """CVE-2026-54283: Starlette's bounds on fields did not hold for urlencoded forms."""
    start = time.monotonic()
    body = b"&".join(b"f%d=1" % n for n in range(400_000))
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain", ""):
        answer = client.post("/v1/predict", content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["detail"][:41]) == (400, "send recordings as multipart/form-data in")
    assert time.monotonic() - start < SOON


def test_an_upload_s_header_reads_nothing_of_the_server(client: TestClient) -> None:
    for name in ("/etc/passwd", "../../../../../../etc/passwd"):
        header = f"a 1 500 10\n{name} 8 200/mV 8 0 0 0 0 I\n".encode()
        answer = client.post("/v1/predict", files=[("files", ("a.hea", header))])
        assert answer.status_code == 422
        assert "lies outside its folder" in answer.json()["detail"]


# --- MATLAB's nesting -------------------------------------------------------------------------------------------------


def test_matrices_within_matrices_do_not_overflow_the_stack(tmp_path: Path) -> None:
    """SciPy reads a matrix in a matrix by recursion in C, without a limit: some thousand end the process."""
    (tmp_path / "a.mat").write_bytes(broken_files()["nested.mat"])
    with pytest.raises(BrokenRecord, match=r"a\.mat: its matrices nest deeper than 4"):
        read(tmp_path / "a.mat")
