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
    """Check that what only moves values has one scale on all sides; Concat may also round anew what it has joined."""
    for node in model.graph:
        if role(node, scheme) != "commuting":
            continue
        behind = [reader for value in node.outputs for reader in quantizers(value)]
        if node.op_type == "Concat" and behind:
            continue
        beside = [
            found for _, value in moved(node) if (found := dequantizer(value)) is not None and is_activation(found)
        ]
        if scheme.quantized_outputs:
            beside = beside + behind if beside and behind else []
        keys = {rounding(one).key() for one in beside} - {None}
        if len(keys) > 1:
            yield f"{call(node)}: its inputs and outputs must share one scale, and they have {len(keys)}"


def _is_rounded(value: ir.Value) -> bool:
    return dequantizer(value) is not None


def _gives_int8(node: ir.Node, scheme: Scheme) -> bool:
    value = after_fusion(node.outputs[0], scheme)
    if quantizers(value) or quantizers(node.outputs[0]):
        return True
    through = scheme.commuting if node.op_type in scheme.float_results else frozenset()
    return node.op_type in scheme.float_results and not scheme.rounded_ends and reaches_output(value, through)
