"""Rules between a node and the Q and DQ around it: outputs that must be rounded, scales that must be shared."""

from collections.abc import Iterator

import onnx_ir as ir

from edgecnn.compress.quantize.graph import reaches_output
from edgecnn.compress.quantize.roles import after_fusion, moved, operands, role
from edgecnn.compress.quantize.rules.reading import call, dequantizer, is_activation, quantizers, rounding, weights_of
from edgecnn.compress.quantize.scheme import Scheme


def rounded_results(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that what runs in INT8 gives INT8, where the engine has no other form."""
    if not scheme.quantized_outputs:
        return
    for node in model.graph:
        weighted = node.op_type in scheme.channel_axis and weights_of(node)[0] is not None
        if weighted and not _gives_int8(node, scheme):
            yield f"{call(node)}: its output is not quantized, and so it runs in float; put Q and DQ behind it"


def rounded_ends(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that activation functions stand between Q and DQ where the engine has no float."""
    for node in model.graph:
        if node.op_type not in scheme.clamping or not any(_is_rounded(value) for _, value in operands(node)):
            continue
        if not quantizers(after_fusion(node.outputs[0], scheme)) and not node.outputs[0].is_graph_output():
            yield f"{call(node)}: its input is quantized and its output is not; put Q and DQ behind it"


def shared_scales(model: ir.Model, scheme: Scheme) -> Iterator[str]:
    """Check that what Concat joins for an INT8 node has one scale, unless the result is rounded anew."""
    for node in model.graph:
        if node.op_type != "Concat" or role(node, scheme) != "commuting" or not _feeds_int8(node, scheme):
            continue
        beside = [
            found for _, value in moved(node) if (found := dequantizer(value)) is not None and is_activation(found)
        ]
        keys = {rounding(one).key() for one in beside} - {None}
        if len(keys) > 1:
            yield f"{call(node)}: its inputs must share one scale, and they have {len(keys)}; or put Q and DQ behind it"


def _feeds_int8(node: ir.Node, scheme: Scheme) -> bool:
    """Whether what `node` gives reaches, moved or not but not rounded, a node with quantized weights."""
    seen, pending = set(node.outputs), list(node.outputs)
    while pending:
        for use in pending.pop().uses():
            if use.idx == 0 and use.node.op_type in scheme.channel_axis and weights_of(use.node)[0] is not None:
                return True
            new = set(use.node.outputs) - seen if role(use.node, scheme) == "commuting" else set()
            seen |= new
            pending.extend(new)
    return False


def _is_rounded(value: ir.Value) -> bool:
    return dequantizer(value) is not None


def _gives_int8(node: ir.Node, scheme: Scheme) -> bool:
    value = after_fusion(node.outputs[0], scheme)
    if quantizers(value) or quantizers(node.outputs[0]):
        return True
    through = scheme.commuting if node.op_type in scheme.float_results else frozenset()
    return node.op_type in scheme.float_results and not scheme.rounded_ends and reaches_output(value, through)
