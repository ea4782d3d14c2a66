"""The placement engine: one for every scheme. It writes a plan's Q and DQ nodes into the graph."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.graph import is_constant, values
from edgecnn.compress.quantize.half import LEAST, halve, is_wide
from edgecnn.compress.quantize.operands import WeightCache, quantize_constant, quantize_node
from edgecnn.compress.quantize.pairs import initializer, result
from edgecnn.compress.quantize.plan import Plan
from edgecnn.compress.quantize.roles import moved, operands, role
from edgecnn.compress.quantize.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Scale:
    """real = scale * (stored - zero_point), stored as `dtype`."""

    scale: np.float32
    zero_point: int
    dtype: str


def place(
    model: ir.Model, scheme: Scheme, plan: Plan, scales: dict[str, Scale], cache: WeightCache | None = None
) -> None:
    """Write Q/DQ pairs and integer weights into `model` in place; `scales` holds one entry a tensor of the plan.

    `cache` keeps quantized weights between calls on clones of one model; it must not outlive that model's weights.
    Where the scheme wants float16, what stays float becomes float16, and the graph's inputs and outputs stay as they
    were.
    """
    cache = cache if cache is not None else WeightCache()
    scales = {name: _fit(scale, scheme) for name, scale in scales.items()}
    nodes = {str(node.name): node for node in model.graph}
    by_name = {str(value.name): value for value in values(model)}
    chosen = [nodes[name] for name in plan.nodes]
    before = {node.name: _scale_before(node, scheme, scales) for node in chosen}
    for node in chosen:
        if role(node, scheme) == "weighted":
            scale = before[node.name]
            quantize_node(model.graph, node, scheme, scale.scale if scale is not None else None, cache)
        else:
            for index, value in operands(node):
                if is_constant(value):
                    quantize_constant(model.graph, node, index, scheme)
    for name, scale in {**scales, **{inner: scales[outer] for inner, outer in plan.clamped.items()}}.items():
        pixels = plan.pixels.get(name) if scheme.pixels_as_stored else None
        stored = by_name[pixels.source] if pixels is not None and pixels.dtype == "uint8" else None
        readers = [(nodes[node], index) for node, index in sorted(plan.readers[name])]
        ends, slack = name in plan.ends, scheme.whole_slack
        _quantize_tensor(model.graph, by_name[name], stored, scale, readers, ends=ends, slack=slack)
    if scheme.float_type == "float16":
        halve(model)


def _fit(scale: Scale, scheme: Scheme) -> Scale:
    """Return the scale as the scheme's float type can hold it; one too wide for float16 makes an island of float32."""
    if scheme.float_type == "float32" or is_wide(scale.scale):
        return scale
    return Scale(np.float32(np.float16(max(scale.scale, LEAST))), scale.zero_point, scale.dtype)


def _scale_before(node: ir.Node, scheme: Scheme, scales: dict[str, Scale]) -> Scale | None:
    """Return the scale of the node's input, which may have been quantized before nodes that only commute."""
    value = node.inputs[0]
    while value is not None and str(value.name) not in scales:
        source = value.producer()
        value = moved(source)[0][1] if source is not None and role(source, scheme) == "commuting" else None
    return scales[str(value.name)] if value is not None else None


def _quantize_tensor(
    graph: ir.Graph,
    value: ir.Value,
    pixels: ir.Value | None,
    scale: Scale,
    readers: list[tuple[ir.Node, int]],
    *,
    ends: bool,
    slack: float,
) -> None:
    """Put Q behind `value`, or take the pixels that are its quantized form, and a DQ in front of each reader."""
    name, dtype = str(value.name), np.dtype(scale.dtype)
    parameters = [
        initializer(graph, f"{name}.scale", np.asarray(scale.scale, np.float32)),
        initializer(graph, f"{name}.zero_point", np.asarray(scale.zero_point, dtype)),
    ]
    new: list[ir.Node] = []
    stored = pixels
    if stored is None:
        rounded = parameters
        if slack and scale.scale == 1 and scale.dtype == "uint8":
            divisor = np.asarray(1 + slack, np.float32)
            rounded = [initializer(graph, f"{name}.divisor", divisor), parameters[1]]
        new.append(ir.node("QuantizeLinear", [value, *rounded], name=f"{name}.quantize"))
        stored = result(new[-1], f"{name}.stored", ir.DataType.from_numpy(dtype), value)
    # One DQ a reader: engines fuse a DQ into the op behind it, and one that others read as well would be in the way.
    by_reader: dict[ir.Node | None, list[int]] = {None: []} if ends else {}
    for node, index in readers:
        by_reader.setdefault(node, []).append(index)
    for count, (reader, indices) in enumerate(by_reader.items()):
        suffix = f".{count}" if count else ""
        new.append(ir.node("DequantizeLinear", [stored, *parameters], name=f"{name}.dequantize{suffix}"))
        real = result(new[-1], f"{name}.dequantized{suffix}", ir.DataType.FLOAT, value)
        for index in indices:
            assert reader is not None  # noqa: S101 - only the graph's end has no inputs to redirect
            reader.replace_input_with(index, real)
        if reader is None:
            graph.outputs[[out is value for out in graph.outputs].index(True)] = real
            value.name, real.name = f"{name}.exact", name
    _insert_behind(graph, pixels if pixels is not None else value, new)


def _insert_behind(graph: ir.Graph, value: ir.Value, new: list[ir.Node]) -> None:
    source = value.producer()
    if source is None:
        graph.insert_before(graph[0], new)
    else:
        graph.insert_after(source, new)
