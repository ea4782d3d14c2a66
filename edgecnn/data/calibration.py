"""Calibration frames from pictures, a video or an .npz file: evenly spread, parted in those to fit and to judge."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import DataError
from edgecnn.core.progress import bar
from edgecnn.core.results import Frame
from edgecnn.core.tensor import TensorSpec
from edgecnn.data.arrays import ArrayFrames
from edgecnn.data.frames import FrameSource, Pictures, open_source
from edgecnn.data.spool import Spool, write_spool

ENOUGH_TO_PART = 32
HELD_STEP = 4
LABEL = "reading frames"

Arrays: TypeAlias = dict[str, NDArray[Any]]


def is_arrays(source: str) -> bool:
    """Whether `source` names a file of arrays, which are fed as they are, rather than pictures or a video."""
    return Path(source).suffix.lower() == ".npz"


def spool_arrays(source: str, specs: tuple[TensorSpec, ...], limit: int, folder: Path) -> Spool:
    """Lay at most `limit` frames of an .npz file, evenly spread, down in the new folder `folder`.

    Raises:
        DataError: the file can't be read, or does not fit `specs`, the model's inputs.
    """
    arrays = ArrayFrames(Path(source), specs)
    indices = spread(len(arrays), limit)
    return _spool(arrays.frames(indices), len(indices), folder)


def spool_frames(source: str, to_feeds: Callable[[Frame], Arrays], limit: int, folder: Path) -> Spool:
    """Lay at most `limit` frames of a folder, picture or video, evenly spread, down as the feeds `to_feeds` makes.

    Raises:
        DataError: nothing is there, or a frame can't be read; a camera can't be read twice.
    """
    frames = open_source(source)
    if frames.kind == "camera":
        raise DataError(f"{source}: a camera is no calibration data; record a video or pictures first")
    if isinstance(frames, Pictures):
        chosen = Pictures(frames.name, [frames.files[i] for i in spread(len(frames.files), limit)])
        return _spool((to_feeds(frame) for _, frame in chosen), len(chosen.files), folder)
    count = frames.count or sum(1 for _ in frames)
    wanted = set(spread(count, limit))
    return _spool(_numbered(frames, wanted, to_feeds), len(wanted), folder)


def spread(count: int, limit: int) -> list[int]:
    """Return at most `limit` of the numbers below `count`, ascending and evenly spread, first and last among them."""
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(limit, count)).round())]


def parted(spool: Spool) -> tuple[Spool, Spool, bool]:
    """Return frames to fit on, frames to judge on, and whether they differ.

    Every fourth frame is held back for judging. Of fewer than `ENOUGH_TO_PART` frames none is: a quarter of them would
    judge too coarsely, and ranges do not learn single frames.
    """
    count = len(spool)
    if count < ENOUGH_TO_PART:
        return spool, spool, False
    held = set(range(HELD_STEP - 1, count, HELD_STEP))
    return spool.take(i for i in range(count) if i not in held), spool.take(sorted(held)), True


def _numbered(source: FrameSource, wanted: set[int], to_feeds: Callable[[Frame], Arrays]) -> Iterator[Arrays]:
    last = max(wanted)
    for number, (_, frame) in enumerate(source):
        if number in wanted:
            yield to_feeds(frame)
        if number == last:
            return


def _spool(frames: Iterator[Arrays], count: int, folder: Path) -> Spool:
    with bar(LABEL, count) as shown:

        def counted() -> Iterator[Arrays]:
            for feeds in frames:
                yield feeds
                shown.advance()

        return write_spool(folder, counted())
