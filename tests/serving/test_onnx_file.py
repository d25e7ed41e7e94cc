"""A file that points at others is refused wherever it does so; nothing that is no ONNX gets further than a sentence."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from ecgenough.errors import EcgenoughError, WrongRequest
from ecgenough.model import Model
from ecgenough.serving.export import as_onnx
from ecgenough.serving.onnx_file import check_self_contained, read_onnx
from ecgenough.serving.onnx_model import OnnxModel


def outside(name: str = "w") -> TensorProto:
    """A tensor whose data is said to be in the machine's list of users."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return tensor


def graph(**parts: object) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])
    return helper.make_graph(parts.pop("nodes", []), "g", [], [output], **parts)  # type: ignore[arg-type]


def constant(value: object) -> onnx.NodeProto:
    key = "sparse_value" if isinstance(value, onnx.SparseTensorProto) else "value"
    return helper.make_node("Constant", [], ["w"], **{key: value})


def hidden_in(place: str) -> onnx.ModelProto:
    sparse = onnx.SparseTensorProto(values=outside(), dims=[4])
    branch = graph(nodes=[constant(outside())])
    match place:
        case "initializer":
            return helper.make_model(graph(initializer=[outside()]))
        case "sparse initializer":
            return helper.make_model(graph(sparse_initializer=[sparse]))
        case "constant":
            return helper.make_model(graph(nodes=[constant(outside())]))
        case "sparse constant":
            return helper.make_model(graph(nodes=[constant(sparse)]))
        case "branch":
            node = helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)
            return helper.make_model(graph(nodes=[node]))
        case "function":
            function = helper.make_function("d", "f", [], ["w"], [constant(outside())], [])
            return helper.make_model(graph(), functions=[function])
        case "training":
            model = helper.make_model(graph())
            model.training_info.add().algorithm.CopyFrom(branch)
            return model
    raise AssertionError(place)


PLACES = ("initializer", "sparse initializer", "constant", "sparse constant", "branch", "function", "training")


@pytest.mark.parametrize("place", PLACES)
def test_a_tensor_in_another_file_is_found_wherever_it_hides(place: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(hidden_in(place).SerializeToString())
    with pytest.raises(EcgenoughError, match="keeps tensors in other files, which is not followed"):
        OnnxModel.load(path)


def test_a_location_without_the_mark_of_an_external_tensor_is_refused_as_well() -> None:
    tensor = outside()
    tensor.data_location = TensorProto.DEFAULT
    with pytest.raises(EcgenoughError, match="other files"):
        check_self_contained(helper.make_model(graph(initializer=[tensor])).SerializeToString(), "m")


def test_a_file_that_holds_all_its_tensors_passes() -> None:
    inside = numpy_helper.from_array(np.ones(3, np.float32), "w")
    node = helper.make_node("If", ["c"], ["w"], then_branch=graph(nodes=[constant(inside)]), else_branch=graph())
    check_self_contained(helper.make_model(graph(nodes=[node], initializer=[inside])).SerializeToString(), "m")


def test_subgraphs_without_end_are_refused() -> None:
    def field(number: int, body: bytes) -> bytes:
        size, length = b"", len(body)
        while length >= 128:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + body

    inner = b""
    for _ in range(40):  # a graph in an attribute of a node of a graph
        inner = field(1, field(5, field(6, inner)))
    with pytest.raises(EcgenoughError, match="is not an ONNX file, or is broken"):
        check_self_contained(field(7, inner), "m")
    check_self_contained(field(7, field(1, field(5, field(6, b"")))), "m")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_sentence(content: bytes) -> None:
    with pytest.raises(EcgenoughError):
        OnnxModel.of(content, "m")


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_never_crashes(narrow_bytes: bytes, place: int, change: int) -> None:
    damaged = bytearray(narrow_bytes)
    damaged[place % len(damaged)] ^= change
    try:
        check_self_contained(bytes(damaged), "m")
    except EcgenoughError as error:
        assert str(error).startswith("m ")  # noqa: PT017


def test_other_models_and_missing_files_are_said(narrow: tuple[Model, OnnxModel], tmp_path: Path) -> None:
    with pytest.raises(WrongRequest, match="is not there; name an ONNX file"):
        read_onnx(tmp_path / "absent.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = helper.make_model(
        helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value],
                          [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip
    with pytest.raises(EcgenoughError, match="was not exported by ecgenough"):
        OnnxModel.of(other.SerializeToString(), "m")
    model, exported = narrow
    for changes, complaint in (
        (
            {"format": 9},
            "is of format 9; this version of ecgenough reads format 1. It was made by a newer version: update",
        ),
        ({"format": 0}, "is of format 0; this version of ecgenough reads format 1. Export it again"),
        ({"classes": ["one"]}, "description does not fit its graph"),
        ({"signal": {"leads": ["I"]}}, "description does not fit its graph"),
        ({"thresholds": [float("nan")] * len(exported.card["classes"])}, "description does not fit its graph"),
    ):
        with pytest.raises(EcgenoughError, match=complaint):
            OnnxModel.of(as_onnx(model, exported.card | changes), "m")


@pytest.fixture(scope="module")
def narrow_bytes(narrow: tuple[Model, OnnxModel]) -> bytes:
    model, exported = narrow
    return as_onnx(model, exported.card)
