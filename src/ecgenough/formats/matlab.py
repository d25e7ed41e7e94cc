"""CPSC-2018's own files: MATLAB 5 with a struct ECG of sex, age and data -> Ecg.

Liu et al. 2018 (doi:10.1166/jmihi.2018.2442) published 12 leads in standard order at 500 Hz, a lead a row, in mV; the
file says none of that. The Challenges' .mat files are something else: MATLAB 4, described by a WFDB header beside them.
"""

import math
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import STANDARD_LEADS, Ecg, Sex
from ecgenough.errors import BrokenRecord, quoted
from ecgenough.formats.bounds import read_whole
from ecgenough.later import Later

if TYPE_CHECKING:
    import scipy.io as scipy_io
else:
    scipy_io = Later("scipy.io")

MATLAB_5 = b"MATLAB 5.0 MAT-file"
RATE = 500.0
MOST_BYTES = 1 << 26  # unpacked; twelve leads of the longest record, 144 s, take 7 MiB
DEEPEST = 4  # matrices within each other: a struct of matrices needs 2, and SciPy's stack ends at some thousands
_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15  # types of elements: MAT-File Format, table 1-1
_DATA = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18)  # those of numbers and letters
_STRUCTS, _COMPLEX = 2, 0x0800
_CLASSES = (1, _STRUCTS, 4, *range(6, 16))  # of matrices: cells, structs, text, numbers: table 1-3
_STRUCT, _FIELDS = "ECG", ("sex", "age", "data")


def read_matlab(path: str | Path) -> Ecg:
    """Read a file as CPSC-2018 published it; NaN marks lost samples.

    Raises BrokenRecord for a file that MATLAB's format does not explain, or that holds anything else.
    """
    place = Path(path)
    fields = _struct(place)
    data = fields["data"]
    if data.ndim != 2 or data.dtype.kind not in "iuf" or data.shape[0] != len(STANDARD_LEADS) or not data.shape[1]:
        shape = " x ".join(map(str, data.shape))
        raise BrokenRecord(f"{place.name}: ECG.data is {shape} {data.dtype}; 12 leads x samples of numbers are needed.")
    try:
        # The Ecg refuses infinite voltages; a signalling NaN is a lost sample as any other.
        with np.errstate(over="ignore", invalid="ignore"):
            return Ecg(
                data.astype(np.float32), RATE, STANDARD_LEADS, age=_age(fields["age"]), sex=_sex(fields["sex"])
            )  # fmt: skip
    except BrokenRecord as error:
        raise BrokenRecord(f"{place.name}: {error}") from None


def _struct(place: Path) -> dict[str, NDArray[Any]]:
    """The fields of the struct ECG."""
    try:
        content = _unpacked(read_whole(place))
        found = scipy_io.loadmat(BytesIO(content), variable_names=[_STRUCT]).get(_STRUCT)  # type: ignore[arg-type]
    except BrokenRecord as error:
        raise BrokenRecord(f"{place.name}: {error}") from None
    except Exception as error:  # SciPy raises whatever comes: OSError, ValueError, zlib.error, KeyError ...
        why = quoted(str(error).split("\n")[0] or type(error).__name__, 120)
        raise BrokenRecord(f"{place.name} is not a whole MATLAB 5 file: {why}.") from None
    if found is None or found.shape != (1, 1) or not set(_FIELDS) <= set(found.dtype.names or ()):
        raise BrokenRecord(
            f"{place.name} is a MATLAB file without a struct ECG of sex, age and data, as CPSC-2018 has it; "
            "save its voltages as CSV or NPY."
        )
    return {name: np.asarray(found[name][0, 0]) for name in _FIELDS}


