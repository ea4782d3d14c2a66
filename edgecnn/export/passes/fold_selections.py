"""A convolution of selected channels is a convolution of all channels, with zeros for those it does not read."""

import numpy as np
import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import (
    Array,
    add_constant,
    attribute,
    constant,
    fixed_shape,
    is_standard,
    only_reader,
    set_input,
)
from edgecnn.export.passes.selections import Selection, behind, find_selections, outside_readers

MOST_GROWTH = 2
"""How many times the channels it needs a convolution may come to read."""


class FoldSelections:
    """Fold selections into the convolutions that read them, and where one alone reads a convolution, into that one."""

    name = "fold_selections"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; values without a fixed shape are left alone."""

    def call(self, model: ir.Model) -> bool:
        """Fold every selection that can be."""
        modified = False
        for selection in find_selections(model):
            for node, index in outside_readers(selection):
                weight = _spread(node, index, selection)
                if weight is not None and node.inputs[1] is not None:
                    set_input(node, 1, add_constant(model, f"{node.inputs[1].name}.spread", weight))
                    node.replace_input_with(0, selection.source)
                    modified = True
            modified |= _into_producer(model, selection)
        return modified

    def ensures(self, model: ir.Model) -> None:
        """No convolution reads a selection that it could take in."""
        for selection in find_selections(model):
            for node, index in outside_readers(selection):
                if _spread(node, index, selection) is not None:
                    raise StageError(f"pass '{self.name}' left a selection in front of '{node.name}'")


def _spread(node: ir.Node, index: int, selection: Selection) -> Array | None:
    """Return the weights over all of the source's channels, or None if `node` can't read those."""
    shape, weight = fixed_shape(selection.source), constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if (
        index != 0
        or not is_standard(node, "Conv")
        or attribute(node, "group", 1) != 1
        or shape is None
        or weight is None
    ):
        return None
    if shape[1] > MOST_GROWTH * len(selection.channels):
        return None
    spread = np.zeros((weight.shape[0], shape[1], *weight.shape[2:]), weight.dtype)
    for read, channel in enumerate(selection.channels):
        spread[:, channel] += weight[:, read]
    return spread


def _into_producer(model: ir.Model, selection: Selection) -> bool:
    """Let the convolution give the channels in the order in which the only selection of its result has them."""
    value, node = selection.source, selection.value.producer()
    for _ in range(selection.steps):
        if node is None or len(node.outputs) > 1 or only_reader(node.inputs[0]) is not node:  # type: ignore[arg-type]
            return False
        source = node.inputs[0]
        node = source.producer() if source is not None else None
    conv = behind(value)
    if conv is None or node is not value.producer() or not selection.value.uses() or attribute(conv, "group", 1) != 1:
        return False
    constants = [constant(item) for item in conv.inputs[1:]]
    if any(array is None for array in constants):
        return False
    order = list(selection.channels)
    for index, array in enumerate(constants, start=1):
        old = conv.inputs[index]
        if array is not None and old is not None:
            set_input(conv, index, add_constant(model, f"{old.name}.chosen", array[order]))
    here: ir.Node | None = conv
    while here is not None and here is not value.producer():
        here.outputs[0].shape = selection.value.shape
        here = only_reader(here.outputs[0])
    value.shape = selection.value.shape
    for reader, index in [(use.node, use.idx) for use in selection.value.uses()]:
        reader.replace_input_with(index, value)
    _drop_unread(model, selection)
    return True


def _drop_unread(model: ir.Model, selection: Selection) -> None:
    """Remove the operators of the selection, which now would read a value of another shape."""
    node = selection.value.producer()
    while node is not None and not any(value.uses() for value in node.outputs):
        source = node.inputs[0]
        model.graph.remove(node, safe=True)
        node = source.producer() if source is not None and source is not selection.source else None
