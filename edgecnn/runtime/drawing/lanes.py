"""Lanes on a frame: the car's own lane tinted, its two lines strong, every other line thin."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import TensorError
from edgecnn.core.results import Frame, Lanes

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = NDArray[np.float32]

# BGR. Teal and blue keep apart from the white and yellow of paint, and from each other for the colour-blind.
OWN: Final[Colour] = (176, 232, 32)
OTHER: Final[Colour] = (255, 170, 70)
TRUTH: Final[Colour] = (255, 255, 255)
CASING: Final[Colour] = (24, 18, 12)

_TINT_OPACITY: Final = 0.24
_AREA_ROWS: Final = 24
# A line that ends this near to the frame's side went out there; below, the lane reaches to the side itself.
_BORDER_SHARE: Final = 0.015
# Fixed-point bits that cv2 keeps of a coordinate.
_SHIFT: Final = 4
# cv2 wraps coordinates beyond its range round; what lies this many pixels away is out of sight anyway.
_FAR: Final = 2e4


def draw(frame: Frame, result: Lanes, *, label: str = "", truth: Lanes | None = None) -> Frame:
    """Return a copy of `frame` with the lines of `result` on it.

    Where the frame's size is not the result's (a thumbnail), the points are scaled to the frame. Widths follow the
    frame's height, so that the drawing reads the same at every size.

    Args:
        frame: uint8 BGR [H, W, 3]; left as it is.
        result: the lines found, in pixels of `result.width` x `result.height`.
        label: a short text for the top-left corner; ASCII, as the stroke font knows no more.
        truth: the labelled lines, drawn dotted in white over the found ones.

    Raises:
        TensorError: the frame is not a uint8 picture of three channels.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise TensorError(f"a frame to draw on must be uint8 [H, W, 3]; got {frame.dtype.name} {list(frame.shape)}")
    canvas = np.array(frame, order="C")
    unit = max(canvas.shape[0] / 360.0, 0.5)
    _tint_own_lane(canvas, result)
    own = [line for p in (-1, 1) if (line := result.line(p)) is not None]
    others = [line for line in result.lines if not any(line is mine for mine in own)]
    for lines, colour, width in ((others, OTHER, 1.2 * unit), (own, OWN, 2.8 * unit)):
        paths = [_fixed(_scaled(line, result, canvas)) for line in lines]
        _strokes(canvas, paths, CASING, width + 1.4 * unit)
        _strokes(canvas, paths, colour, width)
    if truth is not None:
        _dots(canvas, truth, unit)
    if label:
        _tag(canvas, label, unit)
    return canvas


def _scaled(line: Points, lanes: Lanes, canvas: Frame) -> NDArray[np.float64]:
    """Return `line` in pixels of the canvas, with (0, 0) at the centre of a pixel as cv2 has it."""
    height, width = canvas.shape[:2]
    factor = np.array([width / lanes.width, height / lanes.height])
    finite = np.nan_to_num(line * factor - 0.5, nan=0.0, posinf=_FAR, neginf=-_FAR)
    return np.asarray(np.clip(finite, -_FAR, _FAR), np.float64)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def _strokes(canvas: Frame, paths: list[NDArray[np.int32]], colour: Colour, width: float) -> None:
    if paths:
        cv2.polylines(canvas, paths, False, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)  # noqa: FBT003 - cv2 takes it by place


def _tint_own_lane(canvas: Frame, lanes: Lanes) -> None:
    """Lay the own lane's colour between its two lines, on rows that both reach or where one has left the frame."""
    left, right = lanes.line(-1), lanes.line(1)
    if left is None or right is None:
        return
    left_line, right_line = _scaled(left, lanes, canvas), _scaled(right, lanes, canvas)
    top = max(left_line[0, 1], right_line[0, 1])
    lower, upper = sorted((left_line[-1], right_line[-1]), key=lambda end: -float(end[1]))
    border = _BORDER_SHARE * canvas.shape[1]
    left_frame = not border < upper[0] < canvas.shape[1] - border
    bottom = lower[1] if left_frame else upper[1]
    if not bottom > top:
        return
    y = np.linspace(top, bottom, _AREA_ROWS)
    sides = [np.stack([np.interp(y, line[:, 1], line[:, 0]), y], 1) for line in (left_line, right_line)]
    area = _fixed(np.concatenate([sides[0], sides[1][::-1]]))
    x0, y0, width, height = cv2.boundingRect(area >> _SHIFT)
    # Only the area's own box is blended: a whole frame costs several times as much.
    box = (slice(max(y0, 0), max(y0 + height + 1, 0)), slice(max(x0, 0), max(x0 + width + 1, 0)))
    part = canvas[box]
    if part.size == 0:
        return
    painted = part.copy()
    offset = (-box[1].start << _SHIFT, -box[0].start << _SHIFT)
    cv2.fillPoly(painted, [area + np.array(offset, np.int32)], OWN, cv2.LINE_AA, _SHIFT)
    canvas[box] = cv2.addWeighted(painted, _TINT_OPACITY, part, 1 - _TINT_OPACITY, 0)


def _dots(canvas: Frame, truth: Lanes, unit: float) -> None:
    """Dot every line of the truth at even distances along its length."""
    radius, step = round(1.1 * unit * (1 << _SHIFT)), 12.0 * unit
    height, width = canvas.shape[:2]
    for line in truth.lines:
        points = _scaled(line, truth, canvas)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        places = np.arange(0.0, along[-1] + 1e-6, step)
        dots = np.stack([np.interp(places, along, points[:, i]) for i in (0, 1)], 1)
        inside = (dots > -step).all(1) & (dots[:, 0] < width + step) & (dots[:, 1] < height + step)
        for x, y in _fixed(dots[inside]).tolist():
            cv2.circle(canvas, (x, y), radius + (radius >> 1), CASING, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(canvas, (x, y), radius, TRUTH, -1, cv2.LINE_AA, _SHIFT)


def _tag(canvas: Frame, label: str, unit: float) -> None:
    """Write `label` on a dark plate in the top-left corner, smaller where it would not fit."""
    font, thickness, pad = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(0.9 * unit)), round(5 * unit)
    scale = 0.42 * unit
    (width, height), baseline = cv2.getTextSize(label, font, scale, thickness)
    room = canvas.shape[1] - 4 * pad
    if width > room > 0:
        scale *= room / width
        (width, height), baseline = cv2.getTextSize(label, font, scale, thickness)
    plate = canvas[pad : 3 * pad + height + baseline, pad : 3 * pad + width]
    plate[:] = (plate * 0.3 + np.array(CASING) * 0.7).astype(np.uint8)
    place = (2 * pad, 2 * pad + height)
    cv2.putText(canvas, label, place, font, scale, TRUTH, thickness, cv2.LINE_AA)
