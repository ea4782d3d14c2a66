"""From a plan to the picture that its camera takes: sky, ground, what stands on it, weather, lens."""

import math

import cv2
import numpy as np

from edgecnn.core.results import Frame
from edgecnn.data.road import weather
from edgecnn.data.road.ground import Ground, look
from edgecnn.data.road.illumination import light_ground
from edgecnn.data.road.lamps import light_lamps
from edgecnn.data.road.marks import mark_pavement, paint_symbols
from edgecnn.data.road.overhead import Structure, draw_structure
from edgecnn.data.road.paint import paint_line
from edgecnn.data.road.plan import Plan
from edgecnn.data.road.sensor import take
from edgecnn.data.road.shadows import cast_shadows
from edgecnn.data.road.sky import paint_sky
from edgecnn.data.road.surface import paint_surface
from edgecnn.data.road.traffic import Vehicle
from edgecnn.data.road.trees import Tree, set_tree
from edgecnn.data.road.tunnel import paint_ceiling
from edgecnn.data.road.vehicles import draw_vehicle
from edgecnn.data.road.view import View, stand
from edgecnn.data.road.walls import draw_wall, sight_m


def render(plan: Plan) -> Frame:
    """Return the picture of `plan`, uint8 BGR [H, W, 3]."""
    camera = plan.camera
    # A rolled camera looks a little beyond the level canvas's corners.
    margin = 2 + math.ceil(abs(camera.roll_rad) * 0.56 * max(camera.width, camera.height))
    view = stand(camera.canvas(margin), plan.alignment, plan.light)
    ground = look(view.camera, plan.alignment, view.sightline)
    picture = _backdrop(plan, view, ground)
    _objects(plan, view, picture)
    _weather(plan, view, ground, picture)
    size, how = (camera.width, camera.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frame = np.asarray(cv2.warpAffine(picture, camera.unrolled(margin), size, flags=how), np.uint8)
    _windscreen(plan, frame)
    return take(plan.streams["grain"], plan.sensor, frame)


def _backdrop(plan: Plan, view: View, ground: Ground) -> Frame:
    """Sky and ground."""
    camera = view.camera
    canvas = np.empty((camera.height, camera.width, 3), np.uint8)
    rows = min(ground.top + 2, camera.height)
    canvas[:rows] = paint_sky(plan.streams["sky"], plan.light, camera.width, rows, camera.horizon_px)
    if plan.tunnel:
        paint_ceiling(plan.streams["sky"], plan.tunnel, camera, plan.alignment, plan.light, canvas)
    canvas[ground.top :] = _ground(plan, view, ground)
    return canvas


def _ground(plan: Plan, view: View, ground: Ground) -> Frame:
    streams, layout = plan.streams, plan.layout
    coat = paint_surface(streams["surface"], plan.surface, ground)
    mark_pavement(streams["marks"], layout, ground, coat)
    for line in (*layout.others, *layout.lines):
        paint_line(streams["paint"], line, ground, coat)
    paint_symbols(streams["marks"], layout, ground, coat)
    hard = "shadow" in plan.conditions
    shade = cast_shadows(streams["shadows"], view, ground, layout, plan.traffic, hard=hard)
    return light_ground(plan.light, ground, coat, shade)


def _objects(plan: Plan, view: View, picture: Frame) -> None:
    """Everything that stands on the ground, from outside in: what is behind a wall first, then the wall."""
    pending = [*plan.structures, *_in_view(view, [*plan.roadside.trees, *plan.traffic])]
    for wall in sorted(plan.roadside.walls, key=lambda wall: -abs(wall.offset_m)):
        side = math.copysign(1.0, wall.offset_m)
        behind = [thing for thing in pending if thing.offset * side > abs(wall.offset_m)]
        pending = [thing for thing in pending if thing.offset * side <= abs(wall.offset_m)]
        _draw(plan, view, behind, picture)
        draw_wall(view, wall, picture)
        if wall.hides:
            # What is round the corner.
            sight = sight_m(view.camera, view.alignment, wall)
            pending = [thing for thing in pending if thing.along < sight]
    _draw(plan, view, pending, picture)


def _in_view(view: View, things: list[Tree | Vehicle]) -> list[Tree | Structure | Vehicle]:
    """Return the things that reach into the picture."""
    if not things:
        return []
    u, _, depth = view.project(np.array([t.along for t in things]), np.array([t.offset for t in things]), 0.0)
    half = np.array([t.size_m / 2 if isinstance(t, Tree) else t.body.length_m for t in things])
    near = (depth > 1) & (
        np.abs(u - view.camera.width / 2) < view.camera.width / 2 + half * view.camera.focal_px / depth
    )
    return [thing for thing, shown in zip(things, near, strict=True) if shown]


def _draw(plan: Plan, view: View, things: list[Tree | Structure | Vehicle], picture: Frame) -> None:
    """Draw things from far to near."""
    for thing in sorted(things, key=lambda thing: -thing.along):
        if isinstance(thing, Structure):
            draw_structure(plan.streams["structures"], view, thing, picture)
        elif isinstance(thing, Tree):
            set_tree(view, picture, thing)
        else:
            draw_vehicle(view, thing, picture)


def _weather(plan: Plan, view: View, ground: Ground, picture: Frame) -> None:
    rng, light = plan.streams["weather"], plan.light
    if light.brightness < 0.4 and not plan.tunnel:
        light_lamps(rng, view, picture, plan.layout, plan.traffic)
    if light.weather == "rain" and not plan.tunnel:
        weather.mirror(rng, picture, ground, view.camera.horizon_px, float(rng.uniform(0.15, 0.6)))
        weather.rain(rng, light, picture)
    if "glare" in plan.conditions:
        weather.glare(rng, picture, view.camera.horizon_px)


def _windscreen(plan: Plan, frame: Frame) -> None:
    rng = plan.streams["weather"]
    if rng.random() < 0.25:
        weather.dirt(rng, plan.light, frame)
    if rng.random() < 0.3:
        weather.bonnet(rng, plan.light, frame)
