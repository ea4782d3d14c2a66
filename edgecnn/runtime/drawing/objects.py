"""Objects on a frame: boxes with class and score; beside the truth, what was found, missed and made up.

Each of the three has a colour of its own, of a palette that the colour-blind tell apart, and a line of its own:
found ones are solid, missed ones dashed, false ones solid with a cross.
"""

import itertools
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Detections, Frame
from edgecnn.runtime.drawing.box_text import BoxText, summary
from edgecnn.runtime.drawing.canvas import CASING, SHIFT, WHITE, Colour, copy_of, fixed, scaled, tag, unit_of

Boxes = NDArray[np.float64]

# BGR, after Okabe and Ito's palette for every kind of sight.
FOUND: Final[Colour] = (233, 180, 86)
FALSE: Final[Colour] = (40, 105, 245)
MISSED: Final[Colour] = (66, 228, 240)
CLASSES: Final[tuple[Colour, ...]] = (FOUND, (0, 159, 230), (140, 200, 0), (177, 121, 224), (66, 228, 240))
REGION: Final[Colour] = (200, 200, 200)

_IOU: Final = 0.5
_FARTHEST: Final = 1e6
_LEAST_WIDTH: Final = 2.0
_EDGE: Final = 1.4
_HATCH_OPACITY: Final = 0.4
# A visible box that leaves out no more than this many units of the whole one is not drawn again.
_SAME: Final = 3.0


class _Status(NamedTuple):
    """What became of every found and every true object.

    Attributes:
        hit: bool [D], found objects that are a true one.
        out: bool [D], those that lie in a region to be ignored.
        missed: bool [G], true objects that nobody found.
    """

    hit: NDArray[np.bool_]
    out: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def draw(frame: Frame, result: Detections, *, label: str = "", truth: Detections | None = None) -> Frame:
    """Return a copy of `frame` with the objects of `result` on it.

    Where the frame's size is not the result's (a thumbnail), the boxes are scaled to the frame. What is seen of an
    object is a thin box inside its own; regions to be ignored are hatched.

    Args:
        frame: uint8 BGR [H, W, 3]; left as it is.
        result: the objects found, or those of a label, in pixels of `result.width` x `result.height`.
        label: a short text for the top-left corner; ASCII, as the stroke font knows no more.
        truth: the labelled objects. Found ones of the same class that overlap one by half (IoU 0.5) are drawn as
            found, the others as false; true ones left over as missed. Classes that the result has no name for are
            left out.

    Raises:
        TensorError: the frame is not a uint8 picture of three channels.
    """
    canvas = copy_of(frame)
    unit = unit_of(canvas)
    text = BoxText(canvas, unit)
    if truth is None:
        _plain(canvas, result, unit, text)
    else:
        _compared(canvas, result, truth, unit, text)
    text.write()
    if label:
        tag(canvas, label, unit)
    return canvas


def _plain(canvas: Frame, result: Detections, unit: float, text: BoxText) -> None:
    """Draw all objects in the colours of their classes, those of low scores below the others."""
    boxes, seen = _boxes(canvas, result)
    _regions(canvas, boxes[result.ignored], unit)
    for place in _order(result):
        colour = REGION if result.ignored[place] else CLASSES[int(result.labels[place]) % len(CLASSES)]
        if result.ignored[place]:
            _dashes(canvas, boxes[place], colour, unit)
        else:
            _box(canvas, boxes[place], colour, 1.6 * unit)
            _visible(canvas, boxes[place], seen[place], colour, unit)
        text.add(boxes[place], _name(result, place), _score(result, place), colour)


