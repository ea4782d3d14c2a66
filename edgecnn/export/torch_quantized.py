"""ONNX's Q and DQ as the operators that PyTorch 2's own quantizers (PT2E) write."""

from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# Registers the operators that `torch.ops.quantized_decomposed` names; torch has no public name for it.
from torch.ao.quantization.fx import _decomposed  # noqa: F401

Array = NDArray[Any]
TYPES = {np.dtype(np.int8): torch.int8, np.dtype(np.uint8): torch.uint8, np.dtype(np.int16): torch.int16}


@final
class Rounding(nn.Module):
    """Q or DQ on constant scales: real = scale * (stored - zero_point), one scale in all, or one a channel.

    Args:
        way: to stored numbers, or back.
        scale: float [] or [channels].
        zero_point: whole numbers of the same shape.
        axis: of the channels.
        stored: what is stored: int8, uint8 or int16.
        narrow: whether the least number of a signed type is never stored.
    """

    def __init__(
        self,
        way: Literal["quantize", "dequantize"],
        scale: Array,
        zero_point: Array,
        axis: int,
        stored: np.dtype[Any],
        *,
        narrow: bool,
    ) -> None:
        super().__init__()
        limits = np.iinfo(stored)
        self._limits = (int(limits.min) + (narrow and limits.min < 0), int(limits.max), TYPES[stored])
        self._axis = None if scale.size == 1 else axis
        self._call = getattr(torch.ops.quantized_decomposed, f"{way}_per_{'tensor' if scale.size == 1 else 'channel'}")
        self._one = (float(scale.reshape(-1)[0]), int(zero_point.reshape(-1)[0]))
        if self._axis is not None:
            self.register_buffer("scale", torch.from_numpy(np.array(scale, np.float32)))
            self.register_buffer("zero_point", torch.from_numpy(np.array(zero_point, np.int64)))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` rounded half to even and cut to the type's numbers, or the real numbers for stored ones."""
        if self._axis is None:
            result: Tensor = self._call(x, *self._one, *self._limits)
        else:
            result = self._call(x, self.scale, self.zero_point, self._axis, *self._limits)
        return result
