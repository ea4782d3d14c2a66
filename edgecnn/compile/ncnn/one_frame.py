"""A model of N frames made one of one frame: ncnn has no batch axis, and frames do not depend on one another."""

import onnx
from onnx import numpy_helper

from edgecnn.compile.ncnn.source import Node, Source
from edgecnn.core.errors import EngineError


def one_frame(model: onnx.ModelProto) -> tuple[onnx.ModelProto, int]:
    """Return `model` for one frame, and of how many frames it was.

    Raises:
        EngineError: the model is of several frames and mixes them, or its inputs do not agree on how many.
    """
    constants = {entry.name for entry in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in constants]
    sizes = {entry.type.tensor_type.shape.dim[0].dim_value for entry in inputs if entry.type.tensor_type.shape.dim}
    frames = max(sizes, default=1)
    if frames <= 1 or len(sizes) > 1:
        return model, 1
    whole = Source(model)
    single = onnx.ModelProto()
    single.CopyFrom(model)
    del single.graph.value_info[:]
    for entry in single.graph.input:
        if entry.name not in constants:
            entry.type.tensor_type.shape.dim[0].dim_value = 1
    for entry in single.graph.output:
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    _reshape_less(single, whole, frames)
    _check_apart(whole, Source(single), frames)
    return single, frames


def _reshape_less(single: onnx.ModelProto, whole: Source, frames: int) -> None:
    """Write the shapes that nodes have as constants for one frame."""
    for place, node in enumerate(single.graph.node):
        if node.op_type not in {"Reshape", "Expand"} or node.input[1] not in whole.constants:
            continue
        target = whole.constants[node.input[1]].copy()
        if target.size and target[0] == frames:
            target[0] = 1
            name = f"{node.input[1]}.one_frame.{place}"
            single.graph.initializer.append(numpy_helper.from_array(target, name))
            node.input[1] = name


def _check_apart(whole: Source, single: Source, frames: int) -> None:
    """Raise unless every value has its frames along axis 0, each as in the model of one frame."""
    for node in whole.nodes:
        for name in node.outputs:
            shape, own = whole.shapes.get(name), single.shapes.get(name)
            if shape is None or own is None or not shape or shape != (frames, *own[1:]) or own[0] != 1:
                raise _mixed(node, frames)
        if _mixes(whole, node):
            raise _mixed(node, frames)


def _mixes(whole: Source, node: Node) -> bool:
    """Whether a node that keeps the number of frames makes one of another, or treats them differently."""
    if node.kind in {"Softmax", "LogSoftmax", "Slice", "Gather", "CumSum"}:
        axis = node.get("axis", -1 if node.kind.endswith("max") else 0)
        rank = len(whole.shapes[node.outputs[0]])
        axes = whole.constants.get(node.input(3)) if node.kind == "Slice" else [axis]
        return axes is None or any(int(entry) % rank == 0 for entry in axes)
    if node.kind == "Transpose":
        return bool(node.get("perm", [1])[0] != 0)
    rank = len(whole.shapes[node.outputs[0]])
    constants = [whole.constants[name] for name in node.inputs if name in whole.constants]
    return node.kind in {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "MatMul", "Concat", "Where"} and any(
        array.ndim == rank and array.shape[0] not in {0, 1} and rank > 2 for array in constants
    )


def _mixed(node: Node, frames: int) -> EngineError:
    return EngineError(
        f"ncnn runs one frame at a time, and {node.kind} '{node.name}' mixes the {frames} of the model; "
        "export it for one frame"
    )
