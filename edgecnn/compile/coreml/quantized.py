"""Q and DQ: activations by MIL's quantize and dequantize of iOS 17, weights as integers with their scales."""

from typing import Any

import numpy as np

from edgecnn.compile.coreml.call import Array, Call, Table, Value
from edgecnn.compile.coreml.sdk import mb

_TYPES = {"int8", "uint8"}


def _quantize(call: Call) -> Value:
    scale, zero, axis = _parameters(call)
    return mb.quantize(input=call[0], scale=scale, zero_point=zero, output_dtype=zero.dtype.name, **axis)


def _dequantize(call: Call) -> Value:
    scale, zero, axis = _parameters(call)
    data = call[0]
    if not isinstance(data, np.ndarray):
        return mb.dequantize(input=data, scale=scale, zero_point=zero, **axis)
    return mb.constexpr_affine_dequantize(
        quantized_data=data, scale=scale, zero_point=zero, axis=axis.get("axis", np.int32(0))
    )


def _parameters(call: Call) -> tuple[Array, Array, dict[str, Any]]:
    """Return scale and zero point, and the axis where they are one a channel."""
    scale = call.constant(1).astype(np.float32)
    zero = call.constant(2) if call.has(2) else np.zeros(scale.shape, np.uint8)
    if zero.dtype.name not in _TYPES:
        raise call.error(f"rounds to {zero.dtype.name}; Core ML has int8 and uint8")
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(()), {}
    # One zero for all channels is the same as as many equal ones.
    return scale, np.broadcast_to(zero, scale.shape).copy(), {"axis": np.int32(call.axis(1))}


QUANTIZED: Table = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
