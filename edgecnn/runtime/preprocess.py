"""Camera frame to network input, and coordinates both ways. Training and device call the same function.

Coordinates are continuous pixels: (0, 0) is the top-left corner of the top-left pixel, whose centre is (0.5, 0.5).
Under this convention, that of OpenCV's `resize`, a crop is a shift and a resize a plain scale, without half pixels.
"""

from typing import Any, TypeAlias, final

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import TensorError
from edgecnn.core.results import Frame
from edgecnn.core.tensor import FrameSpec

LETTERBOX_GREY = 114
"""Value of all three channels beside a letterboxed picture (the grey YOLO networks are trained with)."""

Points: TypeAlias = NDArray[np.floating[Any]]


@final
class Geometry:
    """Where each point of a `width` x `height` frame comes to lie in the network's input.

    Attributes:
        crop: (left, top, right, bottom) in whole frame pixels, what is left of the frame before resizing. Edges are
            rounded to even pixels, so that the halving in `prepare` stays possible for even frames.
        size: (width, height) in pixels that the crop is resized to.
        pad: (left, top) in pixels of the network's input, zero unless letterboxed.
        scale: (x, y) in network pixels a frame pixel.

    Raises:
        TensorError: the frame is so small that the crop leaves nothing of it.
    """

    def __init__(self, spec: FrameSpec, width: int, height: int) -> None:
        left, top = _even(spec.crop.left * width), _even(spec.crop.top * height)
        right, bottom = width - _even(spec.crop.right * width), height - _even(spec.crop.bottom * height)
        if right <= left or bottom <= top:
            raise TensorError(
                f"a frame of {width}x{height} pixels is too small: the bundle's crop leaves nothing of it"
            )
        self.crop = (left, top, right, bottom)
        self.size = _fitted(spec, right - left, bottom - top)
        self.pad = ((spec.width - self.size[0]) // 2, (spec.height - self.size[1]) // 2)
        self.scale = (self.size[0] / (right - left), self.size[1] / (bottom - top))

    def to_network(self, points: Points) -> Points:
        """Return frame points [..., 2] of (x, y) as points of the network's input; same shape, at least float32."""
        points, origin, scale, pad = self._alike(points)
        return (points - origin) * scale + pad

    def to_frame(self, points: Points) -> Points:
        """Return points [..., 2] of the network's input as points of the frame; undoes `to_network`."""
        points, origin, scale, pad = self._alike(points)
        return (points - pad) / scale + origin

    def _alike(self, points: Points) -> tuple[Points, Points, Points, Points]:
        dtype = np.result_type(points, np.float32)
        origin, scale, pad = (np.asarray(pair, dtype) for pair in (self.crop[:2], self.scale, self.pad))
        return np.asarray(points, dtype), origin, scale, pad


def prepare(frame: Frame, spec: FrameSpec) -> Frame:
    """Return `frame` (uint8 BGR [H, W, 3]) cropped and resized as `spec` says: uint8 [spec.height, spec.width, 3].

    The result is contiguous, in the spec's colour order, and never shares memory with `frame`.

    Raises:
        TensorError: the frame is no uint8 array [H, W, 3] or is empty.
    """
    check_frame(frame)
    geometry = Geometry(spec, frame.shape[1], frame.shape[0])
    left, top, right, bottom = geometry.crop
    picture = shrink(frame[top:bottom, left:right], *geometry.size)
    if spec.color == "rgb":
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
    if geometry.size == (spec.width, spec.height):
        return np.array(picture) if np.may_share_memory(picture, frame) else np.ascontiguousarray(picture)
    canvas = np.full((spec.height, spec.width, 3), LETTERBOX_GREY, np.uint8)
    x, y = geometry.pad
    canvas[y : y + geometry.size[1], x : x + geometry.size[0]] = picture
    return canvas


def shrink(frame: Frame, width: int, height: int) -> Frame:
    """Return `frame` resized to `width` x `height`, halved by averaging while that fits, the rest bilinear.

    Bilinear alone reads four pixels however far it shrinks: thin lines flicker as they move by parts of a pixel.
    Area averaging at an odd ratio is right but slow. Only its exact halving is fast. One thread on an x86 server core:
    1920x1080 to 320x160 takes 0.1 ms bilinear, 5.5 ms by area, 0.7 ms like this, and the brightness of 2-pixel lines
    moved in half-pixel steps varies by 8.6 %, 1.3 % and 2.8 %.
    """
    rows, columns = frame.shape[:2]
    while rows >= 2 * height and columns >= 2 * width and rows % 2 == 0 and columns % 2 == 0:
        rows, columns = rows // 2, columns // 2
        frame = np.asarray(cv2.resize(frame, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)
    if (rows, columns) != (height, width):
        frame = np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return frame


def check_frame(frame: Frame) -> None:
    """Raise `TensorError` unless `frame` is a uint8 array [H, W, 3] that holds at least one pixel."""
    if not isinstance(frame, np.ndarray):
        raise TensorError(f"a frame must be a NumPy array, uint8 [height, width, 3] BGR, not {type(frame).__name__}")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise TensorError(
            f"a frame must be uint8 [height, width, 3] BGR, not empty; got {frame.dtype.name} {list(frame.shape)}"
        )


def _even(pixels: float) -> int:
    return 2 * round(pixels / 2)


def _fitted(spec: FrameSpec, width: int, height: int) -> tuple[int, int]:
    if spec.resize == "stretch":
        return spec.width, spec.height
    scale = min(spec.width / width, spec.height / height)
    return (
        min(spec.width, max(1, round(width * scale))),
        min(spec.height, max(1, round(height * scale))),
    )
