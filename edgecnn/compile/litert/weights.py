"""Filters and biases as constants of the flatbuffer: int8 as they are stored, or float."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.writer import Quant, Tensor

Array = NDArray[Any]
INT32 = np.iinfo(np.int32)


def int8_weights(low: Lowering, node: ir.Node, axis: int, index: int = 1) -> bool:
    """Whether a node's weights are stored as kernels take them: int8, zero at 0, one scale in all or along `axis`."""
    value = node.inputs[index]
    stored = low.source.stored.get(value) if value is not None else None
    if stored is None or stored.integers.dtype != np.int8 or stored.zero.any() or not (stored.scale > 0).all():
        return False
    return stored.scale.size == 1 or stored.axis == axis % stored.integers.ndim


def weight_tensor(
    low: Lowering, node: ir.Node, permute: Callable[[Array], Array], axis: int, *, rounded: bool, index: int = 1
) -> Tensor:
    """Return the weights after `permute`; int8 ones with a scale for each output channel, along physical `axis`."""
    value = node.inputs[index]
    assert value is not None  # noqa: S101 - the caller read it
    if not rounded:
        return low.weights(str(value.name), permute(low.source.constants[value]))
    stored = low.source.stored[value]
    integers = permute(stored.integers)
    scale = np.broadcast_to(stored.scale, (integers.shape[axis],)).astype(np.float32)
    quant = Quant(tuple(scale.tolist()), (0,) * len(scale), axis)
    return low.writer.constant(str(value.name), integers, quant)


def bias_tensor(low: Lowering, node: ir.Node, index: int, given: Tensor, weights: Tensor, axis: int) -> Tensor:
    """Return the bias of `node`, zeros where it has none: float32, or int32 at the scale of input times weight.

    `axis` is that of the output channels in `weights`.
    """
    value = node.inputs[index] if len(node.inputs) > index else None
    channels = weights.shape[axis]
    name = str(value.name) if value is not None else f"{weights.name}.bias"
    if weights.quant is None:
        real = low.source.constants[value] if value is not None else np.zeros(channels)
        return low.real(name, np.broadcast_to(real.reshape(-1), (channels,)))
    assert given.quant is not None  # noqa: S101 - int8 weights meet an int8 input
    scale = np.float32(given.quant.scale[0]) * np.asarray(weights.quant.scale, np.float32)
    exact = np.zeros(channels)
    if value is not None:
        stored = low.source.stored.get(value)
        exact = stored.real() if stored is not None else low.source.constants[value].astype(np.float64)
    integers = np.clip(np.round(exact.reshape(-1) / scale.astype(np.float64)), INT32.min, INT32.max).astype(np.int32)
    return low.writer.constant(name, integers, Quant(tuple(scale.tolist()), (0,) * len(scale)))
