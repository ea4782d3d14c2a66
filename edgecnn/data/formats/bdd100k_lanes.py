"""BDD100K's lane markings as lane lines: curves are sampled, the two edges of a marking become its centre line.

BDD100K draws most markings by both of their edges, some by one line, and nothing in a label says which or whose edge a
line is. Two lines are taken for the edges of one marking when

- both are of the same category and style,
- they share at least half the rows of the shorter one,
- over those rows they lie no farther apart than such a marking can be wide: 4 of 720 pixels, and beyond that, for each
  row below 0.4 of the picture's height, 0.25 pixels for a single marking and 0.6 for a double one. The nearest that two
  lane lines come is some 1.6 pixels for each row below the horizon, as lanes are 2.7 m wide or more, cameras of
  cars 1.2 to 1.7 m high.

The closest pairs are joined first, each line once. The centre line is the mean of both where both are; where only one
goes on, it is that one moved by half of what parted them last. A line without a partner stays as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.data.formats.lane_labels import Points, numbers

CATEGORIES = frozenset(f"{count} {colour}" for count in ("single", "double") for colour in ("white", "yellow", "other"))
"""The markings that are lane lines; `crosswalk` and `road curb` are not."""
UNKNOWN = "single other"
"""The category that a line of unknown colour is written in."""
CENTRE = "laneLine"
"""Our own attribute of a marking drawn by one line, its centre; BDD100K's tools skip it."""

_NARROWEST, _TOP = 4 / 720, 0.4
_WIDENING = {"single": 0.25, "double": 0.6}
_CURVE_STEPS = 16
_ANY = "lane"
_SHARED = 0.5
_ROW_STEP = 4


@dataclass(frozen=True, slots=True)
class Marking:
    """A lane line, float32 [N, 2] from the top down, its category, and its style, empty where none is told."""

    points: Points
    category: str
    style: str

    @property
    def attributes(self) -> dict[str, str]:
        """Return what is known of the line beside its course, in BDD100K's words."""
        told = {"category": "" if self.category in (UNKNOWN, _ANY) else self.category, "laneStyle": self.style}
        return {key: word for key, word in told.items() if word}


@dataclass(frozen=True, slots=True)
class _Edge:
    """A drawn line [N, 2], sorted by row, and what it is drawn around."""

    points: Points
    kind: tuple[str, str]
    centre: bool


def markings(labels: Sequence[Mapping[str, Any]], height: int) -> list[Marking]:
    """Return the lane lines of one frame's labels.

    Markings across the road, crosswalks and kerbs are no lane lines. Of a line whose row turns back, the longest part
    that does not is kept; one that stays in a row is none.

    Args:
        labels: the frame's labels, also those that are no lanes.
        height: of the frame in pixels.

    Raises:
        DataError: a marking's `poly2d` is broken.
    """
    edges = []
    for place, label in enumerate(labels):
        kind = _kind(label)
        if kind is not None:
            attributes = label.get("attributes") or {}
            for points in _polylines(label.get("poly2d"), f"label {place}"):
                line = _by_row(points)
                edges += [] if line is None else [_Edge(line, kind, attributes.get(CENTRE) == "centre")]
    return _centre_lines(edges, height)


def _category(label: Mapping[str, Any]) -> str:
    """Return the marking's category without the prefix of 2018, which names it in an attribute in yet other files."""
    category = str(label.get("category", "")).removeprefix("lane/")
    told = (label.get("attributes") or {}).get("laneTypes")
    return told if category == _ANY and isinstance(told, str) else category


