"""The ground's finish at every pixel, before light falls on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Strip:
    """Pixels of a strip: rows (from the ground's top) and columns int64 [P], and the covered share float32 [P]."""

    rows: Ints
    columns: Ints
    cover: Float32


@dataclass(frozen=True, slots=True)
class Coat:
    """Two layers that the painters work on in place.

    Attributes:
        albedo: BGR colour and, fourth, 64 times the strength of the texture there, uint8 [R, W, 4].
        tone: what the colour is multiplied by: texture, joints, patches; float32 [R, W].
    """

    albedo: Frame
    tone: Float32

    def blend(self, pixels: Strip, share: Float32, color: tuple[float, ...] | Float32) -> None:
        """Cover `share` of the strip's pixels with a colour; paint is smoother than what it lies on."""
        alpha = share[:, None]
        under = self.albedo[pixels.rows, pixels.columns, :3].astype(np.float32)
        self.albedo[pixels.rows, pixels.columns, :3] = under + alpha * (np.asarray(color, np.float32) - under) + 0.5
        tone = self.tone[pixels.rows, pixels.columns]
        self.tone[pixels.rows, pixels.columns] = tone + 0.6 * share * (1 - tone)

    def blend_rows(self, rows: Ints, share: Float32, color: tuple[float, ...]) -> None:
        """Cover a share, float32 [len(rows), W], of whole rows with a colour."""
        under = self.albedo[rows, :, :3].astype(np.float32)
        self.albedo[rows, :, :3] = under + share[..., None] * (np.asarray(color, np.float32) - under) + 0.5
