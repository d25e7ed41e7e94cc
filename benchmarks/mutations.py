"""Bytes damaged in the ways files are damaged and forged."""

import random
import re
import struct
from binascii import crc_hqx

MOST_BYTES = 1 << 16
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 20, 1 << 31, (1 << 31) - 1, (1 << 32) - 1)
WORDS = (
    b"0", b"-1", b"1e999", b"nan", b"inf", b"99999999999999999999", b"\x00", b"\xff\xff\xff\xff", b"<", b">", b"]]>",
    b"<!ENTITY x SYSTEM 'file:///etc/passwd'>", b"&x;", b"../", b"%s%n", b"\xc3\x28", b"DICM", b"EDF+D", b" ", b"=",
    b"null", b"true", b"[", b"{", b"]", b"}", b"[[[[[[[[", b"{}", b"\n", b": ", b"- ", b"&a ", b"*a", b"!!python/name:os.system",
    b"!!timestamp 1", b"<<: ", b"~", b".inf", b"1:1:1:1", b"0x1F", b"\"", b"'", b"/etc/passwd", b"\r\n--",
)  # fmt: skip
_WORD = re.compile(rb"(?<![A-Za-z0-9])[-+.A-Za-z0-9]{1,12}(?![A-Za-z0-9])")


def mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    """A seed with one to eight damages."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 8))):
        at = rng.randrange(len(content) + 1) if rng.random() < 0.5 else rng.randrange(min(len(content), 700) + 1)
        size = rng.choice((1, 2, 4, 8, 30, 300))
        match rng.randrange(10):
            case 0:
                content[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                content[at : at + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in content[at : at + 1])
            case 2:
                number = rng.choice(NUMBERS)
                packed = struct.pack(rng.choice("<>") + "Q", number)
                width = rng.choice((1, 2, 4))
                content[at : at + width] = packed[:width] if packed[0] or not number else packed[-width:]
            case 3:
                del content[at : at + size]
            case 4:
                content[at:at] = content[at : at + size] * rng.choice((1, 2, 20))
            case 5:
                content[at : at + (size if rng.random() < 0.5 else 0)] = rng.choice(WORDS)
            case 6:
                other = rng.choice(seeds)
                begin = rng.randrange(len(other) + 1)
                content[at : at + size] = other[begin : begin + size]
            case 7:
                del content[at:]
            case _:  # a number or word in a text, its surroundings left whole
                if places := [found.span() for found in _WORD.finditer(content, 0, 5000)]:
                    begin, stop = rng.choice(places)
                    content[begin:stop] = rng.choice((*WORDS, str(rng.choice(NUMBERS)).encode()))
    return bytes(content[: max(MOST_BYTES, max(map(len, seeds)))])


def with_scp_checksum(content: bytes) -> bytes:
    """An SCP-ECG record whose size and checksum fit, so that what lies behind them is reached."""
    if len(content) <= 6:
        return content
    content = content[:2] + struct.pack("<I", len(content)) + content[6:]
    return struct.pack("<H", crc_hqx(content[2:], 0xFFFF)) + content[2:]
