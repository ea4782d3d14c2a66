"""Objects as centres on one map: CenterNet (Zhou et al., arXiv 1904.07850), CSP (Liu et al., arXiv 1904.02948).

Each cell of `stride` pixels of the network's input says by class how likely an object's centre lies in it (`heat`), the
logarithm of that object's height and width in cells (`size`), and the centre's place from the cell's upper left corner,
down and across, in cells too (`offset`).

A centre beyond the frame belongs to the nearest cell, whose offset tells the rest of the way.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError, InputError
from edgecnn.core.results import Detections, Float32, Result, Scene
from edgecnn.core.tensor import FrameSpec, TensorSpec
from edgecnn.runtime.preprocess import Geometry

PERSONS = ("pedestrian", "rider", "sitting person", "other person", "people", "person?")
"""Names of persons of all kinds, sure and doubtful: finding one that is none of a codec's classes is no error."""
REGION = "ignore"
"""Name of regions in which nothing counts, whatever its class."""
LEAST_CELLS = 2.0
"""Height in cells below which an object is not learnt: less than that hardly tells it from others."""
LEAST_DEVIATION = 0.5
"""Deviation in cells of the narrowest Gaussian: a centre on a cell's edge is as near to the next one."""
AROUND = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij")).reshape(2, -1)
"""Steps (down, across) from a cell to those of the 3x3 around it."""
NEAR = 0.5
"""Value of an object's Gaussian down to which cells learn its size and offset."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of the code.

    At most `top_k` peaks above `least_score` become candidates, those of `min_score` or more are acted on. Boxes whose
    IoU is above `max_overlap` are the same object's: what the cells beside a peak say of it is averaged, and of two
    peaks of a class the weaker goes, as engines that round the heat leave ties.
    """

    classes: tuple[str, ...] = ("pedestrian",)
    stride: Literal[4, 8] = 4
    top_k: Annotated[int, msgspec.Meta(ge=1, le=10000)] = 100
    least_score: Share = 0.05
    min_score: Share = 0.3
    max_overlap: Share = 0.6

    def __post_init__(self) -> None:
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError("centres need at least one class, and none twice")


