"""What an ONNX file refers to, found without loading it: a model that points at other files is not opened.

An ONNX model may keep its weights in files beside it, whose paths it names; loaders have followed such paths out of the
model's folder (CVE-2022-25882, CVE-2024-27318, CVE-2024-5187). What ecgenough exports holds everything itself, so a file
that refers to anything outside is refused before it reaches a loader. This needs the few field numbers below, from
onnx.proto (github.com/onnx/onnx), and the wire format of protocol buffers; no package.
"""

from collections.abc import Iterator
from pathlib import Path

from ecgenough.errors import EcgenoughError, WrongRequest

CARD = "ecgenough"  # the key of the embedded card among the model's metadata
CARD_FORMAT = 1
LARGEST = 2 << 30  # bytes: protocol buffers end here
DEEPEST = 100  # messages within messages, as protocol buffers themselves allow

# Message -> field number -> the message that stands in it, for every field that leads to a tensor.
_LEADS_TO_TENSORS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a Tensor
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def read_onnx(path: Path) -> bytes:
    """The bytes of an ONNX file that refers to nothing outside itself.

    Raises WrongRequest where there is no file, EcgenoughError where it is no ONNX, too large, or refers to other files.
    """
    if not path.is_file():
        raise WrongRequest(f"{path} is not there; name an ONNX file that ecgenough export wrote.")
    if path.stat().st_size > LARGEST:
        raise EcgenoughError(f"{path} is larger than 2 GiB, which no ONNX file can be.")
    content = path.read_bytes()
    check_self_contained(content, str(path))
    return content


def check_self_contained(content: bytes, name: str) -> None:
    """Raise EcgenoughError unless `content` is a protocol buffer whose tensors are all inside."""
    try:
        external = _refers_outside(memoryview(content))
    except (ValueError, IndexError):
        raise EcgenoughError(f"{name} is not an ONNX file, or is broken.") from None
    if external:
        raise EcgenoughError(
            f"{name} keeps tensors in other files, which is not followed: it may name any file of this machine. "
            "Use a model that ecgenough export wrote."
        )


def _refers_outside(content: memoryview) -> bool:
    waiting = [("Model", content, 0)]
    while waiting:
        message, body, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("nested too deeply")
        for number, kind, value in _fields(body):
            if message == "Tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
                return True
            inner = _LEADS_TO_TENSORS[message].get(number)
            if inner is not None and kind == _BYTES and isinstance(value, memoryview):
                waiting.append((inner, value, depth + 1))
    return False


def _fields(body: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field. Raises ValueError or IndexError where the bytes are no message."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("field 0")
        if kind == _VARINT:
            value, at = _varint(body, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            length, at = _varint(body, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {kind}")  # groups, which ONNX has none of
        if at + length > len(body):
            raise ValueError("a field longer than its message")
        yield number, kind, body[at : at + length]
        at += length


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        byte = body[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise ValueError("a varint of more than ten bytes")
