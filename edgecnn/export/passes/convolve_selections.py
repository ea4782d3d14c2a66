"""A selection of channels as a 1x1 convolution with ones and zeros.

It is exact, and it stays in the engine's own layout and in INT8, where a Gather makes the engine reorder the tensor.
"""

import numpy as np
import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import add_constant, fixed_shape, set_attribute
from edgecnn.export.passes.selections import Selection, find_selections, outside_readers


class ConvolveSelections:
    """Write each selection of channels as a convolution."""

    name = "convolve_selections"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; values without a fixed shape are left alone."""

    def call(self, model: ir.Model) -> bool:
        """Rewrite them all; what nothing reads any more is left to tidy."""
        found = find_selections(model)
        for selection in found:
            value = _convolved(model, selection)
            for node, index in outside_readers(selection):
                node.replace_input_with(index, value)
        return bool(found)

    def ensures(self, model: ir.Model) -> None:
        """No selection is left."""
        if found := find_selections(model):
            raise StageError(f"pass '{self.name}' left the selection '{found[0].value.name}'")


def _convolved(model: ir.Model, selection: Selection) -> ir.Value:
    shape = fixed_shape(selection.source)
    assert shape is not None  # noqa: S101 - a selection's source has a fixed shape
    axes = len(shape) - 2
    ones = np.zeros((len(selection.channels), shape[1], *[1] * axes), np.float32)
    ones[np.arange(len(ones)), list(selection.channels)] = 1
    name = selection.value.name
    node = ir.node("Conv", [selection.source, add_constant(model, f"{name}.ones", ones)], name=f"{name}.select")
    set_attribute(node, "kernel_shape", [1] * axes)
    result = node.outputs[0]
    result.name, result.dtype, result.shape = f"{name}.selected", ir.DataType.FLOAT, selection.value.shape
    producer = selection.value.producer()
    assert producer is not None  # noqa: S101 - a selection is what an operator gives
    model.graph.insert_after(producer, node)
    return result
