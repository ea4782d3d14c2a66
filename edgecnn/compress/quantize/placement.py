"""The placement engine: one for every scheme. It writes a plan's Q and DQ nodes into the graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import constant, values
from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.scheme import Scheme
from edgecnn.compress.quantize.weights import Weights, least_scale, quantize_bias, quantize_weights


@dataclass(frozen=True, slots=True)
class Scale:
    """real = scale * (stored - zero_point), stored as `dtype`."""

    scale: np.float32
    zero_point: int
    dtype: str


def place(model: ir.Model, scheme: Scheme, plan: Plan, scales: dict[str, Scale]) -> None:
    """Write Q/DQ pairs and integer weights into `model` in place; `scales` holds one entry a tensor of the plan."""
    nodes = {str(node.name): node for node in model.graph}
    by_name = {str(value.name): value for value in values(model)}
    chosen = [nodes[name] for name in plan.nodes if nodes[name].op_type in scheme.channel_axis]
    inputs = {node.name: _scale_before(node, scheme, scales) for node in chosen}
    for node in chosen:
        _quantize_weights(model.graph, node, scheme, inputs[node.name])
    for name, scale in scales.items():
        pixels = plan.pixels.get(name) if scheme.pixels_as_stored else None
        source = by_name[pixels.source] if pixels is not None and pixels.dtype == "uint8" else None
        _quantize_tensor(model.graph, by_name[name], source, scale)


def _scale_before(node: ir.Node, scheme: Scheme, scales: dict[str, Scale]) -> Scale | None:
    """Return the scale of the node's input, which may have been quantized before nodes that only commute."""
    value = node.inputs[0]
    while value is not None and str(value.name) not in scales:
        source = value.producer()
        value = source.inputs[0] if source is not None and source.op_type in scheme.commuting else None
    return scales[str(value.name)] if value is not None else None


def _quantize_tensor(graph: ir.Graph, value: ir.Value, pixels: ir.Value | None, scale: Scale) -> None:
    """Put Q and DQ behind `value`, or only DQ behind the pixels that are its quantized form; redirect every reader."""
    name, dtype = str(value.name), np.dtype(scale.dtype)
    readers = [(use.node, use.idx) for use in value.uses()]
    parameters = [
        _initializer(graph, f"{name}.scale", np.asarray(scale.scale, np.float32)),
        _initializer(graph, f"{name}.zero_point", np.asarray(scale.zero_point, dtype)),
    ]
    new: list[ir.Node] = []
    stored = pixels
    if stored is None:
        new.append(ir.node("QuantizeLinear", [value, *parameters], name=f"{name}.quantize"))
        stored = _result(new[-1], f"{name}.stored", ir.DataType.from_numpy(dtype), value)
    new.append(ir.node("DequantizeLinear", [stored, *parameters], name=f"{name}.dequantize"))
    result = _result(new[-1], f"{name}.dequantized", ir.DataType.FLOAT, value)
    _insert_behind(graph, pixels if pixels is not None else value, new)
    for node, index in readers:
        node.replace_input_with(index, result)


def _quantize_weights(graph: ir.Graph, node: ir.Node, scheme: Scheme, before: Scale | None) -> None:
    weights = constant(node.inputs[1])
    bias = constant(node.inputs[2]) if len(node.inputs) > 2 else None
    assert weights is not None  # noqa: S101 - the plan chose the node for its constant weights
    axis = channel_axis(node, scheme)
    # Also where the scheme leaves the bias in float: ONNX Runtime rounds it to int32 itself, and lets it overflow.
    least = least_scale(bias, float(before.scale)) if bias is not None and before is not None else np.zeros(1)
    result = quantize_weights(weights, scheme.weight, axis, least if axis is not None else float(least.max()))
    node.replace_input_with(1, _dequantized(graph, node, f"{node.name}.weight", result, weights, scheme))
    if scheme.bias == "int32" and bias is not None and before is not None:
        stored, scale = quantize_bias(bias, before.scale, result.scale)
        as_weights = Weights(stored, scale, 0 if axis is not None else None)
        node.replace_input_with(2, _dequantized(graph, node, f"{node.name}.bias", as_weights, None, scheme))


def channel_axis(node: ir.Node, scheme: Scheme) -> int | None:
    """Return the axis of the output channels in the node's weights, None for one scale in all."""
    axis = scheme.channel_axis[node.op_type]
    if node.op_type == "Gemm" and axis is not None and not node.attributes.get_int("transB", 0):
        return 1 - axis
    if node.op_type == "ConvTranspose" and node.attributes.get_int("group", 1) != 1:
        return None
    return axis


def _dequantized(
    graph: ir.Graph, node: ir.Node, name: str, weights: Weights, simulated: NDArray[Any] | None, scheme: Scheme
) -> ir.Value:
    """Return a value that holds the weights again, in front of `node`: behind DQ, or Q and DQ if they are simulated."""
    parameters = [
        _initializer(graph, f"{name}.scale", weights.scale),
        _initializer(graph, f"{name}.zero_point", np.zeros(weights.scale.shape, weights.stored.dtype)),
    ]
    attributes = {} if weights.axis is None else {"axis": weights.axis}
    new: list[ir.Node] = []
    if simulated is not None and scheme.weight_form == "simulated":
        real = _initializer(graph, f"{name}.real", simulated)
        new.append(ir.node("QuantizeLinear", [real, *parameters], attributes, name=f"{name}.quantize"))
        stored = _result(new[-1], f"{name}.stored", ir.DataType.from_numpy(weights.stored.dtype), real)
    else:
        stored = _initializer(graph, f"{name}.stored", weights.stored)
    new.append(ir.node("DequantizeLinear", [stored, *parameters], attributes, name=f"{name}.dequantize"))
    result = _result(new[-1], f"{name}.dequantized", ir.DataType.FLOAT, stored)
    graph.insert_before(node, new)
    return result


def _initializer(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    tensor = ir.tensor(array, name=name)
    value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)
    graph.register_initializer(value)
    return value


def _result(node: ir.Node, name: str, dtype: ir.DataType, like: ir.Value) -> ir.Value:
    value = node.outputs[0]
    value.name, value.dtype, value.shape = name, dtype, like.shape
    return value


def _insert_behind(graph: ir.Graph, value: ir.Value, new: list[ir.Node]) -> None:
    source = value.producer()
    if source is None:
        graph.insert_before(graph[0], new)
    else:
        graph.insert_after(source, new)
