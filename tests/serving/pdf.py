"""What a browser's PDF draws: the boxes of its paths, in points. Enough of PDF for a page that one tool wrote."""

import re
import zlib
from collections.abc import Iterator

Box = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float]
_STREAM = re.compile(rb"/FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_TOKEN = re.compile(r"[-+]?\d*\.?\d+|[A-Za-z*]+|\S")


def drawn(content: bytes) -> Iterator[Box]:
    """Width and height in points of each path of all pages."""
    for packed in _STREAM.findall(content):
        try:
            yield from _paths(zlib.decompress(packed).decode("latin-1"))
        except zlib.error:
            continue


def _paths(program: str) -> Iterator[Box]:
    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    kept: list[Matrix] = []
    numbers: list[float] = []
    points: list[tuple[float, float]] = []
    for token in _TOKEN.findall(program):
        if re.fullmatch(r"[-+]?\d*\.?\d+", token):
            numbers.append(float(token))
            continue
        match token:
            case "q":
                kept.append(matrix)
            case "Q" if kept:
                matrix = kept.pop()
            case "cm" if len(numbers) >= 6:
                matrix = _times(numbers[-6:], matrix)
            case "m" | "l" | "c" if len(numbers) >= 2:
                points.append(_moved(numbers[-2:], matrix))
            case "S" | "f" | "B" | "n" | "s":
                if points:
                    across, up = zip(*points, strict=True)
                    yield max(across) - min(across), max(up) - min(up)
                points = []
        numbers = []


def _times(one: list[float], other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    p, q, r, s, t, u = other
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _moved(point: list[float], matrix: Matrix) -> tuple[float, float]:
    x, y = point
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f
