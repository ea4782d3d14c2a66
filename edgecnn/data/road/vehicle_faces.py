"""A vehicle's faces, built once for each body and direction: their place, material and tilt to the sky."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.vehicle_shapes import Body

Floats = NDArray[np.float64]
Point = tuple[float, float, float]

# Materials: a face's albedo is paint * scale for the painted ones, else the material's own colour.
PAINT, GLASS, SKY_GLASS, TYRE, UNDER, LAMP, PLATE, TRIM = range(8)


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces in drawing order, the far ones first.

    Attributes:
        points: float64 [N, 3]: metres from the near end, metres to the right, metres up.
        starts: int [F + 1]: face f has the points starts[f] .. starts[f + 1].
        material: int [F].
        scale: share of the paint's colour, float64 [F].
        facing: share of daylight, float64 [F].
        coarse: bool [F]: still drawn when the vehicle is only some pixels wide.
    """

    points: Floats
    starts: NDArray[np.int64]
    material: NDArray[np.int64]
    scale: Floats
    facing: Floats
    coarse: NDArray[np.bool_]


class _Builder:
    """Collects faces in drawing order."""

    def __init__(self) -> None:
        self.faces: list[tuple[list[Point], int, float, float, bool]] = []

    def add(
        self, points: list[Point], material: int, facing: float, *, scale: float = 1.0, coarse: bool = False
    ) -> None:
        """Add one convex face."""
        self.faces.append((points, material, scale, facing, coarse))

    def band(
        self, low: float, high: float, left: float, right: float, material: int, facing: float, *, scale: float = 1.0,
        coarse: bool = False,
    ) -> None:  # fmt: skip
        """Add a rectangle on the near end."""
        corners = [(0.0, left, low), (0.0, right, low), (0.0, right, high), (0.0, left, high)]
        self.add(corners, material, facing, scale=scale, coarse=coarse)

    def done(self) -> Faces:
        """Return the faces as arrays."""
        counts = [len(points) for points, *_ in self.faces]
        return Faces(
            points=np.array([point for points, *_ in self.faces for point in points]),
            starts=np.concatenate([[0], np.cumsum(counts)]),
            material=np.array([face[1] for face in self.faces]),
            scale=np.array([face[2] for face in self.faces]),
            facing=np.array([face[3] for face in self.faces]),
            coarse=np.array([face[4] for face in self.faces]),
        )


@lru_cache(maxsize=128)
def build_faces(body: Body, side: int, *, oncoming: bool) -> Faces:
    """Return the faces of `body` as seen when the camera looks at its flank `side` (+1: its right in the picture)."""
    builder = _Builder()
    tops = _tops(body, oncoming=oncoming)
    _wheels(builder, body, side)
    _flank(builder, body, tops, side)
    last = len(tops) - 2
    glass = tuple(last - i for i in body.glass) if oncoming else body.glass
    for i in range(last, -1, -1):
        _roof_piece(builder, tops[i], tops[i + 1], glass=i in glass)
    _near_end(builder, body, tops, oncoming=oncoming)
    return builder.done()


def _tops(body: Body, *, oncoming: bool) -> list[Point]:
    """Return (metres from the near end, height, half width) along the top."""
    half = body.width_m / 2
    profile = [(share * body.length_m, height, width * half) for share, height, width in body.profile]
    return [(body.length_m - at, height, width) for at, height, width in reversed(profile)] if oncoming else profile


def _wheels(builder: _Builder, body: Body, side: int) -> None:
    size, half = body.wheel_m, body.width_m / 2
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    for share in (0.72, 0.12):
        at = share * body.length_m
        for radius, material in ((size / 2, TYRE), (size * 0.28, TRIM)):
            hub, lift = at + size / 2, size / 2
            ring = [
                (float(hub + radius * np.cos(t)), half * side * 0.99, float(lift + radius * np.sin(t))) for t in turn
            ]
            builder.add(ring, material, 0.7)
    at, low = 0.14 * body.length_m, body.floor_m + 0.12
    for s in (-1.0, 1.0):
        outer, inner = s * half * 0.97, s * (half - 0.22)
        builder.add(
            [(at, inner, 0.0), (at, outer, 0.0), (at, outer, size * 0.8), (at, inner, size * 0.8)],
            TYRE,
            0.7,
            coarse=True,
        )
    builder.add(
        [(0.06, -half * 0.9, 0.16), (0.06, half * 0.9, 0.16), (0.06, half, low), (0.06, -half, low)], UNDER, 0.6
    )


