"""Every layer its own weights: what one layer's weights become must not change another's."""

import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.editing import WEIGHTED, add_constant, constant, nodes


class OwnWeights:
    """Copy each initializer that a Conv, ConvTranspose, Gemm or MatMul shares with another reader."""

    name = "own_weights"

    def requires(self, model: ir.Model) -> None:
        """Any model will do."""

    def call(self, model: ir.Model) -> bool:
        """Give each sharing layer but the first reader a copy."""
        shared = _shared(model)
        for node, index in shared:
            value = node.inputs[index]
            array = constant(value)
            if value is not None and array is not None and _has_other_readers(value):
                node.replace_input_with(index, add_constant(model, str(value.name), array))
        return bool(shared)

    def ensures(self, model: ir.Model) -> None:
        """No layer shares an initializer with another reader."""
        if left := _shared(model):
            raise StageError(f"pass '{self.name}' left shared weights at '{left[0][0].name}'")


def _shared(model: ir.Model) -> list[tuple[ir.Node, int]]:
    return [
        (node, index)
        for node in nodes(model, *WEIGHTED)
        for index, value in enumerate(node.inputs)
        if value is not None and constant(value) is not None and _has_other_readers(value)
    ]


def _has_other_readers(value: ir.Value) -> bool:
    return len(value.uses()) > 1 or value.is_graph_output()
