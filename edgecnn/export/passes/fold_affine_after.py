"""Batch norm and arithmetic per channel behind a layer go into its weights and bias."""

import onnx_ir as ir

from edgecnn.core.errors import InputError, StageError
from edgecnn.export.passes.affine import (
    Affine,
    Layer,
    finite,
    read_affine,
    read_layer,
    scaled_outputs,
    write_layer,
)
from edgecnn.export.passes.editing import bypass, nodes, only_reader

FOLDED = ("BatchNormalization", "Mul", "Div", "Add", "Sub")


class FoldAffineAfter:
    """Fold each BatchNormalization, Mul, Div, Add and Sub into the Conv, ConvTranspose or Gemm it alone reads."""

    name = "fold_affine_after"

    def requires(self, model: ir.Model) -> None:
        """No batch norm may still be in training mode."""
        for node in nodes(model, "BatchNormalization"):
            if node.attributes.get_int("training_mode", 0):
                raise InputError(f"batch norm '{node.name}' is in training mode; call model.eval() before export")

    def call(self, model: ir.Model) -> bool:
        """Fold in topological order, so that a chain goes in link by link."""
        modified = False
        for node in nodes(model, *FOLDED):
            if (found := _foldable(node)) is not None and bypass(node, found[1].source):
                layer, _, folded = found
                write_layer(model, layer, folded)
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """None that could be folded is left."""
        for node in nodes(model, *FOLDED):
            if _foldable(node) is not None:
                raise StageError(f"pass '{self.name}' left '{node.name}' behind a layer")


def _foldable(node: ir.Node) -> tuple[ir.Node, Affine, Layer] | None:
    """Return the layer's node in front of `node`, what `node` does, and the layer that does both."""
    affine = read_affine(node)
    if affine is None or only_reader(affine.source) is not node:
        return None
    producer = affine.source.producer()
    layer = None if producer is None else read_layer(producer)
    if producer is None or layer is None or len(layer.bias) != len(affine.scale):
        return None
    folded = scaled_outputs(layer, affine.scale, affine.shift)
    return (producer, affine, folded) if finite(folded) else None
