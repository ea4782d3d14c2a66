"""The ground as the camera's pixels see it: for each row its distance, for each pixel its place on the road."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame
from edgecnn.data.road.alignment import REACH_M, Alignment
from edgecnn.data.road.camera import Camera
from edgecnn.data.road.noise import TILE

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

NEAREST_M = 1.0
_SAMPLES = 800


@dataclass(frozen=True, slots=True)
class Ground:
    """Rows `top` .. canvas height of the canvas that show ground; all arrays are indexed from `top`.

    Attributes:
        along: metres along the road of each row's middle, float64 [R].
        length: metres of road that the row covers, float64 [R].
        depth: metres along the optical axis, float64 [R].
        scale: metres across the road a pixel covers, float64 [R].
        origin: metres across the road at pixel column 0.0, float64 [R].
        across: metres to the right of the reference line at each pixel's middle, float32 [R, W].
    """

    top: int
    along: Floats
    length: Floats
    depth: Floats
    scale: Floats
    origin: Floats
    across: Float32

    def column(self, offset: Floats | float) -> Floats:
        """Return the x in canvas pixels, float64 [R], of a line `offset` metres to the right of the reference line."""
        return np.asarray((offset - self.origin) / self.scale, np.float64)

    def texture(
        self, tile: Frame, texel_m: float, texel_along_m: float, shift: tuple[float, float], every: int = 1
    ) -> Float32:
        """Sample `tile` in true perspective, float32 [R, W] of mean 0 and, close by, deviation 1.

        Rows that cover more road than a texel average it, so their amplitude falls with the square root of the number
        of texels covered; a row sees far more length than width.

        Args:
            tile: uint8 [512, 512], tileable, from `noise.tile`.
            texel_m: metres across the road that a texel covers.
            texel_along_m: metres along the road that a texel covers.
            shift: where the texture begins, in texels.
            every: look up only every so many columns and interpolate between them; for textures coarser than pixels.
        """
        width = self.across.shape[1]
        columns = np.arange(0, width + every - 1, every, dtype=np.float32) + np.float32(every / 2)
        begin = self.origin / texel_m + shift[0]
        begin -= np.floor((begin + self.scale * width / 2 / texel_m) / TILE) * TILE
        map_x = begin[:, None].astype(np.float32) + (self.scale / texel_m)[:, None].astype(np.float32) * columns
        rows = (self.along / texel_along_m + shift[1]) % TILE
        map_y = np.repeat(rows[:, None].astype(np.float32), len(columns), axis=1)
        levels = cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        field = np.asarray(levels, np.float32) - 128
        covered = np.maximum(self.length / texel_along_m, 1) * np.maximum(self.scale / texel_m, 1)
        field *= (covered**-0.5 / 32)[:, None].astype(np.float32)
        if every > 1:
            whole = cv2.resize(field, (len(columns) * every, len(rows)), interpolation=cv2.INTER_LINEAR)
            return np.asarray(whole[:, :width], np.float32)
        return field


@dataclass(frozen=True, slots=True)
class Sightline:
    """The road's reference line as the camera sees it, near to far, before roll.

    Attributes:
        along: metres along the road, float64 [N].
        row: the line's own row, float64 [N].
        crest: the highest row that the road up to there reaches, float64 [N]; where it lies above `row` a crest hides
            the line.
    """

    along: Floats
    row: Floats
    crest: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which points no nearer crest hides; their rows fall without a break."""
        return np.concatenate([[True], self.row[1:] < self.crest[:-1] - 1e-6])


def sight(camera: Camera, alignment: Alignment) -> Sightline:
    """Return the reference line through `camera`, from just in front of the car to the end of the road."""
    along = NEAREST_M + (REACH_M - 1 - NEAREST_M) * np.linspace(0, 1, _SAMPLES) ** 2.5
    x, y, z = alignment.point(along, 0.0)
    _, row, depth = camera.canvas(0).project(x, y, z)
    ahead = depth > 0.2
    return Sightline(along[ahead], row[ahead], np.minimum.accumulate(row[ahead]))


def look(camera: Camera, alignment: Alignment, sightline: Sightline) -> Ground:
    """Return the ground under `camera`, a camera without roll.

    Every point of a row lies at the same distance, because the road does not bank and the camera does not roll; a row's
    place across the road is then an affine function of the column. `sightline` is what `sight` returns.
    """
    along, v = sightline.along[sightline.seen], sightline.row[sightline.seen]
    top = max(0, int(np.ceil(v[-1])))
    edges = np.arange(top, camera.height + 1, dtype=np.float64)
    middles = np.interp(edges[:-1] + 0.5, v[::-1], along[::-1])
    bounds = np.interp(edges, v[::-1], along[::-1])
    x, y, z, stretch = alignment.frame(middles)
    _, _, depth = camera.project(x, y, z)
    scale = depth / camera.focal_px / stretch
    origin = -camera.centre_x_px * scale - x / stretch
    columns = np.arange(camera.width, dtype=np.float32) + 0.5
    across = scale[:, None].astype(np.float32) * columns + origin[:, None].astype(np.float32)
    return Ground(top, middles, np.maximum(bounds[:-1] - bounds[1:], 1e-3), depth, scale, origin, across)
