"""From (seed, index) to a picture of a road and its labels."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame, Lanes
from edgecnn.data.road.alignment import Alignment, sample_alignment
from edgecnn.data.road.camera import Camera, sample_camera
from edgecnn.data.road.conditions import Conditions, check_conditions, sample_conditions
from edgecnn.data.road.ground import Ground, look
from edgecnn.data.road.illumination import light_ground
from edgecnn.data.road.labels import label
from edgecnn.data.road.layout import Layout, sample_layout
from edgecnn.data.road.light import Light, sample_light
from edgecnn.data.road.paint import paint_line
from edgecnn.data.road.sensor import sample_sensor, take
from edgecnn.data.road.sky import paint_sky
from edgecnn.data.road.roadside import sample_roadside
from edgecnn.data.road.surface import paint_surface, sample_surface
from edgecnn.data.road.trees import set_tree
from edgecnn.data.road.vehicles import draw_vehicle, sample_traffic
from edgecnn.data.road.view import stand
from edgecnn.data.road.walls import draw_wall

_STREAMS = 16


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture, uint8 BGR [H, W, 3], its exact lane lines, and the conditions it shows."""

    image: Frame
    lanes: Lanes
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoadScenes:
    """An endless set of road pictures; the same seed and index give the same picture anywhere.

    Attributes:
        seed: any whole number >= 0.
        width, height: size of the pictures in pixels.
        conditions: tags that every scene must carry, such as ("day", "clear"); of several times or weathers one is
            drawn. Empty for everything.
    """

    seed: int
    width: int = 640
    height: int = 360
    conditions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_conditions(self.conditions)

    def scene(self, index: int) -> Scene:
        """Return scene number `index` >= 0."""
        streams = [np.random.default_rng(child) for child in np.random.SeedSequence([self.seed, index]).spawn(_STREAMS)]
        wanted = sample_conditions(streams[0], self.conditions)
        camera = sample_camera(streams[1], self.width, self.height)
        alignment = sample_alignment(streams[2], curved=wanted.curved, urban=wanted.kind == "urban")
        layout = sample_layout(streams[3], kind=wanted.kind, worn=wanted.worn)
        light = sample_light(streams[4], wanted.time, wanted.weather)
        image = _render(streams, wanted, camera, alignment, layout, light)
        lanes = label(camera, alignment, layout, _reach_m(light))
        return Scene(image, lanes, wanted.tags())


def _reach_m(light: Light) -> float:
    """How far a person could follow a line: to the air's limit, at night to the end of the lamps' light."""
    dark = 70.0 if light.time == "night" and light.street_lamps == 0 else 220.0
    return min(dark, 2.6 * light.haze_m)


def _render(
    streams: list[np.random.Generator],
    wanted: Conditions,
    camera: Camera,
    alignment: Alignment,
    layout: Layout,
    light: Light,
) -> Frame:
    margin = int(np.ceil(camera.width * 0.02))
    view = camera.canvas(margin)
    ground = look(view, alignment)
    canvas = np.empty((view.height, view.width, 3), np.float32)
    canvas[: ground.top + 2] = paint_sky(streams[5], light, view.width, ground.top + 2, view.horizon_px)
    canvas[ground.top :] = _paint_ground(streams, ground, layout, light)
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    scenery = stand(view, alignment, light)
    beside = sample_roadside(streams[10], layout)
    for wall in beside.walls:
        draw_wall(scenery, wall, picture)
    for tree in beside.trees:
        set_tree(scenery, picture, tree.variant, tree.along, tree.offset, tree.size_m, flip=tree.flip)
    for vehicle in sample_traffic(streams[11], layout, occluded=False):
        draw_vehicle(scenery, vehicle, picture)
    sensor = sample_sensor(streams[8], dark=wanted.time == "night", scale=camera.width / 640)
    turned = cv2.warpAffine(
        picture, camera.unrolled(margin), (camera.width, camera.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return take(streams[9], sensor, np.asarray(turned, np.uint8))


def _paint_ground(
    streams: list[np.random.Generator], ground: Ground, layout: Layout, light: Light
) -> NDArray[np.float32]:
    albedo = paint_surface(streams[6], sample_surface(streams[6], layout), ground)
    for line in (*layout.others, *layout.lines):
        paint_line(streams[7], line, ground, albedo)
    return light_ground(light, ground, albedo)
