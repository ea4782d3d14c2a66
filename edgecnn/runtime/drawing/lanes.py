"""Lanes on a frame: the car's own lane tinted, its two lines strong, every other line thin."""

from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame, Lanes
from edgecnn.runtime.drawing.canvas import CASING, SHIFT, WHITE, Colour, Fixed, copy_of, fixed, scaled, tag, unit_of

Points: TypeAlias = NDArray[np.float32]

# BGR. Teal and blue keep apart from the white and yellow of paint, and from each other for the colour-blind.
OWN: Final[Colour] = (176, 232, 32)
OTHER: Final[Colour] = (255, 170, 70)
TRUTH: Final = WHITE

_TINT_OPACITY: Final = 0.24
_AREA_ROWS: Final = 24
# A line that ends this near to the frame's side went out there; below, the lane reaches to the side itself.
_BORDER_SHARE: Final = 0.015


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
    canvas = copy_of(frame)
    unit = unit_of(canvas)
    _tint_own_lane(canvas, result)
    own = [line for p in (-1, 1) if (line := result.line(p)) is not None]
    others = [line for line in result.lines if not any(line is mine for mine in own)]
    for lines, colour, width in ((others, OTHER, 1.2 * unit), (own, OWN, 2.8 * unit)):
        paths = [fixed(_scaled(line, result, canvas)) for line in lines]
        _strokes(canvas, paths, CASING, width + 1.4 * unit)
        _strokes(canvas, paths, colour, width)
    if truth is not None:
        _dots(canvas, truth, unit)
    if label:
        tag(canvas, label, unit)
    return canvas


def _scaled(line: Points, lanes: Lanes, canvas: Frame) -> NDArray[np.float64]:
    return scaled(line, (lanes.width, lanes.height), canvas)


def _strokes(canvas: Frame, paths: list[Fixed], colour: Colour, width: float) -> None:
    if paths:
        cv2.polylines(canvas, paths, False, colour, max(1, round(width)), cv2.LINE_AA, SHIFT)  # noqa: FBT003 - cv2 takes it by place


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
    area = fixed(np.concatenate([sides[0], sides[1][::-1]]))
    x0, y0, width, height = cv2.boundingRect(area >> SHIFT)
    # Only the area's own box is blended: a whole frame costs several times as much.
    box = (slice(max(y0, 0), max(y0 + height + 1, 0)), slice(max(x0, 0), max(x0 + width + 1, 0)))
    part = canvas[box]
    if part.size == 0:
        return
    painted = part.copy()
    offset = (-box[1].start << SHIFT, -box[0].start << SHIFT)
    cv2.fillPoly(painted, [area + np.array(offset, np.int32)], OWN, cv2.LINE_AA, SHIFT)
    canvas[box] = cv2.addWeighted(painted, _TINT_OPACITY, part, 1 - _TINT_OPACITY, 0)


def _dots(canvas: Frame, truth: Lanes, unit: float) -> None:
    """Dot every line of the truth at even distances along its length."""
    radius, step = round(1.1 * unit * (1 << SHIFT)), 12.0 * unit
    height, width = canvas.shape[:2]
    for line in truth.lines:
        points = _scaled(line, truth, canvas)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        places = np.arange(0.0, along[-1] + 1e-6, step)
        dots = np.stack([np.interp(places, along, points[:, i]) for i in (0, 1)], 1)
        inside = (dots > -step).all(1) & (dots[:, 0] < width + step) & (dots[:, 1] < height + step)
        for x, y in fixed(dots[inside]).tolist():
            cv2.circle(canvas, (x, y), radius + (radius >> 1), CASING, -1, cv2.LINE_AA, SHIFT)
            cv2.circle(canvas, (x, y), radius, TRUTH, -1, cv2.LINE_AA, SHIFT)
