"""What every lane format does with a line: sort its points, put right what is odd, and say so."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.lane_order import positions
from edgecnn.core.results import Lanes, Scene
from edgecnn.data.sample import Remark, Sample

CLIP_SIZE = 1000
"""Pictures in one folder of a set that is written."""

Points = NDArray[np.float32]


def lanes_of(sample: Sample, form: str) -> Lanes:
    """Return the lane lines of `sample`.

    Raises:
        DataError: it has none; `form` is the format that can hold nothing else.
    """
    lanes = sample.truth.lanes if isinstance(sample.truth, Scene) else sample.truth
    if not isinstance(lanes, Lanes):
        raise DataError(f"{sample.where}: this label has no lane lines, and {form} holds nothing else")
    return lanes


def tidy(points: Points, name: str) -> tuple[Points | None, list[Remark]]:
    """Return float32 [N, 2] sorted from the top down with one point a row, or None for fewer than two, and remarks.

    Points may come in either direction, top down or bottom up; where they turn back, they are sorted and that is
    remarked. Of points in one row the first is kept: a line's x has to be a function of y.
    """
    steps = np.diff(points[:, 1])
    if len(steps) and ((steps > 0).all() or (steps < 0).all()):
        return np.ascontiguousarray(points if steps[0] > 0 else points[::-1], np.float32), []
    _, first = np.unique(points[:, 1], return_index=True)
    if len(first) < 2:
        return None, [Remark("short lane", f"{name}: {len(points)} points in {len(first)} rows, left out")]
    odd = Remark("lane rows", f"{name}: rows neither rise nor fall throughout; points sorted by row")
    return np.ascontiguousarray(points[first], np.float32), [odd]


def ordered(lanes: Lanes) -> list[tuple[int, Points]]:
    """Return (position, line) of every line from left to right; unknown positions are worked out."""
    places = lanes.positions or positions(lanes.lines, lanes.width, lanes.height)
    return sorted(zip(places, lanes.lines, strict=True), key=lambda pair: pair[0])


def numbers(values: object, what: str) -> Points:
    """Return a flat list of JSON as float32.

    Raises:
        DataError: it is no list of finite numbers; `what` names it.
    """
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
        raise DataError(f"{what} must be a list of numbers")
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(values, np.float32)
    except OverflowError as error:
        raise DataError(f"{what} must hold numbers of pixels, not {max(values, key=abs):.3g}") from error
    if not np.isfinite(array).all():
        raise DataError(f"{what} must hold finite numbers only")
    return array


def clip_name(folder: str, number: int) -> Path:
    """Return `folder/NNNN/NNNNNN`, a thousand to a folder, for picture `number` of a set that is written."""
    return Path(folder, f"{number // CLIP_SIZE:04d}", f"{number:06d}")


def even_rows(lanes: Lanes) -> Points:
    """Return the rows a label of fixed rows is read at: the label's own, else TuSimple's at the picture's height.

    TuSimple labels every tenth row from 160 of 720; smaller pictures get as many. Lines that begin higher are followed.
    """
    if len(lanes.rows):
        return lanes.rows
    step = 10 if lanes.height >= 400 else max(1, round(lanes.height / 72))
    tops = [float(line[0, 1]) for line in lanes.lines]
    top = max(0.0, min([160 / 720 * lanes.height, *tops]))
    return np.arange(int(top // step) * step, lanes.height, step, dtype=np.float32)