def _kind(label: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (category, style) of a lane line, None of anything else."""
    category, attributes = _category(label), label.get("attributes") or {}
    along = attributes.get("laneDirection", attributes.get("direction", "parallel"))
    if category not in CATEGORIES | {_ANY} or along == "vertical":
        return None
    return category, str(attributes.get("laneStyle", attributes.get("style", "")))


def _polylines(poly2d: Any, what: str) -> list[NDArray[np.float64]]:
    """Return every drawn line as points; the form is a list of `vertices` and `types`, in 2018 one of [x, y, type]."""
    if not isinstance(poly2d, list):
        raise DataError(f"{what}: a lane marking needs 'poly2d', a list of lines; mend or remove it")
    if poly2d and all(isinstance(point, list) for point in poly2d):
        if any(len(point) != 3 for point in poly2d):
            raise DataError(f"{what}: a point of 'poly2d' is [x, y, type]; mend or remove it")
        poly2d = [{"vertices": [point[:2] for point in poly2d], "types": "".join(str(point[2]) for point in poly2d)}]
    lines = []
    for one in poly2d:
        if not isinstance(one, dict) or not isinstance(one.get("vertices"), list):
            raise DataError(f"{what}: 'poly2d' needs 'vertices', a list of [x, y]; mend or remove it")
        flat = [value for point in one["vertices"] for value in (point if isinstance(point, list) else [None])]
        vertices = numbers(flat, f"{what}: 'vertices'").astype(np.float64)
        types = one.get("types")
        if len(vertices) != 2 * len(one["vertices"]) or not isinstance(types, str) or len(types) * 2 != len(vertices):
            raise DataError(f"{what}: each of 'vertices' is [x, y] and has one letter in 'types'; mend or remove it")
        if types:
            lines.append(_sampled(vertices.reshape(-1, 2), types, what))
    return lines


def _sampled(vertices: NDArray[np.float64], types: str, what: str) -> NDArray[np.float64]:
    """Return points along straight parts (L) and cubic Bezier curves: a C, what follows it, and the curve's end."""
    points = [vertices[:1]]
    place = 1
    while place < len(vertices):
        if types[place] == "L":
            points.append(vertices[place : place + 1])
            place += 1
        elif types[place] == "C" and place + 3 <= len(vertices):
            points.append(_bezier(vertices[place - 1 : place + 3]))
            place += 3
        else:
            raise DataError(f"{what}: 'types' {types!r} is neither straight (L) nor a curve (CCC); mend or remove it")
    return np.concatenate(points)


def _bezier(control: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.linspace(0, 1, _CURVE_STEPS + 1)[1:, None]
    a, b, c, d = control
    return np.asarray((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d)


def _by_row(points: NDArray[np.float64]) -> Points | None:
    """Return the longest part whose row does not turn back, sorted from the top; None for less than one row."""
    parts = [points[start : end + 1] for start, end in _runs(np.sign(np.diff(points[:, 1])).tolist())]
    best = max(parts, key=lambda part: float(np.ptp(part[:, 1])))
    if np.ptp(best[:, 1]) < 1:
        return None
    _, first = np.unique(best[:, 1].astype(np.float32), return_index=True)
    return np.ascontiguousarray(best[first], np.float32)


def _runs(steps: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Yield first and last point of each part that goes only down (1) or only up (-1)."""
    start, heading = 0, 0.0
    for place, step in enumerate(steps):
        if step and heading and step != heading:
            yield start, place
            start = place
        heading = step or heading
    yield start, len(steps)


def _centre_lines(edges: Sequence[_Edge], height: int) -> list[Marking]:
    partner: dict[int, int] = {}
    for one, other in _pairs(edges, height):
        if one not in partner and other not in partner:
            partner[one], partner[other] = other, one
    return [
        Marking(_between(edge.points, edges[partner[place]].points) if place in partner else edge.points, *edge.kind)
        for place, edge in enumerate(edges)
        if partner.get(place, place) >= place
    ]


def _pairs(edges: Sequence[_Edge], height: int) -> list[tuple[int, int]]:
    """Return every two lines that can be the edges of one marking, those first that fill the least of its width."""
    if len(edges) < 2:
        return []
    y = np.arange(0, height + _ROW_STEP, _ROW_STEP, dtype=np.float64)
    x = np.stack([np.interp(y, edge.points[:, 1], edge.points[:, 0], left=np.nan, right=np.nan) for edge in edges])
    there = ~np.isnan(x)
    shared = there[:, None] & there[None]
    rows = shared.sum(2)
    apart = np.where(shared, np.abs(x[:, None] - x[None]), 0).sum(2)
    widening = np.array([_WIDENING["double" if edge.kind[0].startswith("double") else "single"] for edge in edges])
    most = _NARROWEST * height + widening[:, None] * np.maximum(y - _TOP * height, 0)
    share = apart / np.maximum(np.where(shared, most[:, None], 0).sum(2), 1e-9)
    shorter = np.minimum(there.sum(1)[:, None], there.sum(1)[None])
    near = (share <= 1) & (rows > 0) & (rows >= _SHARED * shorter)
    found = [
        (float(share[one, other]), int(one), int(other))
        for one, other in np.argwhere(np.triu(near, 1))
        if edges[one].kind == edges[other].kind and not (edges[one].centre or edges[other].centre)
    ]
    return [(one, other) for _, one, other in sorted(found)]


def _between(one: Points, other: Points) -> Points:
    y = np.unique(np.concatenate([one[:, 1], other[:, 1]]))
    top, bottom = max(one[0, 1], other[0, 1]), min(one[-1, 1], other[-1, 1])
    shared = np.clip(y, top, bottom)
    middle = (_x(one, shared) + _x(other, shared)) / 2
    # Beyond the rows they share, the one that goes on keeps its distance from the middle.
    goes_on = np.where(y < top, one[0, 1] < other[0, 1], one[-1, 1] > other[-1, 1])
    moved = np.where(goes_on, _x(one, y) - _x(one, shared), _x(other, y) - _x(other, shared))
    return np.stack([middle + moved, y], axis=1).astype(np.float32)


def _x(line: Points, y: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.interp(y, line[:, 1], line[:, 0]), np.float64)
