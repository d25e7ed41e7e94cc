"""Lines with no more points than the eye can use."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def thin(points: Floats, tolerance: float) -> Floats:
    """Drop points `[n, 2]` so that none of them lies further than `tolerance` from the line that stays.

    Source: Douglas & Peucker 1973; distances are to the segment, so that a line may also run back.
    """
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        distances = _distances(points[first + 1 : last], points[first], points[last])
        furthest = int(distances.argmax())
        if distances[furthest] > tolerance:
            middle = first + 1 + furthest
            kept[middle] = True
            open_spans += [(first, middle), (middle, last)]
    return points[kept]


def _distances(points: Floats, start: Floats, end: Floats) -> Floats:
    """How far points `[n, 2]` lie from the segment from `start` to `end`."""
    along = end - start
    length_squared = float(along @ along)
    share = np.clip((points - start) @ along / length_squared, 0, 1) if length_squared else np.zeros(len(points))
    return np.asarray(np.hypot(*(points - start - share[:, None] * along).T), dtype=np.float64)


def path_data(x: ArrayLike, y: ArrayLike, *, tolerance: float, unit: float) -> str:
    """The `d` of an SVG path through finite points, broken where one is not finite, in whole numbers of `unit`."""
    points = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    finite = np.isfinite(points).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]]).astype(np.int8)))
    pieces = [points[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    return "".join(_piece(np.rint(thin(piece, tolerance) / unit).astype(np.int64)) for piece in pieces)


def _piece(places: NDArray[np.int64]) -> str:
    """One unbroken line: an absolute start, then relative steps, which are short to write."""
    steps = np.diff(places, axis=0)
    steps = steps[steps.any(axis=1)]
    line = " ".join(f"{across} {down}" for across, down in steps.tolist())
    return f"M{places[0, 0]} {places[0, 1]}l{line}" if line else f"M{places[0, 0]} {places[0, 1]}h1"
