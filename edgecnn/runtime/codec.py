"""Codec: the face every task's codec shows. Encode for training and decode for the device in one place."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from edgecnn.core.results import Result
from edgecnn.core.tensor import FrameSpec


class Codec(Protocol):
    """Made from the frame spec and the decode parameters that a bundle carries: `Codec(frame, params)`."""

    def encode(self, truth: Any, frame: FrameSpec) -> dict[str, NDArray[Any]]:
        """Return the training targets of one frame whose coordinates are those of the original frame."""
        ...

    def decode(self, outputs: Mapping[str, NDArray[Any]], width: int, height: int) -> Result:
        """Return the result in pixels of an original frame of `width` x `height`; outputs have batch size 1."""
        ...
