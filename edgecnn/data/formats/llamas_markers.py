"""LLAMAS's markers of one lane line as a column for every row, after the data set's own `spline_creator`."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.data.formats.lane_labels import Points

MIN_ROWS, MIN_MARKERS = 20, 2
"""A lane line of fewer rows, counted over its markers' lower ends, or of fewer markers is left out."""
_DRAWN_ROWS = 2
_CAMERA_HEIGHT_M, _HORIZON, _MARKER_ROWS = 1.5, 0.35, 10


@dataclass(frozen=True, slots=True)
class Marker:
    """A dash of paint: its lower end (x, y) in whole pixels, its upper end, and how far ahead the lower one is."""

    start: tuple[int, int]
    end: tuple[int, int]
    ahead_m: float


def markers_of(lane: Mapping[str, Any], name: str) -> list[Marker]:
    """Return the markers of one lane; LLAMAS writes every number as a string.

    Raises:
        DataError: one is broken; `name` is the lane's.
    """
    found = lane.get("markers")
    if not isinstance(found, list):
        raise DataError(f"lane {name}: 'markers' must be a list; mend the label")
    markers = []
    for place, marker in enumerate(found):
        try:
            ends = [(int(marker[key]["x"]), int(marker[key]["y"])) for key in ("pixel_start", "pixel_end")]
            markers.append(Marker(ends[0], ends[1], float(marker["world_start"]["z"])))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"lane {name}: marker {place} needs pixel_start and pixel_end with whole numbers x and y, and "
                f"world_start with z ({type(error).__name__}: {error}); mend the label"
            ) from error
    return markers


def kept(markers: Sequence[Marker]) -> bool:
    """Return whether a lane line is long enough to be one."""
    rows = [marker.start[1] for marker in markers]
    return len(markers) >= MIN_MARKERS and max(rows) - min(rows) >= MIN_ROWS


def line_of(markers: Sequence[Marker], width: int, height: int) -> Points | None:
    """Return the line, a point for every row, or None where its markers leave fewer than two rows.

    The nearest marker is carried on to the frame's edge. Where markers overlap, a row takes the mean of all; the gaps
    between dashes are filled straight.
    """
    total, count = np.zeros(height), np.zeros(height)
    for marker in [*_carried_on(markers, width, height), *markers]:
        rows, columns = _drawn(marker)
        inside = (rows >= 0) & (rows < height)
        np.add.at(total, rows[inside], columns[inside])
        np.add.at(count, rows[inside], 1)
    known = np.flatnonzero(count)
    if len(known) < 2:
        return None
    y = np.arange(known[0], known[-1] + 1)
    return np.stack([np.interp(y, known, total[known] / count[known]), y], axis=1).astype(np.float32)


def _drawn(marker: Marker) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return rows and columns of a marker: its lower end, and every row of it where it covers more than two."""
    (x, y), (end_x, end_y) = marker.start, marker.end
    rows = y - end_y
    if rows <= _DRAWN_ROWS or rows > 1 << 16:
        return np.array([y]), np.array([float(x)])
    step = np.arange(rows + 1)
    columns = np.rint(x + (end_x - x) / rows * step)
    return np.concatenate([[y], y - step]), np.concatenate([[float(x)], columns])


def _carried_on(markers: Sequence[Marker], width: int, height: int) -> list[Marker]:
    """Return the piece from the nearest marker's lower end, in its direction, to the bottom or the side it meets."""
    slanted = [one for one in markers if one.start[0] != one.end[0] and one.start[1] != one.end[1]]
    if not slanted:
        return []
    nearest = min(slanted, key=lambda one: one.ahead_m)
    if nearest.ahead_m < 0:
        return []
    (x, y), (end_x, end_y) = nearest.start, nearest.end
    slope = (end_x - x) / (end_y - y)
    at_bottom = x + (height - 1 - y) * slope
    if at_bottom < 0:
        start = (0.0, y - x / slope)
    elif at_bottom > width:
        start = (float(width), y + (width - x) / slope)
    else:
        start = (at_bottom, height - 1.0)
    return [Marker((round(start[0]), round(start[1])), nearest.start, 1.0)]


def marker_records(line: Points, width: int, height: int) -> list[dict[str, Any]]:
    """Return a line as markers that follow one another from the bottom up, in whole pixels and within the frame.

    Positions in the world are those on a flat road 1.5 m below a camera of the focal length `width` whose horizon is at
    0.35 of the height, `nominal_projection`.
    """
    rows = np.arange(max(0, np.ceil(line[0, 1])), min(height - 1, np.floor(line[-1, 1])) + 1)
    columns = np.interp(rows, line[:, 1], line[:, 0])
    seen = rows[(np.rint(columns) >= 0) & (np.rint(columns) < width)]
    if len(seen) < 2:
        return []
    pieces = max(MIN_MARKERS, round((seen[-1] - seen[0]) / _MARKER_ROWS))
    y = np.rint(np.linspace(seen[-1], seen[0], pieces + 1))
    nodes = np.stack([np.rint(np.interp(y, line[:, 1], line[:, 0])), y], axis=1).astype(int).tolist()
    return [
        {
            "lane_marker_id": str(place),
            "pixel_start": {"x": str(start[0]), "y": str(start[1])},
            "pixel_end": {"x": str(end[0]), "y": str(end[1])},
            "world_start": _on_the_road(start, width, height),
            "world_end": _on_the_road(end, width, height),
        }
        for place, (start, end) in enumerate(itertools.pairwise(nodes))
    ]


def nominal_projection(width: int, height: int) -> list[list[float]]:
    """Return the 3x3 matrix from metres to pixels that positions in written files follow."""
    return [[float(width), 0.0, width / 2], [0.0, float(width), _HORIZON * height], [0.0, 0.0, 1.0]]


def _on_the_road(point: Sequence[int], width: int, height: int) -> dict[str, str]:
    (focal, _, middle), (_, _, horizon), _ = nominal_projection(width, height)
    ahead_m = focal * _CAMERA_HEIGHT_M / max(point[1] - horizon, 1.0)
    return {
        "x": f"{(point[0] - middle) * ahead_m / focal:.4f}",
        "y": f"{_CAMERA_HEIGHT_M:.4f}",
        "z": f"{ahead_m:.4f}",
    }
