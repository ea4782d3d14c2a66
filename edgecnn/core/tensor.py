"""TensorSpec and FrameSpec: what goes into a network and what a camera frame has to become first."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import TensorError


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named tensor of fixed shape.

    `dtype` is a NumPy name (`uint8`, `float32`); `layout` names the axes (`NHWC`, `NCHW`) or is empty.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str = ""

    def check(self, array: NDArray[Any]) -> None:
        """Raise `TensorError` unless `array` has this shape and dtype and holds only finite numbers."""
        if not isinstance(array, np.ndarray):
            raise TensorError(f"input '{self.name}' must be a NumPy array, not {type(array).__name__}")
        if array.shape != self.shape or array.dtype != np.dtype(self.dtype):
            raise TensorError(
                f"input '{self.name}' must be {self.describe()}; got {array.dtype.name} of shape {list(array.shape)}"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise TensorError(
                f"input '{self.name}' holds NaN or infinity; {self.describe()} of finite numbers is expected"
            )

    def describe(self) -> str:
        """Return dtype, shape and layout as one phrase."""
        return f"{self.dtype} of shape {list(self.shape)}" + (f" ({self.layout})" if self.layout else "")


def check_feeds(specs: tuple[TensorSpec, ...], feeds: Mapping[str, NDArray[Any]]) -> None:
    """Raise `TensorError` unless `feeds` holds exactly the named tensors of `specs`, each as it should be."""
    expected = [spec.name for spec in specs]
    if set(feeds) != set(expected):
        raise TensorError(f"inputs must be named {expected}; got {sorted(feeds)}")
    for spec in specs:
        spec.check(feeds[spec.name])


class Crop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is cut off a frame before resizing, as fractions of its height and width in [0, 1)."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0

    def __post_init__(self) -> None:
        if (
            min(self.top, self.bottom, self.left, self.right) < 0
            or self.top + self.bottom >= 1
            or self.left + self.right >= 1
        ):
            raise ValueError("crop fractions must be >= 0 and leave something of the frame")


class FrameSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a camera frame becomes before the network: cropped, resized to `height` x `width`, in `color` order.

    Scaling, normalisation and layout are not here: they are baked into the exported graph.
    """

    width: int
    height: int
    color: Literal["bgr", "rgb"] = "bgr"
    resize: Literal["stretch", "letterbox"] = "stretch"
    crop: Crop = Crop()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError("frame width and height must be at least 1 pixel")