def _compared(canvas: Frame, result: Detections, truth: Detections, unit: float, text: BoxText) -> None:
    truth = truth.take(_spoken_of(result, truth))
    status = _matched(result, truth)
    true_boxes, true_seen = _boxes(canvas, truth)
    boxes, _ = _boxes(canvas, result)
    _regions(canvas, true_boxes[truth.ignored], unit)
    for box in true_boxes[truth.ignored]:
        _dashes(canvas, box, REGION, unit)
    for place in np.flatnonzero(status.missed):
        _visible(canvas, true_boxes[place], true_seen[place], MISSED, unit)
        _dashes(canvas, true_boxes[place], MISSED, 1.6 * unit)
        text.add(true_boxes[place], "missed", "", MISSED)
    for place in np.flatnonzero(~status.missed & ~truth.ignored):
        _corners(canvas, true_boxes[place], unit)
    for place in _order(result):
        colour = FOUND if status.hit[place] else REGION if status.out[place] else FALSE
        _box(canvas, boxes[place], colour, 1.6 * unit)
        if colour == FALSE:
            _cross(canvas, boxes[place], unit)
        text.add(boxes[place], _name(result, place), _score(result, place), colour)
    counts = (int(status.hit.sum()), int(status.missed.sum()), int((~status.hit & ~status.out).sum()))
    told = zip(("found", "missed", "false"), counts, (FOUND, MISSED, FALSE), strict=True)
    summary(canvas, [(f"{word} {count}", colour) for word, count, colour in told], unit)


def _spoken_of(result: Detections, truth: Detections) -> NDArray[np.bool_]:
    """Return bool [G]: true objects that the result could have named, and regions to be ignored."""
    if not result.names or not truth.names:
        return np.ones(len(truth), np.bool_)
    known = np.array([name in result.names for name in truth.names], np.bool_)
    return np.asarray(known[truth.labels] | truth.ignored, np.bool_)


def _matched(result: Detections, truth: Detections) -> _Status:
    """Give each found object, best score first, the free true one of its class that it overlaps most."""
    hit, out = np.zeros(len(result), np.bool_), np.zeros(len(result), np.bool_)
    free = ~truth.ignored
    found_names, true_names = (np.array(_all_names(one), np.str_) for one in (result, truth))
    iou, share = _overlaps(result.boxes.astype(np.float64), truth.boxes.astype(np.float64))
    for place in _order(result)[::-1]:
        able = free & (true_names == found_names[place]) & (iou[place] >= _IOU)
        if able.any():
            hit[place] = True
            free[int(np.argmax(np.where(able, iou[place], -1)))] = False
        else:
            out[place] = bool((truth.ignored & (share[place] >= _IOU)).any())
    return _Status(hit, out, free)


def _overlaps(found: Boxes, true: Boxes) -> tuple[Boxes, Boxes]:
    """Return [D, G] intersection over union, and intersection over the found box's own area."""
    found, true = (np.clip(np.nan_to_num(boxes), -_FARTHEST, _FARTHEST) for boxes in (found, true))
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, 2:], true[None, :, 2:])
    both = np.maximum(high - low, 0).prod(axis=2)
    own = np.maximum(found[:, 2:] - found[:, :2], 0).prod(axis=1)[:, None]
    other = np.maximum(true[:, 2:] - true[:, :2], 0).prod(axis=1)[None]
    return both / np.maximum(own + other - both, 1e-9), both / np.maximum(own, 1e-9)


def _order(result: Detections) -> NDArray[np.int64]:
    """Return the places of the objects, the ignored ones first, then by score from low to high."""
    scores = result.scores if len(result.scores) else np.zeros(len(result), np.float32)
    return np.lexsort((scores, ~result.ignored)).astype(np.int64)


def _boxes(canvas: Frame, found: Detections) -> tuple[Boxes, Boxes]:
    """Return whole and visible boxes [N, 4] in pixels of the canvas."""
    size = (found.width, found.height)
    whole = scaled(found.boxes.reshape(-1, 2, 2), size, canvas).reshape(-1, 4)
    seen = scaled(found.visible.reshape(-1, 2, 2), size, canvas).reshape(-1, 4)
    return whole, seen if len(seen) else whole


def _name(found: Detections, place: int) -> str:
    label = int(found.labels[place])
    return found.names[label] if found.names else str(label)


def _all_names(found: Detections) -> list[str]:
    return [_name(found, place) for place in range(len(found))]


