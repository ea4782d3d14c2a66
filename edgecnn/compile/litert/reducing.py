"""Means, sums and extremes over axes, and the place of an extreme."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import quant_behind
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import shape_of
from edgecnn.compile.litert.value import Value


def reduce(kind: str) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of a Reduce operator, or of a global pool over all axes of space; MEAN has an int8 form."""

    def lower(low: Lowering, node: ir.Node) -> None:
        value = node.outputs[0]
        int8 = kind == "MEAN" and low.is_rounded(node.inputs[0])
        quant = quant_behind(low, value) if int8 else None
        given = low.rounded(node.inputs[0]) if quant is not None else low.floating(node.inputs[0])
        axes = _axes(low, node, len(given.order))
        kept = node.op_type.startswith("Global") or node.attributes.get_int("keepdims", 1) == 1
        if not axes:
            low.bind(value, given)
            return
        options = schema.ReducerOptionsT()
        options.keepDims = kept
        order = given.order if kept else _less(given.order, axes)
        made = low.result(value, order, quant)
        places = sorted(given.axis(axis) for axis in axes)
        low.operator(kind, [given.tensor, low.integers(places)], [made.tensor], options)
        low.bind(value, made)

    return lower


def arg(kind: str) -> Callable[[Lowering, ir.Node], None]:
    """Return the lowering of ArgMax or ArgMin: the first place, as int64."""

    def lower(low: Lowering, node: ir.Node) -> None:
        value, axis = node.outputs[0], node.attributes.get_int("axis", 0)
        given = low.get(node.inputs[0])
        given = given if given.quant is not None else low.floating(node.inputs[0])
        options = schema.ArgMaxOptionsT() if kind == "ARG_MAX" else schema.ArgMinOptionsT()
        options.outputType = schema.TensorType.INT64
        place = given.axis(axis)
        shape = [size for index, size in enumerate(given.tensor.shape) if index != place]
        flat = low.writer.tensor(f"{value.name}.place", shape, "int64")
        low.operator(kind, [given.tensor, low.integers([place])], [flat], options)
        made = Value(flat, _less(given.order, {axis % len(given.order)}))
        low.bind(value, low.reshaped(made, shape_of(value)))

    return lower


def _axes(low: Lowering, node: ir.Node, rank: int) -> set[int]:
    if node.op_type.startswith("Global"):
        return set(range(2, rank))
    told = low.source.constant(node, 1)
    listed = list(node.attributes.get_ints("axes", [])) if told is None else np.asarray(told).reshape(-1).tolist()
    if not listed and node.attributes.get_int("noop_with_empty_axes", 0) == 0:
        return set(range(rank))
    return {int(axis) % rank for axis in listed}


def _less(order: tuple[int, ...], axes: set[int]) -> tuple[int, ...]:
    """Return the order of what is left when `axes` are gone."""
    left = [axis for axis in order if axis not in axes]
    return tuple(sorted(left).index(axis) for axis in left)
