"""Training pictures at network size in one memory-mapped file, so that no epoch but the first decodes JPEGs."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.core.progress import bar
from edgecnn.core.results import Frame
from edgecnn.core.tensor import FrameSpec
from edgecnn.data.sample import Sample, read_image
from edgecnn.runtime.preprocess import prepare

MAX_BYTES = 4 << 30


def prepared(samples: Sequence[Sample], frame: FrameSpec, folder: Path) -> Frame | None:
    """Return the pictures as uint8 [N, H, W, 3], mapped from a file in `folder`; None if they would take over 4 GiB.

    The file takes its name only when it is whole, so one that a killed run left half-written is made anew.
    """
    shape = (len(samples), frame.height, frame.width, 3)
    if np.prod(shape, dtype=np.int64) > MAX_BYTES:
        return None
    path = folder / "prepared.npy"
    if not path.exists():
        unfinished = folder / "prepared.unfinished.npy"
        pictures = np.lib.format.open_memmap(unfinished, "w+", np.uint8, shape)
        with bar("preparing frames", len(samples)) as shown:
            for i, sample in enumerate(samples):
                pictures[i] = prepare(read_image(sample.image), frame)
                shown.advance()
        pictures.flush()
        del pictures
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    found: Frame = np.load(path, mmap_mode="r", allow_pickle=False)
    return found
