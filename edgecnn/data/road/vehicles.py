"""Traffic: where the vehicles are, and how each is drawn from its body's faces."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.vehicle_shapes import Body, sample_body, sample_paint
from edgecnn.data.road.view import View

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

_SHIFT = 4
_GLASS = (52.0, 46.0, 42.0)
_TYRE = (22.0, 21.0, 20.0)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One vehicle: `along` is its rear end (the end nearer to the camera), `offset` its middle across the road."""

    body: Body
    paint: tuple[float, float, float]
    along: float
    offset: float
    oncoming: bool
    braking: bool


def sample_traffic(rng: np.random.Generator, layout: Layout, *, occluded: bool) -> tuple[Vehicle, ...]:
    """Return the vehicles of a scene, far to near, never two in one place."""
    density = float(rng.choice([0.0, 0.012, 0.03, 0.06], p=[0.16, 0.34, 0.34, 0.16]))
    if occluded:
        density = max(density, 0.03)
    vehicles: list[Vehicle] = []
    bounds = layout.lanes
    for left, right in zip(bounds[:-1], bounds[1:], strict=True):
        own = left < 0 < right
        oncoming = layout.kind != "freeway" and (left + right) / 2 < _middle(layout)
        first = float(rng.uniform(9, 16) if occluded else rng.uniform(14, 70)) if own else float(rng.uniform(1.5, 40))
        vehicles += _queue(rng, density, first, (left + right) / 2, oncoming=oncoming)
    if layout.opposite:
        begin, end = layout.opposite
        for middle in np.arange(end - 2.8, begin + 1.5, -layout.lane_m):
            vehicles += _queue(rng, density * 1.2, float(rng.uniform(5, 60)), float(middle), oncoming=True)
    return tuple(sorted(vehicles, key=lambda vehicle: -vehicle.along))


