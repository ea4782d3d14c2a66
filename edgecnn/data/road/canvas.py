"""The picture being painted and, pixel for pixel, which labelled thing is seen there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.results import Frame

Area = tuple[slice, slice]

# Where a thing is this opaque or more it counts as seen, and hides what lies behind it.
_OPAQUE = 128


@final
class Canvas:
    """A picture, uint8 BGR [H, W, 3], and `owners`, uint16 [H, W]: 0 for nothing labelled, else a thing's number.

    Things are painted from far to near; each takes the pixels that it changes from what was seen there before.
    """

    def __init__(self, picture: Frame, *, labelled: bool) -> None:
        """Start with an empty picture; without `labelled` nobody's pixels are kept count of."""
        self.picture = picture
        self.owners: NDArray[np.uint16] | None = np.zeros(picture.shape[:2], np.uint16) if labelled else None

    @property
    def whole(self) -> Area:
        """Return the area of the whole picture."""
        return slice(0, self.picture.shape[0]), slice(0, self.picture.shape[1])

    @contextmanager
    def painting(self, area: Area, owner: int = 0) -> Iterator[None]:
        """What is painted within `area` meanwhile belongs to `owner`, 0 for a thing that has no label."""
        owners = None if self.owners is None else self.owners[area]
        if owners is None or not owners.size or not (owner or owners.any()):
            yield
            return
        before = self.picture[area].copy()
        yield
        owners[changed(before, self.picture[area])] = owner

    def give(self, area: Area, alpha: Frame, owner: int) -> None:
        """Give `owner` the pixels of `area` where `alpha`, uint8 [h, w], is half or more."""
        if self.owners is not None:
            self.owners[area][alpha >= _OPAQUE] = owner


def changed(before: Frame, after: Frame) -> NDArray[np.bool_]:
    """Return bool [H, W]: where two pictures differ; single pixels that happen to be alike count with their like."""
    blue, green, red = (np.asarray(plane, np.uint8) for plane in cv2.split(cv2.absdiff(before, after)))
    differs = np.asarray((blue | green | red) > 0, np.uint8)
    return np.asarray(cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.bool_)