def _flank(builder: _Builder, body: Body, tops: list[Point], side: int) -> None:
    """The flank that faces the camera: sill, body, crease, windows. Facing is negative: the sun's side decides."""
    length, edge, belt = body.length_m, body.width_m / 2 * side, body.belt_m
    near, far = 0.015 * length, 0.985 * length
    upper = [(at, edge * 0.99, min(height, belt)) for at, height, _ in tops]
    builder.add([(near, edge, body.floor_m), (far, edge, body.floor_m), *upper[::-1]], PAINT, -0.66, coarse=True)
    tall = belt - body.floor_m
    for low, high, scale in ((0.0, 0.2, 0.5), (0.2, 0.55, 0.82), (0.82, 0.95, 1.18)):
        a, b = body.floor_m + low * tall, body.floor_m + high * tall
        builder.add(
            [(near + 0.1, edge, a), (far - 0.2, edge, a), (far - 0.2, edge, b), (near + 0.1, edge, b)],
            PAINT,
            -0.66,
            scale=scale,
        )
    cabin = [(at, width * side, height) for at, height, width in tops if height > belt + 0.02]
    if len(cabin) < 2:
        return
    base = [(cabin[0][0], edge * 0.96, belt), (cabin[-1][0], edge * 0.96, belt)]
    outline = [base[0], base[1], *cabin[::-1]]
    builder.add(outline, PAINT, -0.72, coarse=True)
    if not body.box or body.name == "bus":
        middle = np.mean(np.array(outline), axis=0)
        panes = [point * 0.85 + middle * 0.15 for point in np.array(outline)]
        builder.add([(float(p[0]), float(p[1]), float(p[2])) for p in panes], GLASS, 0.9, coarse=True)


def _roof_piece(builder: _Builder, near: Point, far: Point, *, glass: bool) -> None:
    """One piece of the upper surface, between two cross-sections."""
    rise = (far[1] - near[1]) / (abs(far[0] - near[0]) + abs(far[1] - near[1]) + 1e-6)
    if rise < -0.25:
        # Its back is turned to the camera.
        return
    facing = 0.78 + 0.42 * (1 - max(rise, 0.0))
    quad = [
        (near[0], -near[2], near[1]),
        (near[0], near[2], near[1]),
        (far[0], far[2], far[1]),
        (far[0], -far[2], far[1]),
    ]
    builder.add(quad, PAINT, facing, coarse=True)
    if glass:
        for low, high, material in ((0.06, 0.92, GLASS), (0.5, 0.92, SKY_GLASS)):
            corners = [_inside(quad, a, b) for a, b in ((0.06, low), (0.94, low), (0.94, high), (0.06, high))]
            builder.add(corners, material, 0.95, coarse=material == GLASS)


def _inside(quad: list[Point], a: float, b: float) -> Point:
    """Return the point at shares (a across, b up) of a quad."""
    corners = np.array(quad)
    low, high = corners[0] * (1 - a) + corners[1] * a, corners[3] * (1 - a) + corners[2] * a
    point = low * (1 - b) + high * b
    return float(point[0]), float(point[1]), float(point[2])


def _near_end(builder: _Builder, body: Body, tops: list[Point], *, oncoming: bool) -> None:
    """The end that faces the camera: panel in bands, bumper, lamps, plate, grille or doors."""
    half = body.width_m / 2
    boxed = body.box and not oncoming
    waist = tops[1][1]
    floor, tall = body.floor_m, waist - body.floor_m
    builder.band(floor, waist, -0.97 * half, 0.97 * half, PAINT, 0.74, coarse=True)
    bands = ((0.0, 0.14, 0.35), (0.14, 0.3, 0.75), (0.3, 0.42, 0.9), (0.8, 0.97, 1.12))
    for low, high, scale in bands if not boxed else ((0.0, 0.08, 0.3), (0.93, 1.0, 1.15)):
        builder.band(floor + low * tall, floor + high * tall, -0.95 * half, 0.95 * half, PAINT, 0.74, scale=scale)
    if boxed:
        for at, wide in ((0.0, 0.012), (-0.93, 0.02), (0.93, 0.02)):
            builder.band(floor + 0.15, waist - 0.1, (at - wide) * half, (at + wide) * half, PAINT, 0.74, scale=0.55)
        if body.name != "truck":
            builder.band(waist - 0.95, waist - 0.3, -0.8 * half, 0.8 * half, GLASS, 0.9, coarse=True)
    belt = min(waist, 1.25)
    if oncoming:
        builder.band(floor + 0.3 * tall, floor + 0.62 * tall, -0.5 * half, 0.5 * half, UNDER, 0.9)
    for s in (-1.0, 1.0):
        left, right = sorted((s * 0.66 * half, s * 0.96 * half))
        builder.band(floor + (belt - floor) * 0.6, floor + (belt - floor) * 0.9, left, right, LAMP, 1.0, coarse=True)
    builder.band(floor + (belt - floor) * 0.45, floor + (belt - floor) * 0.62, -0.27, 0.27, PLATE, 0.8)
