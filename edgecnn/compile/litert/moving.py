"""Operators that move numbers about and compute none: they keep the form of their input, int8 and its scale too."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from ai_edge_litert import schema_py_generated as schema

from edgecnn.compile.litert.fusion import quant_behind
from edgecnn.compile.litert.lowering import Lowering
from edgecnn.compile.litert.source import call, shape_of
from edgecnn.compile.litert.value import Value, channels_last
from edgecnn.compile.litert.writer import Quant, Tensor
from edgecnn.core.errors import EngineError


def identity(low: Lowering, node: ir.Node) -> None:
    """Nothing at all."""
    low.bind(node.outputs[0], low.get(node.inputs[0]))


def reshape(low: Lowering, node: ir.Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: whatever leads to the shape that was inferred."""
    low.bind(node.outputs[0], low.reshaped(low.get(node.inputs[0]), shape_of(node.outputs[0])))


def transpose(low: Lowering, node: ir.Node) -> None:
    """Nothing but another name for each axis; numbers move when an operator needs them elsewhere."""
    given = low.get(node.inputs[0])
    turn = list(node.attributes.get_ints("perm", list(range(len(given.order)))[::-1]))
    low.bind(node.outputs[0], Value(given.tensor, tuple(turn.index(axis) for axis in given.order), given.pixels))


def concat(low: Lowering, node: ir.Node) -> None:
    """CONCATENATION; int8 operands take one scale, that of the result if it is rounded."""
    value = node.outputs[0]
    values = [one for one in node.inputs if one is not None and 0 not in shape_of(one)]
    held = [low.get(one) for one in values]
    quant = _common(held, quant_behind(low, value)) if all(low.is_rounded(one) for one in values) else None
    if quant is not None:
        held = [low.as_int8(low.rounded(one), quant) for one in values]
    else:
        held = [low.floating(one) for one in values]
    largest = max((one for one in held), key=lambda one: int(np.prod(one.shape)))
    order = largest.order
    options = schema.ConcatenationOptionsT()
    options.axis = largest.axis(node.attributes.get_int("axis", 0))
    made = low.result(value, order, quant)
    low.operator("CONCATENATION", [low.ordered(one, order).tensor for one in held], [made.tensor], options)
    low.bind(value, made)


def split(low: Lowering, node: ir.Node) -> None:
    """A SLICE for each part: kernels of SPLIT copy no less."""
    given = low.get(node.inputs[0])
    axis, begin = given.axis(node.attributes.get_int("axis", 0)), 0
    for value in node.outputs:
        size = shape_of(value)[given.order[axis]]
        _slice(low, value, given, axis, begin, size)
        begin += size


def slice_(low: Lowering, node: ir.Node) -> None:
    """SLICE where every step is 1, else STRIDED_SLICE."""
    given = low.get(node.inputs[0])
    rank = len(given.order)
    starts, ends = _numbers(low, node, 1), _numbers(low, node, 2)
    axes = _numbers(low, node, 3) or list(range(len(starts)))
    steps = _numbers(low, node, 4) or [1] * len(starts)
    begin, step, size = [0] * rank, [1] * rank, list(given.tensor.shape)
    end = list(size)
    for start, stop, axis, stride in zip(starts, ends, axes, steps, strict=True):
        here = given.axis(axis)
        begin[here], end[here], step[here] = *_bounds(start, stop, stride, size[here]), stride
        size[here] = shape_of(node.outputs[0])[axis % rank]
    if set(step) == {1}:
        inputs = [given.tensor, low.integers(begin), low.integers(size)]
        _move(low, node.outputs[0], given, "SLICE", inputs, schema.SliceOptionsT())
        return
    options = schema.StridedSliceOptionsT()
    # An end before the first number can only be said by a mask.
    options.endMask = sum(1 << index for index, one in enumerate(end) if one < 0)
    inputs = [given.tensor, *(low.integers(one) for one in (begin, [max(one, 0) for one in end], step))]
    _move(low, node.outputs[0], given, "STRIDED_SLICE", inputs, options)


def gather(low: Lowering, node: ir.Node) -> None:
    """GATHER of constant places along one axis; of one place alone, the axis goes."""
    places = low.source.constant(node, 1)
    assert places is not None  # noqa: S101 - Gather has indices
    given = low.get(node.inputs[0])
    axis = node.attributes.get_int("axis", 0) % len(given.order)
    here = given.axis(axis)
    size = given.tensor.shape[here]
    listed = [int(place) % size for place in places.reshape(-1)]
    value = node.outputs[0]
    shape = (*given.shape[:axis], len(listed), *given.shape[axis + 1 :])
    runs = listed == list(range(listed[0], listed[0] + len(listed))) if listed else False
    physical = [len(listed) if index == here else length for index, length in enumerate(given.tensor.shape)]
    made = low.writer.tensor(str(value.name), physical, given.tensor.dtype, given.tensor.quant)
    if runs:
        begin = [listed[0] if index == here else 0 for index in range(len(physical))]
        inputs: list[Tensor | None] = [given.tensor, low.integers(begin), low.integers(physical)]
        low.operator("SLICE", inputs, [made], schema.SliceOptionsT())
    else:
        options = schema.GatherOptionsT()
        options.axis = here
        low.operator("GATHER", [given.tensor, low.integers(listed)], [made], options)
    result = Value(made, given.order, given.pixels)
    low.bind(value, result if shape == shape_of(value) else low.reshaped(result, shape_of(value)))


