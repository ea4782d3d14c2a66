"""From a plan to the picture that its camera takes: sky, ground, what stands on it, weather, lens."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections, Frame
from edgecnn.data.road import weather
from edgecnn.data.road.canvas import Canvas, changed
from edgecnn.data.road.ground import Ground, look
from edgecnn.data.road.illumination import light_ground
from edgecnn.data.road.lamps import light_lamps
from edgecnn.data.road.marks import mark_pavement, paint_symbols
from edgecnn.data.road.paint import paint_line
from edgecnn.data.road.plan import Plan
from edgecnn.data.road.sensor import take
from edgecnn.data.road.shadows import cast_shadows
from edgecnn.data.road.sky import paint_sky
from edgecnn.data.road.street.backdrop import paint_backdrop
from edgecnn.data.road.street.floor import paint_floor
from edgecnn.data.road.street.found import Found, Masks, label_objects
from edgecnn.data.road.surface import paint_surface
from edgecnn.data.road.things import Thing, draw_things
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.trees import Tree
from edgecnn.data.road.tunnel import paint_ceiling
from edgecnn.data.road.view import View, stand
from edgecnn.data.road.walls import draw_wall, sight_m


class Taken(NamedTuple):
    """The picture, uint8 BGR [H, W, 3], and, of scenes with people, the objects in it and their masks."""

    frame: Frame
    objects: Detections | None
    masks: Masks | None


def render(plan: Plan) -> Taken:
    """Return the picture of `plan`."""
    camera = plan.camera
    # A rolled camera looks a little beyond the level canvas's corners.
    margin = 2 + math.ceil(abs(camera.roll_rad) * 0.56 * max(camera.width, camera.height))
    view = stand(camera.canvas(margin), plan.alignment, plan.light)
    ground = look(view.camera, plan.alignment, view.sightline)
    canvas = Canvas(_backdrop(plan, view, ground), labelled=plan.street is not None)
    before = canvas.picture.copy() if plan.street and plan.light.weather == "rain" else None
    found = _objects(plan, view, canvas)
    _weather(plan, view, ground, canvas.picture, before)
    size, turn = (camera.width, camera.height), camera.unrolled(margin)
    frame = _unroll(canvas.picture, turn, size, cv2.INTER_LINEAR)
    owners = None if canvas.owners is None else _unroll(canvas.owners, turn, size, cv2.INTER_NEAREST)
    _windscreen(plan, frame, owners)
    objects, masks = (None, None) if owners is None else label_objects(found, owners, turn)
    return Taken(take(plan.streams["grain"], plan.sensor, frame), objects, masks)


def _unroll(canvas: NDArray[Any], turn: NDArray[np.float64], size: tuple[int, int], how: int) -> NDArray[Any]:
    return np.asarray(cv2.warpAffine(canvas, turn, size, flags=how | cv2.WARP_INVERSE_MAP), canvas.dtype)


def _backdrop(plan: Plan, view: View, ground: Ground) -> Frame:
    """Sky and ground."""
    camera = view.camera
    canvas = np.empty((camera.height, camera.width, 3), np.uint8)
    rows = min(ground.top + 2, camera.height)
    canvas[:rows] = paint_sky(plan.streams["sky"], plan.light, camera.width, rows, camera.horizon_px)
    if plan.tunnel:
        paint_ceiling(plan.streams["sky"], plan.tunnel, camera, plan.alignment, plan.light, canvas)
    canvas[ground.top :] = _ground(plan, view, ground)
    if plan.street and plan.street.backdrop:
        paint_backdrop(view, plan.street.backdrop, canvas)
    return canvas


def _ground(plan: Plan, view: View, ground: Ground) -> Frame:
    streams, layout = plan.streams, plan.layout
    coat = paint_surface(streams["surface"], plan.surface, ground)
    mark_pavement(streams["marks"], layout, ground, coat)
    for line in (*layout.others, *layout.lines):
        paint_line(streams["paint"], line, ground, coat)
    if plan.street:
        paint_floor(streams["floors"], plan.street.section, plan.street.finish, ground, coat)
    if plan.street is None or layout.lines:
        paint_symbols(streams["marks"], layout, ground, coat)
    hard = "shadow" in plan.conditions
    shade = cast_shadows(streams["shadows"], view, ground, layout, plan.traffic, hard=hard)
    return light_ground(plan.light, ground, coat, shade)


def _objects(plan: Plan, view: View, canvas: Canvas) -> list[Found]:
    """Everything that stands on the ground, from outside in: what is behind a wall first, then the wall.

    Returns what is labelled; the thing with number n on the canvas is the n-th.
    """
    found: list[Found] = []
    pending: list[Thing] = [*plan.structures, *_in_view(view, [*plan.roadside.trees, *plan.traffic])]
    if plan.street:
        pending += [*plan.street.items, *plan.street.people]
    for wall in sorted(plan.roadside.walls, key=lambda wall: -abs(wall.offset_m)):
        side = math.copysign(1.0, wall.offset_m)
        behind = [thing for thing in pending if thing.offset * side > abs(wall.offset_m)]
        pending = [thing for thing in pending if thing.offset * side <= abs(wall.offset_m)]
        draw_things(plan.streams["structures"], view, behind, canvas, found)
        with canvas.painting(canvas.whole):
            draw_wall(view, wall, canvas.picture)
        if wall.hides:
            # What is round the corner.
            sight = sight_m(view.camera, view.alignment, wall)
            pending = [thing for thing in pending if thing.along < sight]
    draw_things(plan.streams["structures"], view, pending, canvas, found)
    return found


def _in_view(view: View, things: list[Tree | Vehicle]) -> list[Tree | Vehicle]:
    """Return the things that reach into the picture."""
    if not things:
        return []
    u, _, depth = view.project(np.array([t.along for t in things]), np.array([t.offset for t in things]), 0.0)
    half = np.array([t.size_m / 2 if isinstance(t, Tree) else t.body.length_m for t in things])
    near = (depth > 1) & (
        np.abs(u - view.camera.width / 2) < view.camera.width / 2 + half * view.camera.focal_px / depth
    )
    return [thing for thing, shown in zip(things, near, strict=True) if shown]


def _weather(plan: Plan, view: View, ground: Ground, picture: Frame, before: Frame | None) -> None:
    """Lamps, rain and glare; `before` is the picture without what stands on the ground, where that is known."""
    rng, light = plan.streams["weather"], plan.light
    bare = None if before is None else ~changed(before, picture)
    if light.brightness < 0.4 and not plan.tunnel:
        light_lamps(rng, view, picture, plan.layout, plan.traffic)
    if light.weather == "rain" and not plan.tunnel:
        weather.mirror(rng, picture, ground, view.camera.horizon_px, float(rng.uniform(0.15, 0.6)), bare)
        weather.rain(rng, light, picture)
    if "glare" in plan.conditions:
        weather.glare(rng, picture, view.camera.horizon_px)


def _windscreen(plan: Plan, frame: Frame, owners: Masks | None) -> None:
    rng = plan.streams["weather"]
    if rng.random() < 0.25:
        weather.dirt(rng, plan.light, frame)
    if rng.random() < 0.3:
        before = frame.copy()
        weather.bonnet(rng, plan.light, frame)
        if owners is not None:
            owners[changed(before, frame)] = 0
