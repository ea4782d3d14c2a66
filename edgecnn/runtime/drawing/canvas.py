"""What every drawing begins with: a copy of the frame, its scale, coordinates for OpenCV, and text on a plate."""

from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import TensorError
from edgecnn.core.results import Frame

Colour: TypeAlias = tuple[int, int, int]
Fixed: TypeAlias = NDArray[np.int32]

WHITE: Final[Colour] = (255, 255, 255)
CASING: Final[Colour] = (24, 18, 12)
SHIFT: Final = 4
"""Fixed-point bits that cv2 keeps of a coordinate."""

FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
# cv2 wraps coordinates beyond its range round; what lies this many pixels away is out of sight anyway.
_FAR: Final = 2e4
_PLATE_SHARE: Final = 0.7


def copy_of(frame: Frame) -> Frame:
    """Return a copy of `frame` to draw on.

    Raises:
        TensorError: it is not a uint8 picture of three channels.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise TensorError(f"a frame to draw on must be uint8 [H, W, 3]; got {frame.dtype.name} {list(frame.shape)}")
    return np.array(frame, order="C")


def unit_of(canvas: Frame) -> float:
    """Return what widths are multiples of, so that a drawing reads the same at every size: 1 at 360 rows."""
    return float(max(canvas.shape[0] / 360.0, 0.5))


def scaled(points: NDArray[Any], size: tuple[int, int], canvas: Frame) -> NDArray[np.float64]:
    """Return (x, y) pairs [..., 2] of a frame of `size` (width, height) in pixels of the canvas.

    (0, 0) is the centre of a pixel there, as cv2 has it; what is not finite or far away is brought near.
    """
    height, width = canvas.shape[:2]
    factor = np.array([width / size[0], height / size[1]])
    finite = np.nan_to_num(points * factor - 0.5, nan=0.0, posinf=_FAR, neginf=-_FAR)
    return np.asarray(np.clip(finite, -_FAR, _FAR), np.float64)


def fixed(points: NDArray[np.float64]) -> Fixed:
    """Return coordinates as the fixed-point numbers that cv2 takes with `SHIFT`."""
    return np.round(points * (1 << SHIFT)).astype(np.int32)


def darken(canvas: Frame, x: int, y: int, width: int, height: int) -> None:
    """Lay a dark plate under a text; what of it lies out of the frame is left out."""
    plate = canvas[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    plate[:] = (plate * (1 - _PLATE_SHARE) + np.array(CASING) * _PLATE_SHARE).astype(np.uint8)


def tag(canvas: Frame, label: str, unit: float) -> None:
    """Write `label` on a dark plate in the top-left corner, smaller where it would not fit."""
    thickness, pad = max(1, round(0.9 * unit)), round(5 * unit)
    scale = 0.42 * unit
    (width, height), baseline = cv2.getTextSize(label, FONT, scale, thickness)
    room = canvas.shape[1] - 4 * pad
    if width > room > 0:
        scale *= room / width
        (width, height), baseline = cv2.getTextSize(label, FONT, scale, thickness)
    darken(canvas, pad, pad, width + 2 * pad, height + baseline + 2 * pad)
    cv2.putText(canvas, label, (2 * pad, 2 * pad + height), FONT, scale, WHITE, thickness, cv2.LINE_AA)
