"""Arithmetic per channel in front of a layer goes into its weights, as far as the padded border allows.

A factor leaves the zeros of the padding zero. A shift does not: it is folded only where nothing is padded.
"""

import onnx_ir as ir

from edgecnn.core.errors import StageError
from edgecnn.export.passes.affine import Affine, Layer, finite, read_affine, read_layer, scaled_inputs, write_layer
from edgecnn.export.passes.editing import attribute, nodes, only_reader, set_input

LAYERS = ("Conv", "ConvTranspose", "Gemm")


class FoldAffineBefore:
    """Fold BatchNormalization, Mul, Div, Add and Sub into the Conv, ConvTranspose or Gemm that alone reads them."""

    name = "fold_affine_before"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; constants should be folded first."""

    def call(self, model: ir.Model) -> bool:
        """Fold backwards from every layer until its input is nothing that can be folded."""
        modified = False
        for node in nodes(model, *LAYERS):
            while (found := _foldable(node)) is not None:
                affine, folded = found
                before = node.inputs[0].producer() if node.inputs[0] is not None else None
                write_layer(model, node, folded)
                set_input(node, 0, affine.source)
                if before is not None:
                    model.graph.remove(before, safe=True)
                modified = True
        return modified

    def ensures(self, model: ir.Model) -> None:
        """None that could be folded is left."""
        for node in nodes(model, *LAYERS):
            if _foldable(node) is not None:
                raise StageError(f"pass '{self.name}' left a foldable node in front of '{node.name}'")


def _foldable(node: ir.Node) -> tuple[Affine, Layer] | None:
    """Return what is done to the layer's input right before it, and the layer that does both."""
    layer = read_layer(node)
    source = node.inputs[0]
    before = None if source is None else source.producer()
    if layer is None or source is None or before is None or before.graph is not node.graph:
        return None
    affine = read_affine(before) if only_reader(source) is node else None
    if affine is None or len(affine.scale) != layer.weight.shape[1] * layer.groups:
        return None
    if affine.shift.any() and _pads(node):
        return None
    folded = scaled_inputs(layer, affine.scale, affine.shift)
    return (affine, folded) if finite(folded) else None


def _pads(node: ir.Node) -> bool:
    """Whether the layer adds zeros around its input; a transposed convolution's border lacks terms in any case."""
    if node.op_type == "ConvTranspose" or attribute(node, "auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        return True
    return node.op_type == "Conv" and any(attribute(node, "pads", ()))
