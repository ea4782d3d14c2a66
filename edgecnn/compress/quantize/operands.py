"""Constants of a node as integers behind DQ: weights, bias, and the constant side of a sum or product."""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import constant
from edgecnn.compress.quantize.half import LEAST, is_wide
from edgecnn.compress.quantize.pairs import initializer, result
from edgecnn.compress.quantize.ranges import scale_and_zero, widen
from edgecnn.compress.quantize.scheme import Format, Scheme
from edgecnn.compress.quantize.weights import Weights, least_scale, quantize_bias, quantize_weights

Array = NDArray[Any]


class WeightCache:
    """Quantized weights by the tensor they came from, so that placing another plan on the same model is fast."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, Format, int | None, float], tuple[object, Weights]] = {}

    def get(self, value: ir.Value, array: Array, form: Format, axis: int | None, factor: float) -> Weights:
        """Return `array` (which is `factor` times what `value` holds) in `form`, one scale a channel along `axis`."""
        key = (id(value.const_value), form, axis, factor)
        if key not in self._held:
            # The tensor is kept too, so that its id stays its own.
            self._held[key] = (value.const_value, quantize_weights(array, form, axis))
        return self._held[key][1]


def quantize_node(
    graph: ir.Graph, node: ir.Node, scheme: Scheme, before: np.float32 | None, cache: WeightCache
) -> None:
    """Store weights, and bias if the scheme says so, as integers; `before` is the scale of the node's input."""
    value = node.inputs[1]
    weights, bias = constant(value), constant(node.inputs[2]) if len(node.inputs) > 2 else None
    assert value is not None and weights is not None  # noqa: S101, PT018 - the plan chose it for its constant weights
    factor = 1.0
    if node.op_type == "Gemm":
        factor, bias = _plain_gemm(graph, node, weights, bias)
        weights = weights if factor == 1 else weights * np.float32(factor)
    if node.op_type == "MatMul":
        weights = weights.reshape(weights.shape[-2:])
    axis = channel_axis(node, scheme)
    made = cache.get(value, weights, scheme.weight, axis, factor)
    # Also where the scheme leaves the bias in float: ONNX Runtime rounds it to int32 itself, and lets it overflow.
    least = least_scale(bias, float(before)) if bias is not None and before is not None else np.zeros(1)
    if axis is None:
        least = least.max()
    if np.any(made.scale < least) or scheme.float_type == "float16":
        made = _rescaled(weights, made, np.maximum(made.scale, least), scheme)
    _write(graph, node, 1, f"{node.name}.weight", made, weights if scheme.weight_form == "simulated" else None)
    if scheme.bias == "int32" and bias is not None and before is not None:
        stored, scale = quantize_bias(bias, before, made.scale)
        _write(graph, node, 2, f"{node.name}.bias", Weights(stored, scale, 0 if axis is not None else None), None)


def channel_axis(node: ir.Node, scheme: Scheme) -> int | None:
    """Return the axis of the output channels in the node's weights, None for one scale in all."""
    axis = scheme.channel_axis[node.op_type]
    if node.op_type == "Gemm" and axis is not None and not node.attributes.get_int("transB", 0):
        return 1 - axis
    if node.op_type == "ConvTranspose" and node.attributes.get_int("group", 1) != 1:
        return None
    return axis


def output_axis(op: str, rank: int, *, transposed: bool) -> int:
    """Return the axis of the output channels in a layer's weights of `rank` axes, as ONNX defines the operator `op`.

    `transposed` is Gemm's transB.
    """
    return {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if transposed else 1, "MatMul": rank - 1}[op]


def quantize_constant(graph: ir.Graph, node: ir.Node, index: int, scheme: Scheme) -> None:
    """Store the constant at input `index` in the scheme's format for activations, one scale in all."""
    array = constant(node.inputs[index])
    assert array is not None  # noqa: S101 - the plan chose the node for it
    # Engines take no Q or DQ of a scalar, and one number broadcasts as well.
    array = array.reshape(1) if array.ndim == 0 else array
    low, high = float(array.min()), float(array.max())
    form = scheme.nonnegative if low >= 0 else scheme.activation
    scale, zero = scale_and_zero(*widen(low, high, form), form)
    stored = np.clip(np.round(array.astype(np.float64) / scale) + zero, form.low, form.high).astype(form.dtype)
    name = f"{node.name}.operand{index}"
    _write(graph, node, index, name, Weights(stored, np.asarray(scale, np.float32), None), None, zero)


def _plain_gemm(graph: ir.Graph, node: ir.Node, weights: Array, bias: Array | None) -> tuple[float, Array | None]:
    """Take alpha and beta out of a Gemm; return the factor of its weights, and its bias as a vector."""
    alpha, beta = node.attributes.get_float("alpha", 1.0), node.attributes.get_float("beta", 1.0)
    width = weights.shape[0 if node.attributes.get_int("transB", 0) else 1]
    if bias is not None and (beta != 1 or bias.shape != (width,)):
        bias = np.ascontiguousarray(np.broadcast_to(bias.reshape(-1) * np.float32(beta), (width,)))
        node.replace_input_with(2, initializer(graph, f"{node.name}.bias.real", bias))
    for name in ("alpha", "beta"):
        node.attributes.pop(name, None)
    return alpha, bias


def _rescaled(weights: Array, made: Weights, scale: Array, scheme: Scheme) -> Weights:
    """Return the weights at another scale, such as one that float16 can hold."""
    if scheme.float_type == "float16" and not is_wide(scale.max()):
        scale = np.maximum(scale, LEAST).astype(np.float16)
    scale = np.asarray(scale, np.float32)
    shape = [1] * weights.ndim
    if made.axis is not None:
        shape[made.axis] = -1
    form = scheme.weight
    stored = np.clip(np.round(weights / scale.reshape(shape)), form.low, form.high).astype(form.dtype)
    same = (scale == made.scale).reshape(shape)
    return Weights(np.where(same, made.stored, stored), scale, made.axis)


def _write(
    graph: ir.Graph, node: ir.Node, index: int, name: str, made: Weights, real: Array | None, zero: int = 0
) -> None:
    """Let `node` read integers behind DQ at input `index`, or `real` behind Q and DQ."""
    parameters = [
        initializer(graph, f"{name}.scale", made.scale),
        initializer(graph, f"{name}.zero_point", np.full(made.scale.shape, zero, made.stored.dtype)),
    ]
    attributes = {} if made.axis is None else {"axis": made.axis}
    new: list[ir.Node] = []
    if real is not None:
        source = initializer(graph, f"{name}.real", real)
        new.append(ir.node("QuantizeLinear", [source, *parameters], attributes, name=f"{name}.quantize"))
        stored = result(new[-1], f"{name}.stored", ir.DataType.from_numpy(made.stored.dtype), source)
    else:
        stored = initializer(graph, f"{name}.stored", made.stored)
    new.append(ir.node("DequantizeLinear", [stored, *parameters], attributes, name=f"{name}.dequantize"))
    node.replace_input_with(index, result(new[-1], f"{name}.dequantized", ir.DataType.FLOAT, stored))
    graph.insert_before(node, new)