def _score(found: Detections, place: int) -> str:
    return f"{found.scores[place]:.2f}" if len(found.scores) else ""


def _outline(box: Boxes) -> Boxes:
    left, top, right, bottom = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])


def _strokes(canvas: Frame, paths: list[Boxes], colour: Colour, width: float) -> None:
    """Draw lines in `colour` with a dark edge; of two pixels at least, as one between two rows would fade."""
    lines = [fixed(path) for path in paths]
    width = max(width, _LEAST_WIDTH)
    for shade, thick in ((CASING, width + _EDGE), (colour, width)):
        cv2.polylines(canvas, lines, False, shade, round(thick), cv2.LINE_AA, SHIFT)  # noqa: FBT003 - cv2 takes it by place


def _box(canvas: Frame, box: Boxes, colour: Colour, width: float) -> None:
    _strokes(canvas, [_outline(box)], colour, width)


def _visible(canvas: Frame, box: Boxes, seen: Boxes, colour: Colour, unit: float) -> None:
    if np.abs(box - seen).max() > _SAME * unit:
        cv2.polylines(canvas, [fixed(_outline(seen))], False, colour, 1, cv2.LINE_AA, SHIFT)  # noqa: FBT003 - cv2 takes it by place


def _dashes(canvas: Frame, box: Boxes, colour: Colour, width: float) -> None:
    """Outline `box` in dashes, of which only those within the frame are drawn."""
    corners, paths = _outline(_clipped(canvas, box)), []
    step = max(4.0 * width, 7.0)
    for start, end in itertools.pairwise(corners):
        length = float(np.hypot(*(end - start)))
        along = np.arange(0, length, 2 * step)
        for at in along:
            ends = np.array([at, min(at + step, length)]) / max(length, 1e-9)
            paths.append(start + ends[:, None] * (end - start))
    _strokes(canvas, paths, colour, width)


def _clipped(canvas: Frame, box: Boxes) -> Boxes:
    """Return `box` cut off a little out of sight, so that no time goes into dashes there."""
    height, width = canvas.shape[:2]
    far = 16.0
    return np.clip(box, -far, [width + far, height + far, width + far, height + far])


def _corners(canvas: Frame, box: Boxes, unit: float) -> None:
    """Mark where a true box lies that was found: its corners only, so as not to hide the found one."""
    left, top, right, bottom = box
    reach = np.minimum(0.25 * np.array([right - left, bottom - top]), 10 * unit)
    paths = [
        np.array([[x + dx * reach[0], y], [x, y], [x, y + dy * reach[1]]])
        for x, dx in ((left, 1), (right, -1))
        for y, dy in ((top, 1), (bottom, -1))
    ]
    _strokes(canvas, paths, WHITE, unit)


def _cross(canvas: Frame, box: Boxes, unit: float) -> None:
    left, top, right, bottom = box
    reach = min(6 * unit, 0.3 * (right - left), 0.3 * (bottom - top))
    x, y = (left + right) / 2, (top + bottom) / 2
    paths = [np.array([[x - reach, y - sign * reach], [x + reach, y + sign * reach]]) for sign in (1, -1)]
    _strokes(canvas, paths, FALSE, 1.4 * unit)


def _regions(canvas: Frame, boxes: Boxes, unit: float) -> None:
    """Hatch boxes, each pixel once however many of them cover it."""
    covered = np.zeros(canvas.shape[:2], np.bool_)
    for left, top, right, bottom in boxes:
        rows, columns = (slice(max(round(low), 0), max(round(high), 0)) for low, high in ((top, bottom), (left, right)))
        covered[rows, columns] = True
    if not covered.any():
        return
    y, x = np.nonzero(covered)
    period = max(round(8 * unit), 6)
    lines = (x + y) % period < max(round(unit), 1)
    y, x = y[lines], x[lines]
    mixed = canvas[y, x] * (1 - _HATCH_OPACITY) + np.array(REGION) * _HATCH_OPACITY
    canvas[y, x] = mixed.astype(np.uint8)
