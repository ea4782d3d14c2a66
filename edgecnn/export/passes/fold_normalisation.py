"""The scale of the pixels and the order of their channels go into the first convolution's weights.

Only what is exact is folded. A factor or a permutation of channels leaves the zero padding zero. A mean does not:
folded into the bias it would pad the border with another grey. It stays a subtraction.
"""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.core.errors import StageError

Array = NDArray[np.float64]


class FoldNormalisation:
    """Fold Div, Mul and channel reversal in front of a Conv into its weights."""

    name = "fold_normalisation"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Fold backwards from every convolution until its input is nothing that can be folded."""
        modified = False
        for conv in [node for node in model.graph if node.op_type == "Conv"]:
            while (found := _foldable(conv)) is not None:
                before, weight = found
                _fold(model, conv, before, weight)
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """No convolution has a factor or a reversal right in front of it that could go into its weights."""
        for node in model.graph:
            if node.op_type == "Conv" and _foldable(node) is not None:
                raise StageError(f"pass '{self.name}' left a foldable node in front of '{node.name}'")


def _fold(model: ir.Model, conv: ir.Node, before: ir.Node, weight: Array) -> None:
    old = conv.inputs[1]
    assert old is not None  # noqa: S101 - _foldable has read its value
    name = old.name
    new = ir.Value(name=f"{name}.folded", type=old.type, shape=old.shape)
    new.const_value = ir.tensor(weight.astype(np.float32), name=new.name)
    conv.replace_input_with(0, before.inputs[0])
    conv.replace_input_with(1, new)
    model.graph.remove(before, safe=True)
    if name is not None and not old.uses():
        model.graph.initializers.pop(name)
        new.name = name
    model.graph.register_initializer(new)


def _foldable(conv: ir.Node) -> tuple[ir.Node, Array] | None:
    """Return the node in front of `conv` that can be folded and the weights that replace it, or None."""
    source, weight = conv.inputs[0], _array(conv.inputs[1])
    if source is None or weight is None or source.is_graph_output() or len(source.uses()) != 1:
        return None
    before = source.producer()
    if before is None or conv.attributes.get_int("group", 1) != 1:
        return None
    channels = weight.shape[1]
    by_channel = (1, channels, *([1] * (weight.ndim - 2)))
    if before.op_type in {"Div", "Mul"}:
        factor = _per_channel(_array(before.inputs[1]), channels, weight.ndim)
        if factor is None or not np.all(factor):
            return None
        factor = 1 / factor if before.op_type == "Div" else factor
        return before, weight * factor.reshape(by_channel)
    if before.op_type == "Slice" and _reverses_channels(before):
        return before, weight[:, ::-1]
    return None


def _array(value: ir.Value | None) -> Array | None:
    return None if value is None or value.const_value is None else value.const_value.numpy().astype(np.float64)


def _per_channel(constant: Array | None, channels: int, rank: int) -> Array | None:
    """Return `constant` as one number a channel, or None if it varies along another axis."""
    if constant is None:
        return None
    shape = (*([1] * (rank - constant.ndim)), *constant.shape)
    if len(shape) != rank or any(size != 1 for axis, size in enumerate(shape) if axis != 1):
        return None
    return np.broadcast_to(constant.reshape(-1), (channels,)) if shape[1] in {1, channels} else None


def _reverses_channels(node: ir.Node) -> bool:
    arrays = [_array(value) for value in node.inputs[1:]]
    if len(arrays) != 4 or any(array is None or array.size != 1 for array in arrays):
        return False
    start, end, axis, step = (float(array.reshape(-1)[0]) for array in arrays if array is not None)
    source = node.inputs[0]
    size = source.shape[1] if source is not None and source.shape is not None else None
    return isinstance(size, int) and (axis, step) == (1, -1) and start in {-1, size - 1} and end < -size
