"""A tunnel: two walls, a ceiling with rows of lamps, and daylight at its end."""

from dataclasses import dataclass, replace

import numpy as np

from edgecnn.core.results import Frame
from edgecnn.data.road import wall_textures
from edgecnn.data.road.alignment import Alignment, flipped
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.coat import Coat
from edgecnn.data.road.ground import look, sight
from edgecnn.data.road.illumination import light_ground
from edgecnn.data.road.layout import Layout
from edgecnn.data.road.light import Light
from edgecnn.data.road.noise import tile
from edgecnn.data.road.paint import dashes, strip
from edgecnn.data.road.roadside import Roadside
from edgecnn.data.road.walls import Wall

_WARM = np.array([0.5, 0.82, 1.15], np.float32)
_COOL = np.array([1.0, 1.0, 0.96], np.float32)


@dataclass(frozen=True, slots=True)
class Tunnel:
    """`length_m` of tunnel ahead of the car, `rise_m` high, between `left_m` and `right_m`; lamps every `step_m`."""

    length_m: float
    rise_m: float
    left_m: float
    right_m: float
    step_m: float
    level: float
    warm: bool
    texture: int

    def light(self, outside: Light) -> Light:
        """Return the light inside: the lamps' alone, with smoke in the air."""
        tint = (_WARM if self.warm else _COOL) * np.float32(self.level)
        return replace(
            outside, ambient=tint, sun=0.0, haze=tint * np.float32(70), haze_m=220.0, headlights=0.2, street_lamps=0.0
        )

    def sides(self) -> Roadside:
        """Return the two walls, up to the tunnel's end."""
        along = np.array([0.0, self.length_m - 0.5, self.length_m, 1e4])
        rise = np.array([self.rise_m, self.rise_m, 0.05, 0.05])
        texture = wall_textures.concrete(self.texture)
        return Roadside(
            tuple(Wall(at, texture, 0.08, along, rise, 0.95, 0.0) for at in (self.left_m, self.right_m)), ()
        )


def sample_tunnel(rng: np.random.Generator, layout: Layout) -> tuple[Layout, Tunnel]:
    """Return the road as it is in a tunnel (no other carriageway beside it), and the tunnel."""
    tunnel = Tunnel(
        length_m=float(rng.uniform(60, 400)),
        rise_m=float(rng.uniform(4.6, 6.5)),
        left_m=layout.left_m - float(rng.uniform(0.2, 1.2)),
        right_m=layout.right_m + float(rng.uniform(0.2, 1.2)),
        step_m=float(rng.uniform(4, 14)),
        level=float(rng.uniform(0.3, 0.7)),
        warm=bool(rng.random() < 0.6),
        texture=int(rng.integers(16)),
    )
    return replace(layout, opposite=None, others=()), tunnel


def paint_ceiling(
    rng: np.random.Generator, tunnel: Tunnel, camera: Camera, alignment: Alignment, light: Light, canvas: Frame
) -> None:
    """Paint the ceiling over the sky of `canvas`, in place: a road seen from below, so it is looked up as one."""
    upside_down = replace(
        camera,
        height_m=tunnel.rise_m - camera.height_m,
        pitch_rad=-camera.pitch_rad,
        centre_y_px=camera.height - camera.centre_y_px,
    )
    above = flipped(alignment)
    ceiling = look(upside_down, above, sight(upside_down, above))
    rows = int(np.searchsorted(-ceiling.along, -tunnel.length_m))
    mottle = ceiling.texture(tile(int(rng.integers(6)), 1.0), 0.05, 0.1, (0.0, 0.0))
    coat = Coat(np.full((*mottle.shape, 4), 95, np.uint8), 1 + np.float32(0.1) * mottle)
    # A lamp looks as bright as the sensor can show, whatever light falls on it.
    lamps = np.array([250.0, 252.0, 252.0] if not tunnel.warm else [170.0, 225.0, 255.0], np.float32)
    middle = (tunnel.left_m + tunnel.right_m) / 2
    for side in (-0.28, 0.28) if rng.random() < 0.7 else (0.0,):
        pixels = strip(ceiling, middle + side * (tunnel.right_m - tunnel.left_m), 0.3)
        on = dashes(ceiling, 1.3, tunnel.step_m, 0.0)[pixels.rows].astype(np.float32)
        coat.blend(pixels, pixels.cover * on, lamps)
        coat.tone[pixels.rows, pixels.columns] += pixels.cover * on / np.float32(light.brightness)
    lit = light_ground(replace(light, headlights=0.0), ceiling, coat)
    first = ceiling.top + rows
    band = lit[rows:][::-1]
    canvas[: camera.height - first] = band[: camera.height - first]
