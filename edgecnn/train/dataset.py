"""Samples to batches: read, bring to network size, augment, encode. Deterministic from (seed, epoch, index)."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from edgecnn.core.results import Frame
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample, read_image
from edgecnn.runtime.codec import Codec
from edgecnn.runtime.preprocess import Geometry, prepare
from edgecnn.train.augment import augment


class TrainingData(Protocol):
    """What is trained on: items for torch's `DataLoader`, each what a frame is and its encoded targets.

    Attributes:
        epoch: which epoch the next items are for.
    """

    epoch: int

    def __len__(self) -> int:
        """Return the number of items."""
        ...

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Tensor]]:
        """Return one item, the same for the same epoch and index."""
        ...

    def inputs(self, frames: Any, module: nn.Module, device: torch.device) -> tuple[Tensor, ...]:
        """Return what `module` is called with for the `frames` of a batch."""
        ...


class EncodedSamples(Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Each item is a uint8 image [H, W, 3] at network size and its encoded targets.

    `pictures` are the samples' pictures at network size, [N, H, W, 3], or None: then each is read from its file.
    `strength` is that of augmentation, None for none at all, and `texture` the share of pictures that get some then.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        pictures: Frame | None,
        frame: FrameSpec,
        codec: Codec,
        *,
        seed: int,
        strength: float | None,
        texture: float = 0.0,
    ) -> None:
        self.samples, self.pictures, self.frame, self.codec = samples, pictures, frame, codec
        self.seed, self.strength, self.texture, self.epoch = seed, strength, texture, 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Return one item; the same (seed, epoch, index) gives the same bytes in any worker."""
        rng = np.random.default_rng((self.seed, self.epoch, index))
        return self.item(self.picture(index), self.samples[index].truth, self.frame, self.codec, rng)

    def item(
        self, picture: Frame, truth: Any, frame: FrameSpec, codec: Codec, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a picture of `frame`'s size and its truth as an item, augmented if that is asked for."""
        if self.strength is not None:
            geometry = Geometry(frame, truth.width, truth.height)
            picture, truth = augment(picture, truth, geometry, rng, self.strength, self.texture)
        targets = {name: torch.from_numpy(array) for name, array in codec.encode(truth).items()}
        return torch.from_numpy(np.array(picture)), targets

    def inputs(self, frames: Any, module: nn.Module, device: torch.device) -> tuple[Tensor, ...]:
        """Return uint8 `frames` [N, H, W, 3] normalised as `module` takes them, float32 [N, 3, H, W]."""
        face: Any = module
        return (normalised(frames.to(device, non_blocking=True), face.normalise, self.frame.color),)

    def picture(self, index: int) -> Frame:
        """Return a frame at network size, uint8 [H, W, 3]."""
        if self.pictures is not None:
            return np.asarray(self.pictures[index], np.uint8)
        return prepare(read_image(self.samples[index].image), self.frame)


def normalised(image: Tensor, normalise: Any, color: str) -> Tensor:
    """Return uint8 [N, H, W, 3] in `color` order as normalised float32 [N, 3, H, W] in the network's own order."""
    height, width = image.shape[1:3]
    if normalise.color != color:
        image = image.flip(-1)
    # A row at a time, so that what is repeated for each pixel is as long as a row; channels stay last in memory, which
    # convolutions like best.
    mean, std = (torch.tensor(v, device=image.device).repeat(width) for v in (normalise.mean, normalise.std))
    rows = image.reshape(-1, height, 3 * width).float().div_(255).sub_(mean).div_(std)
    return rows.reshape(-1, height, width, 3).permute(0, 3, 1, 2)
