"""NPZ and Parquet files of voltages -> Ecg: arrays that say their rate, unit and leads, or are told them.

NPZ: `signal` [leads, samples], `rate` in Hz, `unit`, `leads`; if known, `patient`, `age`, `sex` and `recorded` (ISO
8601). Parquet: a column a lead, and the same words as metadata of the schema.
"""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgenough.ecg import Ecg, millivolts, to_millivolts
from ecgenough.errors import BrokenRecord, WrongRequest, nearest, quoted
from ecgenough.extras import needed
from ecgenough.formats.bounds import MOST_VALUES, check_size
from ecgenough.formats.people import age_of, sex_of
from ecgenough.formats.table import TableLayout
from ecgenough.sentences import counted

MOST_BYTES = 8 * MOST_VALUES  # of one array
MOST_ARRAYS = 64
# What zipfile, zlib and numpy raise for damaged files; numpy parses a header of an array as Python reads a literal.
_NO_NPZ = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError, ValueError, TypeError, OverflowError, KeyError,
    NotImplementedError, RuntimeError, EOFError, OSError, MemoryError, struct.error,
)  # fmt: skip
_WORDS = ("rate", "unit", "patient", "age", "sex", "recorded")


def read_npz(place: Path, layout: TableLayout | None = None) -> Ecg:
    """Read an NPZ file: by the words it holds, or its only array by `layout`.

    Raises BrokenRecord for arrays of Python objects, sizes beyond what is read, and a word that lacks.
    """
    arrays = _unzipped(place)
    if layout is not None and len(arrays) == 1:
        return _laid_out(next(iter(arrays.values())), layout)
    if "signal" not in arrays:
        held = ", ".join(quoted(name) for name in list(arrays)[:8]) or "none"
        raise BrokenRecord(f'it has no array "signal" [leads, samples]; arrays: {held}. {nearest("signal", arrays)}')
    words = {word: str(arrays[word].item()) for word in _WORDS if word in arrays and arrays[word].size == 1}
    leads = tuple(str(lead) for lead in np.atleast_1d(arrays["leads"])) if "leads" in arrays else None
    return _told(arrays["signal"], leads, words)


def read_parquet(place: Path, layout: TableLayout | None = None) -> Ecg:
    """Read a Parquet file of a column a lead: by the metadata of its schema, or by the rate and unit of `layout`.

    Raises BrokenRecord for columns that are no numbers, and WrongRequest where neither says rate and unit.
    """
    parquet = needed("pyarrow.parquet", "formats", "a Parquet file")
    try:
        with parquet.ParquetFile(place, memory_map=False, thrift_string_size_limit=1 << 24) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            said = {key.decode("utf-8"): value.decode("utf-8") for key, value in (schema.metadata or {}).items()}
            names = tuple(schema.names) if layout is None else layout.leads
            if layout is not None and (absent := [name for name in names if name not in schema.names]):
                raise BrokenRecord(f"it has no column {quoted(absent[0])}. {nearest(absent[0], schema.names)}")
            check_size(len(names), rows)
            columns = [file.read(columns=[name], use_threads=False).column(0).to_numpy() for name in names]
    except (BrokenRecord, WrongRequest):
        raise
    except Exception as error:  # pyarrow raises ArrowInvalid, OSError, UnicodeDecodeError ...
        raise BrokenRecord(f"pyarrow cannot read it: {quoted(str(error).split(chr(10))[0], 160)}.") from None
    for name, column in zip(names, columns, strict=True):
        if column.dtype.kind not in "iuf":
            raise BrokenRecord(f"its column {quoted(name)} holds {column.dtype}, not voltages.")
        if len(column) != rows:  # a damaged page: the metadata agree with each other
            found = counted(len(column), "sample")
            raise BrokenRecord(f"its column {quoted(name)} holds {found} where the file declares {rows:,}.")
    signal = np.stack(columns)
    if layout is not None:
        return _laid_out(signal if layout.orientation == "leads-by-samples" else signal.T, layout)
    return _told(signal, names, {word: said[word] for word in _WORDS if word in said})


def _laid_out(values: NDArray[Any], layout: TableLayout) -> Ecg:
    leads = values.T if layout.orientation == "samples-by-leads" else values
    if leads.ndim != 2 or leads.shape[0] != len(layout.leads):
        raise BrokenRecord(
            f"its array is {values.shape}; {layout.orientation} of {counted(len(layout.leads), 'lead')} is asked."
        )
    check_size(*leads.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        return Ecg(to_millivolts(leads, layout.unit), layout.rate, layout.leads)


def _told(signal: NDArray[Any], leads: tuple[str, ...] | None, words: Mapping[str, str]) -> Ecg:
    """An Ecg by the words of the file. Raises WrongRequest where it does not say what its numbers are."""
    lacking = [word for word in ("rate", "unit") if word not in words] + ([] if leads else ["leads"])
    if lacking:
        raise WrongRequest(f"it does not say its {' and '.join(lacking)}; put them in, or state them.")
    if signal.ndim != 2 or leads is None or signal.shape[0] != len(leads):
        raise BrokenRecord(
            f"its signal is {signal.shape}, not [leads, samples] of {counted(len(leads or ()), 'lead')}."
        )
    check_size(*signal.shape)
    try:
        rate = float(words["rate"])
        recorded = datetime.fromisoformat(words["recorded"]) if words.get("recorded") else None
        millivolts(words["unit"])
    except WrongRequest as error:
        raise BrokenRecord(str(error)) from None
    except ValueError as error:
        raise BrokenRecord(f"it says {quoted(str(error))}.") from None
    if not math.isfinite(rate):
        raise BrokenRecord(f"it says a rate of {rate} Hz.")
    # The Ecg refuses infinite voltages; NaN of any kind is a lost sample.
    with np.errstate(over="ignore", invalid="ignore"):
        return Ecg(
            to_millivolts(signal, words["unit"]), rate, leads,
            patient=words.get("patient") or None, age=age_of(words.get("age", ""), "years"),
            sex=sex_of(words.get("sex", "")), recorded=recorded,
        )  # fmt: skip


def _unzipped(place: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an NPZ file. Sizes are checked before anything is unpacked; objects are refused."""
    try:
        with zipfile.ZipFile(place) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            if len(members) > MOST_ARRAYS:
                raise BrokenRecord(f"it holds {len(members):,} arrays; at most {MOST_ARRAYS} are read.")
            if sum(info.file_size for info in members) > MOST_BYTES:
                raise BrokenRecord(f"it unpacks to more than {MOST_BYTES >> 20:,} MiB.")
            return {info.filename[:-4]: _array(archive, info) for info in members}
    except BrokenRecord:
        raise
    except _NO_NPZ as error:
        raise BrokenRecord(f"it is not a whole NPZ file: {quoted(str(error), 120)}.") from None


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    """One array, unpacked no further than the archive declares."""
    with archive.open(info) as member:
        content = member.read(info.file_size)
    buffer = BytesIO(content)
    version = np.lib.format.read_magic(buffer)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(buffer)
    if dtype.hasobject or dtype.kind not in "iufU" or len(shape) > 2:
        raise BrokenRecord(f"its array {quoted(info.filename)} holds {len(shape)}-dimensional {dtype}.")
    if math.prod(shape) * dtype.itemsize > len(content) - buffer.tell():
        raise BrokenRecord(f"its array {quoted(info.filename)} is cut off.")
    values = (
        np.frombuffer(content, dtype, math.prod(shape), buffer.tell()) if math.prod(shape) else np.empty(shape, dtype)
    )
    return values.reshape(shape, order="F" if fortran else "C")