def _middle(layout: Layout) -> float:
    return layout.lanes[len(layout.lanes) // 2]


def _queue(
    rng: np.random.Generator, density: float, first: float, offset: float, *, oncoming: bool
) -> list[Vehicle]:
    """Vehicles one behind the other in one lane."""
    found = []
    at = first + (rng.exponential(0.6 / density) if density else 1e9)
    while at < 260:
        body = sample_body(rng)
        shifted = offset + float(np.clip(rng.normal(0, 0.25), -0.6, 0.6))
        found.append(Vehicle(body, sample_paint(rng), float(at), shifted, oncoming, bool(rng.random() < 0.2)))
        at += body.length_m + rng.uniform(6, 12) + rng.exponential(1 / density)
    return found


def draw_vehicle(view: View, vehicle: Vehicle, picture: Frame) -> None:
    """Draw one vehicle into the picture, in place."""
    _, _, depth = view.project(np.array([vehicle.along]), vehicle.offset, 0.0)
    near = float(depth[0])
    limit = min(view.limit(vehicle.along), picture.shape[0])
    if near < 2.0 or limit < 1:
        return
    brush = _Brush(view, vehicle, picture[:limit], near)
    brush.draw()


class _Brush:
    """Draws the faces of one vehicle, the far ones first."""

    def __init__(self, view: View, vehicle: Vehicle, target: Frame, depth_m: float) -> None:
        self.view, self.vehicle, self.target, self.depth_m = view, vehicle, target, depth_m
        self.half = vehicle.body.width_m / 2
        # The side that faces the camera: +1 is the vehicle's right.
        self.side = -1.0 if vehicle.offset > 0 else 1.0

    def face(self, points: list[tuple[float, float, float]], albedo: tuple[float, ...] | Float32, facing: float) -> None:
        """Fill one face; points are (metres from the near end, metres to the right, metres up)."""
        place = np.array(points)
        u, v, depth = self.view.project(self.vehicle.along + place[:, 0], self.vehicle.offset + place[:, 1], place[:, 2])
        if depth.min() < 0.5:
            return
        color = self.view.lit(np.asarray(albedo, np.float32), self.depth_m, facing)
        pixels = np.clip(np.stack([u - 0.5, v - 0.5], axis=1), -4000, 4000)
        cv2.fillConvexPoly(
            self.target, np.rint(pixels * (1 << _SHIFT)).astype(np.int32), [float(c) for c in color], cv2.LINE_AA, _SHIFT
        )

    def draw(self) -> None:
        """Draw the whole vehicle."""
        body = self.vehicle.body
        self._wheels()
        self._side()
        profile = [(s * body.length_m, h, w * self.half) for s, h, w in self._profile()]
        for i in range(len(profile) - 2, -1, -1):
            self._top(i, profile[i], profile[i + 1])
        self._end()

    def _profile(self) -> list[tuple[float, float, float]]:
        """The profile from the near end on: turned round for oncoming traffic."""
        profile = list(self.vehicle.body.profile)
        return [(1 - s, h, w) for s, h, w in reversed(profile)] if self.vehicle.oncoming else profile

    def _glass_pieces(self) -> tuple[int, ...]:
        body = self.vehicle.body
        last = len(body.profile) - 2
        return tuple(last - i for i in body.glass) if self.vehicle.oncoming else body.glass

    def _top(self, i: int, near: tuple[float, float, float], far: tuple[float, float, float]) -> None:
        """One piece of the body's upper surface between two cross-sections."""
        rise = (far[1] - near[1]) / (abs(far[0] - near[0]) + abs(far[1] - near[1]) + 1e-6)
        # Falling away from the camera: its back is turned to us.
        if rise < -0.05 and near[1] > self.view.camera.height_m - 0.3:
            return
        flat = 1 - max(rise, 0.0)
        quad = [(near[0], -near[2], near[1]), (near[0], near[2], near[1]), (far[0], far[2], far[1]), (far[0], -far[2], far[1])]
        self.face(quad, self.vehicle.paint, 0.72 + 0.45 * flat)
        if i in self._glass_pieces():
            inner = [self._inset(quad, a, b) for a, b in ((0.07, 0.08), (0.93, 0.08), (0.93, 0.9), (0.07, 0.9))]
            # Glass mirrors the sky above more than the road below.
            sky = np.asarray(self.view.light.sky_low) * np.float32(0.16)
            self.face(inner, np.array(_GLASS, np.float32) + sky, 0.9)
            upper = [self._inset(quad, a, b) for a, b in ((0.07, 0.55), (0.93, 0.55), (0.93, 0.9), (0.07, 0.9))]
            self.face(upper, np.array(_GLASS, np.float32) + sky * np.float32(1.6), 1.0)

    @staticmethod
    def _inset(quad: list[tuple[float, float, float]], a: float, b: float) -> tuple[float, float, float]:
        corners = np.array(quad)
        low, high = corners[0] * (1 - a) + corners[1] * a, corners[3] * (1 - a) + corners[2] * a
        point = low * (1 - b) + high * b
        return float(point[0]), float(point[1]), float(point[2])

    def _side(self) -> None:
        """The flank that faces the camera: body, windows, sill."""
        body, s = self.vehicle.body, self.side
        length, edge = body.length_m, self.half * s
        shade = 0.62 + 0.3 * (self.view.light.sun_side * s > 0) * (self.view.light.sun > 0)
        tops = [(p * length, h, w * self.half * s) for p, h, w in self._profile()]
        belt = body.belt_m
        lower = [(0.02 * length, edge, body.floor_m), (0.98 * length, edge, body.floor_m)]
        upper = [(d, edge * 0.99, min(h, belt)) for d, h, _ in tops]
        self.face(lower + upper[::-1], self.vehicle.paint, shade)
        self.face(
            [(0.02 * length, edge, body.floor_m), (0.98 * length, edge, body.floor_m),
             (0.98 * length, edge, body.floor_m + 0.18), (0.02 * length, edge, body.floor_m + 0.18)],
            tuple(c * 0.45 for c in self.vehicle.paint), shade,
        )  # fmt: skip
        cabin = [(d, w, h) for d, h, w in tops if h > belt + 0.02]
        if len(cabin) < 2:
            return
        base = [(cabin[0][0], edge * 0.96, belt), (cabin[-1][0], edge * 0.96, belt)]
        self.face([base[0], base[1], *cabin[::-1]], self.vehicle.paint, shade * 1.05)
        if not body.box or body.name == "bus":
            middle = np.mean([np.array(p) for p in (*base, *cabin)], axis=0)
            panes = [tuple(float(c) for c in np.array(p) * 0.84 + middle * 0.16) for p in (base[0], base[1], *cabin[::-1])]
            self.face([(p[0], p[1], p[2]) for p in panes], np.array(_GLASS, np.float32) * 1.1, 0.9)

    def _wheels(self) -> None:
        body = self.vehicle.body
        size = body.wheel_m
        for start in (0.12, 0.72):
            at, s = start * body.length_m, self.half * self.side * 0.99
            turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            ring = [(at + size / 2 + size / 2 * np.cos(t), s, size / 2 + size / 2 * np.sin(t)) for t in turn]
            self.face([(float(a), b, float(c)) for a, b, c in ring], _TYRE, 0.9)
        for s in (-1.0, 1.0):
            outer, inner = s * self.half * 0.98, s * (self.half - 0.24)
            at = 0.14 * body.length_m
            self.face([(at, inner, 0.0), (at, outer, 0.0), (at, outer, size * 0.8), (at, inner, size * 0.8)], _TYRE, 0.8)
        low = body.floor_m + 0.1
        self.face([(0.05, -self.half, 0.12), (0.05, self.half, 0.12), (0.05, self.half, low), (0.05, -self.half, low)],
                  (18.0, 17.0, 16.0), 0.7)  # fmt: skip

    def _band(self, low: float, high: float, left: float, right: float, albedo: tuple[float, ...], facing: float) -> None:
        """A rectangle on the near end; left and right in shares of the half width."""
        a, b = left * self.half, right * self.half
        self.face([(0.0, a, low), (0.0, b, low), (0.0, b, high), (0.0, a, high)], albedo, facing)

    def _end(self) -> None:
        """The near end: panel with bumper, lamps and plate; what they are depends on whether it is the rear."""
        body, paint = self.vehicle.body, self.vehicle.paint
        top = self._profile()[0][1] if not body.box or self.vehicle.oncoming else self._profile()[1][1]
        waist = self._profile()[1][1]
        dark = tuple(c * 0.4 for c in paint)
        self._band(body.floor_m, top, -0.97, 0.97, paint, 0.72)
        if not body.box:
            self._band((top + body.floor_m) / 2, waist, -0.96, 0.96, paint, 0.82)
        self._band(body.floor_m, body.floor_m + 0.16, -0.95, 0.95, dark, 0.6)
        if body.box and not self.vehicle.oncoming:
            self._band(body.floor_m + 0.2, top - 0.12, -0.012, 0.012, tuple(c * 0.5 for c in paint), 0.8)
            if body.name != "truck":
                self._band(top - 1.0, top - 0.35, -0.8, 0.8, _GLASS, 0.9)
        self._lamps(waist if not body.box else min(waist, 1.3))

    def _lamps(self, waist: float) -> None:
        dark = self.view.light.brightness < 0.45
        if self.vehicle.oncoming:
            shine = 255.0 / max(self.view.light.brightness, 0.12) if dark else 220.0
            lamp, plate = (shine * 0.9, shine, shine), (170.0, 175.0, 175.0)
            self._band(waist * 0.62, waist * 0.8, -0.45, 0.45, (30.0, 30.0, 30.0), 0.8)
        else:
            shine = 1.6 if self.vehicle.braking else 0.8
            if dark:
                shine = 0.9 / max(self.view.light.brightness, 0.1) * (1.0 if self.vehicle.braking else 0.6)
            lamp, plate = (30.0 * shine, 26.0 * shine, 150.0 * shine), (165.0, 170.0, 172.0)
        for s in (-1.0, 1.0):
            self._band(waist * 0.74, waist * 0.93, *sorted((s * 0.68, s * 0.95)), lamp, 1.0)
        self._band(waist * 0.58, waist * 0.7, -0.17, 0.17, plate, 0.8)
