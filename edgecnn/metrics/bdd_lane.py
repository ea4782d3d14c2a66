"""Two figures that are both called BDD100K lane detection, and have little to do with one another.

`BddBoundary` is the official one (bdd100k/eval/lane.py): the F score of thin masks, where a pixel is right if one of
the other mask lies within 1, 2 or 5 pixels. It is taken image by image and averaged; an image where neither has a pixel
scores 1. For the masks of the data set it is also averaged over the classes of direction, style and category.

`BddMask` is what papers call lane IoU and accuracy (YOLOP, arXiv 2108.11250, and those after it): the overlap of two
binary masks of wider lines over all images together. Its accuracy is the share of true lane pixels that are found.

Lane lines are drawn for both: 1 pixel wide for the former, `line_width` for the latter.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Lanes
from edgecnn.metrics.metric import Totals, Weights

DISTANCES: Final = (1, 2, 5)
"""Pixels within which a boundary is right."""
CLASSES: Final = {
    "direction": (5, 1, ("parallel", "vertical")),
    "style": (4, 1, ("solid", "dashed")),
    "category": (
        *(0, 3),
        ("crosswalk", "double other", "double white", "double yellow", "road curb", "single other", "single white",
         "single yellow"),
    ),
}  # fmt: skip
"""By what is judged: first bit and number of bits in the masks' byte, and the names of its values."""
_BACKGROUND_BIT: Final = 3

Mask = NDArray[Any]


class BddBoundary:
    """`Lanes` judged by the boundary F score of their 1 pixel wide drawings, one class: lane."""

    name = "bdd_boundary"
    higher_is_better = dict.fromkeys((f"boundary_f{distance}px" for distance in DISTANCES), True)

    def score(self, prediction: Lanes, truth: Lanes) -> tuple[float, ...]:
        """Return the F score of one frame at each of `DISTANCES`, in pixels of the truth's frame."""
        found, true = drawn(prediction, truth.width, truth.height, 1), drawn(truth, truth.width, truth.height, 1)
        return tuple(boundary_f(found, true, distance) for distance in DISTANCES)

    def totals(self, scores: Sequence[tuple[float, ...]]) -> dict[str, float]:
        """Return boundary_f1px, boundary_f2px and boundary_f5px: means over the frames."""
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[tuple[float, ...]], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        table = np.asarray(scores, np.float64).reshape(-1, len(DISTANCES))
        return lambda weights: dict(zip(self.higher_is_better, (weights @ table / weights.sum()).tolist(), strict=True))


class MaskScore(NamedTuple):
    """Pixels of one frame: in both masks, in the found one alone, in the true one alone, in neither."""

    both: int
    found: int
    true: int
    neither: int


class BddMask:
    """`Lanes` judged by the overlap of their drawings, `line_width` pixels wide on a frame `height` pixels high.

    Args:
        line_width: of the drawn lines in pixels. Papers train on 8 and judge on 2.
        height: of the frame that is drawn on, its width in proportion.
    """

    name = "bdd_mask"
    higher_is_better = {  # noqa: RUF012 - a constant
        "mask_iou": True,
        "mask_accuracy": True,
        "mask_balanced_accuracy": True,
    }

    def __init__(self, line_width: int = 2, height: int = 720) -> None:
        self.line_width, self.height = line_width, height

    def score(self, prediction: Lanes, truth: Lanes) -> MaskScore:
        """Return the pixels of one frame."""
        width = round(truth.width * self.height / truth.height)
        found, true = (drawn(lanes, width, self.height, self.line_width) for lanes in (prediction, truth))
        both, one, other = (int(np.count_nonzero(mask)) for mask in (found & true, found, true))
        return MaskScore(both, one - both, other - both, found.size - one - other + both)

    def totals(self, scores: Sequence[MaskScore]) -> dict[str, float]:
        """Return mask_iou, mask_accuracy (share of true lane pixels found) and mask_balanced_accuracy.

        The last is the mean of that share and the background's, as the TwinLiteNet line of papers reports it.
        """
        return self.weighted(scores)(np.ones(len(scores), np.int64))

    def weighted(self, scores: Sequence[MaskScore], only: Collection[str] = ()) -> Totals:  # noqa: ARG002 - all are cheap
        """Return what gives the totals when frame i counts `weights[i]` times."""
        table = np.array(scores, np.int64).reshape(-1, 4)

        def totals(weights: Weights) -> dict[str, float]:
            both, found, true, neither = (weights @ table).tolist()
            accuracy = both / (both + true) if both + true else float("nan")
            background = neither / (neither + found) if neither + found else float("nan")
            return {
                "mask_iou": both / (both + found + true) if both + found + true else float("nan"),
                "mask_accuracy": accuracy,
                "mask_balanced_accuracy": (accuracy + background) / 2,
            }

        return totals


def boundary_f(found: Mask, true: Mask, distance: int) -> float:
    """Return the F score of two thin masks [H, W] at `distance` pixels (discs, Perazzi et al., CVPR 2016).

    Where only one of them has pixels it is 0, where neither has, 1.
    """
    found, true = found.astype(bool), true.astype(bool)
    counts = int(found.sum()), int(true.sum())
    if not all(counts):
        return float(not any(counts))
    disc = _disc(distance)
    near_found, near_true = (cv2.dilate(mask.astype(np.uint8), disc) > 0 for mask in (found, true))
    precision = int((found & near_true).sum()) / counts[0]
    recall = int((true & near_found).sum()) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def byte_masks_f(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Return the official scores of one image from two lane masks of BDD100K, uint8 [H, W].

    By task (direction, style, category) float64 [classes, distances], to be averaged over images first, then classes.
    """
    scores = {}
    for task, (first, bits, names) in CLASSES.items():
        masks = [_class_mask(byte, first, bits, len(names)) for byte in (found, true)]
        scores[task] = np.array(
            [[boundary_f(one, other, distance) for distance in DISTANCES] for one, other in zip(*masks, strict=True)]
        )
    return scores


def average_byte_masks(images: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, float]:
    """Return the official figures over images, 0 to 100: by task and `average`, each at 1, 2 and 5 pixels."""
    by_task = {task: np.mean([image[task] for image in images], axis=0).mean(axis=0) * 100 for task in CLASSES}
    by_task["average"] = np.mean(list(by_task.values()), axis=0)
    return {
        f"{task}_f{distance}px": float(values[place])
        for task, values in by_task.items()
        for place, distance in enumerate(DISTANCES)
    }


def drawn(lanes: Lanes, width: int, height: int, line_width: int) -> NDArray[np.uint8]:
    """Return a mask [height, width] of lane lines scaled to it, drawn straight from point to point."""
    canvas = np.zeros((height, width), np.uint8)
    for line in lanes.lines:
        scaled = line.astype(np.float64) * (width / lanes.width, height / lanes.height)
        corners = np.clip(np.rint(scaled), -(2**15), 2**15).astype(np.int32)
        cv2.polylines(canvas, [corners], isClosed=False, color=1, thickness=line_width)
    return canvas


def _class_mask(byte: NDArray[np.uint8], first: int, bits: int, classes: int) -> list[NDArray[np.bool_]]:
    value = (byte >> first) & ((1 << bits) - 1)
    lane = ((byte >> _BACKGROUND_BIT) & 1) == 0
    return [(value == one) & lane for one in range(classes)]


def _disc(radius: int) -> NDArray[np.uint8]:
    at = np.arange(-radius, radius + 1)
    return (at[:, None] ** 2 + at[None, :] ** 2 <= radius**2).astype(np.uint8)
