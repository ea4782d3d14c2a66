"""Reshapes and transposes that only choose channels become one Gather, or nothing where they choose all in order."""

import numpy as np
import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import add_constant, fixed_shape
from edgecnn.export.passes.selections import Selection, find_selections, outside_readers


class SimplifySelections:
    """Write each selection that takes more than one operator as one Gather on the channel axis."""

    name = "simplify_selections"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; values without a fixed shape are left alone."""

    def call(self, model: ir.Model) -> bool:
        """Rewrite them all; what nothing reads any more is left to tidy."""
        found = [selection for selection in find_selections(model) if _clumsy(selection)]
        for selection in found:
            value = selection.source if _whole(selection) else _gathered(model, selection)
            for node, index in outside_readers(selection):
                node.replace_input_with(index, value)
        return bool(found)

    def ensures(self, model: ir.Model) -> None:
        """No selection takes more than one operator."""
        for selection in find_selections(model):
            if _clumsy(selection):
                raise StageError(f"pass '{self.name}' left the selection '{selection.value.name}'")


def _clumsy(selection: Selection) -> bool:
    return selection.steps > 1 or _whole(selection)


def _whole(selection: Selection) -> bool:
    shape = fixed_shape(selection.source)
    return shape is not None and selection.channels == tuple(range(shape[1]))


def _gathered(model: ir.Model, selection: Selection) -> ir.Value:
    indices = add_constant(model, f"{selection.value.name}.channels", np.asarray(selection.channels, np.int64))
    node = ir.node("Gather", [selection.source, indices], {"axis": 1}, name=f"{selection.value.name}.select")
    result = node.outputs[0]
    result.name, result.dtype, result.shape = (
        f"{selection.value.name}.selected",
        ir.DataType.FLOAT,
        selection.value.shape,
    )
    producer = selection.value.producer()
    assert producer is not None  # noqa: S101 - a selection is what an operator gives
    model.graph.insert_after(producer, node)
    return result
