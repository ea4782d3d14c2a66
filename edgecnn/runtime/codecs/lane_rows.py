"""Lanes as one classification over columns per row anchor: the row branch of UFLDv2 (Qin et al., arXiv 2206.07389).

The frame's width is cut into `cells` - 1 steps; at each of `rows` fixed heights every lane slot says whether the line
is there (`exist`) and in which cell (`loc`). Cell c stands for x = (c + 0.5) / (cells - 1) * width, in `encode` and
`decode` alike, so that no half-cell bias arises (UFLD v1's writers have one).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Float32, Lanes, Result, Scene, x_at
from edgecnn.core.tensor import FrameSpec, TensorSpec

ABSENT = -1e3


class Grid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of the code.

    `top` and `bottom` are the first and last row anchor as fractions of the frame's height. An even number of lane
    slots is spread around the car: -lanes/2 .. -1 to its left, +1 .. +lanes/2 to its right. A line is kept when it is
    there at more than `min_valid` of the rows (UFLDv2: a half; less where the horizon may lie low in the frame).
    """

    cells: int = 100
    rows: int = 56
    lanes: int = 4
    top: float = 160 / 720
    bottom: float = 710 / 720
    min_valid: float = 0.5

    def __post_init__(self) -> None:
        if self.cells < 4 or self.rows < 2 or self.lanes < 2 or self.lanes % 2:
            raise ValueError("a lane grid needs cells >= 4, rows >= 2 and an even number of lanes")
        if not 0 <= self.top < self.bottom <= 1:
            raise ValueError("a lane grid needs 0 <= top < bottom <= 1")


class LaneRowsCodec:
    """Encode `Lanes` to row-anchor targets and decode the network's `loc` and `exist` to `Lanes`."""

    def __init__(self, params: Mapping[str, Any], frame: FrameSpec | None = None) -> None:  # noqa: ARG002 - not needed
        try:
            self.grid = msgspec.convert(dict(params), Grid)
        except msgspec.ValidationError as error:
            raise InputError(f"decode parameters of lane_rows: {error}") from error
        grid = self.grid
        self.anchors = np.linspace(grid.top, grid.bottom, grid.rows)
        self.positions = tuple(i - grid.lanes // 2 + (i >= grid.lanes // 2) for i in range(grid.lanes))
        self.outputs = (
            TensorSpec("loc", (1, grid.cells, grid.rows, grid.lanes), "float32"),
            TensorSpec("exist", (1, 2, grid.rows, grid.lanes), "float32"),
        )
        self.logits = {"loc": 1, "exist": 1}
        self.told_by: dict[str, str] = {}

    def truth(self, truth: Result) -> Lanes:
        """Return the lane lines of a data set's truth; where it names no rows they are judged at this codec's.

        Raises:
            DataError: it holds none.
        """
        lanes = truth.lanes if isinstance(truth, Scene) else truth
        if not isinstance(lanes, Lanes):
            raise DataError(f"a label of {type(lanes).__name__.lower()} where lane lines are needed")
        if len(lanes.rows):
            return lanes
        return replace(lanes, rows=(self.anchors * lanes.height).astype(np.float32))

    def encode(self, truth: Lanes) -> dict[str, NDArray[Any]]:
        """Return `column` float32 [rows, lanes]: the line's place in cells, `ABSENT` where there is none.

        The cell UFLDv2 trains on, floor(x / width * (cells - 1)), is `column` rounded to the nearest whole number.
        """
        column = np.full((self.grid.rows, self.grid.lanes), ABSENT, np.float32)
        y = self.anchors * truth.height
        for position, line in zip(truth.positions, truth.lines, strict=True):
            if position in self.positions:
                x = x_at(line, y)
                inside = (x >= 0) & (x < truth.width)
                place = x / truth.width * (self.grid.cells - 1) - 0.5
                column[inside, self.positions.index(position)] = place[inside]
        return {"column": column}

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Lanes:
        """Return the lines of one frame from `loc` [1, cells, rows, lanes] and `exist` [1, 2, rows, lanes].

        As UFLDv2's demo: the expectation over the softmax of the best cell and its two neighbours.
        """
        loc = outputs["loc"][0].astype(np.float32, copy=False)
        absent, present = outputs["exist"][0].astype(np.float32, copy=False)
        x = (self._expectation(loc) + 0.5) / (self.grid.cells - 1) * width
        y = self.anchors * height
        valid = present > absent
        confidence = 1 / (1 + np.exp(np.clip(absent - present, -30, 30)))
        counts = valid.sum(0)
        kept = np.flatnonzero((counts > self.grid.min_valid * self.grid.rows) & (counts >= 2)).tolist()
        points = np.stack([x.T, np.broadcast_to(y, x.T.shape)], -1).astype(np.float32)
        return Lanes(
            lines=tuple(points[lane, valid[:, lane]] for lane in kept),
            width=width,
            height=height,
            positions=tuple(self.positions[lane] for lane in kept),
            scores=((confidence * valid).sum(0)[kept] / counts[kept]).astype(np.float32),
        )

    def sure(self, result: Lanes) -> Lanes:
        """Return the result: nothing in it is a mere candidate."""
        return result

    def _expectation(self, loc: Float32) -> Float32:
        """Return the column [rows, lanes] in cells from logits [cells, rows, lanes]."""
        best = loc.argmax(0)
        window = best[None] + np.array([-1, 0, 1])[:, None, None]
        inside = (window >= 0) & (window < self.grid.cells)
        logits = np.take_along_axis(loc, window.clip(0, self.grid.cells - 1), 0)
        logits = np.where(inside, logits, -np.inf)
        weight = np.exp(logits - logits.max(0))
        expectation: Float32 = (weight * window).sum(0) / weight.sum(0)
        return expectation
