"""Exact labels: the lines of the layout through the camera, as TuSimple's annotators would mark them."""

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes
from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.ground import sight
from edgecnn.data.road.layout import Layout, Line
from edgecnn.data.road.walls import Wall, behind

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

MAX_LINES = 5


def sample_rows(height: int) -> Float32:
    """Return TuSimple's h_samples (160 to 710 in steps of 10 at 720) for a frame of this height, whole pixels."""
    return np.asarray(np.rint(np.arange(160, 711, 10) * (height / 720)), np.float32)


def label(camera: Camera, alignment: Alignment, layout: Layout, reach_m: float, walls: tuple[Wall, ...] = ()) -> Lanes:
    """Return the labelled lines of a scene.

    A line goes on through gaps, worn paint and behind vehicles; it stops at the frame's border, behind a crest, where a
    bend takes it behind one of the high `walls`, and `reach_m` metres ahead, beyond which nothing of it can be seen.
    """
    rows = sample_rows(camera.height)
    sightline = sight(camera, alignment)
    along = sightline.along[sightline.seen & (sightline.along <= reach_m)]
    shown = [(line, _in_sight(camera, alignment, line, along, walls)) for line in layout.lines]
    drawn = [_points(camera, alignment, line, part, rows) for line, part in shown]
    found = [points for points in drawn if len(points) >= 2]
    order = positions(found, camera.width, camera.height)
    nearest = sorted(range(len(found)), key=lambda i: (abs(order[i]), order[i]))[:MAX_LINES]
    keep = sorted(nearest, key=lambda i: order[i])
    lines = tuple(found[i] for i in keep)
    return Lanes(lines, camera.width, camera.height, tuple(order[i] for i in keep), rows=rows)


def _in_sight(camera: Camera, alignment: Alignment, line: Line, along: Floats, walls: tuple[Wall, ...]) -> Floats:
    """Return the part of `along`, near to far, before the first wall hides the line."""
    for wall in walls:
        hidden = np.flatnonzero(behind(camera.canvas(0), alignment, wall, along, line.offset(along)))
        along = along[: hidden[0]] if len(hidden) else along
    return along


def _points(camera: Camera, alignment: Alignment, line: Line, along: Floats, rows: Float32) -> Float32:
    """Return the line's (x, y) at the sample rows, the longest run inside the frame, float32 [N, 2]."""
    if len(along) < 2:
        return np.zeros((0, 2), np.float32)
    x, y, z = alignment.point(along, line.offset(along))
    u, v, _ = camera.project(x, y, z)
    order = np.argsort(v)
    at = np.interp(rows, v[order], u[order], left=np.nan, right=np.nan)
    inside = (at >= 0) & (at <= camera.width - 1)
    begin, end = _longest_run(inside)
    return np.stack([at[begin:end], rows[begin:end]], axis=1).astype(np.float32)


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    begins, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - begins))
    return int(begins[best]), int(ends[best])
