"""The Huffman codes of SCP-ECG: section 2 of EN 1064, and the decoding of samples with them."""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgenough.errors import BrokenRecord

DEFAULT = 19999  # in the place of the number of tables: the table of the standard


class Code(NamedTuple):
    """What a prefix of bits stands for: a value with `extra` bits added to it, or a change of table."""

    extra: int
    value: int
    switch: bool


Table = dict[str, Code]  # by prefix, as text of 0 and 1 in the order of transmission


def _standard() -> Table:
    """EN 1064, table of section 2: 0 is 0; n ones, a zero and a sign are +-n up to 8; then 8 and 16 bits in full."""
    table = {"0": Code(0, 0, False), "1" * 9 + "0": Code(8, 0, False), "1" * 10: Code(16, 0, False)}
    for size in range(1, 9):
        table["1" * size + "00"] = Code(0, size, False)
        table["1" * size + "01"] = Code(0, -size, False)
    return table


DEFAULT_TABLES = [_standard()]


def read_tables(section: bytes) -> list[Table]:
    """The tables of section 2. Raises BrokenRecord for codes that are none."""
    (count,) = struct.unpack_from("<H", section)
    if count == DEFAULT:
        return DEFAULT_TABLES
    tables, at = [], 2
    for _ in range(count):
        (codes,) = struct.unpack_from("<H", section, at)
        tables.append(dict(_code(section, at + 2 + 9 * i) for i in range(codes)))
        at += 2 + 9 * codes
    if not tables or not all(tables):
        raise BrokenRecord("its section 2 holds an empty Huffman table.")
    return tables


def _code(section: bytes, at: int) -> tuple[str, Code]:
    """Bits of the prefix and of the whole, whether it is a value, the value, and the prefix, first bit lowest."""
    prefix, whole, is_value, value, bits = struct.unpack_from("<BBBhI", section, at)
    if not 1 <= prefix <= 32 or not prefix <= whole <= prefix + 32:
        raise BrokenRecord(f"its section 2 holds a Huffman code of {prefix} of {whole} bits.")
    return f"{bits & (1 << prefix) - 1:0{prefix}b}"[::-1], Code(whole - prefix, value, not is_value)


def decode(chunk: bytes, samples: int, tables: list[Table]) -> NDArray[np.int64]:
    """The first `samples` values of a stream of codes, highest bit first; the first table is in force at its start.

    Raises BrokenRecord where the stream ends too early or holds a code of no table.
    """
    bits = f"{int.from_bytes(chunk, 'big'):0{8 * len(chunk)}b}" if chunk else ""
    values: list[int] = []
    table, at = tables[0], 0
    lengths = [sorted({len(prefix) for prefix in each}) for each in tables]
    tried = lengths[0]
    while len(values) < samples:
        for length in tried:
            found = table.get(bits[at : at + length])
            if found is not None:
                break
        else:
            raise BrokenRecord(f"its Huffman code ends or breaks after {len(values):,} of {samples:,} samples.")
        at += length
        if found.switch:
            if not 1 <= found.value <= len(tables):
                raise BrokenRecord(f"its Huffman code turns to table {found.value} of {len(tables)}.")
            table, tried = tables[found.value - 1], lengths[found.value - 1]
            continue
        value = found.value
        if found.extra:
            rest = bits[at : at + found.extra]
            if len(rest) < found.extra:
                raise BrokenRecord(f"its Huffman code ends after {len(values):,} of {samples:,} samples.")
            value += int(rest, 2) - (1 << found.extra if rest[0] == "1" else 0)
            at += found.extra
        values.append(value)
    return np.array(values, dtype=np.int64)
