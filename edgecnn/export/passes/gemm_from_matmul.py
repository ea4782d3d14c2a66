"""A matrix product with constant weights and its constant sum are one fully connected layer."""

import numpy as np
import onnx_ir as ir

from edgecnn.export.passes.editing import (
    Array,
    add_constant,
    attribute,
    bypass,
    constant,
    nodes,
    only_reader,
    rank,
    set_input,
)


class GemmFromMatMul:
    """MatMul of rank 2 plus a constant per column becomes Gemm; Gemm's factors go into its constants."""

    name = "gemm_from_matmul"

    def requires(self, model: ir.Model) -> None:
        """Any model will do; shapes should be inferred first."""

    def call(self, model: ir.Model) -> bool:
        """Rewrite them one by one."""
        modified = False
        for node in nodes(model, "Add"):
            modified |= _fuse(model, node)
        for node in nodes(model, "Gemm"):
            modified |= _without_factors(model, node)
        return modified

    def ensures(self, model: ir.Model) -> None:
        """Nothing: an Add whose product is an output of the graph stays."""


def _fuse(model: ir.Model, add: ir.Node) -> bool:
    for index in (0, 1):
        source, bias = add.inputs[index], constant(add.inputs[1 - index])
        product = None if source is None else source.producer()
        if source is None or product is None or product.op_type != "MatMul" or product.domain:
            continue
        weight = constant(product.inputs[1])
        if bias is None or weight is None or weight.ndim != 2 or rank(product.inputs[0]) != 2:
            continue
        vector = _per_column(bias, weight.shape[1])
        if vector is not None and weight.dtype == bias.dtype == np.float32 and only_reader(source) is add:
            if not bypass(add, source):
                return False
            product.op_type = "Gemm"
            set_input(product, 2, add_constant(model, f"{product.outputs[0].name}.bias", vector))
            return True
    return False


def _per_column(bias: Array, columns: int) -> Array | None:
    flat = bias.ndim <= 2 and bias.shape[:-1] in {(), (1,)} and bias.size in {1, columns}
    return np.broadcast_to(bias.reshape(-1), (columns,)).copy() if flat else None


def _without_factors(model: ir.Model, node: ir.Node) -> bool:
    """Multiply alpha into the weights and beta into the bias."""
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    weight = constant(node.inputs[1])
    biased = len(node.inputs) > 2 and node.inputs[2] is not None
    bias = constant(node.inputs[2]) if biased else None
    if (alpha, beta) == (1, 1) or weight is None or weight.dtype != np.float32 or (biased and bias is None):
        return False
    name = str(node.outputs[0].name)
    if alpha != 1:
        set_input(node, 1, add_constant(model, f"{name}.weight", np.float32(alpha) * weight))
    if bias is not None and beta != 1:
        set_input(node, 2, add_constant(model, f"{name}.bias", np.float32(beta) * bias))
    node.attributes.pop("alpha", None)
    node.attributes.pop("beta", None)
    return True
