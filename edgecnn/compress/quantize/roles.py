"""What part a node plays under a scheme, read from the node and its neighbours alone."""

from typing import Any, Literal, TypeAlias

import onnx_ir as ir
from numpy.typing import NDArray

from edgecnn.compress.quantize.graph import activations, constant, is_constant, only_reader
from edgecnn.compress.quantize.scheme import Scheme

Role: TypeAlias = Literal["weighted", "joining", "commuting", "fused", "other"]
ARITHMETIC = frozenset({"Add", "Div", "Mul", "Sub"})
MANY = ARITHMETIC | {"Concat", "MatMul", "Max", "Mean", "Min", "PRelu", "Sum", "Where"}
"""Op types all of whose inputs are operands; of others only the first is, and the rest are settings or weights."""


def role(node: ir.Node, scheme: Scheme) -> Role:
    """Return the part that `node` plays: its op type's in the scheme, where that holds for this node."""
    kind = node.op_type
    if node.domain not in {"", "ai.onnx"} or not node.inputs or node.inputs[0] is None or not node.outputs:
        return "other"
    if kind in scheme.channel_axis and (kind != "MatMul" or len(activations(node)) < len(node.inputs)):
        return "weighted"
    if kind in scheme.commuting and _commutes(node):
        return "commuting"
    if kind in scheme.fused and (kind not in ARITHMETIC or len(activations(node)) == 1):
        # A function that the engine also runs alone does so where there is nothing to run it inside.
        return "fused" if kind not in scheme.joining or _follows(node, scheme) else "joining"
    return "joining" if kind in scheme.joining else "other"


def operands(node: ir.Node) -> list[tuple[int, ir.Value]]:
    """Return the inputs that carry the tensors an op works on, not its settings, each with its index."""
    inputs = list(enumerate(node.inputs)) if node.op_type in MANY else list(enumerate(node.inputs))[:1]
    first = 1 if node.op_type == "Where" else 0
    return [(index, value) for index, value in inputs[first:] if value is not None]


def moved(node: ir.Node) -> list[tuple[int, ir.Value]]:
    """Return what a commuting node takes and gives again, each with the index of the input."""
    inputs = node.inputs if node.op_type == "Concat" else node.inputs[:1]
    return [(index, value) for index, value in enumerate(inputs) if value is not None]


def after_fusion(value: ir.Value, scheme: Scheme) -> ir.Value:
    """Return what an engine writes for `value`: the result of the activation functions that only it feeds."""
    reader = _next(value, scheme)
    while reader is not None:
        value = reader.outputs[0]
        reader = _next(value, scheme)
    return value


def before_fusion(value: ir.Value, scheme: Scheme) -> ir.Node | None:
    """Return the node whose result, after fused activation functions, is `value`."""
    node = value.producer()
    while node is not None:
        source = _fused_source(node, scheme)
        if source is None:
            return node
        node = source.producer()
    return node


def _next(value: ir.Value, scheme: Scheme) -> ir.Node | None:
    """Return the fused node that takes `value` as the only reader, a gate's pair of readers counting as one."""
    reader = only_reader(value)
    if reader is not None:
        return reader if role(reader, scheme) == "fused" and reader.inputs[0] is value else None
    return _gate(value) if "Silu" in scheme.fused else None


def _gate(value: ir.Value) -> ir.Node | None:
    """Return the Mul of `value` and its own Sigmoid, if these two are all that read it."""
    readers = {use.node for use in value.uses()}
    sigmoid = next((node for node in readers if node.op_type == "Sigmoid"), None)
    if sigmoid is None or len(readers) != 2 or value.is_graph_output():
        return None
    product = only_reader(sigmoid.outputs[0])
    return product if product is not None and product in readers and product.op_type == "Mul" else None


def _fused_source(node: ir.Node, scheme: Scheme) -> ir.Value | None:
    """Return the value that `node` only activates, or None if `node` is no fused function of a value of its own."""
    if role(node, scheme) == "fused":
        source = node.inputs[0]
        return source if source is not None and only_reader(source) is node else None
    if node.op_type == "Mul" and "Silu" in scheme.fused:
        return next((value for value in node.inputs if value is not None and _gate(value) is node), None)
    return None


def _follows(node: ir.Node, scheme: Scheme) -> bool:
    """Whether `node` is the only reader of an op that could take it in."""
    source = node.inputs[0]
    before = source.producer() if source is not None and only_reader(source) is node else None
    return before is not None and before.op_type in scheme.channel_axis.keys() | scheme.joining | scheme.fused


def _commutes(node: ir.Node) -> bool:
    """Whether `node`, of an op type that may commute with rounding, does so as it is set up."""
    if any(is_constant(value) for _, value in moved(node)):
        return False
    if node.op_type == "Resize":
        return node.attributes.get_string("mode", "nearest") == "nearest"
    if node.op_type == "Pad" and node.attributes.get_string("mode", "constant") == "constant":
        fill = node.inputs[2] if len(node.inputs) > 2 else None
        return fill is None or _is_zero(constant(fill))
    return True


def _is_zero(array: NDArray[Any] | None) -> bool:
    return array is not None and not array.any()
