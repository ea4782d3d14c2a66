"""Training on windows of the frames: much of a street is empty, and what is learnt a second is what objects it shows.

A convolutional network takes pictures of any size, so one that will see whole frames learns from parts of them at the
scale it will see them in. Most windows lie around an object (as SSD, arXiv 1512.02325, crops its pictures), the rest
anywhere.
"""

from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from edgecnn.core.errors import DataError
from edgecnn.core.recipe import Window
from edgecnn.core.results import Detections, Float32, Frame
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample
from edgecnn.runtime.codec import Codec
from edgecnn.runtime.preprocess import Geometry
from edgecnn.train.augment import LEAST_SEEN
from edgecnn.train.dataset import EncodedSamples

APART = 0.4
"""Parts of a window's sides by which its middle may lie beside that of the object it was laid around."""
_STREAM = 1  # keeps the choice of windows apart from what augmentation draws


@final
class Windows:
    """Each item is a window of one frame, uint8 [h, w, 3], and its encoded targets.

    `whole` gives the frames at network size; `codec` is the task's for a frame of the window's size.

    Raises:
        DataError: the window is larger than the frame, or labels are no objects: lanes go through the whole frame.
    """

    def __init__(self, whole: EncodedSamples, codec: Codec, window: Window) -> None:
        frame = whole.frame
        if window.width > frame.width or window.height > frame.height:
            raise DataError(
                f"train.window: {window.width}x{window.height} is larger than model.frame, "
                f"{frame.width}x{frame.height}; make it smaller or leave it out"
            )
        if not all(isinstance(sample.truth, Detections) for sample in whole.samples):
            raise DataError("train.window: only objects can be cut out; leave it out where the labels hold lanes")
        self._whole, self._codec, self._window, self.epoch = whole, codec, window, 0

    def __len__(self) -> int:
        return len(self._whole)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one item; the same (seed, epoch, index) gives the same bytes in any worker."""
        whole = self._whole
        rng = np.random.default_rng((whole.seed, self.epoch, index, _STREAM))
        picture, truth = self._cut(whole.picture(index), whole.samples[index], rng)
        rng = np.random.default_rng((whole.seed, self.epoch, index))
        return whole.item(picture, truth, FrameSpec(self._window.width, self._window.height), self._codec, rng)

    def inputs(self, frames: Any, module: nn.Module, device: torch.device) -> tuple[Tensor, ...]:
        """Return uint8 `frames` [N, h, w, 3] as `module` takes them."""
        return self._whole.inputs(frames, module, device)

    def _cut(self, picture: Frame, sample: Sample, rng: np.random.Generator) -> tuple[Frame, Detections]:
        truth: Any = sample.truth
        width, height = self._window.width, self._window.height
        geometry = Geometry(self._whole.frame, truth.width, truth.height)
        boxes = _at_network_size(truth.boxes, geometry)
        upper = np.array([picture.shape[1] - width, picture.shape[0] - height])
        wanted = np.flatnonzero(~truth.ignored)
        if len(wanted) and rng.random() < self._window.near:
            x1, y1, x2, y2 = boxes[rng.choice(wanted)]
            aside = rng.uniform(-APART, APART, 2) * (width, height)
            corner = np.array([x1 + x2 - width, y1 + y2 - height]) / 2 + aside
        else:
            corner = rng.uniform(0, upper + 1.0)
        x, y = np.clip(np.floor(corner), 0, upper).astype(int)
        seen = _at_network_size(truth.visible, geometry) if len(truth.visible) else boxes
        moved = _within(replace(truth, boxes=boxes - (x, y, x, y), visible=seen - (x, y, x, y)), width, height)
        return np.ascontiguousarray(picture[y : y + height, x : x + width]), moved


def _at_network_size(boxes: Float32, geometry: Geometry) -> Float32:
    return geometry.to_network(boxes.reshape(-1, 2, 2)).reshape(-1, 4).astype(np.float32)


def _within(truth: Detections, width: int, height: int) -> Detections:
    """Return what is seen of the objects in a picture of this size; what hardly is any more is ignored or gone."""
    seen = np.clip(truth.visible, 0, (width, height, width, height)).astype(np.float32)
    boxes = truth.boxes.astype(np.float32)
    moved = replace(truth, boxes=boxes, visible=seen, width=width, height=height)
    moved = replace(moved, ignore=truth.ignored | (moved.visibility < LEAST_SEEN))
    return moved.take(np.flatnonzero((seen[:, 2:] > seen[:, :2]).all(1)))