class CentresCodec:
    """Encode `Detections` to maps and decode the network's `heat`, `size` and `offset` to `Detections`."""

    def __init__(self, params: Mapping[str, Any], frame: FrameSpec | None = None) -> None:
        try:
            self.params = msgspec.convert(dict(params), Params)
        except msgspec.ValidationError as error:
            raise InputError(f"decode parameters of centres: {error}") from error
        self.frame = frame
        self.logits: dict[str, int] = {}
        self.told_by = {"size": "heat", "offset": "heat"}
        self.outputs = () if frame is None else self._outputs(frame)

    def truth(self, truth: Result) -> Detections:
        """Return the objects of this codec's classes, and what is to be ignored, by those classes.

        Persons of another kind are ignored as pedestrians, regions without a class as objects of every class.

        Raises:
            DataError: it holds no objects.
        """
        objects = truth.objects if isinstance(truth, Scene) else truth
        if not isinstance(objects, Detections):
            raise DataError(f"a label of {type(objects).__name__.lower()} where objects are needed")
        if len(objects) and not objects.names:
            raise DataError("objects whose classes have no names")
        classes = self.params.classes
        place: list[int] = []
        label: list[int] = []
        ignored: list[bool] = []
        for i, number in enumerate(objects.labels):
            name = objects.names[number]
            own = name in classes
            meant = _meant(name, classes)
            place += [i] * len(meant)
            label += meant
            ignored += [bool(objects.ignored[i]) or not own] * len(meant)
        taken = objects.take(np.array(place, np.int64))
        ignore = np.array(ignored if any(ignored) else [], np.bool_)
        return replace(taken, labels=np.array(label, np.int64), names=classes, ignore=ignore)

    def encode(self, truth: Detections) -> dict[str, NDArray[Any]]:
        """Return the targets of one frame on the map [h, w], all float32.

        `heat` [classes, h, w] holds a Gaussian around every centre, 1 in its cell, as long and as wide as the box, as
        CSP's is. `size` and `offset` [2, h, w] are those of the object that is nearest by its Gaussian; they count by
        `weight` [h, w], which sums to 1 over each object alone: cells beside the centre's learn of the same box (as in
        TTFNet, arXiv 1909.00700), since rounding may move the peak.
        `care` [classes, h, w] is 0 where nothing is to be learnt of background, else 1.
        """
        geometry, (rows, columns) = self._geometry(truth.width, truth.height), self._map()
        corners = geometry.to_network(truth.boxes.reshape(-1, 2, 2)).astype(np.float64) / self.params.stride
        classes = len(self.params.classes)
        heat, care = np.zeros((classes, rows, columns), np.float32), np.ones((classes, rows, columns), np.float32)
        size, offset = np.zeros((2, rows, columns), np.float32), np.zeros((2, rows, columns), np.float32)
        weight, best = np.zeros((rows, columns), np.float32), np.full((rows, columns), NEAR, np.float32)
        sides = corners[:, 1] - corners[:, 0]
        ignored = truth.ignored | (sides[:, 1] < LEAST_CELLS)
        for place in np.flatnonzero(ignored):
            care[truth.labels[place]][_inside(corners[place], rows, columns)] = 0
        for place in np.argsort(-sides.prod(1), kind="stable"):
            if ignored[place]:
                continue
            middle = corners[place].mean(0)[::-1]
            cell = np.clip(np.floor(middle), 0, (rows - 1, columns - 1))
            gauss = _gauss(cell, sides[place][::-1], rows, columns)
            np.maximum(heat[truth.labels[place]], gauss, out=heat[truth.labels[place]])
            near = gauss >= best
            best[near] = gauss[near]
            weight[near] = gauss[near] / gauss[near].sum()
            down, across = np.nonzero(near)
            offset[:, near] = middle[0] - down, middle[1] - across
            size[:, near] = np.log(sides[place][::-1, None])
        care[heat == 1] = 1
        return {"heat": heat, "size": size, "offset": offset, "weight": weight, "care": care}

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Detections:
        """Return the objects of one frame, the likeliest first.

        Equal ones come in the order of their class and then of their cells, row by row, so that the same outputs
        always give the same result.
        """
        geometry = self._geometry(width, height)
        heat = outputs["heat"][0].astype(np.float32, copy=False)
        label, row, column = peaks(heat, self.params.least_score)
        score = heat[label, row, column]
        order = np.argsort(-score, kind="stable")[: self.params.top_k]
        label, row, column, score = label[order], row[order], column[order], score[order]
        corners = self._boxes(outputs, heat, (label, row, column)).reshape(-1, 2, 2) * self.params.stride
        boxes = geometry.to_frame(corners).reshape(-1, 4).astype(np.float32)
        kept = strongest(boxes, label, self.params.max_overlap)
        return Detections(boxes[kept], score[kept], label[kept], width, height, self.params.classes)

    def sure(self, result: Detections) -> Detections:
        """Return the objects of at least `min_score`."""
        return result.take(result.scores >= self.params.min_score)

    def _outputs(self, frame: FrameSpec) -> tuple[TensorSpec, ...]:
        rows, columns = (-(-side // self.params.stride) for side in (frame.height, frame.width))
        channels = {"heat": len(self.params.classes), "size": 2, "offset": 2}
        return tuple(TensorSpec(name, (1, many, rows, columns), "float32") for name, many in channels.items())

    def _map(self) -> tuple[int, int]:
        return self.outputs[0].shape[2], self.outputs[0].shape[3]

    def _boxes(
        self, outputs: Mapping[str, NDArray[Any]], heat: Float32, found: tuple[NDArray[np.int64], ...]
    ) -> NDArray[np.float64]:
        """Return the boxes [N, 4], in cells, of the peaks `found` (class, row, column).

        Each is the mean of what the 3x3 cells around the peak say of the same object, weighted by their heat, as boxes
        vote in Gidaris and Komodakis (arXiv 1505.01749).
        """
        label, row, column = (each[:, None] for each in found)
        rows, columns = heat.shape[1:]
        down, across = row + AROUND[0], column + AROUND[1]
        there = (down >= 0) & (down < rows) & (across >= 0) & (across < columns)
        down, across = down.clip(0, rows - 1), across.clip(0, columns - 1)
        size, offset = (outputs[name][0][:, down, across].astype(np.float64) for name in ("size", "offset"))
        middle = np.stack([across + offset[1], down + offset[0]], -1)
        half = np.exp(np.clip(np.moveaxis(size[::-1], 0, -1), *self._sides())) / 2
        said = np.concatenate([middle - half, middle + half], -1)
        own = len(AROUND[0]) // 2
        alike = _overlaps(said, said[:, own, None], self.params.max_overlap)
        alike[:, own] = True
        weight = np.where(there & alike, heat[label, down, across].astype(np.float64), 0.0)
        voted: NDArray[np.float64] = (weight[..., None] * said).sum(1) / weight.sum(1, keepdims=True)
        return voted

    def _sides(self) -> tuple[float, float]:
        """Return the least and the greatest logarithm of a box's side: a pixel, and four times the whole frame."""
        return -float(np.log(self.params.stride)), float(np.log(4.0 * max(self._map())))

    def _geometry(self, width: int, height: int) -> Geometry:
        if self.frame is None:
            raise InputError("centres lie on a map of the network's frame: give the codec the frame, too")
        return Geometry(self.frame, width, height)


def peaks(heat: Float32, above: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (class, row, column) of the cells of `heat` [classes, h, w] that are above `above` and maxima of 3x3.

    Of equal maxima that touch one another, a plateau, the first row by row is taken. They come in the order of the map.
    """
    found = []
    for label, values in enumerate(heat):
        likely = values > above
        if not likely.any():
            continue
        maxima = likely & (values >= cv2.dilate(values, np.ones((3, 3), np.uint8)))
        _, plateaus = cv2.connectedComponents(maxima.astype(np.uint8), connectivity=8)
        cells = np.flatnonzero(maxima)
        _, first = np.unique(plateaus.ravel()[cells], return_index=True)
        row, column = np.divmod(np.sort(cells[first]), values.shape[1])
        found.append(np.stack([np.full(len(row), label), row, column]))
    cells = np.concatenate(found, 1) if found else np.zeros((3, 0), np.int64)
    return cells[0], cells[1], cells[2]


def strongest(boxes: Float32, labels: NDArray[np.int64], most: float) -> NDArray[np.bool_]:
    """Return which of `boxes` [N, 4], strongest first, overlap no stronger one of their class by more than `most`."""
    close = _overlaps(boxes[:, None], boxes, most) & (labels[:, None] == labels)
    kept = np.ones(len(boxes), np.bool_)
    for place in range(len(boxes)):
        if kept[place]:
            kept[place + 1 :] &= ~close[place, place + 1 :]
    return kept


def _overlaps(boxes: NDArray[Any], others: NDArray[Any], most: float) -> NDArray[np.bool_]:
    """Return where the IoU of boxes and others, both [..., 4] and broadcast against each other, is above `most`."""
    area, other = (np.maximum(each[..., 2:] - each[..., :2], 0).prod(-1) for each in (boxes, others))
    upper = np.maximum(boxes[..., :2], others[..., :2])
    lower = np.minimum(boxes[..., 2:], others[..., 2:])
    shared = np.maximum(lower - upper, 0).prod(-1)
    close: NDArray[np.bool_] = shared > most * (area + other - shared)
    return close


def _meant(name: str, classes: tuple[str, ...]) -> list[int]:
    """Return the places of the classes that an object called `name` says something of."""
    if name in classes:
        return [classes.index(name)]
    if name in PERSONS and PERSONS[0] in classes:
        return [classes.index(PERSONS[0])]
    return list(range(len(classes))) if name == REGION else []


def _inside(corners: NDArray[np.float64], rows: int, columns: int) -> tuple[slice, slice]:
    """Return the cells of a map that a box, in cells, touches."""
    first, last = np.floor(corners[0]).astype(int), np.ceil(corners[1]).astype(int)
    return (
        slice(min(max(first[1], 0), rows), min(max(last[1], 0), rows)),
        slice(min(max(first[0], 0), columns), min(max(last[0], 0), columns)),
    )


def _gauss(cell: NDArray[np.float64], sides: NDArray[np.float64], rows: int, columns: int) -> Float32:
    """Return the Gaussian [rows, columns] around `cell` (row, column) of a box with `sides` (height, width) in cells.

    CSP takes the deviation that OpenCV's `getGaussianKernel` gives a kernel as long as the side.
    """
    deviation = np.maximum(0.3 * ((sides - 1) * 0.5 - 1) + 0.8, LEAST_DEVIATION)
    down, across = (
        np.exp(-0.5 * ((np.arange(many) - at) / spread) ** 2)
        for many, at, spread in zip((rows, columns), cell, deviation, strict=True)
    )
    return np.outer(down, across).astype(np.float32)
