"""The camera on its road: where a point of the scene lands on the canvas, what hides it, and how bright it looks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.ground import Sightline, sight
from edgecnn.data.road.light import Light

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """One scene's camera (without roll), road and light.

    Attributes:
        sightline: the road's reference line on the canvas.
    """

    camera: Camera
    alignment: Alignment
    light: Light
    sightline: Sightline

    def project(self, along: Floats, offset: Floats | float, up: Floats | float) -> tuple[Floats, Floats, Floats]:
        """Return canvas (u, v, depth) of points `offset` metres right of the reference line and `up` above the road."""
        x, y, z = self.alignment.point(along, offset)
        return self.camera.project(x, y + up, z)

    def limit(self, along: float) -> int:
        """Return the first canvas row that is hidden by the road in front of what stands at `along`."""
        line = self.sightline
        at = min(int(np.searchsorted(line.along, along)), len(line.along) - 1)
        hidden = line.row[at] > line.crest[at] + 0.5
        return int(np.ceil(line.crest[at])) if hidden else self.camera.height

    def lit(self, albedo: Float32, depth_m: float, facing: float = 1.0) -> Float32:
        """Return how a surface of this BGR albedo looks, by daylight times `facing`, by headlights, through the air."""
        lamps = self.light.headlights * float(np.exp(-((depth_m / 38.0) ** 2))) * 0.7
        seen = self.light.through_air(albedo * (self.light.ambient * np.float32(facing) + np.float32(lamps)), depth_m)
        return np.clip(seen, 0, 255)


def stand(camera: Camera, alignment: Alignment, light: Light) -> View:
    """Return the view of `camera`, a camera without roll."""
    return View(camera, alignment, light, sight(camera, alignment))
