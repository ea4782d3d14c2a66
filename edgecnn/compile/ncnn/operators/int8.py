"""Weights and scales of a layer that runs in INT8: made from what the Q/DQ graph says, nothing is calibrated here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn.compile.ncnn.builder import Value
from edgecnn.compile.ncnn.network import Weight
from edgecnn.compile.ncnn.source import Source

LARGEST = 127


@dataclass(frozen=True, slots=True)
class Int8:
    """Integers with the output channels first, their scales (one a channel) and the scale of the layer's input."""

    integers: NDArray[np.int8]
    scales: NDArray[np.float32]
    before: float

    def part(self, own: slice) -> "Int8":
        """Return some of the output channels."""
        return Int8(self.integers[own], self.scales[own], self.before)

    def factors(self, channels: int) -> list[Weight]:
        """Return the factors that ncnn multiplies by before it rounds: of `channels` weights, then of the input."""
        own = np.broadcast_to(1 / self.scales.astype(np.float64), (channels,))
        return [Weight(own.astype(np.float32)), Weight(np.array([1 / self.before], np.float32))]


def int8_weights(source: Source, name: str, x: Value, axis: int) -> Int8 | None:
    """Return how the constant `name` and the input `x` run in INT8, None where ncnn has no such form.

    ncnn rounds to -127..127 around zero, for activations at one scale and for weights at one a channel along `axis`.
    """
    stored = source.stored.get(name)
    if stored is None or x.rounding is None or not x.rounding.int8 or stored.integers.dtype != np.int8:
        return None
    if stored.zero_point.any() or stored.integers.min(initial=0) < -LARGEST:
        return None
    if stored.scale.size > 1 and (stored.axis % stored.integers.ndim != axis or stored.scale.ndim > 1):
        return None
    integers = np.moveaxis(stored.integers, axis, 0)
    scales = np.broadcast_to(stored.scale.reshape(-1), (len(integers),))
    if not (scales > 0).all():
        return None
    return Int8(np.ascontiguousarray(integers), np.asarray(scales, np.float32), x.rounding.scale)
