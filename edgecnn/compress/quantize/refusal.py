"""Why a node stays in float, whatever its neighbours do: the scheme has no INT8 form of it."""

import numpy as np
import onnx_ir as ir

from edgecnn.compress.quantize.graph import (
    activations,
    constant,
    is_constant,
    is_float,
    reaches_output,
)
from edgecnn.compress.quantize.roles import after_fusion, operands, role
from edgecnn.compress.quantize.scheme import Scheme


def refusal(node: ir.Node, scheme: Scheme) -> str | None:
    """Return why scheme and node alone keep it in float, or None if nothing speaks against INT8."""
    part = role(node, scheme)
    if part not in {"weighted", "joining"}:
        return f"{scheme.name} quantizes no {node.op_type}"
    if node.op_type in scheme.float_heads and reaches_output(after_fusion(node.outputs[0], scheme), scheme.commuting):
        return "gives an output of the graph"
    return _of_weighted(node, scheme) if part == "weighted" else _of_joining(node, scheme)


def _of_joining(node: ir.Node, scheme: Scheme) -> str | None:
    values = [value for _, value in operands(node)]
    if any(not is_float(value) for value in values) or all(is_constant(value) for value in values):
        return "its inputs are not float32 activations"
    fixed = [constant(value) for value in values if is_constant(value)]
    if not fixed:
        return None
    if not scheme.quantized_outputs:
        return "one of its inputs is a constant"
    whole = all(array is not None and array.size and np.isfinite(array).all() for array in fixed)
    return None if whole else "one of its inputs is a constant that INT8 can't hold"


def _of_weighted(node: ir.Node, scheme: Scheme) -> str | None:
    weights = node.inputs[1] if len(node.inputs) > 1 else None
    if weights is None or not is_constant(weights) or weights.dtype != ir.DataType.FLOAT or weights.shape is None:
        return "its weights are not a float32 constant"
    if activations(node)[:1] != [node.inputs[0]]:
        return "its input is a constant"
    shape = tuple(int(length) for length in weights.shape.numpy())
    if 0 in shape:
        return "it has no weights"
    return (_of_convolution if "Conv" in node.op_type else _of_product)(node, shape, scheme) or _of_bias(node)


def _of_convolution(node: ir.Node, shape: tuple[int, ...], scheme: Scheme) -> str | None:
    if len(shape) not in scheme.ranks:
        return f"{scheme.name} has no INT8 convolution over {len(shape) - 2} dimensions"
    grouped = node.op_type == "ConvTranspose" and node.attributes.get_int("group", 1) != 1
    return f"{scheme.name} has no INT8 ConvTranspose with groups" if grouped and not scheme.grouped_transpose else None


def _of_product(node: ir.Node, shape: tuple[int, ...], scheme: Scheme) -> str | None:
    if len(shape) < 2 or any(length != 1 for length in shape[:-2]):
        return f"its weights are not a matrix, and {scheme.name} takes one"
    if len(shape) > 2 and (
        node.inputs[0] is None or node.inputs[0].shape is None or len(node.inputs[0].shape) < len(shape)
    ):
        return "its weights have more dimensions than its input"
    return "it transposes its input" if node.attributes.get_int("transA", 0) != 0 else None


def _of_bias(node: ir.Node) -> str | None:
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return None
    array = constant(bias)
    row = array is not None and node.op_type == "Gemm" and array.size in {1, *array.shape[-1:]}
    return None if array is not None and (array.ndim == 1 or row) else "its bias is not a constant vector"