def pad(low: Lowering, node: ir.Node) -> None:
    """PAD with zeros, PADV2 with another number, MIRROR_PAD by reflection."""
    given = low.rounded(node.inputs[0]) if low.is_rounded(node.inputs[0]) else low.get(node.inputs[0])
    rank = len(given.order)
    told = _numbers(low, node, 1) or [int(one) for one in node.attributes.get_ints("pads", [])]
    axes = _numbers(low, node, 3) or list(range(rank))
    amounts = [[0, 0] for _ in range(rank)]
    for index, axis in enumerate(axes):
        amounts[given.axis(axis)] = [told[index], told[index + len(axes)]]
    if min(min(one) for one in amounts) < 0:
        raise EngineError(f"litert: {call(node)} pads by less than 0; write it as a Slice")
    mode, fill = node.attributes.get_string("mode", "constant"), low.source.constant(node, 2)
    inputs: list[Tensor | None] = [given.tensor, low.writer.constant("pads", np.asarray(amounts, np.int32))]
    if mode == "reflect":
        options = schema.MirrorPadOptionsT()
        options.mode = schema.MirrorPadMode.REFLECT
        _move(low, node.outputs[0], given, "MIRROR_PAD", inputs, options)
    elif mode != "constant":
        raise EngineError(f"litert: {call(node)} pads by '{mode}'; it takes constant and reflect")
    elif fill is None or not fill.any():
        _move(low, node.outputs[0], given, "PAD", inputs, schema.PadOptionsT())
    else:
        given = low.as_float(given)
        number = low.writer.constant("fill", fill.reshape(1).astype(given.tensor.dtype))
        _move(low, node.outputs[0], given, "PADV2", [given.tensor, inputs[1], number], schema.PadV2OptionsT())


def tile(low: Lowering, node: ir.Node) -> None:
    """TILE."""
    given, counts = low.get(node.inputs[0]), _numbers(low, node, 1)
    inputs = [given.tensor, low.integers([counts[axis] for axis in given.order])]
    _move(low, node.outputs[0], given, "TILE", inputs, schema.TileOptionsT())


def expand(low: Lowering, node: ir.Node) -> None:
    """BROADCAST_TO, or nothing where the shape is there."""
    given, shape = low.get(node.inputs[0]), shape_of(node.outputs[0])
    lifted = low.reshaped(given, (1,) * (len(shape) - len(given.order)) + given.shape)
    if lifted.shape == shape:
        low.bind(node.outputs[0], lifted)
        return
    inputs = [lifted.tensor, low.integers([shape[axis] for axis in lifted.order])]
    _move(low, node.outputs[0], lifted, "BROADCAST_TO", inputs, schema.BroadcastToOptionsT())


def depth_to_space(low: Lowering, node: ir.Node) -> None:
    """DEPTH_TO_SPACE, whose channels are those of ONNX's mode DCR; CRD is brought in that order first."""
    given = low.ordered(low.get(node.inputs[0]), channels_last(4))
    block = node.attributes.get_int("blocksize", 1)
    tensor = given.tensor
    if node.attributes.get_string("mode", "DCR") == "CRD":
        places = np.arange(tensor.shape[3]).reshape(-1, block * block).T.reshape(-1)
        turned = low.writer.tensor(f"{tensor.name}.turned", tensor.shape, tensor.dtype, tensor.quant)
        options: Any = schema.GatherOptionsT()
        options.axis = 3
        low.operator("GATHER", [tensor, low.integers(places.tolist())], [turned], options)
        tensor = turned
    options = schema.DepthToSpaceOptionsT()
    options.blockSize = block
    _move(low, node.outputs[0], given, "DEPTH_TO_SPACE", [tensor], options)


def space_to_depth(low: Lowering, node: ir.Node) -> None:
    """SPACE_TO_DEPTH."""
    given = low.ordered(low.get(node.inputs[0]), channels_last(4))
    options = schema.SpaceToDepthOptionsT()
    options.blockSize = node.attributes.get_int("blocksize", 1)
    _move(low, node.outputs[0], given, "SPACE_TO_DEPTH", [given.tensor], options)


def _move(
    low: Lowering, value: ir.Value, given: Value, kind: str, inputs: Sequence[Tensor | None], options: Any
) -> None:
    """Bind `value` to what an operator makes of `given` in its form and order."""
    shape = [shape_of(value)[axis] for axis in given.order]
    made = low.writer.tensor(str(value.name), shape, given.tensor.dtype, given.tensor.quant)
    low.operator(kind, inputs, [made], options)
    low.bind(value, Value(made, given.order, given.pixels))


def _slice(low: Lowering, value: ir.Value, given: Value, axis: int, begin: int, size: int) -> None:
    starts, sizes = [0] * len(given.order), list(given.tensor.shape)
    starts[axis], sizes[axis] = begin, size
    inputs = [given.tensor, low.integers(starts), low.integers(sizes)]
    _move(low, value, given, "SLICE", inputs, schema.SliceOptionsT())


def _common(held: Sequence[Value], behind: Quant | None) -> Quant | None:
    """Return the scale for all operands of a concatenation: that of the result, or the one they share."""
    if behind is not None:
        return behind
    found = {one.quant for one in held}
    return found.pop() if len(found) == 1 else None


def _numbers(low: Lowering, node: ir.Node, index: int) -> list[int]:
    array = low.source.constant(node, index)
    return [] if array is None else [int(number) for number in array.reshape(-1)]


def _bounds(start: int, stop: int, step: int, size: int) -> tuple[int, int]:
    """Return begin and end as whole numbers of the axis; an end of -1 lies before its first number."""
    begin, end, _ = slice(start, stop, step).indices(size)
    return begin, end


MOVING: dict[str, Callable[[Lowering, ir.Node], None]] = {
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Dropout": identity,
    "Expand": expand,
    "Flatten": reshape,
    "Gather": gather,
    "Identity": identity,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": reshape,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": reshape,
}