def _unpacked(content: bytes) -> bytes:
    """The file with its compressed elements unpacked within bounds: SciPy unpacks without, and follows any nesting."""
    order = "<" if content[_HEADER - 2 : _HEADER] == b"IM" else ">"
    parts, size, at = [content[:_HEADER]], _HEADER, _HEADER
    while at + 8 <= len(content):
        kind, length = struct.unpack_from(f"{order}II", content, at)
        element = content[at : at + 8 + length]
        whole = len(element) == 8 + length
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            element = unpacker.decompress(element[8:], MOST_BYTES + 1 - size)
            whole = whole and unpacker.eof
        at += 8 + length
        size += len(element)
        if size > MOST_BYTES:
            raise BrokenRecord(
                f"it unpacks to more than {MOST_BYTES >> 20:,} MiB, the most that is read of this format."
            )
        if not whole:
            raise ValueError("an element is cut off")
        _check_matrices(element, order)
        parts.append(element)
    return b"".join(parts)


def _check_matrices(element: bytes, order: str) -> None:
    """Hold every matrix against what SciPy's C code takes for granted; it reads beyond its memory where one lies.

    Raises BrokenRecord where they stand in each other deeper than `DEEPEST`, ValueError for one that is not made of the
    elements that its class asks for, or whose dimensions do not fit it.
    """
    inside = [(0, len(element), 0)]
    while inside:
        at, end, depth = inside.pop()
        if depth > DEEPEST:
            raise BrokenRecord(f"its matrices nest deeper than {DEEPEST}; no ECG's do.")
        parts: list[tuple[int, bytes]] = []
        while at + 8 <= end:
            kind, start, stop, at = _part(element, at, order)
            if stop > end:
                raise ValueError("an element is longer than the matrix it is in")
            if kind == _MATRIX:
                inside.append((start, stop, depth + 1))
            parts.append((kind, element[start:stop]))
        if depth:
            _check_parts(parts, order, len(element))


def _part(element: bytes, at: int, order: str) -> tuple[int, int, int, int]:
    """Type, start and end of the element at `at`, and where the next one begins."""
    kind, length = struct.unpack_from(f"{order}II", element, at)
    if kind >> 16:  # a small element: type, length and up to four bytes in eight
        return kind & 0xFFFF, at + 4, at + 4 + min(kind >> 16, 4), at + 8
    return kind, at + 8, at + 8 + length, at + 8 + length + -length % 8


def _check_parts(parts: list[tuple[int, bytes]], order: str, most: int) -> None:
    """A matrix: flags, dimensions and name, then data; or matrices, before which a struct has the names of its fields."""
    kinds = [kind for kind, _ in parts]
    flags, dimensions = (_numbers(content, order) for _, content in [*parts, (0, b""), (0, b"")][:2])
    if kinds[:3] != [6, 5, 1] or not flags or flags[0] & 0xFF not in _CLASSES or flags[0] & _COMPLEX:
        raise ValueError("it holds a matrix of a kind that is not read")
    count, first = math.prod(dimensions), 3
    if min(dimensions, default=-1) < 0 or count > most:
        raise ValueError("the dimensions of a matrix do not fit it")
    if flags[0] & 0xFF > _STRUCTS:
        whole = len(kinds) == 4 and kinds[3] in _DATA
    else:
        if flags[0] & 0xFF == _STRUCTS:
            width = _numbers(parts[3][1], order) if kinds[3:5] == [5, 1] else ()
            if len(width) != 1 or width[0] < 1 or len(parts[4][1]) % width[0]:
                raise ValueError("the names of a struct's fields do not fit it")
            count, first = count * (len(parts[4][1]) // width[0]), 5
        whole = kinds[first:] == [_MATRIX] * count
    if not whole:
        raise ValueError("a matrix does not hold what its class asks for")


def _numbers(content: bytes, order: str) -> tuple[int, ...]:
    return struct.unpack(f"{order}{len(content) // 4}i", content[: len(content) // 4 * 4])


def _age(field: NDArray[Any]) -> float | None:
    """Years; None where the field is empty, NaN or no age."""
    if field.size != 1 or field.dtype.kind not in "iuf":
        return None
    age = float(field.item())
    return age if 0 <= age < 150 else None


def _sex(field: NDArray[Any]) -> Sex | None:
    """From "Male" or "Female"; None for anything else."""
    word = str(field.item()).strip().lower() if field.size == 1 else ""
    return next((sex for sex in get_args(Sex) if sex == word), None)
