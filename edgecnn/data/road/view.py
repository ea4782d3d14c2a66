"""The camera on its road: where a point of the scene lands on the canvas, what hides it, and how bright it looks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.data.road.alignment import Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.ground import visible
from edgecnn.data.road.light import Light

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """One scene's camera (without roll), road and light.

    Attributes:
        crest_along, crest_row: metres along the road, and the canvas row that the nearer road reaches up to there.
    """

    camera: Camera
    alignment: Alignment
    light: Light
    crest_along: Floats
    crest_row: Floats

    def project(self, along: Floats, offset: Floats | float, up: Floats | float) -> tuple[Floats, Floats, Floats]:
        """Return canvas (u, v, depth) of points `offset` metres right of the reference line and `up` above the road."""
        x, y, z = self.alignment.point(along, offset)
        return self.camera.project(x, y + up, z)

    def limit(self, along: float) -> int:
        """Return the first canvas row that is hidden by the road in front of what stands at `along`."""
        at = int(np.searchsorted(self.crest_along, along))
        if at >= len(self.crest_along):
            return int(np.ceil(self.crest_row[-1]))
        return self.camera.height if self._rises(along) else int(np.ceil(self.crest_row[max(at - 1, 0)]))

    def _rises(self, along: float) -> bool:
        """Whether the road at `along` is itself in sight."""
        at = int(np.searchsorted(self.crest_along, along))
        return bool(self.crest_along[at] - self.crest_along[max(at - 1, 0)] < 3.0 + 0.02 * along)

    def lit(self, albedo: Float32, depth_m: float, facing: float = 1.0) -> Float32:
        """Return how a surface of this BGR albedo looks: by daylight times `facing`, by the car's lamps, through air."""
        lamps = self.light.headlights * float(np.exp(-((depth_m / 38.0) ** 2))) * 0.7
        seen = self.light.through_air(albedo * (self.light.ambient * np.float32(facing) + np.float32(lamps)), depth_m)
        return np.clip(seen, 0, 255)


def stand(camera: Camera, alignment: Alignment, light: Light) -> View:
    """Return the view of `camera`, a camera without roll."""
    along, rows = visible(camera, alignment)
    return View(camera, alignment, light, along, rows)
