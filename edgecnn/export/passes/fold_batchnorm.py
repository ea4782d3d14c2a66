"""Batch norm after a convolution or a fully connected layer is a scale and a shift of its weights."""

import onnx_ir as ir
from onnxscript.rewriter import RewritePass
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)

from edgecnn.core.errors import StageError

RULES = (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)
FOLDED_INTO = frozenset({"Conv", "ConvTranspose", "Gemm"})


class FoldBatchNorm:
    """Fold each BatchNormalization into the Conv, ConvTranspose or Gemm whose only reader it is, by onnxscript."""

    name = "fold_batchnorm"

    def requires(self, model: ir.Model) -> None:
        """No batch norm may still be in training mode."""
        for node in _batch_norms(model):
            if node.attributes.get_int("training_mode", 0):
                raise StageError(f"batch norm '{node.name}' is in training mode; call module.eval() before export")

    def call(self, model: ir.Model) -> bool:
        """Fold every batch norm that can be."""
        return bool(RewritePass(RULES)(model).modified)

    def ensures(self, model: ir.Model) -> None:
        """No batch norm is left behind a layer of its own whose weights only that layer reads."""
        for node in _batch_norms(model):
            source = node.inputs[0]
            layer = source.producer() if source is not None else None
            if layer is not None and layer.op_type in FOLDED_INTO and _foldable(layer):
                raise StageError(f"pass '{self.name}' left '{node.name}' behind '{layer.name}'")


def _batch_norms(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type == "BatchNormalization"]


def _foldable(layer: ir.Node) -> bool:
    """Whether only one node reads the layer, and only the layer reads its weights."""
    weights = [value for value in layer.inputs[1:] if value is not None]
    alone = len(layer.outputs[0].uses()) == 1 and not layer.outputs[0].is_graph_output()
    return alone and all(value.const_value is not None and len(value.uses()) == 1 for value in weights)
