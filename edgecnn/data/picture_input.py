"""A network's picture input: how camera frames become it, in NumPy, for networks that keep their own input."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn.core.errors import InputError
from edgecnn.core.results import Frame
from edgecnn.core.tensor import FrameSpec, TensorSpec

Color: TypeAlias = Literal["rgb", "bgr"]
# Weights of red, green and blue in luma (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class PictureInput:
    """Which input takes the picture: its name, size in pixels, channels (1 or 3) and whether they come first."""

    name: str
    height: int
    width: int
    channels: int
    channels_first: bool
    dtype: str

    def frame_spec(self, color: Color) -> FrameSpec:
        """Return what a camera frame becomes before it: stretched to this size, in `color` order."""
        return FrameSpec(width=self.width, height=self.height, color=color)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """(pixel / scale - mean) / std, a mean and a std a channel, or one for all, in the order of `color`."""

    scale: float = 255.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    color: Color = "rgb"

    def apply(self, frame: Frame, picture: PictureInput) -> NDArray[Any]:
        """Return `frame` (uint8 [H, W, 3] in `color` order, of the picture's size) as the input's array, batch 1."""
        pixels = frame.astype(np.float32)
        if picture.channels == 1:
            luma = _LUMA if self.color == "rgb" else _LUMA[::-1]
            pixels = np.round(pixels @ np.array(luma, np.float32))[..., None]
        pixels = (pixels / np.float32(self.scale) - self._row(self.mean)) / self._row(self.std)
        ordered = pixels.transpose(2, 0, 1) if picture.channels_first else pixels
        return np.ascontiguousarray(ordered[None], np.dtype(picture.dtype))

    def _row(self, values: tuple[float, ...]) -> NDArray[np.float32]:
        return np.array(values, np.float32)


def picture_input(inputs: tuple[TensorSpec, ...]) -> PictureInput:
    """Return the one input as a picture's.

    Raises:
        InputError: there are several inputs, or the one is no [1, C, H, W] or [1, H, W, C] with 1 or 3 channels.
    """
    told = "; ".join(f"'{spec.name}' {spec.describe()}" for spec in inputs)
    if len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].shape[0] == 1:
        spec, (_, one, two, three) = inputs[0], inputs[0].shape
        if one in {1, 3}:
            return PictureInput(spec.name, two, three, one, channels_first=True, dtype=spec.dtype)
        if three in {1, 3}:
            return PictureInput(spec.name, one, two, three, channels_first=False, dtype=spec.dtype)
    raise InputError(f"pictures don't fit the model's inputs ({told}); give --calib FILE.npz with one array an input")
